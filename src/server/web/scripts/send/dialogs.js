// Dialogs of the upload pages: confirm a deletion or revocation, edit a transfer.

import { field, typedById } from "../ui/dom.js";

/** @typedef {{ expires_in_s?: number, max_downloads?: number | null }} Change */

/** Asks for the confirmation of a deletion; Escape cancels. */
export async function confirmDeletion() {
  return (await answered("confirm")) === "yes";
}

/** Asks for the confirmation that a request shall end; Escape cancels. */
export async function confirmRevocation() {
  return (await answered("confirm-revocation")) === "yes";
}

/**
 * Asks for changes of a transfer's limits; `undefined` if there are none.
 *
 * @param {number | null} limit current download limit
 * @returns {Promise<Change | undefined>}
 */
export async function askForChange(limit) {
  const expires = typedById("edit-expires", HTMLSelectElement);
  const downloads = field("edit-downloads");
  expires.value = "";
  downloads.value = limit === null ? "" : `${limit}`;
  if ((await answered("edit")) !== "yes") return undefined;
  const wanted = downloads.value === "" ? null : downloads.valueAsNumber;
  const change = {
    ...(expires.value && { expires_in_s: Number(expires.value) }),
    ...(wanted !== limit && { max_downloads: wanted }),
  };
  return Object.keys(change).length > 0 ? change : undefined;
}

/**
 * Shows a dialog; returns the value of the button that closed it.
 *
 * @param {string} id
 */
async function answered(id) {
  const dialog = typedById(id, HTMLDialogElement);
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue;
}
