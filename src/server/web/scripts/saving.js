// Ways to a file in the person's downloads.

import { hex, random } from "./bytes.js";
import { Stopped, TooLarge } from "./local.js";
import { element } from "./page.js";
import { root, sleep } from "./service.js";

/** The most that is gathered in memory where the browser cannot take a file piece by piece. */
const MOST_IN_MEMORY = 512 * 1024 * 1024;

/** The worker and the frame have so long to begin, in milliseconds. */
const START = 10_000;
/** How often the worker is kept from being put to sleep, in milliseconds: browsers do it after 30 seconds. */
const AWAKE = 10_000;
/** The frame is kept so long after the end, for browsers that still read, in milliseconds. */
const LINGER = 60_000;

/** What the page's policy asks for before a script is loaded, where the browser knows trusted types. */
const ownScripts = globalThis.trustedTypes?.createPolicy("save", { createScriptURL: (url) => url });

/** Begins a file of this name and size. It has `write`, `close` and `abort`. */
export async function newFile(name, size, signal) {
  try {
    return await StreamedFile.begin(name, size, signal);
  } catch {
    signal.throwIfAborted();
    // Private windows and some settings have no service workers.
    if (size > MOST_IN_MEMORY) throw new TooLarge();
    return new GatheredFile(name);
  }
}

/** A file that the browser takes as it comes, through the service worker. */
class StreamedFile {
  #port;
  #frame;
  #awake;
  #lost;
  #wanted;
  #signal;
  #stopped = false;

  static async begin(name, size, signal) {
    const worker = await within(START, startedWorker(), signal);
    const id = hex(random(16));
    const { port1: port, port2 } = new MessageChannel();
    const ready = new Promise((resolve) => (port.onmessage = resolve));
    worker.postMessage({ id, name, size }, [port2]);
    await within(START, ready, signal);
    const file = new StreamedFile(id, worker, port, signal);
    file.#frame = element("iframe", { src: new URL(`save/${id}`, root), hidden: "", title: "Download" });
    document.body.append(file.#frame);
    try {
      await within(START, file.#wanted.promise, signal);
    } catch (error) {
      file.#end();
      file.#frame.remove();
      throw error;
    }
    return file;
  }

  constructor(id, worker, port, signal) {
    this.#port = port;
    this.#signal = signal;
    this.#wanted = Promise.withResolvers();
    const stop = () => {
      this.#stopped = true;
      this.#wanted.resolve();
    };
    this.#lost = ({ data }) => {
      if (data.lost === id) stop();
    };
    navigator.serviceWorker.addEventListener("message", this.#lost);
    navigator.serviceWorker.startMessages();
    port.onmessage = ({ data }) => (data === "gone" ? stop() : this.#wanted.resolve());
    // Until it has begun, the worker does not know that it goes on.
    this.#wanted.promise.then(() => {
      this.#awake = setInterval(() => worker.postMessage({ goesOn: id }), AWAKE);
    });
    // Somebody who wants to stop does not wait for a browser that wants nothing.
    signal.addEventListener("abort", () => this.#wanted.resolve());
  }

  /** Gives the browser `piece`, once it wants one; it is then the browser's. */
  async write(piece) {
    if (piece.length === 0) return;
    await this.#turn();
    const whole = piece.length === piece.buffer.byteLength ? piece.buffer : piece.slice().buffer;
    this.#port.postMessage(whole, [whole]);
  }

  async close() {
    await this.#turn();
    this.#port.postMessage("end");
    this.#end();
  }

  /** Ends the file as a failed one, which browsers say and remove. */
  async abort() {
    this.#port.postMessage("failed");
    this.#end();
  }

  /** Waits until the browser wants something, and takes note that it is to get it. */
  async #turn() {
    await this.#wanted.promise;
    this.#signal.throwIfAborted();
    if (this.#stopped) throw new Stopped();
    this.#wanted = Promise.withResolvers();
  }

  #end() {
    clearInterval(this.#awake);
    navigator.serviceWorker.removeEventListener("message", this.#lost);
    setTimeout(() => this.#frame.remove(), LINGER);
  }
}

/** A file that is gathered in memory and handed over whole. */
class GatheredFile {
  #name;
  #pieces = [];

  constructor(name) {
    this.#name = name;
  }

  async write(piece) {
    // The browser may keep a Blob of it wherever it has room.
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

/** Gives the person a file that is in memory. */
function handOver(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), LINGER);
}

/** The service worker, once it is ready. */
async function startedWorker() {
  if (!navigator.serviceWorker) throw new Error("there are no service workers here");
  const url = new URL("save/worker.js", root).href;
  const script = ownScripts ? ownScripts.createScriptURL(url) : url;
  const scope = new URL("save/", root).pathname;
  const registration = await navigator.serviceWorker.register(script, { scope, updateViaCache: "none" });
  // One that comes to replace another is not waited for.
  const worker = registration.active ?? registration.installing ?? registration.waiting;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve(worker);
      if (worker.state === "redundant") reject(new Error("the service worker did not start"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

/** What `promise` gives, unless that takes too long or `signal` ends it. */
async function within(milliseconds, promise, signal) {
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
