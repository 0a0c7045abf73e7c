// Settings with which the service was started, as far as it tells them.

import { call, request } from "../api.js";
import { byId } from "../ui/dom.js";
import { size, span } from "../ui/format.js";
import { t } from "../ui/text.js";
import { callAsAdmin } from "./api.js";
import { fact, when } from "./when.js";

/** @import { Health, StatsOverview } from "../wire.d.ts" */

/** Loads and shows the settings. */
export async function showSettings() {
  /** @type {StatsOverview} */
  const { storage } = await callAsAdmin("/stats/overview");
  /** @type {Health} */
  const { version, mode, limits } = await call("/health");
  const metrics = await request("/metrics").then(
    (response) => response.text(),
    () => "",
  );
  const kind = /^sgsend_build_info\{.*storage="([^"]*)".*\} /mu.exec(metrics)?.[1];
  const started = Number(/^sgsend_start_timestamp_seconds (\d+)/mu.exec(metrics)?.[1] ?? 0);
  const { min, default: usual, max } = limits.expires_in_s;
  byId("settings-list").replaceChildren(
    fact(t("admin.version"), version),
    ...(started > 0 ? [fact(t("admin.started"), when(started * 1000))] : []),
    ...(kind === undefined ? [] : [fact(t("admin.storage"), kind)]),
    fact(t("admin.flow"), mode.upload === "presigned" ? t("admin.flow_presigned") : t("admin.flow_bytes")),
    fact(t("admin.max_size"), size(limits.max_content_bytes)),
    fact(t("admin.lifetime_default"), span(usual)),
    fact(t("admin.lifetime_min"), span(min)),
    fact(t("admin.lifetime_max"), span(max)),
    ...(storage.min_free_bytes === undefined ? [] : [fact(t("admin.min_free"), size(storage.min_free_bytes))]),
    ...(storage.reserve_bytes === undefined ? [] : [fact(t("admin.reserve"), size(storage.reserve_bytes))]),
  );
}
