// State, further links and short list of events of a transfer, read from its events.

import { cell, element } from "../ui/dom.js";
import { EVENTS, STATES } from "../ui/labels.js";
import { t } from "../ui/text.js";
import { exactly, number, when } from "./when.js";

/** @import { AuditRecord, EventKind, EventRecord, LinkState, TransferState } from "../wire.d.ts" */
/** @typedef {{ state: LinkState, created?: number, downloads: number }} LinkHistory */

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
/**
 * State of a further link after each event.
 *
 * @type {Partial<Record<EventKind, LinkState>>}
 */
const LINK_AFTER = { link_revoked: "closed", link_expired: "expired", link_exhausted: "exhausted" };

/** Events of a transfer, the oldest first. */
export class TransferHistory {
  /** @param {AuditRecord[]} records */
  constructor(records) {
    /** @type {EventRecord[]} */
    this.events = records.filter((record) => record.type === "event");
    /** Events that the server has observed, without those that clients have reported. */
    this.observed = this.events.filter(({ source }) => source === "server");
    const requests = records.filter((record) => record.type === "request");
    /** Token that has created the transfer. */
    this.creator = requests.find(({ route }) => route === "/transfers/create")?.token_id;
  }

  /**
   * Returns the time of the first event of a kind.
   *
   * @param {EventKind} kind
   */
  at(kind) {
    return this.observed.find((event) => event.kind === kind)?.at;
  }

  /** State after the last event. */
  get state() {
    return this.observed.map(({ kind }) => STATE_AFTER[kind]).findLast((after) => after !== undefined);
  }

  /** Whether the payload was removed because of a deletion. */
  get isRemoved() {
    return this.at("transfer_deleted") !== undefined && this.at("payload_removed") !== undefined;
  }

  /** Number of downloads that were counted. */
  get downloads() {
    return this.observed.filter(({ kind }) => kind === "download_granted").length;
  }

  /** Rows of the further links. */
  linkRows() {
    /** @type {Map<string, LinkHistory>} */
    const links = new Map();
    for (const { link_id: id, kind, at } of this.observed) {
      if (id === undefined) continue;
      const link = links.get(id) ?? { state: "completed", downloads: 0 };
      links.set(id, link);
      if (kind === "link_created") link.created = at;
      if (kind === "download_granted") link.downloads += 1;
      link.state = LINK_AFTER[kind] ?? link.state;
    }
    return [...links].map(([id, { state, created, downloads }]) =>
      element(
        "tr",
        { role: "row" },
        cell(t("admin.link"), element("code", {}, id)),
        cell(t("admin.state"), element("span", { class: `badge ${state}` }, STATES[state])),
        cell(t("admin.created"), ...(created === undefined ? [] : [when(created)])),
        cell(t("admin.downloads"), number(downloads)),
      ),
    );
  }

  /** Items of the list of events. */
  eventItems() {
    return this.events.map(({ kind, at, source, link_id: id }) => {
      const notes = [
        ...(source === "client" ? [` (${t("admin.claimed")})`] : []),
        ...(id === undefined ? [] : [" ", element("code", {}, id)]),
      ];
      const name = element("strong", {}, EVENTS[kind] ?? kind);
      return element("li", { class: kind === "decrypt_failed" ? "bad" : "" }, name, ...notes, " ", exactly(at));
    });
  }
}
