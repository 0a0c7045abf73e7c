// Lists the transfers of all senders, and deletes several of them.

import { byId, cell, element, field, onEvent, showError, showMessage, typedById } from "../ui/dom.js";
import { size, span } from "../ui/format.js";
import { STATES } from "../ui/labels.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { unmark, watchCorrections, wrong } from "./fields.js";
import { dropKeys, transferIn } from "./lookup.js";
import { secondsIn } from "./parse.js";
import { number, when } from "./when.js";

/** @import { DeletedTransfers, TransferItem, TransferPage } from "../wire.d.ts" */

const PAGE = 50;
/** Fields of the filter whose text may be wrong. */
const FILTERS = ["filter-search", "filter-age"];
/** Names of the filters in the address. */
const [TOKEN, STATE, AGE, ORDER] = ["token", "state", "older", "order"];
/** Example of an age, in seconds. */
const AGE_EXAMPLE = 30 * 86_400;
/** Transfers per request to delete them. */
const BATCH = 100;

/** Query of the shown list, without the position. */
let query = new URLSearchParams();
/** @type {string | null} */
let next = null;

/** Activates the forms and buttons of the view. */
export function watchTransfers() {
  dropKeys("filter-search");
  field("filter-age").placeholder = span(AGE_EXAMPLE);
  watchCorrections(FILTERS);
  onEvent("transfer-filter", "submit", () => attempt(apply));
  onEvent("clear-filter", "click", () =>
    attempt(async () => {
      typedById("transfer-filter", HTMLFormElement).reset();
      await apply();
      byId("filter-search").focus();
    }),
  );
  onEvent("delete-selected", "click", () => attempt(deleteSelected));
  onEvent("delete-of-token", "click", () => attempt(deleteOfToken));
  byId("transfer-list").addEventListener("change", countSelected);
  field("select-all").addEventListener("change", () => {
    for (const box of boxes()) box.checked = field("select-all").checked;
    countSelected();
  });
  onEvent("more-transfers", "click", () =>
    attempt(async () => {
      const first = await addPage();
      // The pressed button may be hidden now, so the focus moves to the first new row.
      first?.focus();
    }),
  );
}

/**
 * Shows the first page of transfers with the filters of the address.
 *
 * @param {URLSearchParams} filters
 */
export async function showTransfers(filters) {
  typedById("transfer-filter", HTMLFormElement).reset();
  field("filter-search").value = filters.get(TOKEN) ?? "";
  field("filter-age").value = filters.get(AGE) ?? "";
  for (const [name, usual] of [
    [STATE, ""],
    [ORDER, "created"],
  ]) {
    const select = typedById(`filter-${name}`, HTMLSelectElement);
    select.value = filters.get(name) ?? usual;
    // A value of the address that the list does not have.
    if (select.selectedIndex < 0) select.value = usual;
  }
  await apply();
}

/** Reads the filters, writes them into the address, and shows the first page of the list. */
async function apply() {
  unmark(FILTERS);
  const search = field("filter-search").value.trim();
  const transfer = transferIn(search);
  if (transfer) {
    location.hash = `#transfer/${transfer}`;
    return;
  }
  if (search !== "" && !/^[0-9a-f]{16}$/.test(search)) return wrong("filter-search", t("admin.wrong_search"));
  const age = field("filter-age").value.trim();
  const seconds = age === "" ? 0 : secondsIn(age);
  if (seconds === undefined) return wrong("filter-age", t("admin.wrong_age"));
  const state = typedById("filter-state", HTMLSelectElement).value;
  const order = typedById("filter-order", HTMLSelectElement).value;
  const asked = { [TOKEN]: search, [STATE]: state, [AGE]: age, [ORDER]: order === "created" ? "" : order };
  remember(new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "")));
  query = new URLSearchParams({ order });
  if (state !== "") query.set("state", state);
  if (search !== "") query.set("token_id", search);
  if (seconds > 0) query.set("older_than", `${seconds}`);
  for (const head of byId("transfer-table").querySelectorAll("[data-order]")) {
    if (head.getAttribute("data-order") === order) head.setAttribute("aria-sort", "descending");
    else head.removeAttribute("aria-sort");
  }
  next = null;
  await addPage(() => byId("transfer-list").replaceChildren());
  byId("delete-of-token").hidden = search === "";
}

/**
 * Writes the filters into the address, so that reloading, going back and sharing the address keep them.
 *
 * @param {URLSearchParams} filters
 */
