// Lists the transfers of all senders, and deletes several of them.

import { byId, cell, element, field, onEvent, showError, showMessage, typedById } from "../ui/dom.js";
import { count, size, time } from "../ui/format.js";
import { STATES } from "../ui/labels.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { secondsIn } from "./parse.js";

/** @import { DeletedTransfers, TransferItem, TransferPage } from "../wire.d.ts" */

const PAGE = 50;
/** Fields of the filter whose text may be wrong. */
const FILTERS = ["filter-token", "filter-age"];
/** Transfers per request to delete them. */
const BATCH = 100;

/** Query of the shown list, without the position. */
let query = new URLSearchParams();
/** @type {string | null} */
let next = null;

/** Activates the forms and buttons of the view. */
export function watchTransfers() {
  onEvent("transfer-filter", "submit", () => attempt(apply));
  for (const id of FILTERS) for (const kind of ["input", "change"]) byId(id).addEventListener(kind, () => corrected(id));
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
 * Shows the first page of transfers; with a token id, those of the token.
 *
 * @param {string} [token]
 */
export async function showTransfers(token) {
  if (token) field("filter-token").value = token;
  await apply();
}

/** Reads the filters, and shows the first page of the list. */
async function apply() {
  const wanted = new URLSearchParams();
  const state = typedById("filter-state", HTMLSelectElement).value;
  const order = typedById("filter-order", HTMLSelectElement).value;
  const token = field("filter-token").value.trim();
  const age = field("filter-age").value.trim();
  for (const id of FILTERS) byId(id).removeAttribute("aria-invalid");
  if (state !== "") wanted.set("state", state);
  if (token !== "") {
    if (!/^[0-9a-f]{16}$/.test(token)) return wrong("filter-token", "A token id has 16 digits and letters from a to f.");
    wanted.set("token_id", token);
  }
  if (age !== "") {
    const seconds = secondsIn(age);
    if (seconds === undefined) return wrong("filter-age", "The age is written like 30 days or 12 h.");
    wanted.set("older_than", `${seconds}`);
  }
  wanted.set("order", order);
  query = wanted;
  next = null;
  await addPage(() => byId("transfer-list").replaceChildren());
  byId("delete-of-token").hidden = !query.has("token_id");
}

/**
 * @param {string} id
 * @param {string} reason
 */
function wrong(id, reason) {
  showError(reason);
  byId(id).setAttribute("aria-invalid", "true");
  byId(id).focus();
}

/**
 * Removes the message about a wrong field that is being corrected.
 *
 * @param {string} id
 */
function corrected(id) {
  if (byId(id).getAttribute("aria-invalid") !== "true") return;
  byId(id).removeAttribute("aria-invalid");
  showMessage("");
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
  const id = item.transfer_id;
  // The limit is that of the own link, the count that of all links.
  const limit = item.max_downloads === null || item.further_links > 0 ? "" : ` of ${item.max_downloads}`;
  const box = element("input", { type: "checkbox", value: id, "aria-label": `Select transfer ${id}` });
  return element(
    "tr",
    { id: rowId(id), class: item.status, role: "row", tabindex: "-1" },
    cell("Select", box),
    cell("Transfer", element("a", { href: `#transfer/${id}` }, element("code", {}, id))),
    cell("Status", element("span", { class: `badge ${item.status}` }, STATES[item.status])),
    cell("Created", time(item.created_at)),
    cell(item.ended_at === null ? "Expires" : "Ended", time(item.ended_at ?? item.expires_at)),
    cell("Size", size(item.size_bytes)),
    cell("Downloads", `${item.download_count}${limit}`),
    cell("Token", element("code", {}, item.token_id)),
  );
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
  const number = selected().length;
  byId("selected-count").textContent = `${count(number, "transfer")} selected`;
  typedById("delete-selected", HTMLButtonElement).disabled = number === 0;
  field("select-all").checked = number > 0 && number === boxes().length;
}

async function deleteSelected() {
  const ids = selected();
  if (!(await sure(`Delete ${count(ids.length, "transfer")}?`))) return;
  const results = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    results.push(...(await deleteMany({ transfer_ids: ids.slice(at, at + BATCH) })).items);
  }
  await report(results);
}

async function deleteOfToken() {
  const token = query.get("token_id") ?? "";
  if (!(await sure(`Delete all transfers of token ${token}?`))) return;
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
  const text =
    "Their payloads are deleted at once, and nobody can download them any more. This cannot be undone. " +
    "Their audit records stay.";
  return confirmed(title, text, "Delete");
}

/** @param {DeletedTransfers["items"]} results */
async function report(results) {
  await apply();
  const failed = results.filter(({ code }) => code !== undefined).length;
  const deleted = `${count(results.length - failed, "transfer")} deleted`;
  if (failed > 0) showError(`${deleted}; ${count(failed, "transfer")} could not be deleted. Try again.`);
  else showMessage(`${deleted}.`);
  byId("transfers-title").focus();
}
