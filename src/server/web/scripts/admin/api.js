// API calls that need an admin session; asks for the admin key once the session has ended, and keeps typed text.

import { ApiError, call } from "../api.js";
import { byId, hide, show, showError, showMessage } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { adminError, openSession } from "./session.js";

/** @import { RequestOptions } from "../api.js" */

/** A change was not made, since the session had ended. */
class SessionEnded extends Error {
  constructor() {
    super("the session had ended, so nothing was changed");
    this.name = "SessionEnded";
  }
}

let hadSession = false;

/**
 * Sends a request as `call` does, and asks for the admin key if there is no session.
 *
 * Reads are then repeated; changes are not, since the new session's user must decide on them. Without `ask` the error
 * is thrown.
 *
 * @template [T=unknown] shape of the response, which is not checked
 * @param {string} path
 * @param {RequestOptions & { json?: object, ask?: boolean }} [options]
 * @returns {Promise<T>}
 */
export async function callAsAdmin(path, { ask = true, ...options } = {}) {
  for (;;) {
    try {
      /** @type {T} */
      const response = await call(path, options);
      hadSession = true;
      return response;
    } catch (error) {
      if (!ask || !(error instanceof ApiError) || error.code !== "admin_key_invalid") throw error;
      await promptForKey();
      if (options.json !== undefined) throw new SessionEnded();
    }
  }
}

async function promptForKey() {
  const focused = document.activeElement;
  if (hadSession) {
    byId("login-reason").textContent = t("admin.session_ended");
  }
  hide("views", "admin");
  showMessage("");
  show("login");
  await openSession();
  hide("login");
  show("views", "admin");
  const canFocus = focused instanceof HTMLElement || focused instanceof SVGElement;
  const isInPage = canFocus && focused.isConnected && byId("admin").contains(focused);
  (isInPage ? focused : byId("admin")).focus();
}

/**
 * Runs `work` and reports a failure.
 *
 * @param {() => Promise<void>} work
 */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    showError(error instanceof SessionEnded ? t("admin.nothing_changed") : adminError(error));
  }
}
