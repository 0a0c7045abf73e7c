// Renders the audit records of a transfer.

import { element } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { EVENTS } from "../ui/labels.js";
import { t } from "../ui/text.js";
import { exactly } from "./when.js";

/** @import { AuditRecord } from "../wire.d.ts" */

const KINDS = { request: t("admin.kind_request"), action: t("admin.kind_action"), event: t("admin.kind_event") };
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
    element("p", {}, exactly(record.at)),
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
  if (name === "source" && value === "client") return t("admin.claimed");
  return String(value);
}
