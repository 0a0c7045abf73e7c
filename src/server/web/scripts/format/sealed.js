// Encrypted payload format: Tink's streaming AEAD "AES256_GCM_HKDF_1MB", segment by segment.
//
// A payload consists of a header and segments that can be encrypted and decrypted independently. Only the last segment
// may be shorter, and its nonce marks it as the last. So a payload cannot be truncated, reordered or mixed with another
// one without detection.

import { joined, random, utf8 } from "./bytes.js";

/** @import { Bytes } from "./bytes.js" */

/** Encrypted segment size in bytes; the first segment includes the header. */
export const SEGMENT_BYTES = 1_048_576;
/** Size in bytes of the authentication tag at the end of a segment. */
export const TAG_BYTES = 16;

const HEADER_BYTES = 40;
const SALT_BYTES = 32;
const PREFIX_BYTES = 7;
const ASSOCIATED_DATA = utf8("sgsend/v1");
/** Minimum payload size in bytes: the header and the tag of an empty segment. */
const MIN_BYTES = HEADER_BYTES + TAG_BYTES;

/** @typedef {"content" | "envelope" | "index"} DamagedPart */

/** The payload was modified, or not encrypted with this key. The message is for developers; pages show the part. */
export class Damaged extends Error {
  /**
   * @param {DamagedPart} part
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(part, message, options) {
    super(message, options);
    this.name = "Damaged";
    this.part = part;
  }
}

/** The signature of the sender is missing, damaged or not that of the payload. The message is in the user's language. */
export class WrongSignature extends Damaged {
  /** @param {string} message */
  constructor(message) {
    super("content", message);
  }
}

/** Segment layout of a payload. */
export class Layout {
  /**
   * Computes the layout from the plaintext size in bytes.
   *
   * @param {number} plaintextBytes
   */
  constructor(plaintextBytes) {
    this.plaintextBytes = plaintextBytes;
    this.segments = Math.max(1, Math.ceil((plaintextBytes + HEADER_BYTES) / (SEGMENT_BYTES - TAG_BYTES)));
    this.sealedBytes = plaintextBytes + HEADER_BYTES + this.segments * TAG_BYTES;
  }

  /**
   * Computes the layout from the encrypted size in bytes.
   *
   * @param {number} sealedBytes
   */
  static ofSealed(sealedBytes) {
    const segments = Math.ceil(sealedBytes / SEGMENT_BYTES);
    const layout = new Layout(Math.max(0, sealedBytes - HEADER_BYTES - segments * TAG_BYTES));
    if (sealedBytes < MIN_BYTES || layout.sealedBytes !== sealedBytes) {
      throw new Damaged("content", "no sealed payload has this size");
    }
    return layout;
  }

  /** @param {number} index */
  isLast(index) {
    return index === this.segments - 1;
  }

  /**
   * Returns the byte range of segment `index` in the payload.
   *
   * @param {number} index
   */
  sealed(index) {
    const start = index * SEGMENT_BYTES;
    return { start, end: Math.min(start + SEGMENT_BYTES, this.sealedBytes) };
  }

  /**
   * Returns the index of the segment that contains the plaintext byte at `offset`.
   *
   * @param {number} offset
   */
  segmentAt(offset) {
    return Math.floor((offset + HEADER_BYTES) / (SEGMENT_BYTES - TAG_BYTES));
  }

  /**
   * Returns the byte range of segment `index` in the plaintext.
   *
   * @param {number} index
   */
  plaintext(index) {
    /** @type {(segment: number) => number} */
    const at = (segment) => Math.max(0, segment * (SEGMENT_BYTES - TAG_BYTES) - HEADER_BYTES);
    return { start: at(index), end: Math.min(at(index + 1), this.plaintextBytes) };
  }
}

/** Encrypts and decrypts the segments of one payload. */
export class Cipher {
  #key;
  #header;

  /**
   * @param {CryptoKey} key
   * @param {Bytes} header
   */
  constructor(key, header) {
    this.#key = key;
    this.#header = header;
  }

  /**
   * Creates a cipher to encrypt a payload with the 32 bytes of `payloadKey`.
   *
   * @param {Bytes} payloadKey
   */
  static async toSeal(payloadKey) {
    const header = joined(Uint8Array.of(HEADER_BYTES), random(SALT_BYTES), random(PREFIX_BYTES));
    return new Cipher(await segmentKey(payloadKey, header), header);
  }

  /**
   * Creates a cipher to decrypt a payload whose first segment is `segment`.
   *
   * @param {Bytes} payloadKey
   * @param {Bytes} segment
   */
  static async toOpen(payloadKey, segment) {
    if (segment.length < MIN_BYTES || segment[0] !== HEADER_BYTES) throw new Damaged("content", "this is no sealed payload");
    const header = segment.slice(0, HEADER_BYTES);
    return new Cipher(await segmentKey(payloadKey, header), header);
  }

  /**
   * Encrypts the plaintext of segment `index`.
   *
   * @param {number} index
   * @param {boolean} isLast
   * @param {BufferSource} plaintext
   */
  async seal(index, isLast, plaintext) {
    const sealed = new Uint8Array(await crypto.subtle.encrypt(this.#parameters(index, isLast), this.#key, plaintext));
    return index === 0 ? joined(this.#header, sealed) : sealed;
  }

  /**
   * Decrypts segment `index`.
   *
   * @param {number} index
   * @param {boolean} isLast
   * @param {Bytes} segment
   */
  async open(index, isLast, segment) {
    const sealed = index === 0 ? segment.subarray(HEADER_BYTES) : segment;
    try {
      return new Uint8Array(await crypto.subtle.decrypt(this.#parameters(index, isLast), this.#key, sealed));
    } catch (cause) {
      throw new Damaged("content", `segment ${index + 1} is not what was sealed with this key`, { cause });
    }
  }

  /**
   * @param {number} index
   * @param {boolean} isLast
   */
  #parameters(index, isLast) {
    const iv = new Uint8Array(PREFIX_BYTES + 5);
    iv.set(this.#header.subarray(1 + SALT_BYTES));
    new DataView(iv.buffer).setUint32(PREFIX_BYTES, index);
    iv[PREFIX_BYTES + 4] = isLast ? 1 : 0;
    return { name: "AES-GCM", iv, tagLength: TAG_BYTES * 8 };
  }
}

/**
 * @param {Bytes} payloadKey
 * @param {Bytes} header
 */
async function segmentKey(payloadKey, header) {
  const salt = header.slice(1, 1 + SALT_BYTES);
  const material = await crypto.subtle.importKey("raw", payloadKey, "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: ASSOCIATED_DATA };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
