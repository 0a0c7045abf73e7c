// Index of an archive behind its tar: where each entry lies. The rules are those of `domain/archive/index`.

import { rejectionReason } from "./archive-path.js";
import { utf8 } from "./bytes.js";
import { Damaged } from "./sealed.js";

/** @import { Bytes } from "./bytes.js" */
/**
 * Entry of an index. Offsets and sizes are in bytes, from the start of the content.
 *
 * @typedef {object} IndexRecord
 * @property {string} path
 * @property {"file" | "directory" | "symlink"} kind
 * @property {number} offset offset of the first header
 * @property {number} data offset of the data
 * @property {number} size size of the data; 0 unless the entry is a file
 * @property {number} mode Unix permissions
 * @property {number} modified_ms time of the last change in milliseconds since the Unix epoch
 * @property {string} [link] target of a symbolic link
 */
/** @typedef {{ start: number, bytes: number }} IndexPosition */

const MAGIC = utf8("SGINDEX\0");
/** Size of the length field at the end. */
export const LENGTH_BYTES = 8;
/** Longest JSON; a longer index is neither written nor read. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;
const BLOCK = 512;
const END_BYTES = 2 * BLOCK;
/** Largest headers of an entry. */
const MAX_HEADER_BYTES = 2 * 64 * 1024 + 8 * BLOCK;

/**
 * Encodes an index; returns no pieces if it is too long to be written.
 *
 * @param {IndexRecord[]} records
 */
export function encodeIndex(records) {
  const json = utf8(JSON.stringify(records));
  if (json.length > MAX_JSON_BYTES) return [];
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length));
  return [MAGIC, json, length];
}

/**
 * Returns the place of the index of a content of `size` bytes, given its last eight bytes; `undefined` if the content
 * has no index.
 *
 * @param {number} size
 * @param {Bytes} last
 * @returns {IndexPosition | undefined}
 */
export function findIndex(size, last) {
  const length = new DataView(last.buffer, last.byteOffset).getBigUint64(0);
  if (length < 2n || length > BigInt(MAX_JSON_BYTES)) return undefined;
  const bytes = Number(length) + MAGIC.length + LENGTH_BYTES;
  const start = size - bytes;
  return start >= END_BYTES && start % BLOCK === 0 ? { start, bytes } : undefined;
}

/**
 * Parses the index at `position`; `undefined` if there is none. Throws if it is unsafe or contradicts itself.
 *
 * @param {Bytes} bytes
 * @param {IndexPosition} position
 * @returns {IndexRecord[] | undefined}
 */
export function parseIndex(bytes, { start }) {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) return undefined;
  let entries;
  try {
    const json = bytes.subarray(MAGIC.length, bytes.length - LENGTH_BYTES);
    entries = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw new Damaged("index", "the index of the archive cannot be read", { cause });
  }
  if (!Array.isArray(entries)) throw new Damaged("index", "the index of the archive is no list");
  let free = 0;
  /** @type {Map<string, string>} */
  const kinds = new Map();
  for (const entry of entries) {
    check(entry);
    const end = endOf(entry);
    if (entry.offset < free || end > start - END_BYTES) refuse(entry, "lies outside the archive or over another entry");
    free = end;
    if (kinds.has(entry.path)) refuse(entry, "is listed twice");
    kinds.set(entry.path, entry.kind);
  }
  for (const entry of entries) {
    for (let at = entry.path.indexOf("/"); at >= 0; at = entry.path.indexOf("/", at + 1)) {
      const parent = kinds.get(entry.path.slice(0, at));
      if (parent !== undefined && parent !== "directory") refuse(entry, "lies below a file");
    }
  }
  return entries;
}

/**
 * Returns the offset behind the data of an entry and its padding.
 *
 * @param {IndexRecord} entry
 */
export function endOf({ data, size }) {
  return data + Math.ceil(size / BLOCK) * BLOCK;
}

/**
 * Checks the members of one entry.
 *
 * @param {any} entry
 */
function check(entry) {
  const { path, kind, offset, data, size, mode, modified_ms: modified, link } = entry ?? {};
  const isText = typeof path === "string" && path.isWellFormed();
  if (!isText || ![offset, data, size, mode].every((number) => Number.isSafeInteger(number) && number >= 0)) {
    throw new Damaged("index", "the index of the archive has an entry without a path or place");
  }
  const reason = rejectionReason(path);
  if (reason) refuse(entry, reason);
  const head = data - offset;
  const isPlaced = offset % BLOCK === 0 && head % BLOCK === 0 && head >= BLOCK && head <= MAX_HEADER_BYTES;
  const hasLink = link !== undefined && link !== null;
  const isKind = ["file", "directory", "symlink"].includes(kind) && hasLink === (kind === "symlink");
  if (!isPlaced || !isKind || !Number.isSafeInteger(modified) || (size > 0 && kind !== "file")) {
    refuse(entry, "contradicts itself");
  }
  if (hasLink && !staysInside(link, path)) refuse(entry, "points outside the archive");
}

