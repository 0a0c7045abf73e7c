// Copies fields to the clipboard.

import { byId, complain, say } from "./dom.js";

/** Copies the value of the field `id` and reports it; `what` starts the message. */
export async function copy(id, what) {
  const field = byId(id);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    say(`${what} is in the clipboard.`);
  } catch {
    // Browsers allow clipboard access only for pages loaded by TLS or from localhost.
    complain(`This browser does not let the page copy. ${what} is selected: copy it by hand.`);
  }
}
