// Labels of transfer states and events.

/** @import { EventKind, TransferState } from "../wire.d.ts" */

/**
 * Labels by event kind.
 *
 * @type {Record<EventKind, string>}
 */
export const EVENTS = {
  transfer_created: "Created",
  transfer_completed: "Everything is there",
  download_granted: "A download was counted",
  payload_removed: "The payload was removed",
  transfer_expired: "Its time is over",
  transfer_exhausted: "Fetched as often as it may be",
  transfer_deleted: "Deleted",
  audit_truncated: "Records were left out",
  link_opened: "The link was opened",
  download_started: "A download began",
  download_completed: "A download has every byte",
  decrypt_succeeded: "Decrypted",
  decrypt_failed: "Could not be decrypted",
};

/**
 * Labels by transfer state.
 *
 * @type {Record<TransferState, string>}
 */
export const STATES = {
  pending: "on its way",
  completed: "can be fetched",
  expired: "its time is over",
  exhausted: "was fetched as often as it may be",
  deleted: "deleted",
};
