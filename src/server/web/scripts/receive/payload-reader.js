// Reads a payload in order, with reconnects.

import { ApiError, apiError, at, call, isStoreUnusable, root, Unreachable, withRetries } from "../api.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { AccessProof } from "../format/key.js" */
/** @import { DownloadAnswer } from "../wire.d.ts" */
/** @typedef {{ start: number, end: number | undefined }} Range */

/** Timeout of a connection without data, in milliseconds. */
const TIMEOUT = 60_000;
/** Size of the memory that a browser fills with received bytes, in bytes. */
const BUFFER_BYTES = 512 * 1024;

/** Reads a payload from an offset under one grant, so that reconnects count as the same download. */
export class PayloadReader {
  #source;
  #offset;
  #end;
  /** @type {Connection | undefined} */
  #connection;
  #rest = new Uint8Array();

  /**
   * Creates a reader up to `end`, or to the end of the payload.
   *
   * @param {Source} source
   * @param {number} offset
   * @param {number} [end]
   */
  constructor(source, offset, end) {
    this.#source = source;
    this.#offset = offset;
    this.#end = end;
  }

  /**
   * Returns the next `length` bytes.
   *
   * @param {number} length
   * @param {RetryOptions} options
   */
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

  /** Closes the connection; further reads open a new one. */
  close() {
    this.#connection?.abort();
    this.#connection = undefined;
  }

  /** @param {RetryOptions} options */
  async #more({ signal, waiting }) {
    if (this.#connection) {
      try {
        return await this.#connection.read();
      } catch {
        signal?.throwIfAborted();
        this.close();
      }
    }
    return withRetries(
      async () => {
        const connection = await this.#source.connect({ start: this.#offset, end: this.#end }, signal);
        const piece = await connection.read();
        this.#connection = connection;
        return piece;
      },
      { signal, waiting },
    );
  }
}

/** Source of a transfer's payload: the service or the store, as the service's last response says. */
export class Source {
  #transferId;
  #grant;
  #proof;
  /** @type {DownloadAnswer | undefined} */
  #response;
  #hasStoreServed = false;
  #refusals = 0;

  /**
   * @param {string} transferId
   * @param {string} grant
   * @param {AccessProof} [proof]
   */
  constructor(transferId, grant, proof) {
    this.#transferId = transferId;
    this.#grant = grant;
    this.#proof = proof;
  }

  /** Data that the service stored about this download; available after its first response. */
  get transparency() {
    return this.#response?.transparency;
  }

  /**
   * Opens a connection for a range; requests a new presigned URL if the current one has expired.
   *
   * @param {Range} range
   * @param {AbortSignal} [signal]
   */
  async connect(range, signal) {
    const known = this.#response !== undefined;
    this.#response ??= await this.#request(signal);
    try {
      return await this.#fetch(this.#response, range, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (this.#response.mode !== "presigned") throw error;
      // An older URL may have expired.
      if (!known || !(error instanceof ApiError) || error.status !== 403) return this.#fallBack(error, range, signal);
    }
    this.#response = await this.#request(signal);
    try {
      return await this.#fetch(this.#response, range, signal);
    } catch (error) {
      signal?.throwIfAborted();
      return this.#fallBack(error, range, signal);
    }
  }

  /**
   * Connects to the service after `error`, if the store has served nothing yet and cannot be expected to.
   *
   * @param {unknown} error
   * @param {Range} range
   * @param {AbortSignal} [signal]
   */
  async #fallBack(error, range, signal) {
    const response = this.#response;
    if (response?.mode !== "presigned" || this.#hasStoreServed || !response.fallback_url) throw error;
    this.#refusals += 1;
    if (!isStoreUnusable(error, this.#refusals)) throw error;
    this.#response = { ...response, mode: "bytes", url: response.fallback_url };
    return this.#fetch(this.#response, range, signal);
  }

  /**
   * @param {AbortSignal} [signal]
   * @returns {Promise<DownloadAnswer>}
   */
  #request(signal) {
    /** @type {Record<string, string>} */
    const headers = this.#proof ? { "x-sgsend-access": `${this.#proof}` } : {};
    const path = `/transfers/id/${this.#transferId}/download/create-presign-url`;
    return call(path, { json: { grant: this.#grant }, headers, signal });
  }

  /**
   * @param {DownloadAnswer} response
   * @param {Range} range
   * @param {AbortSignal} [signal]
   */
  async #fetch({ mode, url }, { start, end }, signal) {
    /** @type {Record<string, string>} */
    const headers = { range: `bytes=${start}-${end === undefined ? "" : end - 1}` };
    const target = at(url);
    if (mode === "bytes") {
      // The grant must reach no other origin than this service.
      if (target.origin !== root.origin) throw new Error("the server named another one for its own bytes");
      headers["x-sgsend-grant"] = this.#grant;
    }
    const abort = new AbortController();
    const ended = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
    const response = await withTimeout(abort, () =>
      fetch(target, { headers, signal: ended, credentials: "omit", cache: "no-store", redirect: "error" }),
    );
    if (response.body && (response.status === 206 || (response.status === 200 && start === 0))) {
      if (mode === "presigned") this.#hasStoreServed = true;
      return new Connection(response.body, abort);
    }
    if (response.ok) throw new Unreachable(new Error("the server sent another part than it was asked for"));
    throw await apiError(response);
  }
}

/**
 * Response body in transfer. The browser fills the same memory again and again: browsers free memory late, and a page
 * that receives a gigabyte would hold most of it.
 */
class Connection {
  #read;
  #abort;

  /**
   * @param {ReadableStream<Bytes>} body
   * @param {AbortController} abort
   */
  constructor(body, abort) {
    this.#read = reads(body);
    this.#abort = abort;
  }

  /** Returns the next bytes, at least one, until the next call; throws at the end of the body. */
  async read() {
    const { value, done } = await withTimeout(this.#abort, this.#read);
    if (done || !value) throw new Unreachable(new Error("the payload ended early"));
    return value;
  }

  abort() {
    this.#abort.abort();
  }
}

/**
 * Returns a function that reads the next bytes of `body`. They are valid until its next call.
 *
 * @param {ReadableStream<Bytes>} body
 * @returns {() => Promise<ReadableStreamReadResult<Bytes>>}
 */
function reads(body) {
  let buffer = new ArrayBuffer(BUFFER_BYTES);
  try {
    const reader = body.getReader({ mode: "byob" });
    return async () => {
      const result = await reader.read(new Uint8Array(buffer));
      if (result.value) buffer = result.value.buffer;
      return /** @type {ReadableStreamReadResult<Bytes>} */ (result);
    };
  } catch {
    // In this browser, responses are no byte streams.
    const reader = body.getReader();
    return () => reader.read();
  }
}

/**
 * Runs `work` and aborts it after the timeout.
 *
 * @template T
 * @param {AbortController} abort
 * @param {() => Promise<T>} work
 */
async function withTimeout(abort, work) {
  const timer = setTimeout(() => abort.abort(), TIMEOUT);
  try {
    return await work();
  } catch (cause) {
    throw new Unreachable(cause);
  } finally {
    clearTimeout(timer);
  }
}
