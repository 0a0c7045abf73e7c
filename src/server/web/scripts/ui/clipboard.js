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
  return copyText(source.value, what);
}

/**
 * Copies a text and reports it; `what` names it in the message. Returns whether it is copied.
 *
 * @param {string} text
 * @param {string} what
 */
export async function copyText(text, what) {
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
