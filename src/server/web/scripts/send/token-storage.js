// Stores the sender token in this browser, if requested; otherwise only the page remembers it.

const NAME = "sgsend-token";

/** Returns the stored token; empty if there is none. */
export function storedToken() {
  return withStorage((storage) => storage.getItem(NAME)) ?? "";
}

/**
 * Stores a token; `undefined` removes the stored one.
 *
 * @param {string | undefined} token
 */
export function storeToken(token) {
  withStorage((storage) => (token === undefined ? storage.removeItem(NAME) : storage.setItem(NAME, token)));
}

/**
 * Returns `undefined` if the browser's settings deny storage.
 *
 * @template T
 * @param {(storage: Storage) => T} work
 */
function withStorage(work) {
  try {
    return work(localStorage);
  } catch {
    return undefined;
  }
}
