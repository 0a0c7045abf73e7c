// Keys and values derived from them.

import { base64url, fromBase64url, hex, joined, random, utf8 } from "./bytes.js";

/** @import { Bytes } from "./bytes.js" */

const KEY_BYTES = 32;
const ROUNDS = 600_000;
const NO_SALT = new Uint8Array();

/**
 * Key in a link. A link with a passphrase needs both to decrypt.
 *
 * The key of a further link does not decrypt the payload: it unwraps the payload key that the server stores for the link.
 */
export class LinkKey {
  /**
   * @param {Bytes} bytes
   * @param {boolean} needsPassphrase
   * @param {boolean} isFurther whether it is the key of a further link, not of the transfer's own link
   * @param {boolean} isCommitment whether it is no key, but the commitment to one that is wrapped for recipients
   */
  constructor(bytes, needsPassphrase, isFurther, isCommitment = false) {
    this.bytes = bytes;
    this.needsPassphrase = needsPassphrase;
    this.isFurther = isFurther;
    this.isCommitment = isCommitment;
  }

  /**
   * @param {boolean} needsPassphrase
   * @param {boolean} isFurther
   */
  static random(needsPassphrase, isFurther = false) {
    return new LinkKey(random(KEY_BYTES), needsPassphrase, isFurther);
  }

  /**
   * Parses `v1.…`, `v1p.…`, `v2.…`, `v2p.…`, `to.…` or the bare 43 characters; `undefined` if invalid.
   *
   * @param {string} text
   */
  static parse(text) {
    const [, prefix, encoded] = /^(v[12]p?\.|to\.)?([\w-]{43})$/.exec(text) ?? [];
    const bytes = encoded ? fromBase64url(encoded) : undefined;
    return bytes && new LinkKey(bytes, prefix?.includes("p") ?? false, prefix?.startsWith("v2") ?? false, prefix === "to.");
  }

  /**
   * Finds a key in a text: a key or a link, also with punctuation that mail programs add; `undefined` if there is none.
   *
   * @param {string} text
   */
  static find(text) {
    const fragment = unescaped(text).replace(/[#\s]+$/u, "").split("#").at(-1) ?? "";
    const [, key] = /^[^\w-]*((?:v[12]p?\.|to\.)?[\w-]{43})[^\w-]*$/.exec(fragment) ?? [];
    return key ? LinkKey.parse(key) : undefined;
  }

  /** Returns the fragment of a link. */
  toString() {
    if (this.isCommitment) return `to.${base64url(this.bytes)}`;
    return `${this.isFurther ? "v2" : "v1"}${this.needsPassphrase ? "p" : ""}.${base64url(this.bytes)}`;
  }

  /**
   * Derives the secret of the link: the payload key of an own link, or what unwraps it for a further link.
   *
   * @param {string} [passphrase]
   */
  async secret(passphrase = "") {
    if (!this.needsPassphrase) return this.bytes;
    const salt = await hkdf(this.bytes, "sgsend/v1/passphrase-salt", 16);
    const stretched = await stretch(passphrase, salt);
    return hkdf(joined(this.bytes, stretched), "sgsend/v1/passphrase", KEY_BYTES);
  }
}

/** Proof that a client has the key of a link, without revealing the key. */
export class AccessProof {
  /** @param {Bytes} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }

  /** @param {Bytes} secret of the link */
  static async of(secret) {
    return new AccessProof(await hkdf(secret, "sgsend/v1/access", 32));
  }

  /** Returns the value of the request header. */
  toString() {
    return hex(this.bytes);
  }

  /** Returns the hash that the server stores. */
  async digest() {
    return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", this.bytes)));
  }
}

/** Creates a grant: the right to one download, including its retries. */
export function randomGrant() {
  return base64url(random(32));
}

/**
 * Decodes percent-encoded characters, such as quotation marks around a pasted link.
 *
 * @param {string} text
 */
function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * @param {string} passphrase
 * @param {Bytes} salt
 */
async function stretch(passphrase, salt) {
  const material = await crypto.subtle.importKey("raw", utf8(passphrase.normalize("NFC")), "PBKDF2", false, [
    "deriveBits",
  ]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
  return new Uint8Array(await crypto.subtle.deriveBits(derivation, material, KEY_BYTES * 8));
}

/**
 * Derives `length` bytes with HKDF-SHA256, without a salt.
 *
 * @param {Bytes} bytes
 * @param {string} info
 * @param {number} length
 */
export async function hkdf(bytes, info, length) {
  const material = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: NO_SALT, info: utf8(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(derivation, material, length * 8));
}
