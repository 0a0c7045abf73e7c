// Labels of transfer states and events.

/** @import { EventKind, LinkState } from "../wire.d.ts" */

/**
 * Labels by event kind.
 *
 * @type {Record<EventKind, string>}
 */
export const EVENTS = {
  transfer_created: "Created",
  transfer_completed: "Upload finished",
  download_granted: "A download was counted",
  payload_removed: "The payload was removed",
  transfer_expired: "Expired",
  transfer_exhausted: "Download limit reached",
  transfer_deleted: "Deleted",
  link_created: "A link was created",
  link_updated: "A link was changed",
  link_revoked: "A link was closed",
  link_expired: "A link expired",
  link_exhausted: "Download limit of a link reached",
  audit_truncated: "Records were left out",
  link_opened: "The link was opened",
  download_started: "A download began",
  download_completed: "A download finished",
  decrypt_succeeded: "Decrypted",
  decrypt_failed: "Could not be decrypted",
};

/**
 * Labels by state of a transfer or link.
 *
 * @type {Record<LinkState, string>}
 */
export const STATES = {
  pending: "pending",
  completed: "ready",
  expired: "expired",
  exhausted: "limit reached",
  deleted: "deleted",
  closed: "closed",
};
