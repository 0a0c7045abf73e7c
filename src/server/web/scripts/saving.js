// Ways to a file in the person's downloads.

import { hex, random } from "./bytes.js";
import { element } from "./page.js";
import { root } from "./service.js";

/** The most that is gathered in memory where the browser cannot take a file piece by piece. */
export const MOST_IN_MEMORY = 512 * 1024 * 1024;

/** The worker and the frame have so long to begin, in milliseconds. */
const START = 10_000;
/** How often the worker is kept from being put to sleep, in milliseconds: browsers do it after 30 seconds. */
const AWAKE = 10_000;
/** The frame is kept so long after the end, for browsers that still read, in milliseconds. */
const LINGER = 60_000;

/** What the page's policy asks for before a script is loaded, where the browser knows trusted types. */
const ownScripts = globalThis.trustedTypes?.createPolicy("save", { createScriptURL: (url) => url });

/** The person has stopped the download where the browser shows it. */
export class Stopped extends Error {
  constructor() {
    super("the download was stopped");
    this.name = "Stopped";
  }
}

/** The file is larger than this browser can take from a page. */
export class TooLarge extends Error {
  constructor() {
    super("this browser can take a file of this size only with sgsend download");
    this.name = "TooLarge";
  }
}

/** Begins a file of this name and size. It has `write`, `close` and `abort`. */
export async function newFile(name, size) {
  try {
    return await StreamedFile.begin(name, size);
  } catch {
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
  #wanted;
  #stopped = false;

  static async begin(name, size) {
    const worker = await startedWorker();
    const id = hex(random(16));
    const { port1: port, port2 } = new MessageChannel();
    const ready = message(port, "ready");
    worker.postMessage({ id, name, size }, [port2]);
    await ready;
    const file = new StreamedFile(worker, port);
    file.#frame = element("iframe", { src: new URL(`save/${id}`, root), hidden: "", title: "Download" });
    document.body.append(file.#frame);
    try {
      await within(START, file.#wanted.promise);
    } catch (error) {
      file.#end();
      file.#frame.remove();
      throw error;
    }
    return file;
  }

  constructor(worker, port) {
    this.#port = port;
    this.#wanted = Promise.withResolvers();
    this.#awake = setInterval(() => worker.postMessage("awake"), AWAKE);
    port.onmessage = ({ data }) => {
      if (data === "gone") this.#stopped = true;
      this.#wanted.resolve();
    };
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
    const stopped = await this.#turn().then(() => false, () => true);
    if (!stopped) this.#port.postMessage("failed");
    this.#end();
  }

  /** Waits until the browser wants something, and takes note that it is to get it. */
  async #turn() {
    await this.#wanted.promise;
    if (this.#stopped) throw new Stopped();
    this.#wanted = Promise.withResolvers();
  }

  #end() {
    clearInterval(this.#awake);
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
export function handOver(blob, name) {
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
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  const started = new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve(worker);
      if (worker.state === "redundant") reject(new Error("the service worker did not start"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
  return within(START, started);
}

function message(port, expected) {
  return within(START, new Promise((resolve) => {
    port.onmessage = ({ data }) => {
      if (data === expected) resolve();
    };
  }));
}

async function within(milliseconds, promise) {
  const { promise: late, reject } = Promise.withResolvers();
  const timer = setTimeout(() => reject(new Error("that took too long")), milliseconds);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
