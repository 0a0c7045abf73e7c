// Files of an archive: shows the tree, and saves the chosen ones or all.

import { safeName } from "../format/file-name.js";
import { button, byId, hide, show, showError, showMessage } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { t } from "../ui/text.js";
import { fileContent, MAX_ZIP_ENTRIES, readIndex, tarContent, tarSize, zipContent, zipSize } from "./archive.js";
import { saveContent } from "./save-content.js";
import { Tree } from "./tree.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { IndexRecord } from "../format/archive-index.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @import { Download } from "./download.js" */
/** @import { Context } from "./run.js" */

/** @type {Tree | undefined} */
let tree;
/** @type {IndexRecord[] | undefined} */
let known;

/**
 * Returns the entries of an archive; reads its index once.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {RetryOptions} options
 */
async function entriesOf(download, metadata, options) {
  known ??= await readIndex(download, metadata.size, options);
  return known;
}

/**
 * Shows the tree of an archive.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function showFiles(download, metadata, { options }) {
  const entries = await entriesOf(download, metadata, options);
  hide("choose");
  if (!entries) {
    showMessage(t("receive.no_index"));
    return;
  }
  tree = new Tree(byId("tree"), entries, showChoice);
  showChoice();
  show("files");
  showMessage("");
}

function showChoice() {
  const chosen = tree?.chosen ?? [];
  const files = chosen.filter(({ kind }) => kind === "file");
  const bytes = files.reduce((sum, entry) => sum + entry.size, 0);
  byId("chosen").textContent =
    files.length === 0
      ? t("receive.nothing_selected")
      : t("receive.selected", { count: files.length, size: size(bytes) });
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
    return saveContent(download, { name, bytes: only.size, content: fileContent(download, only, context.options) }, context);
  }
  return saveZip(download, metadata, context, chosen);
}

/**
 * Saves all entries as a .zip file, or the whole archive as a tar if no .zip file can hold it.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function saveAll(download, metadata, context) {
  const entries = await entriesOf(download, metadata, context.options);
  if (entries && entries.length <= MAX_ZIP_ENTRIES) return saveZip(download, metadata, context, entries);
  const name = safeName(`${safeName(metadata.filename)}.tar`);
  await saveContent(download, { name, bytes: metadata.size, content: download.content(context.options) }, context);
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
  return saveContent(download, { name: safeName(`${safeName(filename)}.tar`), bytes: tarSize(chosen), content }, context);
}

/**
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 * @param {IndexRecord[]} entries
 */
async function saveZip(download, { filename }, context, entries) {
  if (entries.length > MAX_ZIP_ENTRIES) {
    showError(t("receive.zip_limit", { count: MAX_ZIP_ENTRIES }));
    return;
  }
  const content = zipContent(download, entries, context.options);
  const name = safeName(`${safeName(filename)}.zip`);
  await saveContent(download, { name, bytes: zipSize(entries), content }, context);
  if (entries.some(({ kind }) => kind === "symlink")) {
    showMessage(`${byId("outcome").textContent}\n${t("receive.without_links")}`);
  }
}
