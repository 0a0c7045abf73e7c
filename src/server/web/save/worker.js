// Service worker that streams a download from a page to the browser, so that no file has to fit into memory. It also
// gives a player for sounds and videos the parts that it asks for.
//
// The page registers a download with a message port. A hidden frame requests `save/ID`, and the worker responds with
// the data from the port. The worker stores nothing: neither data nor names outlive the download. A player is a frame
// with `save/ID`; it plays `save/ID/content`, and each of its requests asks the page for a range.

/** @typedef {{ id: string, name: string, size: number, media?: string }} Announcement */
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
  const [last = "", before = ""] = new URL(event.request.url).pathname.split("/").reverse();
  const id = last === "content" ? before : last;
  const download = downloads.get(id);
  if (!download) return;
  if (download.media) {
    active.add(id);
    const response = last === "content" ? mediaPart(download, event.request.headers.get("range")) : player(download);
    event.respondWith(response);
    return;
  }
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
 * Returns the page with the player: nothing but a media element.
 *
 * @param {Download} download
 */
function player({ id }) {
  const page = `<!doctype html><meta charset="utf-8"><title>Player</title><link rel="stylesheet" href="../web/player.css">
    <video controls src="${id}/content"></video>`;
  return new Response(page, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; media-src 'self'; style-src 'self'; frame-ancestors 'self'",
      "x-content-type-options": "nosniff",
    },
  });
}

/**
 * Returns a part of a sound or video, which the page decrypts.
 *
 * @param {Download} download
 * @param {string | null} range
 */
function mediaPart({ id, size, media = "", port }, range) {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  const start = Number(from ?? 0);
  const end = to ? Math.min(size, Number(to) + 1) : size;
  if (start >= end) return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
  const { port1, port2 } = new MessageChannel();
  port.postMessage({ start, end }, [port2]);
  const headers = {
    "accept-ranges": "bytes",
    "content-type": media,
    "content-length": `${end - start}`,
    "x-content-type-options": "nosniff",
    ...(range && { "content-range": `bytes ${start}-${end - 1}/${size}` }),
  };
  return new Response(stream(id, port1), { status: range ? 206 : 200, headers });
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
          if (data === "end" || data === "failed") ended(id);
          resolvePull();
        };
      },
      pull: () =>
        new Promise((resolve) => {
          resolvePull = resolve;
          port.postMessage("more");
        }),
      cancel() {
        ended(id);
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

/**
 * Forgets a download that has ended; a player may ask for further parts.
 *
 * @param {string} id
 */
function ended(id) {
  if (!downloads.get(id)?.media) active.delete(id);
}
