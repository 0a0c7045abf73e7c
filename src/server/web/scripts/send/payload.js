// Encrypts a payload segment by segment during the upload; it never exists as a whole.

import { envelopeHead } from "../format/envelope.js";
import { sealInfo } from "../format/info.js";
import { paddedSize } from "../format/padding.js";
import { Cipher, Layout, SEGMENT_BYTES, TAG_BYTES } from "../format/sealed.js";
import { Changed } from "../ui/error-messages.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { Content } from "./selection.js" */

/** Payload of a Blob and its metadata. */
export class Payload {
  #plaintext;
  #cipher;
  #layout;
  /** @type {Map<number, Bytes>} */
  #tags = new Map();
  /**
   * Payload key wrapped for recipients, which the completion carries: each time the same.
   *
   * @type {string | undefined}
   */
  keys;

  /**
   * Creates a payload that is encrypted with `payloadKey`, which must not be used for another payload.
   *
   * @param {Content} selected
   * @param {Bytes} payloadKey
   */
  static async of({ content, metadata, info }, payloadKey) {
    const plaintext = new Blob([envelopeHead(metadata), content]);
    const sealedInfo = await sealInfo(info, payloadKey);
    return new Payload(padded(plaintext), await Cipher.toSeal(payloadKey), sealedInfo);
  }

  /**
   * @param {Blob} plaintext
   * @param {Cipher} cipher
   * @param {string} info encrypted info block, which the completion carries: each time the same
   */
  constructor(plaintext, cipher, info) {
    this.info = info;
    this.#plaintext = plaintext;
    this.#cipher = cipher;
    this.#layout = new Layout(plaintext.size);
  }

  /** Encrypted size in bytes. */
  get size() {
    return this.#layout.sealedBytes;
  }

  /**
   * Returns the encrypted bytes from `start` to `end`. The range may come from a server, so it is checked.
   *
   * @param {number} start
   * @param {number} end
   */
  async sealed(start, end) {
    const within = [start, end].every(Number.isSafeInteger) && 0 <= start && start < end && end <= this.size;
    if (!within) throw new RangeError("the server asks for what is not part of this upload");
    const first = Math.floor(start / SEGMENT_BYTES);
    const count = Math.ceil(end / SEGMENT_BYTES) - first;
    const segments = await Promise.all(Array.from({ length: count }, (_, index) => this.#segment(first + index)));
    return new Blob(segments).slice(start - first * SEGMENT_BYTES, end - first * SEGMENT_BYTES);
  }

  /**
   * Encrypts a segment. Its tag is recorded before its first byte leaves the page; a later encryption must yield the
   * same tag. Otherwise one nonce would encrypt two plaintexts, which would reveal both.
   *
   * @param {number} index
   */
  async #segment(index) {
    const { start, end } = this.#layout.plaintext(index);
    const sealed = await this.#cipher.seal(index, this.#layout.isLast(index), await this.#read(start, end));
    const tag = sealed.slice(-TAG_BYTES);
    const recorded = this.#tags.get(index);
    if (recorded && recorded.some((byte, at) => byte !== tag[at])) throw new Changed();
    this.#tags.set(index, tag);
    return sealed;
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  async #read(start, end) {
    try {
      return await this.#plaintext.slice(start, end).arrayBuffer();
    } catch (cause) {
      // Browsers refuse to read a file that was modified after its selection.
      throw new Changed({ cause });
    }
  }
}

/**
 * Pads a plaintext with zero bytes. The blocks of zeros share their memory.
 *
 * @param {Blob} plaintext
 */
function padded(plaintext) {
  const missing = paddedSize(plaintext.size) - plaintext.size;
  const block = new Blob([new Uint8Array(SEGMENT_BYTES)]);
  const blocks = Array.from({ length: Math.ceil(missing / SEGMENT_BYTES) }, () => block);
  return new Blob([plaintext, new Blob(blocks).slice(0, missing)]);
}
