// Archives (POSIX.1-2017, pax): a folder, or several files, as one file that is never written anywhere.

import { utf8 } from "./bytes.js";

const BLOCK = 512;
/** Longest name that a header itself holds. */
const FIELD = 100;
/** The largest number in eleven octal digits. */
const MOST = 0o77777777777;
/** Two empty blocks say that the archive ends here. */
const END = new Uint8Array(2 * BLOCK);

/**
 * Makes an archive of entries `{ path, file }`, where a folder has no file.
 *
 * The Blob refers to the files; they are read when it is.
 */
export function tarOf(entries) {
  return new Blob([...entries.flatMap(pieces), END]);
}

function pieces({ path, file }) {
  const size = file?.size ?? 0;
  const seconds = Math.max(0, Math.floor((file?.lastModified ?? Date.now()) / 1000));
  const fields = { name: file ? path : `${path}/`, size, seconds, type: file ? "0" : "5", mode: file ? 0o644 : 0o755 };
  return [...extended(fields), header(fields), ...(file ? [file, padding(size)] : [])];
}

/** What the header cannot hold stands in one of its own in front. */
function extended({ name, size, seconds }) {
  const records = [];
  if (!/^[\x20-\x7e]*$/.test(name) || name.length > FIELD) records.push(record("path", name));
  if (size > MOST) records.push(record("size", `${size}`));
  if (records.length === 0) return [];
  const content = utf8(records.join(""));
  const fields = { name: "pax-header", size: content.length, seconds, type: "x", mode: 0o644 };
  return [header(fields), content, padding(content.length)];
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits too. */
function record(key, value) {
  const rest = utf8(`${key}${value}`).length + 3;
  let length = rest + 1;
  while (rest + `${length}`.length > length) length += 1;
  return `${length} ${key}=${value}\n`;
}

/** A ustar header that says nothing of who owns the file. */
function header({ name, size, seconds, type, mode }) {
  const block = new Uint8Array(BLOCK);
  const put = (at, text) => block.set(utf8(text), at);
  const octal = (at, length, number) => put(at, number.toString(8).padStart(length, "0"));
  put(0, name.replace(/[^\x20-\x7e]/gu, "_").slice(0, FIELD));
  octal(100, 7, mode);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, Math.min(size, MOST));
  octal(136, 11, Math.min(seconds, MOST));
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

function padding(size) {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}
