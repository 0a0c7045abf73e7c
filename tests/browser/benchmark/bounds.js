// Benchmarks of single parts of a transfer, for the limits of the browser itself. Each function takes a number of MiB and
// returns milliseconds.

const MIB = 1024 * 1024;

/** Returns the milliseconds that `work` takes. */
async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Encrypts or decrypts segments of 1 MiB, four at once. */
async function crypt(mib, decrypts) {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const algorithm = { name: "AES-GCM", iv: new Uint8Array(12) };
  const plaintext = crypto.getRandomValues(new Uint8Array(64 * 1024));
  const segment = new Uint8Array(MIB);
  for (let at = 0; at < MIB; at += plaintext.length) segment.set(plaintext, at);
  const sealed = await crypto.subtle.encrypt(algorithm, key, segment);
  const one = () => (decrypts ? crypto.subtle.decrypt(algorithm, key, sealed) : crypto.subtle.encrypt(algorithm, key, segment));
  return timed(async () => {
    const waiting = [];
    for (let done = 0; done < mib; done++) {
      waiting.push(one());
      if (waiting.length === 4) await waiting.shift();
    }
    await Promise.all(waiting);
  });
}

/** Receives `mib`, and passes each chunk to `take`. */
async function receiveEach(mib, take) {
  const { body } = await fetch(`bytes/${mib}`, { cache: "no-store" });
  for await (const chunk of body) await take(chunk);
}

/** Receives, and drops what is received. */
const receive = (mib) => timed(() => receiveEach(mib, () => {}));

/** Sends bodies of 8 MiB, one after another. */
function send(mib) {
  const body = new Uint8Array(8 * MIB);
  return timed(async () => {
    for (let sent = 0; sent < mib; sent += 8) await (await fetch("bytes", { method: "PUT", body })).text();
  });
}

/** Begins a download through the pages' service worker. Returns a function that saves a buffer, and one that ends the file. */
async function beginSaving(size) {
  const registration = await navigator.serviceWorker.register("worker.js");
  await navigator.serviceWorker.ready;
  const { port1: port, port2 } = new MessageChannel();
  let demand = Promise.withResolvers();
  port.onmessage = () => demand.resolve();
  registration.active.postMessage({ id: "bounds", name: "saved.bin", size }, [port2]);
  await demand.promise;
  demand = Promise.withResolvers();
  const frame = document.createElement("iframe");
  frame.src = "save/bounds";
  document.body.append(frame);
  const post = async (message, transferred) => {
    await demand.promise;
    demand = Promise.withResolvers();
    port.postMessage(message, transferred);
  };
  return { write: (buffer) => post(buffer, [buffer]), end: () => post("end", []) };
}

/** Saves pieces of 1 MiB. */
async function save(mib) {
  const { write, end } = await beginSaving(mib * MIB);
  return timed(async () => {
    for (let saved = 0; saved < mib; saved++) await write(new ArrayBuffer(MIB));
    await end();
  });
}

/** Receives, and saves what is received. */
async function receiveAndSave(mib) {
  const { write, end } = await beginSaving(mib * MIB);
  return timed(async () => {
    let piece = new Uint8Array(MIB);
    let filled = 0;
    await receiveEach(mib, async (chunk) => {
      for (let rest = chunk; rest.length > 0; ) {
        const part = rest.subarray(0, MIB - filled);
        piece.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
        if (filled < MIB) continue;
        await write(piece.buffer);
        piece = new Uint8Array(MIB);
        filled = 0;
      }
    });
    await end();
  });
}

globalThis.bounds = {
  encrypt: (mib) => crypt(mib, false),
  decrypt: (mib) => crypt(mib, true),
  send,
  receive,
  save,
  receiveAndSave,
};
