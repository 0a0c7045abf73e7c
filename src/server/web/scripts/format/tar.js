// Tar archives (POSIX.1-2017, pax) of a folder or several files, built lazily, with an index of their entries.

import { encodeIndex } from "./archive-index.js";
import { utf8 } from "./bytes.js";

/** @import { Bytes } from "./bytes.js" */
/** @typedef {{ path: string, file?: File | undefined }} Entry */
/** @import { IndexRecord } from "./archive-index.js" */
/** @typedef {{ name: string, size: number, seconds: number, type: string, mode: number }} Fields */

const BLOCK = 512;
/** Longest name in a header in bytes. */
const FIELD = 100;
/** Largest number in eleven octal digits. */
const MAX_NUMBER = 0o77777777777;
/** End-of-archive marker: two empty blocks. */
const END = new Uint8Array(2 * BLOCK);

/**
 * Creates an archive of entries `{ path, file }`; a folder has no file. An index follows the tar.
 *
 * The Blob refers to the files, which are read when the Blob is read.
 *
 * @param {Entry[]} entries
 */
export function tarOf(entries) {
  /** @type {(Bytes | File)[]} */
  const pieces = [];
  /** @type {IndexRecord[]} */
  const records = [];
  let offset = 0;
  for (const { path, file } of entries) {
    const { head, fields } = headOf({ path, file });
    const data = offset + head.reduce((length, piece) => length + piece.length, 0);
    const { size, mode, seconds } = fields;
    const kind = file ? "file" : "directory";
    records.push({ path, kind, offset, data, size, mode, modified_ms: seconds * 1000 });
    pieces.push(...head, ...(file ? [file, padding(size)] : []));
    offset = data + size + padding(size).length;
  }
  return new Blob([...pieces, END, ...encodeIndex(records)]);
}

/**
 * Returns the end-of-archive marker of a tar.
 */
export function endOfTar() {
  return END.slice();
}

/**
 * Returns the headers of an entry, and the fields of the last one.
 *
 * @param {Entry} entry
 */
function headOf({ path, file }) {
  const size = file?.size ?? 0;
  const seconds = Math.max(0, Math.floor((file?.lastModified ?? Date.now()) / 1000));
  const fields = { name: file ? path : `${path}/`, size, seconds, type: file ? "0" : "5", mode: file ? 0o644 : 0o755 };
  return { head: [...extended(fields), header(fields)], fields };
}

/**
 * Returns an extended header for values that do not fit into the regular header.
 *
 * @param {Omit<Fields, "type" | "mode">} fields
 */
function extended({ name, size, seconds }) {
  const records = [];
  if (!/^[\x20-\x7e]*$/.test(name) || name.length > FIELD) records.push(record("path", name));
  if (size > MAX_NUMBER) records.push(record("size", `${size}`));
  if (records.length === 0) return [];
  const content = utf8(records.join(""));
  const fields = { name: "pax-header", size: content.length, seconds, type: "x", mode: 0o644 };
  return [header(fields), content, padding(content.length)];
}

/**
 * Returns a pax record `LENGTH KEY=VALUE\n`; the length includes its own digits.
 *
 * @param {string} key
 * @param {string} value
 */
function record(key, value) {
  const rest = utf8(`${key}${value}`).length + 3;
  let length = rest + 1;
  while (rest + `${length}`.length > length) length += 1;
  return `${length} ${key}=${value}\n`;
}

/**
 * Returns a ustar header without the file's owner.
 *
 * @param {Fields} fields
 */
function header({ name, size, seconds, type, mode }) {
  const block = new Uint8Array(BLOCK);
  /** @type {(at: number, text: string) => void} */
  const put = (at, text) => block.set(utf8(text), at);
  /** @type {(at: number, length: number, number: number) => void} */
  const octal = (at, length, number) => put(at, number.toString(8).padStart(length, "0"));
  put(0, name.replace(/[^\x20-\x7e]/gu, "_").slice(0, FIELD));
  octal(100, 7, mode);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, Math.min(size, MAX_NUMBER));
  octal(136, 11, Math.min(seconds, MAX_NUMBER));
  put(148, "        ");
  put(156, type);
  put(257, "ustar\0" + "00");
  octal(
    148,
    6,
    block.reduce((sum, byte) => sum + byte),
  );
  put(154, "\0 ");
  return block;
}

/** @param {number} size */
function padding(size) {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}
