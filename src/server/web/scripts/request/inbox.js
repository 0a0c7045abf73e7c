// Requests of a sender token, for its holder: what has arrived, and how to download it.

import { call, withRetries } from "../api.js";
import { currentToken } from "../send/token.js";
import { byId, element, onEvent, showError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { time } from "../ui/format.js";
import { guestMessage } from "./errors.js";
import { t } from "./texts.js";

/** @import { RequestItem, RequestList } from "../wire.d.ts" */

/** Lists the requests of the current token when the sender asks for them. */
export function offerRequests() {
  onEvent("show-requests", "click", async () => {
    try {
      const number = await showRequests(byId("requests"), currentToken());
      showMessage(number === 0 ? t("request.none") : "");
    } catch (error) {
      showError(errorMessage(error));
    }
  });
}

/**
 * Shows the requests of a token in `list`; returns their number.
 *
 * @param {HTMLElement} list
 * @param {string} token
 */
async function showRequests(list, token) {
  const headers = { authorization: `Bearer ${token}` };
  /** @type {RequestList} */
  const { items } = await withRetries(() => call("/requests/list", { json: {}, headers }));
  list.replaceChildren(...items.map((item) => row(item, headers)));
  return items.length;
}

/**
 * @param {RequestItem} item
 * @param {Record<string, string>} headers
 */
function row(item, headers) {
  const limit = item.max_transfers === null ? "" : t("request.of", { limit: item.max_transfers });
  const facts = t("request.facts", { count: item.transfers_created, limit, time: time(item.expires_at) });
  const state = element("span", {}, t(`request.${item.status}`));
  const command = element("code", { dir: "ltr" }, `sgsend request download ${item.token_id}`);
  const parts = [element("strong", {}, state), ` ${facts} `, command];
  if (item.status === "active") {
    const revoke = element("button", { type: "button" }, t("request.revoke"));
    revoke.addEventListener("click", async () => {
      revoke.disabled = true;
      try {
        /** @type {RequestItem} */
        const ended = await call(`/requests/id/${item.token_id}/revoke`, { json: {}, headers });
        state.textContent = t(`request.${ended.status}`);
        revoke.remove();
      } catch (error) {
        revoke.disabled = false;
        state.textContent = guestMessage(error);
      }
    });
    parts.push(" ", revoke);
  }
  return element("li", {}, ...parts);
}
