// Error messages for people, with suggestions.

import { ApiError, Unreachable } from "../api.js";
import { Damaged } from "../format/sealed.js";
import { Stopped, TooLarge } from "../receive/browser-errors.js";
import { messageOf, pause } from "./format.js";

const MESSAGES = {
  transfer_not_found: "There is no such transfer on this server. Is the link whole?",
  invalid_id: "There is no such transfer on this server. Is the link whole?",
  not_completed: "This file is still on its way here. Try again when the sender says that it is sent.",
  transfer_pending: "This file is still on its way here.",
  transfer_expired: "This file has expired. Ask the sender to send it again.",
  transfer_exhausted: "The download limit of this file is reached. Ask the sender to send it again.",
  transfer_deleted: "This file was deleted.",
  no_keys: "This link does not belong to this file. Is the link whole?",
  link_closed: "The sender has closed this link. Ask the sender for another link.",
  grant_expired: "This download has taken too long. Load the link again; that counts as another download.",
  token_invalid: "The server does not know this sender token. Ask whoever runs it for one.",
  token_missing: "A sender token is needed. Ask whoever runs this server for one.",
  token_revoked: "This sender token was revoked. Ask whoever runs this server for another one.",
  token_expired: "The time of this sender token is over. Ask whoever runs this server for another one.",
  quota_exceeded:
    "This sender token cannot be used for more. Delete what is no longer needed, or ask for another token.",
  storage_full: "The server has no room left. Tell whoever runs it.",
  storage_upgraded: "The server is being updated. Try again later.",
};

/**
 * Returns the message for `error`; `withPassphrase` tells whether the key includes a passphrase.
 *
 * @param {unknown} error
 */
export function errorMessage(error, withPassphrase = false) {
  if (error instanceof ApiError && hasMessage(error.code)) return codeMessage(error.code);
  const wrong = withPassphrase ? "The passphrase or the key is wrong." : "The key is wrong.";
  if (error instanceof ApiError) {
    if (error.code === "access_invalid") return `${wrong} Nothing was counted as a download.`;
    if (error.code === "rate_limited" || error.status === 429) {
      return `Too many tries. Wait ${pause(error)} and try again.`;
    }
  }
  if (error instanceof Damaged) return `${wrong.slice(0, -1)}, or the file is damaged: ${error.message}.`;
  if (error instanceof Unreachable) return "The server does not answer. Check the network, and try again.";
  if (error instanceof TooLarge || error instanceof Stopped) return sentence(error.message);
  return `That did not work: ${sentence(messageOf(error))}`;
}

/**
 * Returns the message for an error code.
 *
 * @param {keyof typeof MESSAGES} code
 */
export function codeMessage(code) {
  return MESSAGES[code];
}

/**
 * @param {string | undefined} code
 * @returns {code is keyof typeof MESSAGES}
 */
function hasMessage(code) {
  return code !== undefined && Object.hasOwn(MESSAGES, code);
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
