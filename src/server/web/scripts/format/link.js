// Further links of a transfer: wrapped payload keys, and the names that a sender gives to the links.

import { openSmall, sealSmall } from "./aead.js";
import { fromHex, joined, utf8 } from "./bytes.js";

/** @import { Bytes } from "./bytes.js" */

const KEY_BYTES = 32;
/** Maximum length of a link's name in UTF-8, in bytes. */
export const MAX_NAME_BYTES = 64;

/**
 * Wraps the payload key for a further link; returns the text form.
 *
 * @param {Bytes} payloadKey
 * @param {Bytes} secret of the link
 * @param {string} linkId
 */
export async function wrapKey(payloadKey, secret, linkId) {
  return sealSmall(secret, wrapping(linkId), payloadKey);
}

/**
 * Unwraps the payload key of a further link; `undefined` if the wrapped key is damaged or belongs to another link.
 *
 * @param {string} wrapped
 * @param {Bytes} secret of the link
 * @param {string} linkId
 */
export async function unwrapKey(wrapped, secret, linkId) {
  const key = await openSmall(secret, wrapping(linkId), wrapped);
  return key?.length === KEY_BYTES ? key : undefined;
}

/**
 * Seals the name of a further link, padded so that its length is not revealed; returns the text form.
 *
 * @param {string} name
 * @param {Bytes} payloadKey
 * @param {string} linkId
 */
export async function sealLabel(name, payloadKey, linkId) {
  if (!isLinkName(name)) throw new RangeError("not the name of a link");
  const bytes = utf8(name);
  return sealSmall(payloadKey, labelling(linkId), joined(bytes, new Uint8Array(MAX_NAME_BYTES - bytes.length)));
}

/**
 * Opens the name of a further link; `undefined` if the label is damaged or belongs to another link.
 *
 * @param {string} label
 * @param {Bytes} payloadKey
 * @param {string} linkId
 */
export async function openLabel(label, payloadKey, linkId) {
  const padded = await openSmall(payloadKey, labelling(linkId), label);
  if (padded?.length !== MAX_NAME_BYTES) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(padded);
    const name = text.replace(/\0+$/u, "");
    return isLinkName(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether a text can be the name of a link: 1 to 64 bytes of UTF-8 without control characters.
 *
 * @param {string} name
 */
export function isLinkName(name) {
  return name.trim() !== "" && utf8(name).length <= MAX_NAME_BYTES && !/\p{Cc}/u.test(name);
}

/** @param {string} linkId */
function wrapping(linkId) {
  return { label: "sgsend/v1/wrap", boundTo: fromHex(linkId) };
}

/** @param {string} linkId */
function labelling(linkId) {
  return { label: "sgsend/v1/label", boundTo: fromHex(linkId) };
}
