// Targets of notifications: all that have received or missed a notification, and those of active tokens.

import { byId, cell, element } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { callAsAdmin } from "./api.js";
import { number, when } from "./when.js";

/** @import { Page, TargetOverview, TokenItem } from "../wire.d.ts" */
/** @typedef {Partial<TargetOverview> & { address: string, token_id?: string }} Target */

/** Tokens per request, and requests at most: the targets of more tokens are not looked for. */
const [PAGE, MAX_PAGES] = [100, 20];
/**
 * Causes of failed deliveries by code.
 *
 * @type {Record<string, string>}
 */
const REASONS = {
  name_not_resolved: t("admin.reason_name"),
  address_refused: t("admin.reason_address"),
  not_reachable: t("admin.reason_connection"),
  timeout: t("admin.reason_timeout"),
  redirect: t("admin.reason_redirect"),
  receiver_error: t("admin.reason_receiver"),
  rejected: t("admin.reason_rejected"),
  not_configured: t("admin.reason_configuration"),
};
const HEALTH = { ok: t("admin.health_ok"), retrying: t("admin.health_retrying"), dead: t("admin.health_dead") };

/** Loads and shows the targets, those that fail longest first. */
export async function showWebhooks() {
  /** @type {{ items: TargetOverview[] }} */
  const { items: used } = await callAsAdmin("/notifications/targets");
  const known = new Set(used.map(({ address, token_id: token }) => `${token} ${address}`));
  const others = (await targetsOfTokens()).filter(({ address, token_id: token }) => !known.has(`${token} ${address}`));
  const rows = [...used, ...others].map(row);
  byId("webhook-list").replaceChildren(...rows);
  byId("webhook-table").hidden = rows.length === 0;
  byId("no-webhooks").hidden = rows.length > 0;
}

/** Returns the webhooks and e-mail addresses of active tokens. */
async function targetsOfTokens() {
  /** @type {Target[]} */
  const targets = [];
  let after = "";
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    /** @type {Page<TokenItem>} */
    const page = await callAsAdmin(`/tokens/list?limit=${PAGE}${after}`);
    for (const { token_id, status, notifications } of page.items) {
      if (status !== "active") continue;
      const addresses = [notifications?.webhook?.origin, notifications?.email];
      targets.push(...addresses.filter((address) => address !== undefined).map((address) => ({ token_id, address })));
    }
    if (page.next === null) break;
    after = `&after=${page.next}`;
  }
  return targets;
}

/** @param {Target} target */
function row({ address, token_id: token, health = "ok", failing_since, reason, delivered_at, dropped }) {
  const scope = token === undefined ? t("admin.all_transfers") : element("code", {}, token);
  return element(
    "tr",
    { role: "row", class: health },
    cell(t("admin.address"), element("bdi", {}, address)),
    cell(t("admin.state"), element("span", { class: `badge ${health === "ok" ? "active" : "bad"}` }, HEALTH[health])),
    cell(t("admin.scope"), scope),
    cell(t("admin.failing_since"), ...(failing_since === undefined ? [] : [when(failing_since)])),
    cell(t("admin.reason"), reason === undefined ? "" : (REASONS[reason] ?? reason)),
    cell(t("admin.last_delivery"), ...(delivered_at ? [when(delivered_at)] : [])),
    cell(t("admin.dropped"), dropped === undefined ? "" : number(dropped)),
  );
}
