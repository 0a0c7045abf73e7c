// Fields whose text may be wrong.

import { byId, showError, showMessage } from "../ui/dom.js";

/**
 * Reports the wrong text of a field, and moves the focus to it.
 *
 * @param {string} id
 * @param {string} reason
 * @returns {undefined}
 */
export function wrong(id, reason) {
  showError(reason);
  byId(id).setAttribute("aria-invalid", "true");
  byId(id).focus();
}

/**
 * Removes the marks of wrong fields.
 *
 * @param {string[]} ids
 */
export function unmark(ids) {
  for (const id of ids) byId(id).removeAttribute("aria-invalid");
}

/**
 * Removes the mark and message about a wrong field as soon as it is corrected.
 *
 * @param {string[]} ids
 */
export function watchCorrections(ids) {
  for (const id of ids) {
    for (const kind of ["input", "change"]) {
      byId(id).addEventListener(kind, () => {
        if (byId(id).getAttribute("aria-invalid") !== "true") return;
        unmark([id]);
        showMessage("");
      });
    }
  }
}
