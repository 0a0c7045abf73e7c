// A service worker that lets a page write a download piece by piece, so that no file has to fit into memory.
//
// The page names a download and gives it a port. The request for `save/ID`, which a hidden frame makes, is answered with
// what comes through that port. Nothing is kept: neither pieces nor names outlive the download.

const downloads = new Map();
/** Downloads that go on. A worker that was stopped in between, and started again, knows none of them. */
const going = new Set();

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("message", ({ data, ports, source }) => {
  // A page that is writing asks every few seconds; being asked is what keeps this worker alive.
  if (data.goesOn) {
    if (!going.has(data.goesOn)) source.postMessage({ lost: data.goesOn });
    return;
  }
  const [port] = ports;
  downloads.set(data.id, { ...data, port });
  port.postMessage("ready");
});

self.addEventListener("fetch", (event) => {
  const id = new URL(event.request.url).pathname.split("/").at(-1);
  const download = downloads.get(id);
  if (!download) return;
  downloads.delete(id);
  going.add(id);
  event.respondWith(answer(download));
});

function answer({ id, name, size, port }) {
  const headers = {
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename*=UTF-8''${extended(name)}`,
    "content-length": `${size}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
  };
  return new Response(stream(id, port), { headers });
}

function stream(id, port) {
  let given = () => {};
  return new ReadableStream(
    {
      start(controller) {
        port.onmessage = ({ data }) => {
          if (data === "end") controller.close();
          else if (data === "failed") controller.error(new Error("the page has given up"));
          else controller.enqueue(new Uint8Array(data));
          if (data === "end" || data === "failed") going.delete(id);
          given();
        };
      },
      pull: () =>
        new Promise((resolve) => {
          given = resolve;
          port.postMessage("more");
        }),
      cancel() {
        going.delete(id);
        port.postMessage("gone");
      },
    },
    { highWaterMark: 2 },
  );
}

/** A name in the form of RFC 8187. */
function extended(name) {
  return encodeURIComponent(name).replace(/['()*!]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
