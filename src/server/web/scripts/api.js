// Client of this service's API.

/** @import { Problem } from "./wire.d.ts" */
/**
 * @typedef {object} RequestOptions
 * @property {string} [method]
 * @property {Record<string, string>} [headers]
 * @property {BodyInit} [body]
 * @property {AbortSignal} [signal]
 */
/** @typedef {{ signal?: AbortSignal, waiting?: (error: unknown, pause: number) => void }} RetryOptions */

/** Root URL of the service; this script is in a folder below it. */
export const root = new URL("..", import.meta.url);

/** Total time for retries of a call, in milliseconds. */
const RETRY_TIME = 5 * 60_000;
const FIRST_PAUSE = 500;
const MAX_PAUSE = 15_000;

/**
 * Error codes that a retry can resolve; `upload_in_progress` ends once the server closes the broken connection.
 *
 * @type {ReadonlySet<string | undefined>}
 */
const TRANSIENT = new Set(["rate_limited", "request_timeout", "upload_in_progress"]);

/** Error response of the service: a stable `code` and a message. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Problem} problem
   * @param {number} [retryAfter] in seconds
   */
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? `the server answered ${status}`);
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Whether a retry may succeed. */
  get isTransient() {
    return (this.status >= 500 && this.status !== 507) || TRANSIENT.has(this.code);
  }
}

/** Number of transient refusals by the store, such as status 502 of a proxy, before the fallback to the service. */
const MAX_REFUSALS = 3;

/** The server did not respond. */
export class Unreachable extends Error {
  /** @param {unknown} [cause] */
  constructor(cause) {
    super("the server does not answer", { cause });
    this.name = "Unreachable";
  }
}

/**
 * Resolves a path of a response against the service's root, unless it is an absolute URL.
 *
 * @param {string} path
 */
export function at(path) {
  return new URL(path.startsWith("/") ? `.${path}` : path, root);
}

/**
 * Sends a request and returns the response; throws for error responses.
 *
 * @param {string} path
 * @param {RequestOptions} [options]
 */
export async function request(path, { method = "GET", headers = {}, body, signal } = {}) {
  let response;
  try {
    response = await fetch(at(path), { method, headers, body, signal, cache: "no-store", redirect: "error" });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new Unreachable(cause);
  }
  if (response.ok) return response;
  throw await apiError(response);
}

/**
 * Sends a request with an optional JSON body and returns the JSON response.
 *
 * @template [T=unknown] shape of the response, which is not checked
 * @param {string} path
 * @param {RequestOptions & { json?: object }} [options]
 * @returns {Promise<T>}
 */
export async function call(path, { json, headers, ...rest } = {}) {
  const options =
    json === undefined
      ? { headers, ...rest }
      : {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify(json),
          ...rest,
        };
  const response = await request(path, options);
  try {
    return await response.json();
  } catch (cause) {
    rest.signal?.throwIfAborted();
    throw new Unreachable(cause);
  }
}

/**
 * Converts an error response.
 *
 * @param {Response} response
 */
export async function apiError(response) {
  /** @type {Problem} */
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, problem, Number(response.headers.get("retry-after")) || undefined);
}

/**
 * Returns whether a page that the store has not served yet should use the service instead, after `failures` failed
 * requests to the store, the last with `error`.
 *
 * @param {unknown} error
 * @param {number} failures
 */
export function isStoreUnusable(error, failures) {
  if (error instanceof Unreachable) return true;
  return error instanceof ApiError && (!error.isTransient || failures >= MAX_REFUSALS);
}

/**
 * Retries `work` until it succeeds, fails permanently, or the first failure is 5 minutes ago.
 *
 * `work` receives the number of earlier attempts. `waiting` is called before each pause with the error and the pause.
 *
 * @template T
 * @param {(attempts: number) => Promise<T>} work
 * @param {RetryOptions} [options]
 * @returns {Promise<T>}
 */
export async function withRetries(work, { signal, waiting = () => {} } = {}) {
  let until = Infinity;
  for (let attempts = 0; ; attempts += 1) {
    try {
      return await work(attempts);
    } catch (error) {
      signal?.throwIfAborted();
      const isTransient = error instanceof Unreachable || (error instanceof ApiError && error.isTransient);
      const retryAfter = error instanceof ApiError ? error.retryAfter : undefined;
      const pause = retryAfter ? retryAfter * 1000 : Math.min(MAX_PAUSE, FIRST_PAUSE * 2 ** attempts);
      if (attempts === 0) until = performance.now() + RETRY_TIME;
      if (!isTransient || performance.now() + pause > until) throw error;
      waiting(error, pause);
      await sleep(pause, signal);
    }
  }
}

/**
 * Waits; rejects with the signal's reason on abort.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
