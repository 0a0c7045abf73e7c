// Requests of a sender token, for its holder: what has arrived, and how to download it.

import { call, withRetries } from "../api.js";
import { confirmRevocation } from "../send/dialogs.js";
import { credentials } from "../send/token.js";
import { byId, collapse, element, expand, onEvent, showError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { time } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @import { RequestItem, RequestList, TokenState } from "../wire.d.ts" */

/**
 * Labels by state of a request.
 *
 * @type {Record<TokenState, string>}
 */
const STATES = {
  active: t("inbox.active"),
  revoked: t("inbox.revoked"),
  expired: t("inbox.expired"),
};

/**
 * Makes the button show and hide the list; calls `opening` before it is shown.
 *
 * @param {() => void} opening
 */
export function offerRequests(opening) {
  onEvent("show-requests", "click", async () => {
    if (!byId("inbox").hidden) return collapse("show-requests");
    opening();
    if (!(await load())) return;
    expand("show-requests");
    byId("inbox-title").focus();
  });
}

/** Loads the list; returns whether the server has responded with it. */
async function load() {
  try {
    /** @type {RequestList} */
    const { items } = await withRetries(() => call("/requests/list", { json: {}, headers: credentials() }));
    byId("requests").replaceChildren(...items.map(row));
    byId("no-requests").hidden = items.length > 0;
    return true;
  } catch (error) {
    showError(errorMessage(error));
    return false;
  }
}

/** @param {RequestItem} request */
function row({ token_id: id, status, max_transfers: max, transfers_created: count, expires_at }) {
  const arrived = max === null ? t("inbox.arrived", { count }) : t("inbox.arrived_of", { count, max });
  const facts = [STATES[status], arrived, ...(status === "active" ? [t("send.expires_at", { time: time(expires_at) })] : [])];
  const title = element("strong", {}, element("bdi", {}, t("inbox.request", { id })));
  const parts = [title, element("p", { class: "facts-line" }, facts.join(" · "))];
  if (count > 0) parts.push(element("pre", { dir: "ltr" }, `sgsend request download ${id}`));
  const item = element("li", { id: `request-${id}` }, ...parts);
  if (status !== "active") return item;
  const revoke = element("button", { type: "button", class: "danger" }, t("inbox.revoke"));
  revoke.setAttribute("aria-label", `${t("inbox.revoke")}: ${id}`);
  revoke.addEventListener("click", () => end(id).catch((error) => showError(errorMessage(error))));
  item.append(element("div", { class: "buttons" }, revoke));
  return item;
}

/** @param {string} id */
async function end(id) {
  if (!(await confirmRevocation())) return;
  await call(`/requests/id/${id}/revoke`, { json: {}, headers: credentials() });
  if (await load()) showMessage(t("inbox.ended"));
  byId("inbox-title").focus();
}
