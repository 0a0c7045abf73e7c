// Renders the audit records of a transfer.

import { element } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { EVENTS, STATES } from "../ui/labels.js";

/** @import { AuditRecord, EventKind, TransferState } from "../wire.d.ts" */

/**
 * Transfer state after each event.
 *
 * @type {Partial<Record<EventKind, TransferState>>}
 */
const STATE_AFTER = {
  transfer_created: "pending",
  transfer_completed: "completed",
  transfer_exhausted: "exhausted",
  transfer_expired: "expired",
  transfer_deleted: "deleted",
};
const KINDS = { request: "Request", action: "Action", event: "Event" };
/** Fields that the headline and time already show, and the format version. */
const SHOWN = new Set(["v", "type", "at", "method", "route", "action", "kind"]);

/**
 * Returns a timeline item with all details of a record.
 *
 * @param {AuditRecord} record
 */
export function item(record) {
  const details = [...detailsOf(record)].map(([name, text]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, text)),
  );
  const badge = element("span", { class: "badge" }, KINDS[record.type]);
  return element(
    "li",
    { class: `${record.type} ${toneOf(record)}`, "data-kind": record.type, tabindex: "-1" },
    element("p", {}, badge, " ", element("strong", {}, headline(record))),
    element("p", {}, moment(record.at)),
    element("dl", { class: "details" }, ...details),
  );
}

/** @param {AuditRecord} record */
function headline(record) {
  switch (record.type) {
    case "request":
      return `${record.method} ${record.route}`;
    case "action":
      return record.action;
    default:
      return EVENTS[record.kind] ?? record.kind;
  }
}

/**
 * Returns the CSS class of a failed record.
 *
 * @param {AuditRecord} record
 */
function toneOf(record) {
  if (record.code) return "bad";
  if (record.type === "action") return record.outcome === "refused" || record.outcome === "failed" ? "bad" : "";
  return record.type === "event" && record.kind === "decrypt_failed" ? "bad" : "";
}

/**
 * Yields the remaining fields, and those of nested objects, as name and text; IDs come last.
 *
 * @param {AuditRecord} record
 * @returns {Generator<[name: string, text: string]>}
 */
function* detailsOf({ id, request_id, client_request_id, ...record }) {
  if (record.type === "event") yield ["kind", record.kind];
  for (const [name, value] of Object.entries(record)) {
    if (SHOWN.has(name)) continue;
    if (typeof value === "object" && value !== null) {
      for (const [inner, text] of Object.entries(value)) yield [`${name} ${words(inner)}`, String(text)];
    } else {
      yield [words(name), valueOf(name, value)];
    }
  }
  for (const [name, value] of Object.entries({ request_id, client_request_id, id })) {
    if (value !== undefined) yield [words(name), value];
  }
}

/** @param {string} name */
function words(name) {
  return name.replace(/_ms$/, "").replaceAll("_", " ");
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function valueOf(name, value) {
  if (typeof value === "number" && (name === "bytes_in" || name === "bytes_out")) return size(value);
  if (name === "duration_ms") return `${value} ms`;
  if (name === "source" && value === "client") return "client, which claims it";
  return String(value);
}

/** @param {number} at */
function moment(at) {
  const text = new Date(at).toLocaleString(undefined, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  });
  return element("time", { datetime: new Date(at).toISOString() }, text);
}

/**
 * Summarises the records: facts, and whether the payload was removed because of a deletion.
 *
 * @param {AuditRecord[]} records
 * @returns {{ isRemoved: boolean, facts: [name: string, text: string][] }}
 */
export function summary(records) {
  const events = records.filter((record) => record.type === "event").filter(({ source }) => source === "server");
  /** @type {(kind: EventKind) => number | undefined} */
  const when = (kind) => events.find((event) => event.kind === kind)?.at;
  /** @type {(kind: EventKind) => string} */
  const timeOf = (kind) => {
    const at = when(kind);
    return at === undefined ? "–" : time(at);
  };
  const state = events.map(({ kind }) => STATE_AFTER[kind]).findLast((after) => after !== undefined);
  const requests = records.filter((record) => record.type === "request");
  const creator = requests.find(({ route }) => route === "/transfers/create");
  return {
    isRemoved: when("transfer_deleted") !== undefined && when("payload_removed") !== undefined,
    facts: [
      ["State", state ? STATES[state] : "not known"],
      ["Created", timeOf("transfer_created")],
      ["Complete", timeOf("transfer_completed")],
      ["Downloads recorded", String(events.filter((event) => event.kind === "download_granted").length)],
      ["Payload removed", timeOf("payload_removed")],
      ["Sender token", creator?.token_id ?? "–"],
    ],
  };
}
