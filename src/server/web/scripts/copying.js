// From a field to the clipboard.

import { byId, complain, say } from "./page.js";

/** Copies what stands in the field `id`, and says so; `what` begins that sentence. */
export async function copy(id, what) {
  const field = byId(id);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    say(`${what} is in the clipboard.`);
  } catch {
    // Browsers give the clipboard only to pages that came by TLS, or from this machine.
    complain(`This browser does not let the page copy. ${what} is selected: copy it by hand.`);
  }
}
