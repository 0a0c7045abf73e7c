// A payload that is sealed while it is sent, segment by segment, and never exists as a whole.

import { envelopeHead } from "./envelope.js";
import { Cipher, Layout, SEGMENT_BYTES, TAG_BYTES } from "./sealed.js";

/** What is sent is no longer what it was when sending began. */
export class Changed extends Error {
  constructor(options) {
    super("what is being sent has changed meanwhile; send it again", options);
    this.name = "Changed";
  }
}

/** A payload of a Blob and its metadata. */
export class Payload {
  #plaintext;
  #cipher;
  #layout;
  #tags = new Map();

  /** Makes one, to be sealed with `payloadKey`, which must not be used for another one. */
  static async of({ content, metadata }, payloadKey) {
    return new Payload(new Blob([envelopeHead(metadata), content]), await Cipher.toSeal(payloadKey));
  }

  constructor(plaintext, cipher) {
    this.#plaintext = plaintext;
    this.#cipher = cipher;
    this.#layout = new Layout(plaintext.size);
  }

  /** Its size in bytes. */
  get size() {
    return this.#layout.sealedBytes;
  }

  /** Seals the bytes from `start` to `end`. What they are may have come from a server: nothing else is ever sealed. */
  async sealed(start, end) {
    const within = [start, end].every(Number.isSafeInteger) && 0 <= start && start < end && end <= this.size;
    if (!within) throw new RangeError("the server asks for what is not part of this upload");
    const first = Math.floor(start / SEGMENT_BYTES);
    const count = Math.ceil(end / SEGMENT_BYTES) - first;
    const segments = await Promise.all(Array.from({ length: count }, (_, index) => this.#segment(first + index)));
    return new Blob(segments).slice(start - first * SEGMENT_BYTES, end - first * SEGMENT_BYTES);
  }

  /**
   * Seals a segment. Its tag is on record before its first byte can leave this page, and it is only ever sent again if
   * it seals to that tag: otherwise one nonce would cover two plaintexts, which gives both away.
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

  async #read(start, end) {
    try {
      return await this.#plaintext.slice(start, end).arrayBuffer();
    } catch (cause) {
      // Browsers refuse to read a file that is not what was chosen.
      throw new Changed({ cause });
    }
  }
}
