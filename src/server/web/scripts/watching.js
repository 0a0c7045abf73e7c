// What becomes of a transfer after it was sent: its state and its events, for as long as somebody looks.

import { EVENTS, STATES } from "./events.js";
import { time } from "./format.js";
import { byId, element } from "./page.js";
import { call } from "./service.js";

/** How often the service is asked, in milliseconds. */
const EVERY = 3_000;
/** Records of this age are all there, in milliseconds: a slow server's may come late before. */
const SETTLED = 10_000;

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
    byId("events").append(element("li", {}, when, ` ${EVENTS[event.kind] ?? event.kind}${claim}`));
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
