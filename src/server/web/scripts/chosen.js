// What a person has chosen to send.

import { whyUnfit } from "./archive-path.js";
import { hex, random } from "./bytes.js";
import { tarOf } from "./tar.js";

/** Files and folders by their paths. */
export class Chosen {
  #entries = new Map();

  get isEmpty() {
    return this.#entries.size === 0;
  }

  /** What is at the top, with how many files and bytes it stands for. */
  get tops() {
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

  /** The same with one more. */
  with(path, file) {
    const more = new Chosen();
    more.#entries = new Map(this.#entries);
    more.add(path, file);
    return more;
  }

  /** Adds a file, or a folder without one. Another file of the same name gets another name, unless it is in a folder. */
  add(path, file) {
    this.#entries.set(file && !path.includes("/") ? this.#free(path, file) : path, file);
  }

  /** The name, or one like it that nothing else has. */
  #free(name, file) {
    const isTaken = (name) => {
      const other = this.#entries.get(name);
      const isSame = other?.size === file.size && other?.lastModified === file.lastModified;
      return (this.#entries.has(name) && !isSame) || this.tops.some((top) => top.isFolder && top.name === name);
    };
    const [, stem, extension] = /^(.+?)(\.[^.]*)?$/su.exec(name);
    let free = name;
    for (let number = 2; isTaken(free); number += 1) free = `${stem} (${number})${extension ?? ""}`;
    return free;
  }

  /** Adds what `<input type="file">` has: with a folder, paths below it. */
  addFiles(files) {
    for (const file of files) this.add(file.webkitRelativePath || file.name, file);
  }

  /** Adds what was dropped. Must be called while the drop is handled, and ends once all folders are read. */
  async addDropped(transfer) {
    const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
    await Promise.all(entries.map((entry) => this.#walk(entry)));
  }

  remove(top) {
    for (const path of this.#entries.keys()) {
      if (path === top || path.startsWith(`${top}/`)) this.#entries.delete(path);
    }
  }

  clear() {
    this.#entries.clear();
  }

  /** The one thing to seal: `{ content, metadata }`. Throws where there is a name that no recipient would take. */
  content() {
    const tops = this.tops;
    const only = tops.length === 1 ? tops[0] : undefined;
    if (only && !only.isFolder) {
      const file = this.#entries.get(only.name);
      return withMetadata(file, {
        filename: only.name,
        ...(file.type && { content_type: file.type }),
        modified_ms: file.lastModified,
      });
    }
    // One folder is itself what is unpacked; several things go into a new one.
    const inside = only ? only.name.length + 1 : 0;
    const filename = only ? only.name : `sgsend-${hex(random(4))}`;
    const below = Array.from(this.#entries, ([path, file]) => ({ path: path.slice(inside), file }));
    return withMetadata(tarOf(withFolders(below.filter(({ path }) => path !== ""))), { filename, archive: "tar" });
  }

  async #walk(entry) {
    const path = entry.fullPath.slice(1);
    if (entry.isFile) {
      this.add(path, await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    this.add(path, undefined);
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const child of some) await this.#walk(child);
    }
  }
}

/** A text as something to send. */
export function textContent(text) {
  return withMetadata(new Blob([text]), { filename: "text.txt", content_type: "text/plain; charset=utf-8" });
}

function withMetadata(content, metadata) {
  return { content, metadata: { ...metadata, size: content.size } };
}

/** Adds the folders that paths go through, each before what is in it, and checks every path. */
function withFolders(entries) {
  const all = new Map();
  for (const { path, file } of entries.sort((one, other) => (one.path < other.path ? -1 : 1))) {
    const reason = whyUnfit(path);
    if (reason) throw new Error(`"${path}" ${reason}, and no recipient would unpack it`);
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth += 1) {
      const folder = names.slice(0, depth).join("/");
      if (!all.has(folder)) all.set(folder, undefined);
    }
    all.set(path, file);
  }
  return Array.from(all, ([path, file]) => ({ path, file }));
}
