// The sender token that this tab keeps until it is closed, if that was asked for.

const NAME = "sgsend-token";

/** The token that is kept; empty where there is none. */
export function keptToken() {
  return withStorage((storage) => storage.getItem(NAME)) ?? "";
}

/** Keeps a token; `undefined` forgets the one that is kept. */
export function keepToken(token) {
  withStorage((storage) => (token === undefined ? storage.removeItem(NAME) : storage.setItem(NAME, token)));
}

/** Browsers can be told to let pages keep nothing; then there is nothing. */
function withStorage(work) {
  try {
    return work(sessionStorage);
  } catch {
    return undefined;
  }
}
