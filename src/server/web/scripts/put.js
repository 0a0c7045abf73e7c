// One request with a body, and how far it has come, which `fetch` does not tell.

import { Refused, Unreachable } from "./service.js";

/** A connection on which nothing moves for so long is given up, in milliseconds. */
const SILENCE = 60_000;

/** Sends `body`, and gives the answer's text; `moved` is called with the bytes that have left so far. */
export function put(url, { method, headers, body, signal, moved = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), SILENCE);
    };
    const stop = () => request.abort();
    request.addEventListener("loadend", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) reject(signal.reason);
      else if (request.status === 0) reject(new Unreachable());
      else if (request.status >= 200 && request.status < 300) resolve(request.responseText);
      else reject(refused(request));
    });
    request.upload.addEventListener("progress", ({ loaded }) => {
      listen();
      moved(loaded);
    });
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", stop);
    listen();
    request.send(body);
  });
}

function refused(request) {
  let problem = {};
  try {
    problem = JSON.parse(request.responseText);
  } catch {
    // A store's refusals are XML, and their status says enough.
  }
  return new Refused(request.status, problem, Number(request.getResponseHeader("retry-after")) || undefined);
}
