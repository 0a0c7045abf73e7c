// List of the transfers that the token has created, with changes and deletion.

import { call } from "../api.js";
import { button, byId, collapse, element, expand, onEvent, showError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { size, time } from "../ui/format.js";
import { STATES } from "../ui/labels.js";
import { t } from "../ui/text.js";
import { askForChange, confirmDeletion } from "./dialogs.js";
import { credentials } from "./token.js";

/** @import { Page, TransferItem } from "../wire.d.ts" */

/** Number of transfers in a page of the list. */
const SHOWN_AT_ONCE = 20;

/**
 * Names of the transfers that this page has sent; the server does not know names.
 *
 * @type {Map<string, string>}
 */
const names = new Map();
/** @type {string | null} */
let next = null;

/**
 * Remembers the name of a transfer for as long as the page is open.
 *
 * @param {string} id
 * @param {string} name
 */
export function rememberName(id, name) {
  names.set(id, name);
}

/**
 * Makes the button show and hide the list; calls `opening` before it is shown.
 *
 * @param {() => void} opening
 */
export function offerMine(opening) {
  onEvent("show-mine", "click", async () => {
    if (!byId("mine").hidden) return collapse("show-mine");
    opening();
    await load(undefined);
    expand("show-mine");
    byId("mine-title").focus();
  });
  onEvent("more-mine", "click", () => load(next ?? undefined));
}

/**
 * Loads a page of the list, the first if `after` is missing.
 *
 * @param {string | undefined} after
 */
async function load(after) {
  const query = new URLSearchParams({ limit: `${SHOWN_AT_ONCE}`, ...(after && { after }) });
  /** @type {Page<TransferItem>} */
  let page;
  try {
    page = await call(`/transfers/list?${query}`, { headers: credentials() });
  } catch (error) {
    showError(errorMessage(error));
    return;
  }
  if (after === undefined) byId("mine-list").replaceChildren();
  byId("mine-list").append(...page.items.map(row));
  next = page.next;
  byId("more-mine").hidden = next === null;
  byId("no-mine").hidden = byId("mine-list").hasChildNodes();
}

/** @param {TransferItem} transfer */
function row(transfer) {
  const { transfer_id: id, status, size_bytes: bytes, created_at, expires_at, max_downloads, download_count } = transfer;
  const title = names.get(id) ?? time(created_at);
  const isLive = status === "completed" || status === "pending";
  const counted = { count: download_count };
  const facts = [
    STATES[status],
    size(bytes),
    max_downloads === null
      ? t("send.limit_of", counted)
      : `${t("send.downloads")}: ${t("send.downloads_of", { ...counted, max: max_downloads })}`,
    ...(isLive ? [t("send.expires_at", { time: time(expires_at) })] : []),
  ];
  const item = element(
    "li",
    { id: `mine-${id}` },
    element("strong", {}, element("bdi", {}, title)),
    element("p", { class: "facts-line" }, facts.join(" · ")),
  );
  if (!isLive) return item;
  const edit = element("button", { type: "button", "aria-label": `${t("send.edit")}: ${title}` }, t("send.edit"));
  const remove = element("button", { type: "button", "aria-label": `${t("send.delete")}: ${title}` }, t("send.delete"));
  remove.classList.add("danger");
  edit.addEventListener("click", () => change(transfer).catch((error) => showError(errorMessage(error))));
  remove.addEventListener("click", () => discard(id).catch((error) => showError(errorMessage(error))));
  item.append(element("div", { class: "buttons" }, ...(status === "completed" ? [edit] : []), remove));
  return item;
}

/** @param {TransferItem} transfer */
async function change({ transfer_id: id, max_downloads: limit }) {
  const json = await askForChange(limit);
  if (!json) return;
  await call(`/transfers/id/${id}/update`, { json, headers: credentials() });
  showMessage("");
  await load(undefined);
  byId(`mine-${id}`).querySelector("button")?.focus();
}

/** @param {string} id */
async function discard(id) {
  if (!(await confirmDeletion())) return;
  await call(`/transfers/id/${id}/delete`, { json: {}, headers: credentials() });
  showMessage(t("send.deleted"));
  await load(undefined);
  button("show-mine").focus();
}
