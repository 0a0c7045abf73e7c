// Short values sealed with AES-256-GCM: nonce, ciphertext and tag, in base64url.

import { base64url, fromBase64url, joined, random, utf8 } from "./bytes.js";
import { hkdf } from "./key.js";

/** @import { Bytes } from "./bytes.js" */
/**
 * Use of a derived key.
 *
 * @typedef {object} Purpose
 * @property {string} label label of the key derivation, and start of the associated data
 * @property {Bytes} [boundTo] rest of the associated data
 */

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals bytes under a random nonce; returns the text form.
 *
 * @param {Bytes} secret
 * @param {Purpose} purpose
 * @param {Bytes} plaintext
 */
export async function sealSmall(secret, purpose, plaintext) {
  const nonce = random(NONCE_BYTES);
  const sealed = await crypto.subtle.encrypt(algorithm(nonce, purpose), await cipher(secret, purpose), plaintext);
  return base64url(joined(nonce, new Uint8Array(sealed)));
}

/**
 * Opens a sealed value; `undefined` if it was changed, or belongs to another secret or purpose.
 *
 * @param {Bytes} secret
 * @param {Purpose} purpose
 * @param {string} text
 */
export async function openSmall(secret, purpose, text) {
  const bytes = fromBase64url(text);
  if (!bytes || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const [nonce, sealed] = [bytes.slice(0, NONCE_BYTES), bytes.slice(NONCE_BYTES)];
  try {
    const key = await cipher(secret, purpose);
    return new Uint8Array(await crypto.subtle.decrypt(algorithm(nonce, purpose), key, sealed));
  } catch {
    return undefined;
  }
}

/**
 * @param {Bytes} nonce
 * @param {Purpose} purpose
 */
function algorithm(nonce, { label, boundTo = new Uint8Array() }) {
  return { name: "AES-GCM", iv: nonce, additionalData: joined(utf8(label), boundTo) };
}

/**
 * @param {Bytes} secret
 * @param {Purpose} purpose
 */
async function cipher(secret, { label }) {
  return crypto.subtle.importKey("raw", await hkdf(secret, label, 32), "AES-GCM", false, ["encrypt", "decrypt"]);
}
