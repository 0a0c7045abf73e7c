// One upload: a transfer that is created, filled and completed.

import { hex, random } from "./bytes.js";
import { sendByService } from "./by-service.js";
import { OutOfReach, sendParts, sendWhole } from "./by-store.js";
import { call, patiently } from "./service.js";

/** Removing takes no longer, in milliseconds. */
const REMOVAL = 15_000;
/** No upload has more parts. */
const MOST_PARTS = 10_000;
/** What was sent and did not arrive is sent again so many times. */
const ROUNDS = 3;

/** An upload of this page's. */
export class Upload {
  #instruction;

  /** Creates the transfer: `terms` is what the API's `create` takes besides the size. */
  static async create(payload, token, terms, { signal, waiting } = {}) {
    const credentials = { authorization: `Bearer ${token}` };
    // One key for all tries: an answer that was lost leads to no second transfer.
    const json = { size_bytes: payload.size, idempotency_key: hex(random(32)), ...terms };
    // A call under way is not given up: what it has created is to be known, so that it can be removed.
    const create = () => call("/transfers/create", { json, headers: credentials });
    return new Upload(await patiently(create, { signal, waiting }), credentials);
  }

  constructor(transfer, credentials) {
    this.transfer = transfer;
    this.credentials = credentials;
    this.path = `/transfers/id/${transfer.transfer_id}`;
    this.#instruction = transfer.upload;
  }

  /** Where the payload goes if the store is out of reach. */
  get fallbackUrl() {
    return this.#instruction.fallback_url;
  }

  /** Sends `payload`, and gives the completed transfer's state with what was stored about the sender. */
  async send(payload, options) {
    for (let round = 1; ; round += 1) {
      await this.#deliver(payload, round > 1, options);
      try {
        const complete = () => call(`${this.path}/upload/complete`, { json: {}, headers: this.credentials });
        return await patiently(complete, options);
      } catch (error) {
        // A server that was stopped hard may have less than it said.
        if (error.code !== "upload_incomplete" || round === ROUNDS) throw error;
      }
    }
  }

  /** Removes the transfer and what has arrived of it. Whoever waits for it does not wait long. */
  async remove() {
    const signal = AbortSignal.timeout(REMOVAL);
    await call(`${this.path}/delete`, { json: {}, headers: this.credentials, signal });
  }

  async #deliver(payload, again, options) {
    const arrived = again ? await this.#arrived(options) : undefined;
    const instruction = this.#instruction;
    try {
      if (instruction.kind === "bytes") {
        await sendByService(this, payload, arrived?.received_bytes ?? 0, { url: instruction.url, ...options });
      } else if (instruction.kind === "single") {
        await sendWhole(this, instruction, payload, options);
      } else {
        await sendParts(this, instruction, payload, numbers(arrived?.parts_received), options);
      }
    } catch (error) {
      if (!(error instanceof OutOfReach)) throw error;
      this.#instruction = { kind: "bytes", url: this.fallbackUrl };
      await this.#deliver(payload, again, options);
    }
  }

  #arrived({ signal }) {
    return call(`${this.path}/upload/status`, { headers: this.credentials, signal });
  }
}

/** The numbers in ranges with both ends. */
function numbers(ranges = []) {
  const most = ranges.at(-1)?.[1] ?? 0;
  if (!(most <= MOST_PARTS)) throw new RangeError("the server says that it has parts that there are not");
  return new Set(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at)));
}
