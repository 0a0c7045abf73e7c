// Sender token: asked once, checked at the server, and kept by the page.

import { ApiError, call, withRetries } from "../api.js";
import { byId, collapse, field, hide, onEvent, show, showError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { storedToken, storeToken } from "./token-storage.js";

let token = "";

/** Returns the token of this page. */
export function currentToken() {
  return token;
}

/** Returns the request headers with the token. */
export function credentials() {
  return { authorization: `Bearer ${token}` };
}

/**
 * Asks for a token unless one is stored; calls `ready` with each accepted one.
 *
 * @param {() => void} ready
 */
export function offerToken(ready) {
  onEvent("token-form", "submit", async () => {
    const entered = field("token").value.trim();
    try {
      await check(entered);
    } catch (error) {
      field("token").setAttribute("aria-invalid", "true");
      showError(errorMessage(error));
      return;
    }
    storeToken(field("keep-token").checked ? entered : undefined);
    accept(entered, ready);
  });
  onEvent("forget", "click", () => {
    token = "";
    storeToken(undefined);
    ask();
  });
  const stored = storedToken();
  if (stored) accept(stored, ready);
  else ask();
}

/** Asks for a token. */
export function ask() {
  hide("send-form", "account");
  collapse("show-mine");
  collapse("show-requests");
  show("token-form");
  byId("token").focus();
}

/** @param {string} entered */
async function check(entered) {
  const headers = { authorization: `Bearer ${entered}` };
  await withRetries(() => call("/token/status", { headers }));
}

/**
 * @param {string} accepted
 * @param {() => void} ready
 */
function accept(accepted, ready) {
  token = accepted;
  field("token").value = "";
  field("token").removeAttribute("aria-invalid");
  hide("token-form");
  showMessage("");
  show("send-form", "account");
  ready();
}

/**
 * Returns whether an error is about the token, so that another one is needed.
 *
 * @param {unknown} error
 */
export function isAboutToken(error) {
  return error instanceof ApiError && ["token_invalid", "token_revoked", "token_expired"].includes(error.code ?? "");
}