/**
 * Returns whether the target of a symbolic link resolves inside the archive, whatever its other links are.
 *
 * @param {unknown} target
 * @param {string} path
 */
function staysInside(target, path) {
  if (typeof target !== "string" || target === "" || utf8(target).length > 4_096) return false;
  if (target.startsWith("/") || /^[a-z]:(\/|$)/i.test(target)) return false;
  let above = path.split("/").length - 1;
  let descends = false;
  for (const name of target.split("/")) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (descends || above === 0) return false;
      above -= 1;
    } else {
      if (rejectionReason(name)) return false;
      descends = true;
    }
  }
  return true;
}

/**
 * Returns whether the tar headers in `head`, and nothing else, describe the entry.
 *
 * @param {Bytes} head
 * @param {IndexRecord} entry
 */
export function headAgrees(head, entry) {
  /** @type {{ path?: string, linkpath?: string, size?: string }} */
  let extended = {};
  for (let at = 0; at + BLOCK <= head.length; ) {
    const block = head.subarray(at, at + BLOCK);
    const size = octal(block.subarray(124, 136));
    if (!hasChecksum(block) || size === undefined) return false;
    const type = String.fromCharCode(block[156]);
    at += BLOCK;
    if (type === "x") {
      const records = paxRecords(head.subarray(at, at + size));
      if (!records) return false;
      extended = { ...extended, ...records };
      at += Math.ceil(size / BLOCK) * BLOCK;
      continue;
    }
    if (at !== head.length) return false;
    const kind = { 0: "file", "\0": "file", 5: "directory", 2: "symlink" }[type];
    const stated = extended.path ?? nameIn(block);
    const path = (kind === "directory" ? stated?.replace(/\/$/, "") : stated)?.replace(/^\.\//, "");
    const target = kind === "symlink" ? (extended.linkpath ?? text(block.subarray(157, 257))) : undefined;
    const bytes = extended.size === undefined ? size : Number(extended.size);
    return kind === entry.kind && path === entry.path && bytes === entry.size && target === (entry.link ?? undefined);
  }
  return false;
}

/**
 * Returns the name in a header, with the prefix of ustar.
 *
 * @param {Bytes} block
 */
function nameIn(block) {
  const isUstar = text(block.subarray(257, 262)) === "ustar";
  const prefix = isUstar ? text(block.subarray(345, 500)) : "";
  const name = text(block.subarray(0, 100));
  return prefix ? `${prefix}/${name}` : name;
}

/**
 * Decodes a field up to its first zero byte; `undefined` if it is not UTF-8.
 *
 * @param {Bytes} bytes
 */
function text(bytes) {
  const end = bytes.indexOf(0);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(end < 0 ? bytes : bytes.subarray(0, end));
  } catch {
    return undefined;
  }
}

/**
 * Parses an octal number; `undefined` for other forms.
 *
 * @param {Bytes} bytes
 */
function octal(bytes) {
  const digits = (text(bytes) ?? "").trim();
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/**
 * Returns whether a header has the right checksum, which counts its own eight bytes as spaces.
 *
 * @param {Bytes} block
 */
function hasChecksum(block) {
  const sum = block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0);
  return octal(block.subarray(148, 156)) === sum;
}

/**
 * Parses pax records `LENGTH KEY=VALUE\n`; `undefined` if they are malformed or change how content is read.
 *
 * @param {Bytes} bytes
 */
function paxRecords(bytes) {
  /** @type {Record<string, string>} */
  const records = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = Number.parseInt(text(bytes.subarray(at, Math.max(at, space))) ?? "", 10);
    const record = text(bytes.subarray(space + 1, at + length - 1));
    const equals = record?.indexOf("=") ?? -1;
    if (space < 0 || !(length > space - at) || at + length > bytes.length || !record || equals < 0) return undefined;
    const key = record.slice(0, equals);
    if (key.startsWith("GNU.sparse.") || key === "SCHILY.realsize") return undefined;
    records[key] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

/**
 * @param {IndexRecord} entry
 * @param {string} reason
 * @returns {never}
 */
function refuse({ path }, reason) {
  throw new Damaged("index", `the index of the archive is unsafe: "${path}" ${reason}`);
}
