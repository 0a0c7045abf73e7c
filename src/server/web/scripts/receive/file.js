// Heading of the download page: the file, or the reason why there is none.

import { safeName } from "../format/file-name.js";
import { byId, hide } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { fileIcon } from "../ui/icons.js";
import { t } from "../ui/text.js";

/** @import { Metadata } from "../format/envelope.js" */
/** @import { Info } from "../format/info.js" */
/** @import { TransferStatus } from "../wire.d.ts" */
/** @typedef {Omit<Metadata, "archive"> & { archive?: unknown, message?: string | undefined }} ShownFile */

/** Elements with facts about a file or its download. */
const FACTS = ["file-icon", "file-message", "state", "actions", "files", "progress", "shown"];

/**
 * Shows a heading without any fact about a file.
 *
 * @param {string} heading
 */
export function showHeading(heading) {
  byId("file-name").textContent = heading;
  byId("file-facts").textContent = "";
  hide(...FACTS);
}

/**
 * Shows name, size, icon and message of the file.
 *
 * @param {ShownFile | Info} file
 */
export function showFile({ filename, size: bytes, content_type: type, archive, message }) {
  const name = safeName(filename);
  byId("file-name").textContent = name;
  document.title = name;
  const files = isCounted(archive) ? t("common.files", { count: archive.files }) : undefined;
  const content = isCounted(archive) ? archive.bytes : bytes;
  byId("file-facts").textContent = [files, size(content)].filter(Boolean).join(" · ");
  byId("file-message").textContent = message ?? "";
  byId("file-message").hidden = !message;
  byId("file-icon").replaceChildren(fileIcon({ filename, content_type: type, archive }));
  byId("file-icon").hidden = false;
}

/**
 * Shows the expiry, and the downloads left where they are limited. A page that used the last one can still use it.
 *
 * @param {TransferStatus} transfer
 */
export function showLimits({ expires_at: at, downloads_remaining: left }) {
  byId("expires").textContent = t("receive.expires", { time: time(at) });
  byId("downloads-left").textContent = left ? t("receive.left", { count: left }) : "";
  byId("state").hidden = false;
}

/**
 * @param {unknown} archive
 * @returns {archive is { files: number, bytes: number }}
 */
function isCounted(archive) {
  return typeof archive === "object" && archive !== null && "files" in archive && Number.isSafeInteger(archive.files);
}
