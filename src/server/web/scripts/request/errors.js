// Errors as guests understand them: about the link, where senders read about their token.

import { ApiError } from "../api.js";
import { errorMessage } from "../ui/error-messages.js";
import { t } from "../ui/text.js";

/** Keys of messages by error code. */
const MESSAGES = new Map([
  ["token_revoked", "request.revoked"],
  ["token_expired", "request.expired"],
  ["token_invalid", "request.unknown"],
  ["invalid_id", "request.unknown"],
  ["quota_exceeded", "request.full"],
  ["already_downloaded", "request.downloaded"],
]);

/**
 * Returns the message for an error.
 *
 * @param {unknown} error
 */
export function guestMessage(error) {
  const key = error instanceof ApiError ? MESSAGES.get(error.code ?? "") : undefined;
  return key ? t(key) : errorMessage(error);
}
