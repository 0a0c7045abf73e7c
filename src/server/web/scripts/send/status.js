// Shows the status and events of a transfer after its upload, until stopped.

import { call } from "../api.js";
import { button, byId, element } from "../ui/dom.js";
import { time } from "../ui/format.js";
import { EVENTS, STATES } from "../ui/labels.js";
import { locale, t } from "../ui/text.js";

/** @import { EventRecord, LinkItem, Page, TransferStatus } from "../wire.d.ts" */
/** @import { Upload } from "./upload.js" */

/** Polling interval, in milliseconds. */
const POLL_INTERVAL = 3_000;
/** Age from which the list of records is complete, in milliseconds; a slow server may add younger ones late. */
const COMPLETE_AGE = 10_000;

/** Polls the transfer of an upload until stopped. */
export class StatusPoller {
  /** @type {Upload | undefined} */
  #upload;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Set<string>} */
  #seen = new Set();
  /** @type {string | undefined} */
  #after;

  /** @type {Map<string, string>} */
  #names;

  /**
   * @param {Upload} upload
   * @param {Map<string, string>} names of the further links, by their ids
   */
  constructor(upload, names) {
    this.#upload = upload;
    this.#names = names;
    byId("events").replaceChildren();
    this.#tick();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#upload = undefined;
  }

  /** Polls once. */
  async poll() {
    const upload = this.#upload;
    if (!upload) return;
    /** @type {TransferStatus} */
    const status = await call(`${upload.path}/status`);
    const links = this.#names.size > 0 ? await allLinks(upload) : [];
    if (upload !== this.#upload) return;
    showStatus(status, links);
    await this.#showEvents(upload);
  }

  async #tick() {
    // Hidden pages do not poll; the next poll makes up for a failure.
    if (document.visibilityState === "visible") await this.poll().catch(() => {});
    if (this.#upload) this.#timer = setTimeout(() => this.#tick(), POLL_INTERVAL);
  }

  /** @param {Upload} upload */
  async #showEvents(upload) {
    /** @type {string | null | undefined} */
    let after = this.#after;
    do {
      const query = new URLSearchParams({ limit: "1000", ...(after && { after }) });
      /** @type {Page<EventRecord>} */
      const page = await call(`${upload.path}/events/list?${query}`, { headers: upload.credentials });
      if (upload !== this.#upload) return;
      for (const event of page.items) this.#show(event);
      after = page.next;
    } while (after);
  }

  /** @param {EventRecord} event */
  #show(event) {
    if (event.at < Date.now() - COMPLETE_AGE) this.#after = event.id;
    if (this.#seen.has(event.id)) return;
    this.#seen.add(event.id);
    const agent = event.client?.agent ? `, ${event.client.agent}` : "";
    const claim = event.source === "client" ? ` (${t("send.claimed")}${agent})` : "";
    const when = element(
      "time",
      { datetime: new Date(event.at).toISOString() },
      new Date(event.at).toLocaleTimeString(locale),
    );
    const name = this.#names.get(event.link_id ?? "");
    const recipient = name === undefined ? "" : ` (${name})`;
    byId("events").append(element("li", {}, when, ` ${EVENTS[event.kind] ?? event.kind}${recipient}${claim}`));
  }
}

/**
 * Reads all links of a transfer.
 *
 * @param {Upload} upload
 */
async function allLinks({ path, credentials: headers }) {
  /** @type {LinkItem[]} */
  const links = [];
  /** @type {string | null | undefined} */
  let after;
  do {
    const json = { limit: 1000, ...(after && { after }) };
    /** @type {Page<LinkItem>} */
    const page = await call(`${path}/links/list`, { json, headers });
    links.push(...page.items);
    after = page.next;
  } while (after);
  return links;
}

/**
 * Shows the status of a transfer, with the downloads of all its `links` if it has further links.
 *
 * @param {TransferStatus} status
 * @param {LinkItem[]} links
 */
export function showStatus(status, links = []) {
  const further = links.filter(({ own }) => !own);
  const isUsable = further.some((link) => link.status === "completed");
  // The own link is closed then: the state of the further links is that of the transfer.
  const state = status.status === "closed" ? (isUsable || further.length === 0 ? "completed" : "closed") : status.status;
  byId("status").textContent = STATES[state] ?? state;
  if (further.length > 0 || status.status === "closed") {
    const count = further.reduce((sum, link) => sum + link.download_count, 0);
    byId("download-count").textContent = `${count}`;
  } else {
    const { download_count: count, max_downloads: max } = status;
    const isLimited = max !== null;
    byId("download-count").textContent = isLimited
      ? t("send.downloads_of", { count, max })
      : t("send.downloads_unlimited", { count });
  }
  byId("expires-at").textContent = time(status.expires_at);
  button("delete").disabled = status.status === "deleted";
}
