// Hands a file over to the browser's downloads.

import { element } from "./dom.js";

/** Time until the file's memory is released, in milliseconds; the browser may still read it. */
const LINGER = 60_000;

/**
 * Saves a file that is in memory.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function handOver(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), LINGER);
}
