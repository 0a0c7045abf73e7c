// Archive of a transfer, read by its index: its entries, and the content of chosen ones.

import { endOf, findIndex, headAgrees, LENGTH_BYTES, parseIndex } from "../format/archive-index.js";
import { joined } from "../format/bytes.js";
import { Damaged } from "../format/sealed.js";
import { endOfTar } from "../format/tar.js";
import { makeZip, predictLength } from "../vendor/client-zip/index.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { IndexRecord } from "../format/archive-index.js" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { Download } from "./download.js" */

/** Largest number of entries in a .zip file: the library writes no larger count. */
export const MAX_ZIP_ENTRIES = 65_535;
/** First and last year that a .zip file can state. */
const ZIP_YEARS = [1980, 2107];

/**
 * Returns the entries of an archive of `size` bytes; `undefined` if it has no index.
 *
 * @param {Download} download
 * @param {number} size
 * @param {RetryOptions} options
 */
export async function readIndex(download, size, options) {
  if (size < LENGTH_BYTES) return undefined;
  const position = findIndex(size, await read(download, size - LENGTH_BYTES, size, options));
  return position && parseIndex(await read(download, position.start, size, options), position);
}

/**
 * Yields the data of a file, once the tar headers agree with the index.
 *
 * @param {Download} download
 * @param {IndexRecord} entry
 * @param {RetryOptions} options
 */
export async function* fileContent(download, entry, options) {
  await checkedHead(download, entry, options);
  yield* download.range(entry.data, entry.data + entry.size, options);
}

/**
 * Yields a tar of the entries, in the order of the archive.
 *
 * @param {Download} download
 * @param {IndexRecord[]} entries
 * @param {RetryOptions} options
 */
export async function* tarContent(download, entries, options) {
  for (const entry of entries) {
    yield await checkedHead(download, entry, options);
    yield* download.range(entry.data, endOf(entry), options);
  }
  yield endOfTar();
}

/**
 * Returns the size of the tar of the entries in bytes.
 *
 * @param {IndexRecord[]} entries
 */
export function tarSize(entries) {
  return entries.reduce((size, entry) => size + endOf(entry) - entry.offset, endOfTar().length);
}

/**
 * Returns the size of the .zip file of the entries in bytes.
 *
 * @param {IndexRecord[]} entries
 */
export function zipSize(entries) {
  return Number(predictLength(zipped(entries).map(({ zip, entry }) => ({ ...zip, size: entry.size }))));
}

/**
 * Yields a .zip file of the entries: stored, not compressed. Symbolic links are left out.
 *
 * @param {Download} download
 * @param {IndexRecord[]} entries
 * @param {RetryOptions} options
 */
export async function* zipContent(download, entries, options) {
  const files = zipped(entries).map(({ zip, entry }) =>
    entry.kind === "file" ? { ...zip, size: entry.size, input: fileContent(download, entry, options) } : zip,
  );
  const reader = makeZip(files).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      // A copy: the library still uses parts of its buffers.
      yield next.value.slice();
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Returns the entries of a .zip file with their names, times and permissions.
 *
 * @param {IndexRecord[]} entries
 */
function zipped(entries) {
  const [first, last] = ZIP_YEARS;
  return entries
    .filter(({ kind }) => kind !== "symlink")
    .map((entry) => {
      const at = new Date(entry.modified_ms);
      const isKnown = at.getFullYear() >= first && at.getFullYear() <= last;
      const lastModified = isKnown ? at : new Date(first, 0, 1);
      const name = entry.kind === "directory" ? `${entry.path}/` : entry.path;
      return { entry, zip: { name, lastModified, mode: entry.mode & 0o777 } };
    });
}

/**
 * Returns the headers of an entry; throws if they differ from the index.
 *
 * @param {Download} download
 * @param {IndexRecord} entry
 * @param {RetryOptions} options
 */
async function checkedHead(download, entry, options) {
  const head = await read(download, entry.offset, entry.data, options);
  if (!headAgrees(head, entry)) throw new Damaged("index", `the index of the archive is wrong about "${entry.path}"`);
  return head;
}

/**
 * @param {Download} download
 * @param {number} start
 * @param {number} end
 * @param {RetryOptions} options
 */
async function read(download, start, end, options) {
  /** @type {Bytes[]} */
  const pieces = [];
  for await (const piece of download.range(start, end, options)) pieces.push(piece);
  return joined(...pieces);
}
