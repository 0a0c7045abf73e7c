// From the admin key to a session in this browser.

import { pause, time } from "./format.js";
import { byId, complain, say, when } from "./page.js";
import { call, Refused } from "./service.js";

/** The session that is waited for, if one is, and what tells that it is there. */
let opening;
let opened;

/** Asks for the admin key, in the form of the page, until there is a session. */
export function openSession() {
  opening ??= new Promise((resolve) => {
    opened = resolve;
  });
  byId("key").focus();
  return opening;
}

// The key goes to this service once, in a body, and the page does not keep it.
when("session", "submit", async () => {
  const shown = byId("key").value;
  byId("key").value = "";
  say("");
  try {
    const session = await call("/auth/set-auth-cookie", { json: { cookie_value: shown } });
    say(`The session is open until ${time(session.expires_at)}.`);
    opening = undefined;
    opened?.();
  } catch (error) {
    complain(reason(error));
    byId("key").focus();
  }
});

function reason(error) {
  if (error instanceof Refused && error.code === "admin_key_invalid") return "That is not the admin key.";
  if (error instanceof Refused && error.code === "rate_limited") {
    return `Too many wrong keys. Wait ${pause(error)}, then try again.`;
  }
  return `No session was opened: ${error.message}.`;
}
