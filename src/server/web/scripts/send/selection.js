// Files, folders and text selected for an upload.

import { rejectionReason } from "../format/archive-path.js";
import { hex, random } from "../format/bytes.js";
import { tarOf } from "../format/tar.js";
import { UnfitPath } from "../ui/error-messages.js";

/** @import { Entry } from "../format/tar.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @typedef {{ name: string, isFolder: boolean, files: number, bytes: number }} Top */
/** @import { Info } from "../format/info.js" */
/** @typedef {{ content: Blob, metadata: Metadata, info: Info }} Content */

/** Selected files and folders by path. */
export class Selection {
  /** @type {Map<string, File | undefined>} */
  #entries = new Map();

  get isEmpty() {
    return this.#entries.size === 0;
  }

  /** Returns the top-level entries with their numbers of files and bytes. */
  get tops() {
    /** @type {Map<string, Top>} */
    const tops = new Map();
    for (const [path, file] of this.#entries) {
      const [name, ...below] = path.split("/");
      const top = tops.get(name) ?? { name, isFolder: false, files: 0, bytes: 0 };
      tops.set(name, top);
      top.isFolder ||= below.length > 0 || !file;
      top.files += file ? 1 : 0;
      top.bytes += file?.size ?? 0;
    }
    return [...tops.values()];
  }

  /**
   * Adds a file, or a folder if `file` is missing. A top-level file whose name is taken by another file is renamed.
   *
   * @param {string} path
   * @param {File} [file]
   */
  add(path, file) {
    this.#entries.set(file && !path.includes("/") ? this.#free(path, file) : path, file);
  }

  /**
   * Returns `name`, with a number if another entry has this name.
   *
   * @param {string} name
   * @param {File} file
   */
  #free(name, file) {
    /** @type {(name: string) => boolean} */
    const isTaken = (name) => {
      const other = this.#entries.get(name);
      const isSame = other?.size === file.size && other?.lastModified === file.lastModified;
      return (this.#entries.has(name) && !isSame) || this.tops.some((top) => top.isFolder && top.name === name);
    };
    const [, stem = name, extension] = /^(.+?)(\.[^.]*)?$/su.exec(name) ?? [];
    let free = name;
    for (let number = 2; isTaken(free); number += 1) free = `${stem} (${number})${extension ?? ""}`;
    return free;
  }

  /**
   * Adds the files of an `<input type="file">`, with their paths if a folder was selected.
   *
   * @param {Iterable<File>} files
   */
  addFiles(files) {
    for (const file of files) this.add(file.webkitRelativePath || file.name, file);
  }

  /**
   * Adds dropped files and folders. Must be called during the drop event; resolves once all folders are read.
   *
   * @param {DataTransfer} transfer
   */
  async addDropped(transfer) {
    const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.()).filter((entry) => !!entry);
    await Promise.all(entries.map((entry) => this.#walk(entry)));
  }

  /** @param {string} top */
  remove(top) {
    for (const path of this.#entries.keys()) {
      if (path === top || path.startsWith(`${top}/`)) this.#entries.delete(path);
    }
  }

  clear() {
    this.#entries.clear();
  }

  /**
   * Returns the content to encrypt as `{ content, metadata }`. Throws if a recipient would reject one of the names.
   *
   * @returns {Content}
   */
  content() {
    const tops = this.tops;
    const only = tops.length === 1 ? tops[0] : undefined;
    const file = only && this.#entries.get(only.name);
    if (file && !only.isFolder) {
      return withMetadata(file, {
        filename: only.name,
        ...(file.type && { content_type: file.type }),
        modified_ms: file.lastModified,
      });
    }
    // A single folder is unpacked under its own name; several entries are unpacked into a new folder.
    const inside = only ? only.name.length + 1 : 0;
    const filename = only ? only.name : `sgsend-${hex(random(4))}`;
    const below = Array.from(this.#entries, ([path, file]) => ({ path: path.slice(inside), file }));
    const archive = withMetadata(tarOf(withFolders(below.filter(({ path }) => path !== ""))), { filename, archive: "tar" });
    const [files, bytes] = tops.reduce(([files, bytes], top) => [files + top.files, bytes + top.bytes], [0, 0]);
    return { ...archive, info: { ...archive.info, archive: { files, bytes } } };
  }

  /** @param {FileSystemEntry} entry */
  async #walk(entry) {
    const path = entry.fullPath.slice(1);
    if (isFile(entry)) {
      this.add(path, await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    this.add(path, undefined);
    const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
    for (;;) {
      /** @type {FileSystemEntry[]} */
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const child of some) await this.#walk(child);
    }
  }
}

/**
 * @param {FileSystemEntry} entry
 * @returns {entry is FileSystemFileEntry}
 */
function isFile(entry) {
  return entry.isFile;
}

/**
 * Returns a text as content to encrypt.
 *
 * @param {string} text
 */
export function textContent(text) {
  return withMetadata(new Blob([text]), { filename: "text.txt", content_type: "text/plain; charset=utf-8" });
}

/**
 * @param {Blob} content
 * @param {Omit<Metadata, "size">} metadata
 * @returns {Content}
 */
function withMetadata(content, metadata) {
  const { filename, content_type, modified_ms } = metadata;
  const info = { filename, size: content.size, content_type, modified_ms };
  return { content, metadata: { ...metadata, size: content.size }, info };
}

/**
 * Adds missing parent folders before their entries, and checks every path.
 *
 * @param {Entry[]} entries
 * @returns {Entry[]}
 */
function withFolders(entries) {
  /** @type {Map<string, File | undefined>} */
  const all = new Map();
  for (const { path, file } of entries.sort((one, other) => (one.path < other.path ? -1 : 1))) {
    const reason = rejectionReason(path);
    if (reason) throw new UnfitPath(path, reason);
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth += 1) {
      const folder = names.slice(0, depth).join("/");
      if (!all.has(folder)) all.set(folder, undefined);
    }
    all.set(path, file);
  }
  return Array.from(all, ([path, file]) => ({ path, file }));
}
