// Requests of a sender token, for its holder: what has arrived, and how to open it.

import { call, Unreachable, withRetries } from "../api.js";
import { confirmRevocation } from "../send/dialogs.js";
import { credentials } from "../send/token.js";
import { byId, collapse, element, expand, onEvent, showError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { time } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @import { RequestItem, RequestList, TokenState } from "../wire.d.ts" */
/** @import { RequestKeys } from "./key-file.js" */

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
  const item = element("li", { id: `request-${id}` }, title, element("p", { class: "facts-line" }, facts.join(" · ")));
  const buttons = element("div", { class: "buttons" });
  if (count > 0) buttons.append(openButton(id, item));
  if (status === "active") {
    const revoke = element("button", { type: "button", class: "danger" }, t("inbox.revoke"));
    revoke.setAttribute("aria-label", `${t("inbox.revoke")}: ${id}`);
    revoke.addEventListener("click", () => end(id).catch((error) => showError(errorMessage(error))));
    buttons.append(revoke);
  }
  if (buttons.hasChildNodes()) item.append(buttons);
  return item;
}

/**
 * Returns the button that shows what has arrived, with the keys that the page knows or with a key file.
 *
 * @param {string} id of the request
 * @param {HTMLElement} item
 */
function openButton(id, item) {
  const open = element("button", { type: "button", class: "open", "aria-expanded": "false" }, t("inbox.open"));
  open.setAttribute("aria-label", `${t("inbox.open")}: ${t("inbox.request", { id })}`);
  const panel = element("div", { hidden: "" });
  item.append(panel);
  open.addEventListener("click", async () => {
    panel.hidden = !panel.hidden;
    open.setAttribute("aria-expanded", `${!panel.hidden}`);
    if (panel.hidden) return;
    try {
      const { knownKeys } = await arrivalsScript();
      const keys = knownKeys(id);
      if (keys) await showArrivals(panel, keys);
      else askForKeys(panel, id);
    } catch (error) {
      showError(errorMessage(error));
    }
  });
  return open;
}

/**
 * Asks for the key file of a request.
 *
 * @param {HTMLElement} panel
 * @param {string} id of the request
 */
function askForKeys(panel, id) {
  const chosen = `key-file-${id}`;
  const input = element("input", { id: chosen, type: "file", multiple: "", "aria-describedby": `${chosen}-hint` });
  const hint = element("p", { id: `${chosen}-hint`, class: "hint" }, t("inbox.key_hint"));
  const command = element("pre", { dir: "ltr" }, `sgsend request download ${id}`);
  panel.replaceChildren(element("label", { for: chosen }, t("inbox.key_file")), hint, input, command);
  input.addEventListener("change", async () => {
    showMessage("");
    try {
      const { keysIn, remember } = await arrivalsScript();
      const keys = await keysIn(id, input.files ?? []);
      if (keys) {
        remember(keys);
        await showArrivals(panel, keys);
      } else {
        input.setAttribute("aria-invalid", "true");
        showError(t("inbox.no_key"));
      }
    } catch (error) {
      showError(errorMessage(error));
    }
  });
  input.focus();
}

/**
 * @param {HTMLElement} panel
 * @param {RequestKeys} keys
 */
async function showArrivals(panel, keys) {
  const { arrivals } = await arrivalsScript();
  const list = element("ul", { class: "list" });
  const more = element("button", { type: "button" }, t("send.more"));
  /** @type {string | null} */
  let next = null;
  const addPage = async () => {
    const page = await arrivals(keys, next);
    list.append(...page.rows);
    next = page.next;
    more.hidden = next === null;
    page.rows[0]?.querySelector("a")?.focus();
  };
  more.addEventListener("click", () => addPage().catch((error) => showError(errorMessage(error))));
  await addPage();
  panel.replaceChildren(...(list.hasChildNodes() ? [list, more] : [element("p", {}, t("inbox.nothing"))]));
  list.querySelector("a")?.focus();
}

/** Loads the script that opens what has arrived, which other visitors of the page do not need. */
async function arrivalsScript() {
  try {
    return await import("./arrivals.js");
  } catch (cause) {
    throw new Unreachable(cause);
  }
}

/** @param {string} id */
async function end(id) {
  if (!(await confirmRevocation())) return;
  await call(`/requests/id/${id}/revoke`, { json: {}, headers: credentials() });
  if (await load()) showMessage(t("inbox.ended"));
  byId("inbox-title").focus();
}
