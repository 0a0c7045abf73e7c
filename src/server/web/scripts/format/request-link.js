// Fragment of a request link, and what is derived from its secret.

import { base64url, fromBase64url, hex } from "./bytes.js";
import { hkdf } from "./key.js";

/** @import { Bytes } from "./bytes.js" */

const KEY_BYTES = 32;
/** Maximum length of the purpose in characters. */
export const MAX_PURPOSE_CHARACTERS = 200;
/** Characters of Bech32 (BIP 173). */
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/** Generator of the checksum of Bech32. */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** Secret, recipient and purpose in a request link. */
export class RequestLink {
  /**
   * @param {string} id of the request
   * @param {Bytes} secret
   * @param {Bytes} recipient X25519 public key of the owner
   * @param {string} [purpose] words of whoever made the link
   */
  constructor(id, secret, recipient, purpose) {
    this.id = id;
    this.secret = secret;
    this.recipient = recipient;
    this.purpose = purpose;
  }

  /**
   * Parses the id in a path and the fragment; `undefined` if one of them is damaged or incomplete.
   *
   * @param {string} path
   * @param {string} fragment with or without `#`
   */
  static parse(path, fragment) {
    const [, id] = /\/r\/([0-9a-f]{16})\/?$/u.exec(path) ?? [];
    const [, secret, recipient, purpose] =
      /^#?r1\.([\w-]{43})\.([\w-]{43})(?:&for=([^&]*))?$/u.exec(fragment.trim()) ?? [];
    const secretBytes = secret && fromBase64url(secret);
    const recipientBytes = recipient && fromBase64url(recipient);
    if (!id || !secretBytes || !recipientBytes) return undefined;
    return new RequestLink(id, secretBytes, recipientBytes, purpose && purposeOf(purpose));
  }

  /** Fragment of the link, with `#`. */
  get fragment() {
    const purpose = this.purpose ? `&for=${encodeURIComponent(this.purpose)}` : "";
    return `#r1.${base64url(this.secret)}.${base64url(this.recipient)}${purpose}`;
  }

  /** Returns the sender token of the request. */
  async token() {
    return `sgs_${this.id}_${hex(await tokenSecret(this.secret))}`;
  }

  /**
   * Returns the hash of the token's secret, which the server stores.
   *
   * @param {Bytes} secret in the link
   */
  static async tokenDigest(secret) {
    return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await tokenSecret(secret))));
  }

  /**
   * Returns the mark of a transfer that was sent through the link.
   *
   * @param {Bytes} payloadKey
   */
  async mark(payloadKey) {
    const bytes = await hkdf(this.secret, "sgsend/v1/request-auth", KEY_BYTES);
    const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, payloadKey)));
  }

  /** Returns the recipient as age writes it. */
  get ageRecipient() {
    return bech32("age", this.recipient);
  }
}

/** @param {Bytes} secret */
function tokenSecret(secret) {
  return hkdf(secret, "sgsend/v1/request-token", KEY_BYTES);
}

/**
 * Decodes a purpose; `undefined` if it is too long, or has control characters.
 *
 * @param {string} encoded
 */
function purposeOf(encoded) {
  try {
    const text = decodeURIComponent(encoded).trim();
    return text && [...text].length <= MAX_PURPOSE_CHARACTERS && !/\p{Cc}/u.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Encodes bytes as Bech32.
 *
 * @param {string} prefix
 * @param {Bytes} bytes
 */
export function bech32(prefix, bytes) {
  const groups = [];
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      groups.push((value >> bits) & 31);
    }
  }
  if (bits > 0) groups.push((value << (5 - bits)) & 31);
  const codes = [...prefix].map((character) => character.charCodeAt(0));
  const expanded = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
  const sum = polymod([...expanded, ...groups, 0, 0, 0, 0, 0, 0]) ^ 1;
  const checksum = Array.from({ length: 6 }, (_, index) => (sum >> (5 * (5 - index))) & 31);
  return `${prefix}1${[...groups, ...checksum].map((group) => BECH32[group]).join("")}`;
}

/** @param {number[]} groups */
function polymod(groups) {
  let sum = 1;
  for (const group of groups) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ group;
    GENERATOR.forEach((term, index) => {
      if ((top >> index) & 1) sum ^= term;
    });
  }
  return sum;
}
