// Labels of transfer states and events.

import { t } from "./text.js";

/** @import { EventKind, LinkState } from "../wire.d.ts" */

/**
 * Labels by event kind.
 *
 * @type {Record<EventKind, string>}
 */
export const EVENTS = {
  transfer_created: t("event.transfer_created"),
  transfer_completed: t("event.transfer_completed"),
  download_granted: t("event.download_granted"),
  payload_removed: t("event.payload_removed"),
  transfer_expired: t("event.transfer_expired"),
  transfer_exhausted: t("event.transfer_exhausted"),
  transfer_deleted: t("event.transfer_deleted"),
  link_created: t("event.link_created"),
  link_updated: t("event.link_updated"),
  link_revoked: t("event.link_revoked"),
  link_expired: t("event.link_expired"),
  link_exhausted: t("event.link_exhausted"),
  audit_truncated: t("event.audit_truncated"),
  link_opened: t("event.link_opened"),
  download_started: t("event.download_started"),
  download_completed: t("event.download_completed"),
  decrypt_succeeded: t("event.decrypt_succeeded"),
  decrypt_failed: t("event.decrypt_failed"),
};

/**
 * Labels by state of a transfer or link.
 *
 * @type {Record<LinkState, string>}
 */
export const STATES = {
  pending: t("state.pending"),
  completed: t("state.completed"),
  expired: t("state.expired"),
  exhausted: t("state.exhausted"),
  deleted: t("state.deleted"),
  closed: t("state.closed"),
};
