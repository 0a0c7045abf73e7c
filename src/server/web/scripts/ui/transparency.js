// Statements of the server about stored client data, in the language of the page.

import { element } from "./dom.js";
import { t } from "./text.js";

/** @import { Disclosure, Transparency } from "../wire.d.ts" */

/**
 * Keys of texts by code.
 *
 * @type {Record<string, string>}
 */
const TEXTS = {
  time: "stored.time",
  user_agent: "stored.user_agent",
  token: "stored.token",
  sent_size: "stored.sent_size",
  grant: "stored.grant",
  received_size: "stored.received_size",
  address_pseudonym: "stored.address_pseudonym",
  address_network: "stored.address_network",
  address_full: "stored.address_full",
  keys: "stored.keys",
  keys_tagged: "stored.keys_tagged",
  signature: "stored.signature",
  email: "stored.email",
  file_name: "stored.file_name",
  content: "stored.content",
  key: "stored.key",
  raw_address: "stored.raw_address",
  address: "stored.address",
  storage_provider: "stored.storage_provider",
  notified: "stored.notified",
};

/**
 * Shows the items of a `transparency` response in a `details` element.
 *
 * @param {HTMLElement} details
 * @param {Transparency | undefined} transparency
 */
export function showTransparency(details, transparency) {
  const { stored = [], not_stored: absent = [], seen_by_others: seen = [] } = transparency ?? {};
  const parts = [...list(t("common.stored"), stored), ...list(t("common.not_stored"), absent)];
  if (seen.length > 0) parts.push(...list(t("common.seen_by_others"), seen));
  details.replaceChildren(...details.querySelectorAll("summary"), ...parts);
  details.hidden = false;
}

/**
 * @param {string} title
 * @param {Disclosure[]} items
 */
function list(title, items) {
  const texts = items.map(({ code, text, address = "" }) => {
    // A newer server may have further codes, with English texts.
    const key = Object.hasOwn(TEXTS, code) ? TEXTS[code] : undefined;
    return element("li", {}, key === undefined ? text : t(key, { address }));
  });
  return [element("h2", {}, title), element("ul", {}, ...texts)];
}
