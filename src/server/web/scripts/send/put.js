// Sends a request with upload progress, which `fetch` does not report.

import { ApiError, Unreachable } from "../api.js";

/** @import { Problem } from "../wire.d.ts" */
/**
 * @typedef {object} PutOptions
 * @property {string} method
 * @property {Record<string, string>} headers
 * @property {Blob} body
 * @property {AbortSignal} [signal]
 * @property {(sent: number) => void} [moved]
 */

/** Timeout of a connection without upload progress, in milliseconds. */
const TIMEOUT = 60_000;

/**
 * Sends `body` and returns the response text; calls `moved` with the number of bytes sent so far.
 *
 * @param {string | URL} url
 * @param {PutOptions} options
 * @returns {Promise<string>}
 */
export function put(url, { method, headers, body, signal, moved = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const restartTimer = () => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), TIMEOUT);
    };
    const stop = () => request.abort();
    request.addEventListener("loadend", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) reject(signal.reason);
      else if (request.status === 0) reject(new Unreachable());
      else if (request.status >= 200 && request.status < 300) resolve(request.responseText);
      else reject(apiError(request));
    });
    request.upload.addEventListener("progress", ({ loaded }) => {
      restartTimer();
      moved(loaded);
    });
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", stop);
    restartTimer();
    request.send(body);
  });
}

/** @param {XMLHttpRequest} request */
function apiError(request) {
  /** @type {Problem} */
  let problem = {};
  try {
    problem = JSON.parse(request.responseText);
  } catch {
    // Error responses of S3 are XML; their status is sufficient.
  }
  return new ApiError(request.status, problem, Number(request.getResponseHeader("retry-after")) || undefined);
}
