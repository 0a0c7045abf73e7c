// Opens an admin session in this browser.

import { ApiError, call } from "../api.js";
import { byId, field, onEvent, showError, showMessage } from "../ui/dom.js";
import { messageOf, pause, time } from "../ui/format.js";

/** @import { Session } from "../wire.d.ts" */

/**
 * Promise of the requested session.
 *
 * @type {Promise<void> | undefined}
 */
let opening;
/**
 * Resolver of the promise.
 *
 * @type {(() => void) | undefined}
 */
let opened;

/** Shows the form for the admin key; resolves once there is a session. */
export function openSession() {
  opening ??= new Promise((resolve) => {
    opened = resolve;
  });
  byId("key").focus();
  return opening;
}

// The key is sent to this service once, in a request body, and not kept by the page.
onEvent("session", "submit", async () => {
  const key = field("key").value;
  field("key").value = "";
  showMessage("");
  try {
    /** @type {Session} */
    const session = await call("/auth/set-auth-cookie", { json: { cookie_value: key } });
    showMessage(`The session is open until ${time(session.expires_at)}.`);
    opening = undefined;
    opened?.();
  } catch (error) {
    showError(reason(error));
    byId("key").focus();
  }
});

/** @param {unknown} error */
function reason(error) {
  if (error instanceof ApiError && error.code === "admin_key_invalid") return "That is not the admin key.";
  if (error instanceof ApiError && error.code === "rate_limited") {
    return `Too many wrong keys. Wait ${pause(error)}, then try again.`;
  }
  return `No session was opened: ${messageOf(error)}.`;
}
