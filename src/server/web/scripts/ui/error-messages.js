// Error messages for people, with suggestions.

import { ApiError, Unreachable } from "../api.js";
import { Damaged, WrongSignature } from "../format/sealed.js";
import { messageOf, span } from "./format.js";
import { t } from "./text.js";

/** @import { DamagedPart } from "../format/sealed.js" */

/** The user or the browser stopped the download in the browser's download list. */
export class Stopped extends Error {
  constructor() {
    super("the browser has stopped the download");
    this.name = "Stopped";
  }
}

/** The file is larger than this browser can save from a page. */
export class TooLarge extends Error {
  constructor() {
    super("this browser can take a file of this size only with sgsend download");
    this.name = "TooLarge";
  }
}

/** The content has changed since the upload started. */
export class Changed extends Error {
  /** @param {ErrorOptions} [options] */
  constructor(options) {
    super("what is being sent has changed meanwhile", options);
    this.name = "Changed";
  }
}

/** No recipient would unpack a path. */
export class UnfitPath extends Error {
  /**
   * @param {string} path
   * @param {string} reason
   */
  constructor(path, reason) {
    super(`"${path}" ${reason}`);
    this.name = "UnfitPath";
    this.path = path;
  }
}

/** A proxy in front of the server refuses even the smallest pieces. */
export class ProxyLimit extends Error {
  constructor() {
    super("a proxy in front of the server refuses requests of 1 MiB");
    this.name = "ProxyLimit";
  }
}

/** Keys of messages by error code. */
const MESSAGES = new Map([
  ["transfer_not_found", "error.not_found_hint"],
  ["invalid_id", "error.not_found_hint"],
  ["not_completed", "error.pending_hint"],
  ["transfer_pending", "error.pending_hint"],
  ["transfer_expired", "error.expired"],
  ["transfer_exhausted", "error.exhausted"],
  ["transfer_deleted", "error.deleted"],
  ["link_closed", "error.closed"],
  ["grant_expired", "error.grant_expired"],
  ["token_invalid", "error.token_invalid"],
  ["token_missing", "error.token_missing"],
  ["token_revoked", "error.token_revoked"],
  ["token_expired", "error.token_expired"],
  ["quota_exceeded", "error.quota"],
  ["storage_full", "error.storage_full"],
  ["storage_upgraded", "error.storage_upgraded"],
]);

/**
 * Keys of messages by the damaged part.
 *
 * @type {Record<DamagedPart, string>}
 */
const DAMAGED = {
  content: "error.damaged_content",
  envelope: "error.damaged_envelope",
  index: "error.damaged_index",
};

/**
 * Returns the message for `error`; `withPassphrase` tells whether the key includes a passphrase.
 *
 * @param {unknown} error
 */
export function errorMessage(error, withPassphrase = false) {
  if (error instanceof ApiError) {
    const key = MESSAGES.get(error.code ?? "");
    if (key) return t(key);
    if (error.code === "access_invalid") return t(withPassphrase ? "error.wrong_passphrase" : "error.wrong_key");
    if (error.code === "rate_limited" || error.status === 429) {
      const { retryAfter } = error;
      if (retryAfter === undefined) return t("error.rate_limited_later");
      return t("error.rate_limited", { time: span(retryAfter) });
    }
  }
  if (error instanceof ApiError) {
    if (error.status >= 500) return t("error.server_failed");
    // The text of the server is English: the code stands for it.
    return t("error.refused", { code: error.code ?? `${error.status}` });
  }
  if (error instanceof WrongSignature) return t("error.signature", { reason: error.message });
  if (error instanceof Damaged) return t(DAMAGED[error.part]);
  if (error instanceof Unreachable) return t("error.unreachable");
  if (error instanceof TooLarge) return t("error.too_large");
  if (error instanceof Changed) return t("error.changed");
  if (error instanceof UnfitPath) return t("error.unfit_path", { path: error.path });
  if (error instanceof ProxyLimit) return t("error.proxy_limit");
  if (error instanceof Stopped) return t("error.stopped_by_browser");
  return t("error.unexpected", { reason: messageOf(error) });
}
