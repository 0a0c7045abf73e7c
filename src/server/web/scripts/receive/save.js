// Saves files to the browser's downloads.

import { root, sleep } from "../api.js";
import { hex, random } from "../format/bytes.js";
import { element, handOver } from "../ui/dom.js";
import { Stopped, TooLarge } from "../ui/error-messages.js";

/** @import { Bytes } from "../format/bytes.js" */

/** Largest file that is buffered in memory, in bytes, for browsers that cannot stream a download. */
const MAX_IN_MEMORY = 512 * 1024 * 1024;

/** Timeout for the start of the service worker and of the frame, in milliseconds. */
export const START = 10_000;
/** Interval of keep-alive messages to the service worker, in milliseconds: browsers stop an idle worker after 30 s. */
export const AWAKE = 10_000;
/**
 * Time after the end of a download until its frame is removed, in milliseconds; the browser may still read.
 */
const LINGER = 60_000;

/** Trusted Types policy for the worker's script, which the Content Security Policy requires where supported. */
const ownScripts = globalThis.trustedTypes?.createPolicy("save", { createScriptURL: (url) => url });

/**
 * Creates a file to save, with the methods `write`, `close` and `abort`.
 *
 * @param {string} name
 * @param {number} size
 * @param {AbortSignal} signal
 */
export async function newFile(name, size, signal) {
  try {
    return await StreamedFile.begin(name, size, signal);
  } catch {
    signal.throwIfAborted();
    // Private windows and some browser settings have no service workers.
    if (size > MAX_IN_MEMORY) throw new TooLarge();
    return new BufferedFile(name);
  }
}

/** File that is streamed to the browser through the service worker. */
class StreamedFile {
  #port;
  /** @type {HTMLIFrameElement | undefined} */
  #frame;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #awake;
  #onLost;
  /** @type {PromiseWithResolvers<void>} */
  #demand;
  #signal;
  #stopped = false;

  /**
   * @param {string} name
   * @param {number} size
   * @param {AbortSignal} signal
   */
  static async begin(name, size, signal) {
    const worker = await within(START, startedWorker(), signal);
    const id = hex(random(16));
    const { port1: port, port2 } = new MessageChannel();
    const ready = new Promise((resolve) => (port.onmessage = resolve));
    worker.postMessage({ id, name, size }, [port2]);
    await within(START, ready, signal);
    const file = new StreamedFile(id, worker, port, signal);
    const frame = element("iframe", { src: new URL(`save/${id}`, root), hidden: "", title: "Download" });
    file.#frame = frame;
    document.body.append(frame);
    try {
      await within(START, file.#demand.promise, signal);
    } catch (error) {
      file.#end();
      frame.remove();
      throw error;
    }
    return file;
  }

  /**
   * @param {string} id
   * @param {ServiceWorker} worker
   * @param {MessagePort} port
   * @param {AbortSignal} signal
   */
  constructor(id, worker, port, signal) {
    this.#port = port;
    this.#signal = signal;
    this.#demand = Promise.withResolvers();
    const stop = () => {
      this.#stopped = true;
      this.#demand.resolve();
    };
    /** @type {(event: MessageEvent<{ lost?: string }>) => void} */
    this.#onLost = ({ data }) => {
      if (data.lost === id) stop();
    };
    navigator.serviceWorker.addEventListener("message", this.#onLost);
    navigator.serviceWorker.startMessages();
    port.onmessage = ({ data }) => (data === "gone" ? stop() : this.#demand.resolve());
    // The worker does not track the download before its first read.
    this.#demand.promise.then(() => {
      this.#awake = setInterval(() => worker.postMessage({ keepAlive: id }), AWAKE);
    });
    // Cancelling must not wait for a browser that has stopped reading.
    signal.addEventListener("abort", () => this.#demand.resolve());
  }

  /**
   * Writes `piece` once the browser is ready to read; transfers ownership of its buffer.
   *
   * @param {Bytes} piece
   */
  async write(piece) {
    if (piece.length === 0) return;
    await this.#takeDemand();
    const whole = piece.length === piece.buffer.byteLength ? piece.buffer : piece.slice().buffer;
    this.#port.postMessage(whole, [whole]);
  }

  async close() {
    await this.#takeDemand();
    this.#port.postMessage("end");
    this.#end();
  }

  /** Aborts the file: browsers show it as failed and remove it. */
  async abort() {
    this.#port.postMessage("failed");
    this.#end();
  }

  /** Waits until the browser is ready to read, and consumes this readiness. */
  async #takeDemand() {
    await this.#demand.promise;
    this.#signal.throwIfAborted();
    if (this.#stopped) throw new Stopped();
    this.#demand = Promise.withResolvers();
  }

  #end() {
    clearInterval(this.#awake);
    navigator.serviceWorker.removeEventListener("message", this.#onLost);
    setTimeout(() => this.#frame?.remove(), LINGER);
  }
}

/** File that is buffered in memory and saved as a whole. */
class BufferedFile {
  #name;
  /** @type {Blob[]} */
  #pieces = [];

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  /** @param {Bytes} piece */
  async write(piece) {
    // The browser may move a Blob to disk.
    this.#pieces.push(new Blob([piece]));
  }

  async close() {
    handOver(new Blob(this.#pieces), this.#name);
    this.#pieces = [];
  }

  async abort() {
    this.#pieces = [];
  }
}

/**
 * Returns the active service worker.
 *
 * @returns {Promise<ServiceWorker>}
 */
export async function startedWorker() {
  if (!navigator.serviceWorker) throw new Error("there are no service workers here");
  const url = new URL("save/worker.js", root).href;
  const script = ownScripts ? ownScripts.createScriptURL(url) : url;
  const scope = new URL("save/", root).pathname;
  const registration = await navigator.serviceWorker.register(script, { scope, updateViaCache: "none" });
  // An update of the worker is not waited for.
  const worker = registration.active ?? registration.installing ?? registration.waiting;
  if (!worker) throw new Error("the service worker did not start");
  return new Promise((resolve, reject) => {
    const check = () => {
      if (worker.state === "activated") resolve(worker);
      if (worker.state === "redundant") reject(new Error("the service worker did not start"));
    };
    worker.addEventListener("statechange", check);
    check();
  });
}

/**
 * Returns the result of `promise`; throws after a timeout or when `signal` aborts.
 *
 * @template T
 * @param {number} milliseconds
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 */
export async function within(milliseconds, promise, signal) {
  const ended = new AbortController();
  const late = sleep(milliseconds, AbortSignal.any([signal, ended.signal])).then(() => {
    throw new Error("that took too long");
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => {});
    ended.abort();
  }
}
