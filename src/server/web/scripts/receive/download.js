// Downloads and decrypts a payload segment by segment, in bounded memory.

import { call } from "../api.js";
import { readEnvelope } from "../format/envelope.js";
import { randomGrant } from "../format/key.js";
import { Cipher, Damaged, Layout } from "../format/sealed.js";
import { PayloadReader, Source } from "./payload-reader.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { AccessProof } from "../format/key.js" */
/** @import { SignatureCheck } from "./signature.js" */
/** @import { ClientEventKind, TransferStatus } from "../wire.d.ts" */

/** Number of segments decrypted in parallel. */
const PARALLEL = 4;

/** Download of a transfer. All its requests count as one download. */
export class Download {
  #transferId;
  #payloadKey;
  #layout;
  #grant = randomGrant();
  #source;
  /** @type {PayloadReader | undefined} */
  #reader;
  /** @type {Cipher | undefined} */
  #cipher;
  /** @type {Bytes | undefined} */
  #first;
  #contentStart = 0;
  #contentBytes = 0;
  #isPartial;
  #check;
  /**
   * Plaintext of the last segment that was read alone.
   *
   * @type {{ index: number, plaintext: Bytes } | undefined}
   */
  #kept;

  /**
   * Creates a download; a transfer with access protection needs `proof`. A partial one requests single segments. With
   * `check`, the signature of the sender is checked at the end of the content.
   *
   * @param {TransferStatus} transfer
   * @param {Bytes} payloadKey
   * @param {{ proof?: AccessProof | undefined, isPartial?: boolean, check?: SignatureCheck | undefined }} [options]
   */
  constructor(transfer, payloadKey, { proof, isPartial = false, check } = {}) {
    this.#isPartial = isPartial;
    this.#check = check;
    this.#transferId = transfer.transfer_id;
    this.#payloadKey = payloadKey;
    this.#layout = Layout.ofSealed(transfer.size_bytes);
    this.#source = new Source(this.#transferId, this.#grant, proof);
  }

  /** Whether no segment has been decrypted yet: the key may be wrong. */
  get isLocked() {
    return !this.#first;
  }

  /** Data that the service stored about this download; available after its first response. */
  get transparency() {
    return this.#source.transparency;
  }

  /**
   * Returns the metadata of the envelope. Downloads the first segment, which counts the download.
   *
   * @param {RetryOptions} options
   */
  async metadata(options) {
    if (!this.#first) {
      // Of an archive, a visitor may want only some entries.
      this.#reader = new PayloadReader(this.#source, 0, this.#isPartial ? this.#layout.sealed(0).end : undefined);
      const segment = await this.#reader.take(this.#layout.sealed(0).end, options);
      this.#cipher = await Cipher.toOpen(this.#payloadKey, segment);
      this.#first = await this.#cipher.open(0, this.#layout.isLast(0), segment);
      await this.#check?.add(0, segment);
      if (this.#isPartial) this.pause();
    }
    const { metadata, contentStart } = readEnvelope(this.#first, this.#layout.plaintextBytes);
    this.#contentStart = contentStart;
    this.#contentBytes = metadata.size;
    return metadata;
  }

  /**
   * Yields the authenticated content from its start. Requires an earlier call of [`metadata`]. Checks the signature of
   * the sender at its end: a caller saves nothing if this throws.
   *
   * @param {RetryOptions} options
   */
  async *content(options) {
    let missing = this.#contentBytes;
    for await (const piece of this.#plaintext(options)) {
      const content = piece.subarray(0, missing);
      if (piece.subarray(content.length).some((byte) => byte !== 0)) {
        throw new Damaged("content", "other data follows the content");
      }
      missing -= content.length;
      if (content.length > 0) yield content;
    }
    await this.#check?.verify(this.#layout.segments, this.#layout.sealedBytes);
  }

  /**
   * Yields the authenticated plaintext behind the envelope: content and padding.
   *
   * @param {RetryOptions} options
   */
  async *#plaintext(options) {
    const cipher = this.#cipher;
    if (!this.#first || !cipher) throw new Error("the metadata must be read first");
    yield this.#first.subarray(this.#contentStart);
    // The reader of the first segment is positioned at the second one, and is reused.
    const reader = this.#reader ?? new PayloadReader(this.#source, this.#layout.sealed(1).start);
    this.#reader = reader;
    /** @type {Promise<Bytes>[]} */
    const opening = [];
    for (let index = 1; index < this.#layout.segments; index += 1) {
      const { start, end } = this.#layout.sealed(index);
      const segment = await reader.take(end - start, options);
      const opened = this.#opened(cipher, index, segment);
      // Handled when awaited; until then the rejection must not count as unhandled.
      opened.catch(() => {});
      opening.push(opened);
      const next = opening.length > PARALLEL ? opening.shift() : undefined;
      if (next) yield await next;
    }
    for (let next = opening.shift(); next; next = opening.shift()) yield await next;
  }

  /**
   * Decrypts a segment, and hashes it for the signature.
   *
   * @param {Cipher} cipher
   * @param {number} index
   * @param {Bytes} segment
   */
  async #opened(cipher, index, segment) {
    const opening = cipher.open(index, this.#layout.isLast(index), segment);
    const [plaintext] = await Promise.all([opening, this.#check?.add(index, segment)]);
    return plaintext;
  }

  /**
   * Yields the authenticated content from `start` to `stop`, segment by segment. Downloads no other segments. Requires
   * an earlier call of [`metadata`].
   *
   * @param {number} start
   * @param {number} stop
   * @param {RetryOptions} options
   */
  async *range(start, stop, options) {
    if (start >= stop) return;
    const [from, to] = [start + this.#contentStart, stop + this.#contentStart];
    const last = this.#layout.segmentAt(to - 1);
    const kept = this.#kept;
    const end = this.#layout.sealed(kept?.index === last ? last - 1 : last).end;
    /** @type {PayloadReader | undefined} */
    let reader;
    try {
      for (let index = this.#layout.segmentAt(from); index <= last; index += 1) {
        let plaintext = index === 0 ? this.#first : kept?.index === index ? kept.plaintext : undefined;
        if (!plaintext) {
          const sealed = this.#layout.sealed(index);
          reader ??= new PayloadReader(this.#source, sealed.start, end);
          plaintext = await this.#open(index, await reader.take(sealed.end - sealed.start, options));
          this.#kept = { index, plaintext };
        }
        const { start: begin } = this.#layout.plaintext(index);
        // A copy, since writing transfers the buffer to the browser.
        yield plaintext.slice(Math.max(0, from - begin), to - begin);
      }
    } finally {
      reader?.close();
    }
  }

  /**
   * @param {number} index
   * @param {Bytes} segment
   */
  async #open(index, segment) {
    if (!this.#cipher) throw new Error("the metadata must be read first");
    return this.#cipher.open(index, this.#layout.isLast(index), segment);
  }

  /** Pauses the download. Continuing sends new requests, which count as the same download. */
  pause() {
    this.#reader?.close();
    this.#reader = undefined;
  }

  /**
   * Reports an event to the service. The report is optional, so its failure is ignored.
   *
   * @param {ClientEventKind} kind
   */
  async report(kind) {
    const path = `/transfers/id/${this.#transferId}/events/add`;
    await call(path, { json: { kind }, headers: { "x-sgsend-grant": this.#grant } }).catch(() => {});
  }

  /**
   * Reports a failure to decrypt to the service.
   *
   * @param {unknown} error
   */
  async reportFailure(error) {
    if (error instanceof Damaged) await this.report("decrypt_failed");
  }
}
