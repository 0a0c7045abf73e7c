// Sending a payload to the store, by URLs that the service has signed: in one request, or in parts side by side.

import { put } from "./put.js";
import { call, patiently, Unreachable } from "./service.js";

/** Parts on their way at once. */
const AT_ONCE = 3;
/** No store takes smaller parts, in bytes. */
const SMALLEST_PART = 5 * 1024 * 1024;
/** Parts that one answer of the service signs at most. */
const MOST_SIGNED = 100;

/** The store is out of reach, and nothing has arrived there. */
export class OutOfReach extends Error {
  constructor(cause) {
    super("the store does not answer", { cause });
    this.name = "OutOfReach";
  }
}

/** Sends all of `payload` in one request. */
export async function sendWhole(upload, instruction, payload, { signal, progress, waiting }) {
  const signed = new Signed(upload, [], signal, [{ number: undefined, ...instruction }]);
  const body = await payload.sealed(0, payload.size);
  await sendPart(signed, undefined, body, { signal, moved: (sent) => progress.at(sent), waiting, mayFallBack: true });
}

/** Sends the parts of `payload` whose numbers are not among `arrived`. */
export async function sendParts(upload, instruction, payload, arrived, { signal, progress, waiting }) {
  const { part_size_bytes: partSize, part_count: count } = instruction;
  if (!(partSize >= SMALLEST_PART) || count !== Math.ceil(payload.size / partSize)) {
    throw new RangeError("the server's parts are not those of this upload");
  }
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !arrived.has(number));
  const signed = new Signed(upload, missing, signal, instruction.parts ?? []);
  const range = (number) => [(number - 1) * partSize, Math.min(number * partSize, payload.size)];
  let done = [...arrived].reduce((sum, number) => sum + range(number)[1] - range(number)[0], 0);
  let anyArrived = arrived.size > 0;
  const under = new Map();
  const tell = () => progress.at(done + [...under.values()].reduce((sum, sent) => sum + sent, 0));
  const stop = new AbortController();
  const ended = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const queue = missing[Symbol.iterator]();
  const work = async () => {
    for (const number of queue) {
      const [start, end] = range(number);
      const moved = (sent) => {
        under.set(number, sent);
        tell();
      };
      const body = await payload.sealed(start, end);
      await sendPart(signed, number, body, { signal: ended, moved, waiting, mayFallBack: !anyArrived });
      anyArrived = true;
      under.delete(number);
      done += end - start;
      tell();
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } catch (error) {
    stop.abort(error);
    throw error;
  }
}

/** Sends one part until it is there. The sealed bytes are kept meanwhile, so that no try can send others. */
async function sendPart(signed, number, body, { signal, moved, waiting, mayFallBack }) {
  const send = async () => {
    const { method, url, headers } = await signed.request(number);
    await put(url, { method, headers, body, signal, moved });
  };
  let renewed = false;
  await patiently(
    async () => {
      try {
        await send();
      } catch (error) {
        if (error instanceof Unreachable && mayFallBack && signed.hasFallback) throw new OutOfReach(error);
        // It is there already.
        if (error.status === 412) return;
        if (error.status !== 403 || renewed) throw error;
        renewed = true;
        signed.forget(number);
        await send();
      }
    },
    { signal, waiting },
  );
}

/** Requests that the service has signed, asked for when they are needed. */
class Signed {
  #upload;
  #waited;
  #signal;
  #known;
  #asking;

  constructor(upload, numbers, signal, known) {
    this.#upload = upload;
    this.#waited = [...numbers];
    this.#signal = signal;
    this.#known = new Map(known.map((request) => [request.number, request]));
  }

  get hasFallback() {
    return this.#upload.fallbackUrl !== undefined;
  }

  /** The request for the part of this number. */
  async request(number) {
    while (!this.#known.has(number)) {
      this.#asking ??= this.#ask(number).finally(() => (this.#asking = undefined));
      await this.#asking;
    }
    return this.#known.get(number);
  }

  /** The store does not honour it any more. */
  forget(number) {
    this.#known.delete(number);
  }

  async #ask(number) {
    const at = this.#waited.indexOf(number);
    const numbers = this.#waited
      .slice(Math.max(0, at))
      .filter((each) => !this.#known.has(each))
      .slice(0, MOST_SIGNED);
    const json = { numbers: number === undefined ? [] : numbers };
    const path = `${this.#upload.path}/upload/create-presign-urls`;
    const answer = await call(path, { json, headers: this.#upload.credentials, signal: this.#signal });
    for (const part of answer.parts ?? [{ ...answer, number: undefined }]) this.#known.set(part.number, part);
  }
}
