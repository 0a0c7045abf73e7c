// Info block: name, size and message of a transfer, encrypted with the payload key, for recipients before they download.

import { openSmall, sealSmall } from "./aead.js";
import { joined, utf8 } from "./bytes.js";

/** @import { Bytes } from "./bytes.js" */
/** @import { Metadata } from "./envelope.js" */
/**
 * What the sender says about the content.
 *
 * @typedef {object} Info
 * @property {string} filename
 * @property {number} size content size in bytes
 * @property {string} [content_type]
 * @property {{ files: number, bytes: number }} [archive]
 * @property {string} [message]
 * @property {number} [modified_ms]
 */

const LABEL = "sgsend/v1/info";
const STEP_BYTES = 1024;
const MAX_BYTES = 16 * 1024;
const ELLIPSIS = "…";
/** Maximum length of a message in characters. */
export const MAX_MESSAGE_CHARACTERS = 2000;

/**
 * Encrypts an info block; returns its text form.
 *
 * @param {Info} info
 * @param {Bytes} payloadKey
 */
export async function sealInfo(info, payloadKey) {
  return sealSmall(payloadKey, { label: LABEL }, paddedJson(info));
}

/**
 * Decrypts an info block; `undefined` if it is damaged, belongs to another key, or has no valid content.
 *
 * @param {string} text
 * @param {Bytes} payloadKey
 * @returns {Promise<Info | undefined>}
 */
export async function openInfo(text, payloadKey) {
  const json = await openSmall(payloadKey, { label: LABEL }, text);
  if (!json) return undefined;
  try {
    const info = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
    const isValid = typeof info?.filename === "string" && Number.isSafeInteger(info.size) && info.size >= 0;
    const { message } = info;
    if (!isValid || (message !== undefined && typeof message !== "string")) return undefined;
    return characters(message ?? "") <= MAX_MESSAGE_CHARACTERS ? info : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether name, size and kind are those of the envelope. The name may be shortened in the info block.
 *
 * @param {Info} info
 * @param {Metadata} metadata
 */
export function agrees(info, metadata) {
  const isShortened = info.filename.endsWith(ELLIPSIS) && metadata.filename.startsWith(info.filename.slice(0, -1));
  const isSameName = isShortened || info.filename === metadata.filename;
  return isSameName && info.size === metadata.size && Boolean(info.archive) === Boolean(metadata.archive);
}

/**
 * Encodes the info, with a name that is short enough.
 *
 * @param {Info} info
 */
function paddedJson(info) {
  let json = utf8(JSON.stringify(info));
  let name = Array.from(info.filename);
  while (json.length > MAX_BYTES) {
    if (name.length === 0) throw new RangeError("the message is too long");
    // A character takes six bytes of JSON at most.
    name = name.slice(0, -Math.ceil((json.length - MAX_BYTES) / 6) - 1);
    json = utf8(JSON.stringify({ ...info, filename: `${name.join("")}${ELLIPSIS}` }));
  }
  const padding = Math.ceil(json.length / STEP_BYTES) * STEP_BYTES - json.length;
  return joined(json, utf8(" ".repeat(padding)));
}

/** @param {string} text */
export function characters(text) {
  return Array.from(text).length;
}
