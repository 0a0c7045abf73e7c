// Envelope: a file's metadata in front of its content, inside the encrypted payload.

import { joined, utf8 } from "./bytes.js";
import { Damaged } from "./sealed.js";

/** @import { Bytes } from "./bytes.js" */
/**
 * Metadata of a file. Names and types come from the sender; only `filename`, `size` and `content_type` are checked.
 *
 * @typedef {object} Metadata
 * @property {string} filename
 * @property {number} size content size in bytes
 * @property {string} [content_type]
 * @property {number} [modified_ms] time of the last change in milliseconds since the Unix epoch
 * @property {string} [archive] `tar` if the content is an archive
 * @property {boolean} [signed] whether the sender has signed the payload
 */

const MAGIC = utf8("SGMETA\0");
const PREFIX_BYTES = MAGIC.length + 4;
const MAX_METADATA_BYTES = 65_536;

/**
 * Encodes the envelope's head, which precedes the content.
 *
 * @param {Metadata} metadata
 */
export function envelopeHead(metadata) {
  const json = utf8(JSON.stringify(metadata));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  return joined(MAGIC, length, json);
}

/**
 * Parses the envelope's head from the first plaintext segment, which always contains it completely.
 *
 * `plaintextBytes` is the plaintext size of the payload. Returns the metadata and the offset of the content.
 *
 * @param {Bytes} first
 * @param {number} plaintextBytes
 */
export function readEnvelope(first, plaintextBytes) {
  if (first.length < PREFIX_BYTES || MAGIC.some((byte, index) => first[index] !== byte)) {
    throw new Damaged("envelope", "the payload holds no envelope with a file's name");
  }
  const length = new DataView(first.buffer, first.byteOffset).getUint32(MAGIC.length);
  const contentStart = PREFIX_BYTES + length;
  if (length > MAX_METADATA_BYTES || contentStart > first.length) {
    throw new Damaged("envelope", "the envelope is too large");
  }
  const metadata = parse(first.subarray(PREFIX_BYTES, contentStart));
  if (plaintextBytes - contentStart < metadata.size) {
    throw new Damaged("envelope", "the content is shorter than its envelope says");
  }
  return { metadata, contentStart };
}

/**
 * @param {Bytes} json
 * @returns {Metadata}
 */
function parse(json) {
  let metadata;
  try {
    metadata = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw new Damaged("envelope", "the envelope cannot be read", { cause });
  }
  if (typeof metadata?.filename !== "string" || !Number.isSafeInteger(metadata.size) || metadata.size < 0) {
    throw new Damaged("envelope", "the envelope lacks a name or a size");
  }
  const { content_type: type } = metadata;
  return { ...metadata, content_type: typeof type === "string" ? type : undefined };
}
