// Shows a transfer with its history, and deletes it.

import { ApiError } from "../api.js";
import { byId, element, field, hide, onEvent, show, showError, showMessage } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { STATES } from "../ui/labels.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { item } from "./audit-record.js";
import { confirmed } from "./confirm.js";
import { unmark, wrong } from "./fields.js";
import { TransferHistory } from "./history.js";
import { dropKeys, transferIn } from "./lookup.js";
import { downloads } from "./transfers.js";
import { fact, number, when } from "./when.js";

/** @import { AuditRecord, RecordPage, StatsOverview, TransferItem, TransferPage } from "../wire.d.ts" */
/** @typedef {{ id: string, records: AuditRecord[], next: string | null, readsSince?: number }} Transfer */

/** Records per request. */
const PAGE = 1_000;
/** Records read before the user has to ask for more: the last ones determine the state. */
const READ_LIMIT = 10_000;
/** Records added to the audit trail per step. */
const STEP = 100;
const KINDS = ["request", "action", "event"];
/** Span of the list that is searched for a transfer around the time of its creation, in seconds. */
const AROUND = 5;
/** Pages of the list that are searched at most. */
const MAX_PAGES = 5;

/** @type {Transfer | undefined} */
let shown;

/** Activates the form and buttons of the view. */
export function watchTransfer() {
  dropKeys("transfer-id");
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
  if (!id || transferIn(id) !== id) return;
  field("transfer-id").value = id;
  if (shown?.id === id) return;
  if (await load(id)) byId("found-title").focus();
}

async function find() {
  const id = transferIn(field("transfer-id").value);
  unmark(["transfer-id"]);
  if (!id) return wrong("transfer-id", t("admin.no_id"));
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
    if (!(error instanceof ApiError)) throw error;
    const { transfer_id: whole } = error.problem;
    if (error.code === "is_a_link" && whole !== undefined && whole !== id) {
      // The id of a further link: its transfer is meant.
      location.hash = `#transfer/${whole}`;
      return false;
    }
    if (error.status !== 404) throw error;
    showError(t("admin.no_transfer"));
    byId("transfer-id").focus();
    return false;
  }
  // The user may have requested another transfer meanwhile.
  if (transfer !== shown) return false;
  byId("found-title").replaceChildren(t("admin.transfer"), " ", element("code", {}, id));
  listFromStart();
  show("found");
  return true;
}

/**
 * Loads records to the end or the read limit, and shows what they tell.
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
  const past = new TransferHistory(transfer.records);
  const listed = await listedItem(transfer.id, past.at("transfer_created"));
  if (transfer !== shown) return;
  showState(transfer, past, listed);
  const links = past.linkRows();
  byId("link-list").replaceChildren(...links);
  byId("links").hidden = links.length === 0;
  byId("events").replaceChildren(...past.eventItems());
  byId("no-events").hidden = past.events.length > 0;
}

/**
 * Returns the transfer as the list shows it, with size and limits; `undefined` if the list no longer has it.
 *
 * The list is searched from the time of the creation on.
 *
 * @param {string} id
 * @param {number | undefined} created
 * @returns {Promise<TransferItem | undefined>}
 */
async function listedItem(id, created) {
  if (created === undefined) return undefined;
  // The time of the server, which the user's clock may differ from.
  /** @type {StatsOverview} */
  const { as_of: now } = await callAsAdmin("/stats/overview");
  const age = Math.max(0, Math.floor((now - created) / 1000) - AROUND);
  let after = "";
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    /** @type {TransferPage} */
    const page = await callAsAdmin(`/transfers/list?limit=100&order=created&older_than=${age}${after}`);
    const found = page.items.find((item) => item.transfer_id === id);
    if (found || page.next === null || page.items.some((item) => item.created_at < created - AROUND * 1000)) return found;
    after = `&after=${page.next}`;
  }
  return undefined;
}

/**
 * @param {Transfer} transfer
 * @param {TransferHistory} past
 * @param {TransferItem | undefined} listed
 */
function showState({ records, next }, past, listed) {
  const state = listed?.status ?? past.state;
  /** @type {(at: number | null | undefined) => Node | string} */
  const timeOf = (at) => (at === null || at === undefined ? "–" : when(at));
  const token = listed?.token_id ?? past.creator;
  const link = element("a", { href: `#transfers?token=${token}` }, element("code", {}, token ?? ""));
  byId("state").replaceChildren(
    fact(t("admin.state"), state ? STATES[state] : "–"),
    ...(listed ? [fact(t("admin.size"), size(listed.size_bytes))] : []),
    fact(t("admin.downloads"), listed ? downloads(listed) : number(past.downloads)),
    ...(listed && listed.max_downloads === null ? [fact(t("admin.limit"), t("admin.unlimited"))] : []),
    fact(t("admin.created"), timeOf(past.at("transfer_created") ?? listed?.created_at)),
    fact(t("admin.upload_finished"), timeOf(past.at("transfer_completed"))),
    ...(listed && listed.ended_at === null ? [fact(t("admin.expires"), when(listed.expires_at))] : []),
    ...(listed && listed.ended_at !== null ? [fact(t("admin.ended"), when(listed.ended_at))] : []),
    fact(t("admin.content_removed"), timeOf(past.at("payload_removed"))),
    fact(t("admin.token"), token === undefined ? "–" : link),
    fact(t("admin.records_until"), timeOf(records.at(-1)?.at), next === null ? "" : ` ${t("admin.more_exist")}`),
  );
  byId("remove").hidden = past.isRemoved;
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
  const count = { count: all.length };
  const since = transfer.readsSince;
  byId("records-count").replaceChildren(
    listed === all.length ? t("admin.records", count) : t("admin.records_part", { ...count, shown: listed }),
    ...(since === undefined ? [] : [" ", t("admin.reads_removed"), " ", when(since)]),
  );
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
  const warning = `${t("admin.delete_warning")}\n\n${id}`;
  if (!(await confirmed(t("admin.delete_many", { count: 1 }), warning, t("admin.delete")))) return;
  await callAsAdmin(`/transfers/id/${id}/delete`, { json: {} });
  if (!(await load(id))) return;
  showMessage(t("admin.transfer_deleted"));
  byId("found-title").focus();
}
