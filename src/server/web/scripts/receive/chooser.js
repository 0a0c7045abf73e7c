// Files of an archive: shows the tree, and saves the chosen ones.

import { safeName } from "../format/file-name.js";
import { button, byId, hide, show, showError, showMessage } from "../ui/dom.js";
import { count, size } from "../ui/format.js";
import { fileContent, MAX_ZIP_ENTRIES, readIndex, tarContent, tarSize, zipContent, zipSize } from "./archive.js";
import { newFile } from "./save.js";
import { Tree } from "./tree.js";

/** @import { IndexRecord } from "../format/archive-index.js" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @import { Download } from "./download.js" */
/** @import { Context } from "./main.js" */

/** @type {Tree | undefined} */
let tree;

/**
 * Shows the tree of an archive.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function showFiles(download, metadata, { options }) {
  const entries = await readIndex(download, metadata.size, options);
  if (!entries) {
    hide("choose");
    showMessage("This archive has no list of its files. Download it as a whole.");
    return;
  }
  tree = new Tree(byId("tree"), entries, showChoice);
  showChoice();
  hide("choose");
  showMessage("");
}

/** Shows the tree again after a download. Returns whether there is one. */
export function showTree() {
  if (!tree) return false;
  show("files");
  return true;
}

function showChoice() {
  const chosen = tree?.chosen ?? [];
  const files = chosen.filter(({ kind }) => kind === "file");
  const bytes = files.reduce((sum, entry) => sum + entry.size, 0);
  byId("chosen").textContent = files.length === 0 ? "Nothing selected" : `${count(files.length, "file")} selected, ${size(bytes)}`;
  button("save-chosen").disabled = files.length === 0;
  button("save-tar").disabled = chosen.length === 0;
}

/**
 * Saves the chosen entries: one file as itself, several as a .zip file.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function saveChosen(download, metadata, context) {
  const chosen = tree?.chosen ?? [];
  const [only, ...others] = chosen.filter(({ kind }) => kind !== "directory");
  if (only?.kind === "file" && others.length === 0) {
    const name = safeName(only.path.split("/").at(-1) ?? "");
    return save(download, { name, bytes: only.size, content: fileContent(download, only, context.options) }, context);
  }
  return saveZip(download, metadata, context, chosen);
}

/**
 * Saves all entries as a .zip file.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function saveAll(download, metadata, context) {
  return saveZip(download, metadata, context, tree?.entries ?? []);
}

/**
 * Saves the chosen entries as a tar.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function saveTar(download, { filename }, context) {
  const chosen = tree?.chosen ?? [];
  const content = tarContent(download, chosen, context.options);
  return save(download, { name: safeName(`${safeName(filename)}.tar`), bytes: tarSize(chosen), content }, context);
}

/**
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 * @param {IndexRecord[]} entries
 */
async function saveZip(download, { filename }, context, entries) {
  if (entries.length > MAX_ZIP_ENTRIES) {
    showError(`A .zip file holds at most ${MAX_ZIP_ENTRIES} files. Save as .tar instead.`);
    return;
  }
  const content = zipContent(download, entries, context.options);
  const name = safeName(`${safeName(filename)}.zip`);
  await save(download, { name, bytes: zipSize(entries), content }, context);
  if (entries.some(({ kind }) => kind === "symlink")) {
    showMessage(`${byId("outcome").textContent}\nIt has no links; a .tar file has them.`);
  }
}

/**
 * @param {Download} download
 * @param {{ name: string, bytes: number, content: AsyncGenerator<Bytes> }} target
 * @param {Context} context
 */
async function save(download, { name, bytes, content }, { options, progress }) {
  progress.of(bytes);
  const file = await newFile(name, bytes, options.signal);
  let saved = 0;
  try {
    for await (const piece of content) {
      // Writing transfers the buffer to the browser, after which its length is 0.
      saved += piece.length;
      await file.write(piece);
      progress.at(saved);
    }
    await file.close();
  } catch (error) {
    await file.abort();
    throw error;
  }
  showMessage(`Download finished: ${name}, ${size(bytes)}.\nYour browser has it among your downloads.`);
  download.report("decrypt_succeeded");
}
