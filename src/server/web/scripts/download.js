// One download: a payload that is fetched and opened, segment by segment, in bounded memory.

import { readEnvelope } from "./envelope.js";
import { randomGrant } from "./key.js";
import { PayloadReader, Source } from "./payload.js";
import { Cipher, Damaged, Layout } from "./sealed.js";
import { call } from "./service.js";

/** Segments that are opened side by side. */
const AHEAD = 4;

/** A download of a transfer; everything that is asked of it counts once. */
export class Download {
  #transferId;
  #payloadKey;
  #layout;
  #grant = randomGrant();
  #source;
  #reader;
  #cipher;
  #first;
  #contentStart;

  /** `proof` is needed where the transfer has one. */
  constructor(transfer, payloadKey, proof) {
    this.#transferId = transfer.transfer_id;
    this.#payloadKey = payloadKey;
    this.#layout = Layout.ofSealed(transfer.size_bytes);
    this.#source = new Source(this.#transferId, this.#grant, proof);
  }

  /** Whether nothing could be opened yet: the key may be wrong. */
  get isLocked() {
    return !this.#first;
  }

  /** What the service stored about this download; known once it has begun. */
  get transparency() {
    return this.#source.transparency;
  }

  /** What the envelope says of the file. Fetches the first segment, which counts the download. */
  async metadata(options) {
    if (!this.#first) {
      this.#reader = new PayloadReader(this.#source, 0);
      const segment = await this.#reader.take(this.#layout.sealed(0).end, options);
      this.#cipher = await Cipher.toOpen(this.#payloadKey, segment);
      this.#first = await this.#cipher.open(0, this.#layout.isLast(0), segment);
    }
    const { metadata, contentStart } = readEnvelope(this.#first, this.#layout.plaintextBytes);
    this.#contentStart = contentStart;
    return metadata;
  }

  /** Gives the content in pieces, each of them authentic; after [`metadata`], and from the beginning each time. */
  async *content(options) {
    yield this.#first.subarray(this.#contentStart);
    // The reader of the first segment stands where the second begins, and goes on there.
    const reader = this.#reader ?? new PayloadReader(this.#source, this.#layout.sealed(1).start);
    this.#reader = reader;
    const opening = [];
    for (let index = 1; index < this.#layout.segments; index += 1) {
      const { start, end } = this.#layout.sealed(index);
      const opened = this.#cipher.open(index, this.#layout.isLast(index), await reader.take(end - start, options));
      // Whoever waits for it hears of it; until then it must not count as unheard.
      opened.catch(() => {});
      opening.push(opened);
      if (opening.length > AHEAD) yield await opening.shift();
    }
    while (opening.length > 0) yield await opening.shift();
  }

  /** Leaves off: what is asked for afterwards is fetched anew, and counts as the same download. */
  pause() {
    this.#reader?.close();
    this.#reader = undefined;
  }

  /** Tells the service what happened here; that is a courtesy, and its failure is nobody's. */
  async tell(kind) {
    const path = `/transfers/id/${this.#transferId}/events/add`;
    await call(path, { json: { kind }, headers: { "x-sgsend-grant": this.#grant } }).catch(() => {});
  }

  /** Tells the service what `error` means to it. */
  async tellFailure(error) {
    if (error instanceof Damaged) await this.tell("decrypt_failed");
  }
}
