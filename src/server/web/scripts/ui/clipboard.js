// Copies fields to the clipboard.

import { field, showError, showMessage } from "./dom.js";

/**
 * Copies the value of the field `id` and reports it; `what` starts the message.
 *
 * @param {string} id
 * @param {string} what
 */
export async function copy(id, what) {
  const source = field(id);
  source.select();
  try {
    await navigator.clipboard.writeText(source.value);
    showMessage(`${what} is in the clipboard.`);
  } catch {
    // Browsers allow clipboard access only for pages loaded by TLS or from localhost.
    showError(`This browser does not let the page copy. ${what} is selected: copy it by hand.`);
  }
}
