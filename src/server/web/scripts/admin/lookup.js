// Ids in text that an admin types or pastes; the key of a pasted link is dropped at once.

import { field } from "../ui/dom.js";

/**
 * Returns the transfer id in an id or link; `undefined` if there is none.
 *
 * @param {string} text
 */
export function transferIn(text) {
  const [address] = text.split("#");
  return /(?:^|\/d\/)([0-9a-f]{32})/i.exec(address.trim())?.[1].toLowerCase();
}

/**
 * Reduces each link that is pasted into a field to its id: the admin page must not get the key.
 *
 * @param {string} id of the field
 */
export function dropKeys(id) {
  const input = field(id);
  input.addEventListener("input", () => {
    const [address] = input.value.split("#");
    const clean = transferIn(address) ?? address;
    if (input.value !== clean) input.value = clean;
  });
}
