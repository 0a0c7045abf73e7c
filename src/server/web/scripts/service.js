// Calls of this service's API.

/** The service's root, wherever it lies: this script is in a folder below it. */
export const root = new URL("..", import.meta.url);

/** How long a call that got no answer is tried again, in milliseconds. */
const PATIENCE = 5 * 60_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

/** Codes of refusals that waiting helps against; `upload_in_progress` ends when a broken connection is given up. */
const PASSING = new Set(["rate_limited", "request_timeout", "upload_in_progress"]);

/** The service's refusal: its `code` is stable, its message a sentence. */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? `the server answered ${status}`);
    this.name = "Refused";
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may fare better later. */
  get passes() {
    return (this.status >= 500 && this.status !== 507) || PASSING.has(this.code);
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  constructor(cause) {
    super("the server does not answer", { cause });
    this.name = "Unreachable";
  }
}

/** The URL of a path that the service has named, which is relative to its root unless it is absolute. */
export function at(path) {
  return new URL(path.startsWith("/") ? `.${path}` : path, root);
}

/** Calls the service, and gives its answer as it comes; throws what is no success. */
export async function request(path, { method = "GET", headers = {}, body, signal } = {}) {
  let response;
  try {
    response = await fetch(at(path), { method, headers, body, signal, cache: "no-store", redirect: "error" });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new Unreachable(cause);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

/** Calls the service with JSON, if any, for JSON. */
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

/** Reads the refusal off an answer that is no success. */
export async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return new Refused(response.status, problem, Number(response.headers.get("retry-after")) || undefined);
}

/**
 * Does `work` until it succeeds, is refused for good, or the first failure is minutes ago.
 *
 * `work` is told how often it was tried before. `waiting` is called before each pause with the error and the pause.
 */
export async function patiently(work, { signal, waiting = () => {} } = {}) {
  let until = Infinity;
  for (let tries = 0; ; tries += 1) {
    try {
      return await work(tries);
    } catch (error) {
      signal?.throwIfAborted();
      const passes = error instanceof Unreachable || (error instanceof Refused && error.passes);
      const pause = error.retryAfter ? error.retryAfter * 1000 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** tries);
      if (tries === 0) until = performance.now() + PATIENCE;
      if (!passes || performance.now() + pause > until) throw error;
      waiting(error, pause);
      await sleep(pause, signal);
    }
  }
}

/** Waits; an abort ends it with the signal's reason. */
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
