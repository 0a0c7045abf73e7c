// Errors as guests understand them.

import { ApiError, Unreachable } from "../api.js";
import { messageOf } from "../ui/format.js";
import { t } from "./texts.js";

/** Texts by error code. @type {Record<string, string>} */
const BY_CODE = {
  token_revoked: "request.ended",
  token_expired: "request.too_late",
  token_invalid: "request.unknown",
  invalid_id: "request.unknown",
  quota_exceeded: "request.full",
  already_downloaded: "request.downloaded",
  storage_full: "request.storage_full",
  rate_limited: "request.limited",
};

/**
 * Returns the message for an error.
 *
 * @param {unknown} error
 */
export function guestMessage(error) {
  if (error instanceof Unreachable) return t("request.unreachable");
  const known = error instanceof ApiError && error.code !== undefined ? BY_CODE[error.code] : undefined;
  return known ? t(known) : t("request.failed", { reason: messageOf(error) });
}
