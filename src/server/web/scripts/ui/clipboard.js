// Copies fields and texts to the clipboard.

import { field, showError, showMessage } from "./dom.js";
import { t } from "./text.js";

/**
 * Copies the value of the field `id` and reports it; `what` names it in the message. Returns whether it is copied.
 *
 * @param {string} id
 * @param {string} what
 */
export async function copy(id, what) {
  const source = field(id);
  source.select();
  return write(source.value, what);
}

/**
 * Copies the text of an element and reports it; `what` names it in the message. Returns whether it is copied.
 *
 * @param {HTMLElement} source
 * @param {string} what
 */
export async function copyTextOf(source, what) {
  getSelection()?.selectAllChildren(source);
  return write(source.textContent ?? "", what);
}

/**
 * Writes what is selected to the clipboard.
 *
 * @param {string} text
 * @param {string} what
 */
async function write(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    showMessage(t("common.copied", { what }));
    return true;
  } catch {
    // Browsers allow clipboard access only for pages loaded by TLS or from localhost.
    showError(t("common.copy_by_hand", { what }));
    return false;
  }
}
