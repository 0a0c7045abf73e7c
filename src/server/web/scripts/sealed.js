// The sealed format: Tink's streaming AEAD "AES256_GCM_HKDF_1MB", segment by segment.
//
// A payload is a header and segments that each can be sealed and opened alone. Only the last one may be shorter, and
// its nonce says that it is the last; so a payload can be neither cut, nor reordered, nor mixed with another.

import { joined, random, utf8 } from "./bytes.js";

/** Bytes of a segment; the first one's include the header. */
export const SEGMENT_BYTES = 1_048_576;
/** Bytes of a segment's authentication tag, its last ones. */
export const TAG_BYTES = 16;

const HEADER_BYTES = 40;
const SALT_BYTES = 32;
const PREFIX_BYTES = 7;
const ASSOCIATED_DATA = utf8("sgsend/v1");
/** The shortest payload: a header and the tag of nothing. */
const SHORTEST = HEADER_BYTES + TAG_BYTES;

/** A payload that is not what was sealed with this key. */
export class Damaged extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = "Damaged";
  }
}

/** Where the segments of a payload lie. */
export class Layout {
  /** The layout of `plaintextBytes` when they are sealed. */
  constructor(plaintextBytes) {
    this.plaintextBytes = plaintextBytes;
    this.segments = Math.max(1, Math.ceil((plaintextBytes + HEADER_BYTES) / (SEGMENT_BYTES - TAG_BYTES)));
    this.sealedBytes = plaintextBytes + HEADER_BYTES + this.segments * TAG_BYTES;
  }

  /** The layout of a payload of `sealedBytes`. */
  static ofSealed(sealedBytes) {
    const segments = Math.ceil(sealedBytes / SEGMENT_BYTES);
    const layout = new Layout(Math.max(0, sealedBytes - HEADER_BYTES - segments * TAG_BYTES));
    if (sealedBytes < SHORTEST || layout.sealedBytes !== sealedBytes) {
      throw new Damaged("no sealed payload has this size");
    }
    return layout;
  }

  isLast(index) {
    return index === this.segments - 1;
  }

  /** The range of segment `index` in the payload. */
  sealed(index) {
    const start = index * SEGMENT_BYTES;
    return { start, end: Math.min(start + SEGMENT_BYTES, this.sealedBytes) };
  }

  /** The range of the plaintext of segment `index`. */
  plaintext(index) {
    const at = (segment) => Math.max(0, segment * (SEGMENT_BYTES - TAG_BYTES) - HEADER_BYTES);
    return { start: at(index), end: Math.min(at(index + 1), this.plaintextBytes) };
  }
}

/** Seals and opens the segments of one payload. */
export class Cipher {
  #key;
  #header;

  constructor(key, header) {
    this.#key = key;
    this.#header = header;
  }

  /** A cipher for a payload that is to be sealed with the 32 bytes of `payloadKey`. */
  static async toSeal(payloadKey) {
    const header = joined(Uint8Array.of(HEADER_BYTES), random(SALT_BYTES), random(PREFIX_BYTES));
    return new Cipher(await segmentKey(payloadKey, header), header);
  }

  /** A cipher for a payload that begins with `segment`. */
  static async toOpen(payloadKey, segment) {
    if (segment.length < SHORTEST || segment[0] !== HEADER_BYTES) throw new Damaged("this is no sealed payload");
    const header = segment.slice(0, HEADER_BYTES);
    return new Cipher(await segmentKey(payloadKey, header), header);
  }

  /** Seals the plaintext of segment `index` into the whole segment. */
  async seal(index, isLast, plaintext) {
    const sealed = new Uint8Array(await crypto.subtle.encrypt(this.#parameters(index, isLast), this.#key, plaintext));
    return index === 0 ? joined(this.#header, sealed) : sealed;
  }

  /** Opens segment `index`. */
  async open(index, isLast, segment) {
    const sealed = index === 0 ? segment.subarray(HEADER_BYTES) : segment;
    try {
      return new Uint8Array(await crypto.subtle.decrypt(this.#parameters(index, isLast), this.#key, sealed));
    } catch (cause) {
      throw new Damaged(`segment ${index + 1} is not what was sealed with this key`, { cause });
    }
  }

  #parameters(index, isLast) {
    const iv = new Uint8Array(PREFIX_BYTES + 5);
    iv.set(this.#header.subarray(1 + SALT_BYTES));
    new DataView(iv.buffer).setUint32(PREFIX_BYTES, index);
    iv[PREFIX_BYTES + 4] = isLast ? 1 : 0;
    return { name: "AES-GCM", iv, tagLength: TAG_BYTES * 8 };
  }
}

async function segmentKey(payloadKey, header) {
  const salt = header.slice(1, 1 + SALT_BYTES);
  const material = await crypto.subtle.importKey("raw", payloadKey, "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: ASSOCIATED_DATA };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
