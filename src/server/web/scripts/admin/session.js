// Opens an admin session in this browser.

import { ApiError, call } from "../api.js";
import { byId, onEvent, showError, showMessage } from "../ui/dom.js";
import { pause, time } from "../ui/format.js";

/** Promise of the requested session, and its resolver. */
let opening;
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
  const key = byId("key").value;
  byId("key").value = "";
  showMessage("");
  try {
    const session = await call("/auth/set-auth-cookie", { json: { cookie_value: key } });
    showMessage(`The session is open until ${time(session.expires_at)}.`);
    opening = undefined;
    opened?.();
  } catch (error) {
    showError(reason(error));
    byId("key").focus();
  }
});

function reason(error) {
  if (error instanceof ApiError && error.code === "admin_key_invalid") return "That is not the admin key.";
  if (error instanceof ApiError && error.code === "rate_limited") {
    return `Too many wrong keys. Wait ${pause(error)}, then try again.`;
  }
  return `No session was opened: ${error.message}.`;
}
