// Current numbers of the service and its activity in the last 30 days.

import { byId, element, onEvent, showMessage } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { attempt, callAsAdmin } from "./api.js";
import { barPlot, dayName } from "./chart.js";

/** @import { DayOverview, FailingTarget, StatsOverview, StorageSpace } from "../wire.d.ts" */
/** @import { Measure } from "./chart.js" */

/**
 * Daily measures, in the order of the columns.
 *
 * @type {Measure[]}
 */
const MEASURES = [
  { member: "created", title: "Transfers created", text: number },
  { member: "completed", title: "Transfers completed", text: number },
  { member: "downloads", title: "Downloads", text: number },
  { member: "bytes", title: "Bytes received", text: size, binary: true },
];

/** Activates the button of the view. */
export function watchOverview() {
  onEvent("refresh", "click", () =>
    attempt(async () => {
      await showOverview();
      showMessage("These are the latest numbers.");
    }),
  );
}

/** Loads and shows the numbers. */
export async function showOverview() {
  /** @type {StatsOverview} */
  const stats = await callAsAdmin("/stats/overview");
  byId("facts").replaceChildren(...facts(stats).map(([name, text]) => fact(name, text)));
  const proxy = stats.untrusted_proxy;
  byId("unnamed-proxy").hidden = proxy === undefined;
  byId("unnamed-proxy").textContent =
    `Requests came through a proxy at ${proxy}, which this service does not know, so all clients behind it count as ` +
    `one. If it is yours, start the service with --trusted-proxy ${proxy}.`;
  const failing = stats.failing_targets ?? [];
  byId("failing-targets").hidden = failing.length === 0;
  byId("failing-targets").textContent = `Notifications fail: ${failing.map(failure).join("; ")}.`;
  byId("as-of").textContent = `As of ${time(stats.as_of)}. Transfers are counted once a minute.`;
  byId("plots").replaceChildren(...MEASURES.map((measure) => barPlot(measure, stats.days)));
  byId("days").replaceChildren(...stats.days.toReversed().map(dayRow));
}

/**
 * Describes a target of notifications whose deliveries fail.
 *
 * @param {FailingTarget} target
 */
function failure({ scope, address, failing_since, reason, dropped }) {
  const whose = scope === "service" ? "all transfers" : `token ${scope.token}`;
  return `${address} (${whose}) since ${time(failing_since)}, ${reason.replaceAll("_", " ")}, ${number(dropped)} dropped`;
}

/**
 * @param {StatsOverview} overview
 * @returns {[name: string, text: string][]}
 */
function facts({ transfers, tokens, ...stats }) {
  return [
    ["Ready", number(transfers.completed)],
    ["Uploading", number(transfers.pending)],
    ["Used up", number(transfers.exhausted)],
    ["Expired", number(transfers.expired)],
    ["Deleted", number(transfers.deleted)],
    ["Stored", size(stats.bytes_stored)],
    ["Free space", freeSpace(stats.storage)],
    ["Downloads ever", number(stats.downloads)],
    ["Active tokens", number(tokens.active)],
    ["Revoked tokens", number(tokens.revoked)],
    ["Expired tokens", number(tokens.expired)],
  ];
}

/**
 * Describes the free space of the storage, and what its lack means.
 *
 * @param {StorageSpace} storage
 */
function freeSpace({ level, free_bytes, total_bytes }) {
  const known = free_bytes !== undefined && total_bytes !== undefined;
  const text = known ? `${size(free_bytes)} of ${size(total_bytes)}` : "no known limit";
  if (level === "ample") {
    return text;
  }
  return level === "full" ? `${text}: full, only deletions work` : `${text}: uploads are rejected`;
}

/**
 * Returns an entry of a list of facts.
 *
 * @param {string} name
 * @param {string[]} texts
 */
export function fact(name, ...texts) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, ...texts));
}

/** @param {DayOverview} day */
function dayRow(day) {
  const cells = MEASURES.map(({ member, text }) => element("td", {}, text(day[member])));
  return element("tr", {}, element("th", { scope: "row" }, dayName(day.day)), ...cells);
}

/** @param {number} value */
function number(value) {
  return value.toLocaleString();
}
