// Shows the history of a transfer and deletes transfers.

import { ApiError } from "../api.js";
import { byId, field, hide, onEvent, show, showError, showMessage } from "../ui/dom.js";
import { count, time } from "../ui/format.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { fact } from "./overview.js";
import { item, summary } from "./audit-record.js";

/** @import { AuditRecord, RecordPage } from "../wire.d.ts" */
/** @typedef {{ id: string, records: AuditRecord[], next: string | null, readsSince?: number }} Transfer */

/** Records per request. */
const PAGE = 1_000;
/** Records read before the user has to ask for more: the last ones determine the state. */
const READ_LIMIT = 10_000;
/** Records added to the audit trail per step. */
const STEP = 100;
const KINDS = ["request", "action", "event"];

/** @type {Transfer | undefined} */
let shown;

/** Activates the form and buttons of the view. */
export function watchTransfer() {
  byId("transfer-id").addEventListener("input", dropKey);
  onEvent("find", "submit", () => attempt(find));
  onEvent("more-records", "click", () => attempt(listMore));
  onEvent("remove", "click", () => attempt(remove));
  for (const kind of KINDS) byId(`kind-${kind}`).addEventListener("change", listFromStart);
}

/**
 * Shows the transfer with this ID, if it exists.
 *
 * @param {string} [id]
 */
export async function showTransfer(id) {
  if (!id || idIn(id) !== id) return;
  field("transfer-id").value = id;
  if (shown?.id === id) return;
  if (await load(id)) byId("found-title").focus();
}

/**
 * Returns the transfer ID in an ID or link; `undefined` if there is none.
 *
 * @param {string} text
 */
function idIn(text) {
  const [address] = text.split("#");
  return /(?:^|\/d\/)([0-9a-f]{32})/i.exec(address.trim())?.[1].toLowerCase();
}

/** Reduces a pasted link to its ID: the admin page must not get the key. */
function dropKey() {
  const input = field("transfer-id");
  const [address] = input.value.split("#");
  const clean = idIn(address) ?? address;
  if (input.value !== clean) input.value = clean;
}

async function find() {
  const id = idIn(field("transfer-id").value);
  byId("transfer-id").setAttribute("aria-invalid", String(!id));
  if (!id) {
    showError("That holds no transfer id, which is 32 digits and letters from a to f.");
    byId("transfer-id").focus();
    return;
  }
  if (!(await load(id))) return;
  // Makes the address of the page lead to this transfer.
  history.pushState(null, "", `#transfer/${id}`);
  byId("found-title").focus();
}

/**
 * Loads and shows a transfer's records; returns whether it succeeded.
 *
 * @param {string} id
 */
async function load(id) {
  hide("found");
  showMessage("");
  /** @type {Transfer} */
  const transfer = { id, records: [], next: null };
  shown = transfer;
  try {
    await loadMore(transfer);
  } catch (error) {
    if (transfer === shown) shown = undefined;
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    showError("There is no such transfer: there never was, or it ended so long ago that its records were removed.");
    byId("transfer-id").focus();
    return false;
  }
  // The user may have requested another transfer meanwhile.
  if (transfer !== shown) return false;
  byId("found-title").textContent = `Transfer ${id}`;
  listFromStart();
  show("found");
  return true;
}

/**
 * Loads records to the end or the read limit, and shows the state after the last one.
 *
 * @param {Transfer} transfer
 */
async function loadMore(transfer) {
  const until = transfer.records.length + READ_LIMIT;
  do {
    const after = transfer.next === null ? "" : `&after=${transfer.next}`;
    /** @type {RecordPage} */
    const page = await callAsAdmin(`/audit/transfers/id/${transfer.id}/all?limit=${PAGE}${after}`);
    transfer.records.push(...page.items);
    transfer.next = page.next;
    transfer.readsSince ??= page.reads_since;
  } while (transfer.next !== null && transfer.records.length < until);
  if (transfer !== shown) return;
  const { facts, isRemoved } = summary(transfer.records);
  const last = transfer.records.at(-1);
  const upTo = last ? `${time(last.at)}${transfer.next === null ? "" : "; there are later ones"}` : "–";
  byId("state").replaceChildren(...facts.map(([name, text]) => fact(name, text)), fact("Records up to", upTo));
  byId("remove").hidden = isRemoved;
}

/** Lists the first records of the selected kinds. */
function listFromStart() {
  byId("records").replaceChildren();
  if (shown) listNext(shown);
}

async function listMore() {
  if (!shown) return;
  if (wanted(shown).length === byId("records").childElementCount) await loadMore(shown);
  listNext(shown)?.focus();
}

/**
 * Lists the next records of the selected kinds; returns the first of them.
 *
 * @param {Transfer} transfer
 */
function listNext(transfer) {
  const list = byId("records");
  const all = wanted(transfer);
  const items = all.slice(list.childElementCount, list.childElementCount + STEP).map(item);
  list.append(...items);
  const listed = list.childElementCount;
  byId("more-records").hidden = listed === all.length && transfer.next === null;
  const part = listed === all.length ? "" : `The first ${listed} of `;
  const since = transfer.readsSince;
  const gap =
    since === undefined ? "" : ` Reads, rejected requests and unlimited downloads before ${time(since)} are removed.`;
  byId("records-count").textContent = `${part}${count(all.length, "record")}, oldest first.${gap}`;
  return items[0];
}

/** @param {Transfer} transfer */
function wanted(transfer) {
  const kinds = KINDS.filter((kind) => field(`kind-${kind}`).checked);
  return transfer.records.filter((record) => kinds.includes(record.type));
}

async function remove() {
  if (!shown) return;
  const { id } = shown;
  const sure = await confirmed(
    "Remove this transfer?",
    "Its payload is deleted at once, and nobody can fetch it any more. That cannot be undone. " +
      `The records of what happened to it stay.\n\n${id}`,
    "Remove it",
  );
  if (!sure) return;
  await callAsAdmin(`/transfers/id/${id}/delete`, { json: {} });
  if (!(await load(id))) return;
  showMessage("The transfer is removed, and its payload is deleted.");
  byId("found-title").focus();
}
