// Heading of the download page: the file, or the reason why there is none.

import { safeName } from "../format/file-name.js";
import { byId, hide, svg } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @import { Metadata } from "../format/envelope.js" */
/** @import { Info } from "../format/info.js" */
/** @import { TransferStatus } from "../wire.d.ts" */
/** @typedef {Omit<Metadata, "archive"> & { archive?: unknown, message?: string | undefined }} ShownFile */

/** Kinds by the first part of a media type, and by extension. */
const BY_TYPE = new Map([
  ["image", "picture"],
  ["audio", "sound"],
  ["video", "video"],
  ["text", "text"],
]);
const BY_EXTENSION = new Map([
  ["pdf", "text"],
  ["doc", "text"],
  ["docx", "text"],
  ["odt", "text"],
  ["txt", "text"],
  ["md", "text"],
  ["jpg", "picture"],
  ["jpeg", "picture"],
  ["png", "picture"],
  ["gif", "picture"],
  ["webp", "picture"],
  ["mp3", "sound"],
  ["flac", "sound"],
  ["wav", "sound"],
  ["mp4", "video"],
  ["mov", "video"],
  ["webm", "video"],
  ["zip", "archive"],
  ["gz", "archive"],
  ["7z", "archive"],
]);

const SHEET = "M6 2h8l5 5v15H6zM14 2v5h5";
/** Lines by kind, in a square of 24. */
const LINES = new Map([
  ["file", SHEET],
  ["text", `${SHEET}M9 12h7M9 15.5h7M9 19h4`],
  ["picture", "M3 4h18v16H3zM3 16l5-5 5 5 3-3 5 5M15 9h.01"],
  ["sound", "M9 18V5l11-2v13M9 18a3 2.5 0 1 1-.01-1M20 16a3 2.5 0 1 1-.01-1"],
  ["video", "M3 5h18v14H3zM10 9l5 3-5 3z"],
  ["archive", "M3 6h6l2 2h10v12H3zM14 8v3M14 13v3"],
]);
/** Elements with facts about a file or its download. */
const FACTS = ["file-icon", "file-message", "sender", "state", "actions", "files", "progress", "shown"];

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
 * Shows name, size, icon and message of the file. The title of the page stays as it is: browsers store it on disk.
 *
 * @param {ShownFile | Info} file
 */
export function showFile({ filename, size: bytes, content_type: type, archive, message }) {
  const name = safeName(filename);
  // Not the title of the page, which browsers keep in their history and session files.
  byId("file-name").textContent = name;
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

/**
 * Returns the icon of a file.
 *
 * @param {{ filename?: string, content_type?: string, archive?: unknown }} file
 */
function fileIcon({ filename = "", content_type: type = "", archive }) {
  const kind = archive
    ? "archive"
    : (BY_TYPE.get(type.split("/")[0]) ?? BY_EXTENSION.get(filename.split(".").at(-1)?.toLowerCase() ?? ""));
  const lines = LINES.get(kind ?? "file") ?? SHEET;
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: lines }));
}
