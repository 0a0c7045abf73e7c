// What becomes of a transfer after it was sent: its state and its events, for as long as somebody looks.

import { time } from "./format.js";
import { byId, element } from "./page.js";
import { call } from "./service.js";

/** How often the service is asked, in milliseconds. */
const EVERY = 3_000;
/** Records of this age are all there, in milliseconds: a slow server's may come late before. */
const SETTLED = 10_000;

const KINDS = {
  transfer_created: "Created",
  transfer_completed: "Everything is there",
  download_granted: "A download was counted",
  download_started: "A download began",
  download_completed: "A download has every byte",
  decrypt_succeeded: "Decrypted",
  decrypt_failed: "Could not be decrypted",
  link_opened: "The link was opened",
  transfer_expired: "Its time is over",
  transfer_exhausted: "Fetched as often as it may be",
  transfer_deleted: "Deleted",
};
const STATES = {
  pending: "on its way",
  completed: "can be fetched",
  expired: "its time is over",
  exhausted: "was fetched as often as it may be",
  deleted: "deleted",
};

/** Follows an upload's transfer on the page, until it is stopped. */
export class Watching {
  #upload;
  #timer;
  #seen = new Set();
  #after;

  constructor(upload) {
    this.#upload = upload;
    byId("events").replaceChildren();
    this.#tick();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#upload = undefined;
  }

  /** Looks now. */
  async look() {
    const upload = this.#upload;
    const status = await call(`${upload.path}/status`);
    if (upload !== this.#upload) return;
    showStatus(status);
    await this.#showEvents(upload);
  }

  async #tick() {
    // A page that nobody sees asks for nothing; a failure is made good by the next look.
    if (document.visibilityState === "visible") await this.look().catch(() => {});
    if (this.#upload) this.#timer = setTimeout(() => this.#tick(), EVERY);
  }

  async #showEvents(upload) {
    let after = this.#after;
    do {
      const query = new URLSearchParams({ limit: "1000", ...(after && { after }) });
      const page = await call(`${upload.path}/events/list?${query}`, { headers: upload.credentials });
      if (upload !== this.#upload) return;
      for (const event of page.items) this.#show(event);
      after = page.next;
    } while (after);
  }

  #show(event) {
    if (event.at < Date.now() - SETTLED) this.#after = event.id;
    if (this.#seen.has(event.id)) return;
    this.#seen.add(event.id);
    const agent = event.client?.agent ? `, ${event.client.agent}` : "";
    const claim = event.source === "client" ? `, says the recipient's program${agent}` : "";
    const when = element(
      "time",
      { datetime: new Date(event.at).toISOString() },
      new Date(event.at).toLocaleTimeString(),
    );
    byId("events").append(element("li", {}, when, ` ${KINDS[event.kind] ?? event.kind}${claim}`));
  }
}

/** Shows a transfer's state. */
export function showStatus(status) {
  byId("status").textContent = STATES[status.status] ?? status.status;
  const most = status.max_downloads === null ? "any number allowed" : `of ${status.max_downloads}`;
  byId("download-count").textContent = `${status.download_count}, ${most}`.replace(", of", " of");
  byId("expires-at").textContent = time(status.expires_at);
  byId("delete").disabled = status.status === "deleted";
}
