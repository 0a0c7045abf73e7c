// Bytes as text, and text as bytes.

const encoder = new TextEncoder();

/** The UTF-8 of `text`. */
export function utf8(text) {
  return encoder.encode(text);
}

/** Pieces in a row. */
export function joined(...pieces) {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** `count` bytes from the system's generator. */
export function random(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** Two lower-case digits a byte. */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Unpadded base64url (RFC 4648, section 5). */
export function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of an unpadded, canonical base64url text; `undefined` if it is none. */
export function fromBase64url(text) {
  if (!/^[\w-]*$/.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    // Another text for the same bytes would be a second key for the same lock.
    return base64url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
