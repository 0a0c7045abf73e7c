// A payload on its way here: bytes in order, whatever happens to connections.

import { at, call, patiently, refusal, root, Unreachable } from "./service.js";

/** A connection that says nothing for so long is given up, in milliseconds. */
const SILENCE = 60_000;

/** Reads one payload from an offset on, under one grant, which is one download however often connections break. */
export class PayloadReader {
  #source;
  #offset;
  #connection;
  #rest = new Uint8Array();

  constructor(source, offset) {
    this.#source = source;
    this.#offset = offset;
  }

  /** Gives the next `length` bytes. */
  async take(length, options) {
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0) this.#rest = await this.#more(options);
      const piece = this.#rest.subarray(0, length - filled);
      taken.set(piece, filled);
      filled += piece.length;
      this.#offset += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return taken;
  }

  /** Ends the connection; what is taken afterwards comes through another. */
  close() {
    this.#connection?.abort();
    this.#connection = undefined;
  }

  async #more({ signal, waiting }) {
    if (this.#connection) {
      try {
        return await this.#connection.read();
      } catch {
        signal?.throwIfAborted();
        this.close();
      }
    }
    return patiently(
      async () => {
        const connection = await this.#source.connect(this.#offset, signal);
        const piece = await connection.read();
        this.#connection = connection;
        return piece;
      },
      { signal, waiting },
    );
  }
}

/** Where the payload of a transfer is to be fetched, as the service last said. */
export class Source {
  #transferId;
  #grant;
  #proof;
  #answer;
  #storeAnswers = false;

  constructor(transferId, grant, proof) {
    this.#transferId = transferId;
    this.#grant = grant;
    this.#proof = proof;
  }

  /** What the service stored about this download; known once it was asked. */
  get transparency() {
    return this.#answer?.transparency;
  }

  /** Connects at `offset`. A URL of the store that has run out is asked for anew. */
  async connect(offset, signal) {
    const known = this.#answer !== undefined;
    this.#answer ??= await this.#ask(signal);
    try {
      return await this.#fetch(this.#answer, offset, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (this.#answer.mode !== "presigned") throw error;
      if (error instanceof Unreachable && !this.#storeAnswers && this.#answer.fallback_url) {
        this.#answer = { ...this.#answer, mode: "bytes", url: this.#answer.fallback_url };
        return this.#fetch(this.#answer, offset, signal);
      }
      if (error.status !== 403 || !known) throw error;
      this.#answer = await this.#ask(signal);
      return this.#fetch(this.#answer, offset, signal);
    }
  }

  #ask(signal) {
    const headers = this.#proof ? { "x-sgsend-access": `${this.#proof}` } : {};
    const path = `/transfers/id/${this.#transferId}/download/create-presign-url`;
    return call(path, { json: { grant: this.#grant }, headers, signal });
  }

  async #fetch({ mode, url }, offset, signal) {
    const headers = { range: `bytes=${offset}-` };
    const target = at(url);
    if (mode === "bytes") {
      // The grant is a secret between this page and this service.
      if (target.origin !== root.origin) throw new Error("the server named another one for its own bytes");
      headers["x-sgsend-grant"] = this.#grant;
    }
    const abort = new AbortController();
    const ended = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
    const response = await heard(abort, () =>
      fetch(target, { headers, signal: ended, credentials: "omit", cache: "no-store", redirect: "error" }),
    );
    if (mode === "presigned") this.#storeAnswers = true;
    if (response.status === 206 || (response.status === 200 && offset === 0)) {
      return new Connection(response.body.getReader(), abort);
    }
    if (response.ok) throw new Unreachable(new Error("the server sent another part than it was asked for"));
    throw await refusal(response);
  }
}

/** A body that arrives. */
class Connection {
  #reader;
  #abort;

  constructor(reader, abort) {
    this.#reader = reader;
    this.#abort = abort;
  }

  /** Gives the next bytes; there always are some, or it throws. */
  async read() {
    const { value, done } = await heard(this.#abort, () => this.#reader.read());
    if (done) throw new Unreachable(new Error("the payload ended early"));
    return value;
  }

  abort() {
    this.#abort.abort();
  }
}

/** Does `work`, and ends it if nothing is heard for too long. */
async function heard(abort, work) {
  const timer = setTimeout(() => abort.abort(), SILENCE);
  try {
    return await work();
  } catch (cause) {
    throw new Unreachable(cause);
  } finally {
    clearTimeout(timer);
  }
}
