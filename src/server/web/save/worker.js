// Service worker that streams a download from a page to the browser, so that no file has to fit into memory.
//
// The page registers a download with a message port. A hidden frame requests `save/ID`, and the worker responds with
// the data from the port. The worker stores nothing: neither data nor names outlive the download.

/** @typedef {{ id: string, name: string, size: number }} Announcement */
/** @typedef {Announcement & { port: MessagePort }} Download */

const worker = /** @type {ServiceWorkerGlobalScope & typeof globalThis} */ (self);

/** @type {Map<string, Download>} */
const downloads = new Map();
/**
 * Active downloads. A worker that was stopped and restarted knows none of them.
 *
 * @type {Set<string>}
 */
const active = new Set();

worker.addEventListener("install", () => worker.skipWaiting());

worker.addEventListener("message", ({ data, ports, source }) => {
  // Keep-alive message of a page that is writing; it keeps this worker running.
  if (data.keepAlive) {
    if (!active.has(data.keepAlive)) source?.postMessage({ lost: data.keepAlive });
    return;
  }
  const [port] = ports;
  downloads.set(data.id, { ...data, port });
  port.postMessage("ready");
});

worker.addEventListener("fetch", (event) => {
  const id = new URL(event.request.url).pathname.split("/").at(-1) ?? "";
  const download = downloads.get(id);
  if (!download) return;
  downloads.delete(id);
  active.add(id);
  event.respondWith(respond(download));
});

/** @param {Download} download */
function respond({ id, name, size, port }) {
  const headers = {
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename*=UTF-8''${extended(name)}`,
    "content-length": `${size}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
  };
  return new Response(stream(id, port), { headers });
}

/**
 * @param {string} id
 * @param {MessagePort} port
 */
function stream(id, port) {
  let resolvePull = () => {};
  return new ReadableStream(
    {
      start(controller) {
        port.onmessage = ({ data }) => {
          if (data === "end") controller.close();
          else if (data === "failed") controller.error(new Error("the page has given up"));
          else controller.enqueue(new Uint8Array(data));
          if (data === "end" || data === "failed") active.delete(id);
          resolvePull();
        };
      },
      pull: () =>
        new Promise((resolve) => {
          resolvePull = resolve;
          port.postMessage("more");
        }),
      cancel() {
        active.delete(id);
        port.postMessage("gone");
      },
    },
    { highWaterMark: 2 },
  );
}

/**
 * Encodes a file name for `filename*` (RFC 8187).
 *
 * @param {string} name
 */
function extended(name) {
  return encodeURIComponent(name).replace(/['()*!]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
