// Service worker that saves what a page sends it as a download, and does nothing else.

let saved;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", ({ data: bytes, ports: [port] }) => {
  saved = { bytes, port };
  port.postMessage("ready");
});
self.addEventListener("fetch", (event) => {
  if (!event.request.url.endsWith("/save")) return;
  const { bytes, port } = saved;
  let pulled = () => {};
  const stream = new ReadableStream(
    {
      start(controller) {
        port.onmessage = ({ data }) => {
          if (data === "end") {
            controller.close();
            port.postMessage("ended");
          } else controller.enqueue(new Uint8Array(data));
          pulled();
        };
      },
      pull: () =>
        new Promise((resolve) => {
          pulled = resolve;
          port.postMessage("more");
        }),
    },
    { highWaterMark: 2 },
  );
  const headers = { "content-disposition": "attachment; filename=saved.bin", "content-length": `${bytes}` };
  event.respondWith(new Response(stream, { headers }));
});
