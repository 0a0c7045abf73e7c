// Current numbers of the service and its activity in the last 30 days.

import { request } from "../api.js";
import { byId, element, onEvent, showMessage, typedById } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { STATES } from "../ui/labels.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { barPlot, dayName } from "./chart.js";
import { fact, number, when } from "./when.js";

/** @import { DayOverview, StatsOverview, StorageSpace } from "../wire.d.ts" */
/** @import { Measure } from "./chart.js" */

/**
 * Daily measures, in the order of the columns.
 *
 * @type {Measure[]}
 */
const MEASURES = [
  { member: "created", title: t("admin.plot_created"), text: number },
  { member: "completed", title: t("admin.plot_completed"), text: number },
  { member: "downloads", title: t("admin.plot_downloads"), text: number },
  { member: "bytes", title: t("admin.plot_bytes"), text: size, binary: true },
];
/** Metric with the time at which the sweeper of this process last reached the end of its schedule, in seconds. */
const LAST_SWEEP = /^sgsend_last_sweep_timestamp_seconds(?:\{[^}]*\})? ([\d.e+]+)$/mu;

/** Number of loads so far: only the latest one is shown. */
let loads = 0;

/** Activates the button of the view. */
export function watchOverview() {
  onEvent("refresh", "click", () =>
    attempt(async () => {
      await showOverview();
      showMessage(t("admin.refreshed"));
    }),
  );
}

/** Loads and shows the numbers. */
export async function showOverview() {
  loads += 1;
  const load = loads;
  /** @type {StatsOverview} */
  const stats = await callAsAdmin("/stats/overview");
  const swept = await lastSweep();
  if (load !== loads) return;
  const { transfers, tokens } = stats;
  byId("facts").replaceChildren(
    fact(capitalised(STATES.completed), number(transfers.completed)),
    fact(t("admin.stored"), size(stats.bytes_stored)),
    fact(t("admin.downloads_total"), number(stats.downloads)),
    fact(t("admin.active_tokens"), `${number(tokens.active)}${tokens.is_partial ? "+" : ""}`),
    fact(t("admin.uploading"), number(transfers.pending)),
    fact(capitalised(STATES.exhausted), number(transfers.exhausted)),
    fact(capitalised(STATES.expired), number(transfers.expired)),
    fact(capitalised(STATES.deleted), number(transfers.deleted)),
    fact(t("admin.revoked_tokens"), number(tokens.revoked)),
    fact(t("admin.expired_tokens"), number(tokens.expired)),
    fact(t("admin.last_sweep"), swept === undefined ? t("admin.no_sweep") : when(swept)),
  );
  showDisk(stats.storage);
  const proxy = stats.untrusted_proxy;
  byId("unnamed-proxy").hidden = proxy === undefined;
  byId("unnamed-proxy").textContent = t("admin.untrusted_proxy", { proxy: proxy ?? "" });
  const failing = stats.failing_targets ?? [];
  byId("failing-targets").hidden = failing.length === 0;
  byId("failing-targets").replaceChildren(
    t("admin.webhooks_failing", { count: failing.length }),
    " ",
    element("a", { href: "#webhooks" }, t("admin.webhooks")),
  );
  byId("as-of").replaceChildren(t("admin.as_of"), " ", when(stats.as_of));
  byId("plots").replaceChildren(...MEASURES.map((measure) => barPlot(measure, stats.days)));
  byId("days").replaceChildren(...stats.days.toReversed().map(dayRow));
}

/** Returns the time of the last sweep by this process in milliseconds; `undefined` if there was none. */
async function lastSweep() {
  const metrics = await request("/metrics").then(
    (response) => response.text(),
    () => "",
  );
  const seconds = Number(LAST_SWEEP.exec(metrics)?.[1] ?? 0);
  return seconds > 0 ? seconds * 1000 : undefined;
}

/**
 * Shows the free space of the storage, and what its lack means.
 *
 * @param {StorageSpace} storage
 */
function showDisk({ level, free_bytes: free, total_bytes: total, min_free_bytes: min }) {
  const isKnown = free !== undefined && total !== undefined && total > 0;
  const texts = [isKnown ? t("admin.disk_free", { free: size(free), total: size(total) }) : t("admin.disk_unknown")];
  if (level === "full") texts.push(t("admin.disk_full"));
  else if (level !== "ample") texts.push(t("admin.disk_low"));
  else if (isKnown && min !== undefined) texts.push(t("admin.disk_room", { size: size(Math.max(0, free - min)) }));
  byId("disk-text").textContent = texts.join(" ");
  byId("disk").classList.toggle("bad", level !== "ample");
  const meter = typedById("disk-meter", HTMLMeterElement);
  meter.hidden = !isKnown;
  if (!isKnown) return;
  meter.value = 1 - free / total;
  meter.high = 1 - (2 * (min ?? 0)) / total;
  meter.optimum = 0;
}

/** @param {string} text */
function capitalised(text) {
  return `${text.charAt(0).toLocaleUpperCase()}${text.slice(1)}`;
}

/** @param {DayOverview} day */
function dayRow(day) {
  const cells = MEASURES.map(({ member, text }) => element("td", {}, text(day[member])));
  return element("tr", {}, element("th", { scope: "row" }, dayName(day.day)), ...cells);
}