function remember(filters) {
  const hash = `#transfers${filters.size > 0 ? `?${filters}` : ""}`;
  if (location.hash !== hash) history.pushState(null, "", hash);
}

/** @param {() => void} [before] */
async function addPage(before = () => {}) {
  const position = next === null ? "" : `&after=${next}`;
  /** @type {TransferPage} */
  const page = await callAsAdmin(`/transfers/list?limit=${PAGE}&${query}${position}`);
  before();
  const rows = page.items.filter((item) => !document.getElementById(rowId(item.transfer_id))).map(row);
  byId("transfer-list").append(...rows);
  next = page.next;
  byId("more-transfers").hidden = next === null;
  const none = byId("transfer-list").childElementCount === 0;
  byId("no-transfers").hidden = !none || next !== null;
  byId("transfer-table").hidden = none;
  byId("partly-compared").hidden = page.is_partial !== true;
  countSelected();
  return rows[0];
}

/** @param {string} id */
function rowId(id) {
  return `transfer-${id}`;
}

/** @param {TransferItem} item */
function row(item) {
  const { transfer_id: id, token_id: token, status } = item;
  const box = element("input", { type: "checkbox", value: id, "aria-label": t("admin.select_transfer", { id }) });
  return element(
    "tr",
    { id: rowId(id), class: status, role: "row", tabindex: "-1" },
    cell(t("admin.select"), box),
    cell(t("admin.transfer"), element("a", { href: `#transfer/${id}` }, element("code", {}, id))),
    cell(t("admin.state"), element("span", { class: `badge ${status}` }, STATES[status])),
    cell(t("admin.created"), when(item.created_at)),
    cell(item.ended_at === null ? t("admin.expires") : t("admin.ended"), when(item.ended_at ?? item.expires_at)),
    cell(t("admin.size"), size(item.size_bytes)),
    cell(t("admin.downloads"), downloads(item)),
    cell(t("admin.token"), element("a", { href: `#transfers?${TOKEN}=${token}` }, element("code", {}, token))),
  );
}

/**
 * Describes the downloads of a transfer. The limit is that of the own link, the count that of all links.
 *
 * @param {TransferItem} item
 */
export function downloads({ max_downloads: max, further_links: links, download_count: count }) {
  return max === null || links > 0 ? number(count) : t("admin.of", { count, max });
}

/** @returns {HTMLInputElement[]} */
function boxes() {
  return [...byId("transfer-list").querySelectorAll("input")];
}

function selected() {
  return boxes()
    .filter((box) => box.checked)
    .map((box) => box.value);
}

function countSelected() {
  const count = selected().length;
  byId("selected-count").textContent = t("admin.selected", { count });
  typedById("delete-selected", HTMLButtonElement).disabled = count === 0;
  field("select-all").checked = count > 0 && count === boxes().length;
}

async function deleteSelected() {
  const ids = selected();
  if (!(await sure(t("admin.delete_many", { count: ids.length })))) return;
  const results = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    results.push(...(await deleteMany({ transfer_ids: ids.slice(at, at + BATCH) })).items);
  }
  await report(results);
}

async function deleteOfToken() {
  const token = query.get("token_id") ?? "";
  if (!(await sure(t("admin.delete_all_of", { token })))) return;
  await report(await deleteTransfersOf(token));
}

/**
 * Deletes the transfers of a token, in as many requests as needed.
 *
 * @param {string} token
 */
export async function deleteTransfersOf(token) {
  const results = [];
  let after = null;
  do {
    /** @type {DeletedTransfers} */
    const deleted = await deleteMany({ token_id: token, ...(after === null ? {} : { after }) });
    results.push(...deleted.items);
    after = deleted.next;
  } while (after !== null);
  return results;
}

/**
 * @param {object} json
 * @returns {Promise<DeletedTransfers>}
 */
function deleteMany(json) {
  return callAsAdmin("/transfers/delete-many", { json });
}

/** @param {string} title */
function sure(title) {
  return confirmed(title, t("admin.delete_warning"), t("admin.delete"));
}

/** @param {DeletedTransfers["items"]} results */
async function report(results) {
  await apply();
  const failed = results.filter(({ code }) => code !== undefined).length;
  const deleted = t("admin.deleted_many", { count: results.length - failed });
  if (failed > 0) showError(`${deleted} ${t("admin.not_deleted", { count: failed })}`);
  else showMessage(deleted);
  byId("transfers-title").focus();
}
