// API calls that need an admin session; asks for the admin key once the session has ended, and keeps typed text.

import { call, Refused } from "../api.js";
import { byId, complain, hide, say, show } from "../ui/dom.js";
import { pause } from "../ui/format.js";
import { openSession } from "./session.js";

/** A change was not made, since the session had ended. */
class NotDone extends Error {
  constructor() {
    super("the session had ended, so nothing was changed; do it again");
    this.name = "NotDone";
  }
}

let had = false;

/**
 * Sends a request as `call` does, and asks for the admin key if there is no session.
 *
 * Reads are then repeated; changes are not, since the new session's user must decide on them. Without `ask` the error
 * is thrown.
 */
export async function asAdmin(path, { ask = true, ...options } = {}) {
  for (;;) {
    try {
      const answer = await call(path, options);
      had = true;
      return answer;
    } catch (error) {
      if (!ask || !(error instanceof Refused) || error.code !== "admin_key_invalid") throw error;
      await askForKey();
      if (options.json !== undefined) throw new NotDone();
    }
  }
}

async function askForKey() {
  const focused = document.activeElement;
  if (had) {
    byId("login-reason").textContent =
      "The session has ended. With the admin key it goes on where you were; what you typed is still there.";
  }
  hide("views", "admin");
  say("");
  show("login");
  await openSession();
  hide("login");
  show("views", "admin");
  const isThere = focused?.isConnected && byId("admin").contains(focused);
  (isThere ? focused : byId("admin")).focus();
}

/** Runs `work` and reports a failure. */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    complain(reason(error));
  }
}

function reason(error) {
  if (error instanceof Refused && error.code === "rate_limited") {
    return `Too many requests. Wait ${pause(error)}, then try again.`;
  }
  return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
}
