// Icons of files by type, drawn as lines.

import { svg } from "./dom.js";

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

/**
 * Returns the icon of a file.
 *
 * @param {{ filename?: string, content_type?: string, archive?: unknown }} file
 */
export function fileIcon({ filename = "", content_type: type = "", archive }) {
  const kind = archive
    ? "archive"
    : (BY_TYPE.get(type.split("/")[0]) ?? BY_EXTENSION.get(filename.split(".").at(-1)?.toLowerCase() ?? ""));
  const lines = LINES.get(kind ?? "file") ?? SHEET;
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: lines }));
}
