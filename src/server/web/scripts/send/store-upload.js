// Uploads a payload to the store with presigned URLs: in one request, or in parallel parts.

import { ApiError, call, isStoreUnusable, withRetries } from "../api.js";
import { put } from "./put.js";

/** @import { BytesInstruction, MultipartInstruction, SingleInstruction } from "../wire.d.ts" */
/** @import { UploadInstruction, UploadRequest } from "../wire.d.ts" */
/** @import { Payload } from "./payload.js" */
/** @import { SendOptions, Upload } from "./upload.js" */
/**
 * Presigned request for a part, or for the whole payload if it has no number.
 *
 * @typedef {UploadRequest & { number?: number | undefined }} NumberedRequest
 */

/** Number of parallel part uploads. */
const CONCURRENCY = 3;
/** Minimum part size of S3 in bytes. */
const MIN_PART_SIZE = 5 * 1024 * 1024;
/** Maximum number of presigned parts in one response of the service. */
const MAX_SIGNED = 100;

/** The store cannot be reached, or refuses this browser, and has received nothing yet. */
export class StoreUnusable extends Error {
  /** @param {unknown} cause */
  constructor(cause) {
    super("the store cannot be used", { cause });
    this.name = "StoreUnusable";
  }
}

/**
 * Uploads `payload` in one request.
 *
 * @param {Upload} upload
 * @param {SingleInstruction} instruction
 * @param {Payload} payload
 * @param {SendOptions} options
 */
export async function uploadWhole(upload, instruction, payload, { signal, progress, waiting }) {
  const signed = new PresignedRequests(upload, [], signal, [{ number: undefined, ...instruction }]);
  const body = await payload.sealed(0, payload.size);
  await sendPart(signed, undefined, body, { signal, moved: (sent) => progress.at(sent), waiting, mayFallBack: () => true });
}

/**
 * Uploads the parts of `payload` whose numbers are not in `arrived`.
 *
 * @param {Upload} upload
 * @param {MultipartInstruction} instruction
 * @param {Payload} payload
 * @param {Set<number>} arrived
 * @param {SendOptions} options
 */
export async function uploadParts(upload, instruction, payload, arrived, { signal, progress, waiting }) {
  const { part_size_bytes: partSize, part_count: count } = instruction;
  if (!(partSize >= MIN_PART_SIZE) || count !== Math.ceil(payload.size / partSize)) {
    throw new RangeError("the server's parts are not those of this upload");
  }
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !arrived.has(number));
  const signed = new PresignedRequests(upload, missing, signal, instruction.parts ?? []);
  /** @type {(number: number) => [start: number, end: number]} */
  const range = (number) => [(number - 1) * partSize, Math.min(number * partSize, payload.size)];
  let done = [...arrived].reduce((sum, number) => sum + range(number)[1] - range(number)[0], 0);
  let anyArrived = arrived.size > 0;
  /** @type {Map<number, number>} */
  const inFlight = new Map();
  const report = () => progress.at(done + [...inFlight.values()].reduce((sum, sent) => sum + sent, 0));
  const stop = new AbortController();
  const ended = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const queue = missing[Symbol.iterator]();
  const work = async () => {
    for (const number of queue) {
      const [start, end] = range(number);
      /** @type {(sent: number) => void} */
      const moved = (sent) => {
        inFlight.set(number, sent);
        report();
      };
      const body = await payload.sealed(start, end);
      await sendPart(signed, number, body, { signal: ended, moved, waiting, mayFallBack: () => !anyArrived });
      anyArrived = true;
      inFlight.delete(number);
      done += end - start;
      report();
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  } catch (error) {
    stop.abort(error);
    throw error;
  }
}

/**
 * Uploads one part, with retries. The encrypted bytes are kept for the retries, so that all attempts send the same
 * bytes.
 *
 * @param {PresignedRequests} signed
 * @param {number | undefined} number
 * @param {Blob} body
 * @param {Omit<SendOptions, "progress"> & { moved: (sent: number) => void, mayFallBack: () => boolean }} options
 */
async function sendPart(signed, number, body, { signal, moved, waiting, mayFallBack }) {
  let atStore = false;
  const send = async () => {
    atStore = false;
    const { method, url, headers } = await signed.request(number);
    atStore = true;
    await put(url, { method, headers, body, signal, moved });
  };
  let renewed = false;
  const canFallBack = () => atStore && signed.hasFallback && mayFallBack();
  await withRetries(
    async (attempts) => {
      try {
        try {
          await send();
        } catch (error) {
          if (!(error instanceof ApiError) || error.status !== 403 || renewed) throw error;
          renewed = true;
          signed.forget(number);
          await send();
        }
      } catch (error) {
        // An earlier attempt has stored the part.
        if (error instanceof ApiError && error.status === 412) return;
        throw canFallBack() && isStoreUnusable(error, attempts + 1) ? new StoreUnusable(error) : error;
      }
    },
    { signal, waiting },
  );
}

/** Presigned requests, requested from the service on demand. */
class PresignedRequests {
  #upload;
  #missing;
  #signal;
  /** @type {Map<number | undefined, NumberedRequest>} */
  #known;
  /** @type {Promise<void> | undefined} */
  #pending;

  /**
   * @param {Upload} upload
   * @param {number[]} numbers
   * @param {AbortSignal} signal
   * @param {NumberedRequest[]} known
   */
  constructor(upload, numbers, signal, known) {
    this.#upload = upload;
    this.#missing = [...numbers];
    this.#signal = signal;
    this.#known = new Map(known.map((request) => [request.number, request]));
  }

  get hasFallback() {
    return this.#upload.fallbackUrl !== undefined;
  }

  /**
   * Returns the presigned request for the part `number`.
   *
   * @param {number | undefined} number
   */
  async request(number) {
    for (;;) {
      const known = this.#known.get(number);
      if (known) return known;
      this.#pending ??= this.#fetch(number).finally(() => (this.#pending = undefined));
      await this.#pending;
    }
  }

  /**
   * Drops a presigned request that the store rejected.
   *
   * @param {number | undefined} number
   */
  forget(number) {
    this.#known.delete(number);
  }

  /** @param {number | undefined} number */
  async #fetch(number) {
    const at = number === undefined ? -1 : this.#missing.indexOf(number);
    const numbers = this.#missing
      .slice(Math.max(0, at))
      .filter((each) => !this.#known.has(each))
      .slice(0, MAX_SIGNED);
    const json = { numbers: number === undefined ? [] : numbers };
    const path = `${this.#upload.path}/upload/create-presign-urls`;
    /** @type {Exclude<UploadInstruction, BytesInstruction>} */
    const response = await call(path, { json, headers: this.#upload.credentials, signal: this.#signal });
    /** @type {NumberedRequest[]} */
    const parts = "parts" in response ? response.parts : [{ ...response, number: undefined }];
    for (const part of parts) this.#known.set(part.number, part);
  }
}
