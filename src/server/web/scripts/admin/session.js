// Opens an admin session in this browser.

import { ApiError, call, Unreachable } from "../api.js";
import { byId, field, onEvent, showError, showMessage } from "../ui/dom.js";
import { messageOf, span, time } from "../ui/format.js";
import { t } from "../ui/text.js";

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
    showMessage(t("admin.session_until", { time: time(session.expires_at) }));
    opening = undefined;
    opened?.();
  } catch (error) {
    showError(reason(error));
    byId("key").focus();
  }
});

/** @param {unknown} error */
function reason(error) {
  if (error instanceof ApiError && error.code === "admin_key_invalid") return t("admin.key_wrong");
  return adminError(error);
}

/**
 * Returns the message for an error of the admin API.
 *
 * @param {unknown} error
 */
export function adminError(error) {
  if (error instanceof Unreachable) return t("error.unreachable");
  if (error instanceof ApiError && error.code === "rate_limited") {
    const { retryAfter } = error;
    if (retryAfter === undefined) return t("error.rate_limited_later");
    return t("error.rate_limited", { time: span(retryAfter) });
  }
  if (error instanceof ApiError && error.status >= 500) return t("error.server_failed");
  // The text of the server is English: the code stands for it.
  if (error instanceof ApiError) return t("error.refused", { code: error.code ?? `${error.status}` });
  return t("error.unexpected", { reason: messageOf(error) });
}
