// Conversions between bytes and text.

/**
 * Bytes in a buffer that is not shared, as the browser's cryptography requires.
 *
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 */

const encoder = new TextEncoder();

/**
 * Encodes `text` as UTF-8.
 *
 * @param {string} text
 */
export function utf8(text) {
  return encoder.encode(text);
}

/**
 * Concatenates byte arrays.
 *
 * @param {Bytes[]} pieces
 */
export function joined(...pieces) {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * Returns `count` bytes from the system's random generator.
 *
 * @param {number} count
 */
export function random(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

/**
 * Encodes bytes as lower-case hex.
 *
 * @param {Bytes} bytes
 */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Decodes pairs of hex digits.
 *
 * @param {string} text
 */
export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

/**
 * Encodes bytes as unpadded base64url (RFC 4648, section 5).
 *
 * @param {Bytes} bytes
 */
export function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Decodes unpadded, canonical base64url; `undefined` if the text is invalid.
 *
 * @param {string} text
 */
export function fromBase64url(text) {
  if (!/^[\w-]*$/.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    // Only the canonical encoding is valid: a second encoding would be a second key for one transfer.
    return base64url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
