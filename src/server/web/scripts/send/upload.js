// Creates, uploads and completes a transfer.

import { ApiError, call, withRetries } from "../api.js";
import { hex, random } from "../format/bytes.js";
import { uploadToService } from "./service-upload.js";
import { StoreUnusable, uploadParts, uploadWhole } from "./store-upload.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { CompletedTransfer, CreatedTransfer, TransferOptions } from "../wire.d.ts" */
/** @import { UploadInstruction, UploadStatus } from "../wire.d.ts" */
/** @import { Payload } from "./payload.js" */
/** @typedef {{ proof: string, digest: string }} GuestProof proof of a guest's upload for a request, and its SHA-256 */
/** @typedef {{ signal: AbortSignal, progress: UploadProgress, waiting: () => void }} SendOptions */

/** @typedef {{ at: (done: number) => void }} UploadProgress display of the number of bytes that have arrived */

/** Timeout of a deletion, in milliseconds. */
const DELETE_TIMEOUT = 15_000;
/** Maximum number of parts of an upload. */
const MAX_PARTS = 10_000;
/** Number of rounds for sending missing bytes. */
const ROUNDS = 3;

/** Upload from this page. */
export class Upload {
  /** @type {UploadInstruction} */
  #instruction;

  /**
   * Creates the transfer; `options` are the options of the API's `create` besides the size.
   *
   * @param {Payload} payload
   * @param {string} token
   * @param {TransferOptions} options
   * @param {RetryOptions & { guest?: GuestProof }} [retries]
   */
  static async create(payload, token, options, { signal, waiting, guest } = {}) {
    const authorization = `Bearer ${token}`;
    /** @type {Record<string, string>} */
    const credentials = { authorization, ...(guest && { "x-sgsend-guest": guest.proof }) };
    const headers = { authorization, ...(guest && { "x-sgsend-guest": guest.digest }) };
    // All attempts share one key, so that a lost response does not lead to a second transfer.
    const json = { size_bytes: payload.size, idempotency_key: hex(random(32)), ...options };
    // Not aborted by `signal`: a created transfer must be known to be deleted.
    /** @type {() => Promise<CreatedTransfer>} */
    const create = () => call("/transfers/create", { json, headers });
    return new Upload(await withRetries(create, { signal, waiting }), credentials);
  }

  /**
   * @param {CreatedTransfer} transfer
   * @param {Record<string, string>} credentials
   */
  constructor(transfer, credentials) {
    this.transfer = transfer;
    this.credentials = credentials;
    this.path = `/transfers/id/${transfer.transfer_id}`;
    this.#instruction = transfer.upload;
  }

  /** Upload URL of the service if the store cannot be used. */
  get fallbackUrl() {
    return this.#instruction.fallback_url;
  }

  /**
   * Uploads `payload` and returns the status of the completed transfer.
   *
   * @param {Payload} payload
   * @param {SendOptions} options
   * @returns {Promise<CompletedTransfer>}
   */
  async send(payload, options) {
    for (let round = 1; ; round += 1) {
      await this.#deliver(payload, round > 1, options);
      try {
        /** @type {() => Promise<CompletedTransfer>} */
        const complete = () =>
          call(`${this.path}/upload/complete`, { json: completion(payload), headers: this.credentials });
        return await withRetries(complete, options);
      } catch (error) {
        // After a crash the server may have fewer bytes than it acknowledged.
        if (!(error instanceof ApiError) || error.code !== "upload_incomplete" || round === ROUNDS) throw error;
      }
    }
  }

  /** Deletes the transfer and its received bytes, with a short timeout. */
  async remove() {
    const signal = AbortSignal.timeout(DELETE_TIMEOUT);
    await call(`${this.path}/delete`, { json: {}, headers: this.credentials, signal });
  }

  /**
   * @param {Payload} payload
   * @param {boolean} isRetry
   * @param {SendOptions} options
   */
  async #deliver(payload, isRetry, options) {
    const arrived = isRetry ? await this.#arrived(options) : undefined;
    const instruction = this.#instruction;
    try {
      if (instruction.kind === "bytes") {
        await uploadToService(this, payload, arrived?.received_bytes ?? 0, { url: instruction.url, ...options });
      } else if (instruction.kind === "single") {
        await uploadWhole(this, instruction, payload, options);
      } else {
        await uploadParts(this, instruction, payload, numbers(arrived?.parts_received), options);
      }
    } catch (error) {
      if (!(error instanceof StoreUnusable) || this.fallbackUrl === undefined) throw error;
      this.#instruction = { kind: "bytes", url: this.fallbackUrl };
      try {
        await this.#deliver(payload, isRetry, options);
      } catch (refusal) {
        // The store has received bytes after all, and one upload cannot use both paths.
        if (!(refusal instanceof ApiError) || refusal.code !== "wrong_mode") throw refusal;
        this.#instruction = { ...instruction, fallback_url: undefined };
        await this.#deliver(payload, true, options);
      }
    }
  }

  /**
   * @param {SendOptions} options
   * @returns {Promise<UploadStatus>}
   */
  #arrived({ signal }) {
    return call(`${this.path}/upload/status`, { headers: this.credentials, signal });
  }
}

/**
 * Returns the body of the completion: each time the same.
 *
 * @param {Payload} payload
 */
function completion({ info, keys }) {
  return { info, ...(keys && { keys }) };
}

/**
 * Expands inclusive ranges into numbers.
 *
 * @param {[first: number, last: number][]} [ranges]
 */
function numbers(ranges = []) {
  const last = ranges.at(-1)?.[1] ?? 0;
  if (!(last <= MAX_PARTS)) throw new RangeError("the server says that it has parts that there are not");
  return new Set(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at)));
}
