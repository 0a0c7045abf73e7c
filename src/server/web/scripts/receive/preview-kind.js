// Kinds of files that have a preview, by their media type or extension.

/** @typedef {"picture" | "text" | "pdf" | "sound" | "video"} Kind */
/** @typedef {{ kind: Kind, type: string }} PreviewKind */

/**
 * Media types that browsers show without running scripts in them, by file extension. HTML and SVG are not among them.
 *
 * @type {Map<string, [kind: Kind, type: string]>}
 */
const BY_EXTENSION = new Map([
  ["png", ["picture", "image/png"]],
  ["jpg", ["picture", "image/jpeg"]],
  ["jpeg", ["picture", "image/jpeg"]],
  ["gif", ["picture", "image/gif"]],
  ["webp", ["picture", "image/webp"]],
  ["avif", ["picture", "image/avif"]],
  ["bmp", ["picture", "image/bmp"]],
  ["pdf", ["pdf", "application/pdf"]],
  ["mp3", ["sound", "audio/mpeg"]],
  ["m4a", ["sound", "audio/mp4"]],
  ["ogg", ["sound", "audio/ogg"]],
  ["opus", ["sound", "audio/ogg"]],
  ["flac", ["sound", "audio/flac"]],
  ["wav", ["sound", "audio/wav"]],
  ["mp4", ["video", "video/mp4"]],
  ["webm", ["video", "video/webm"]],
  ["mov", ["video", "video/quicktime"]],
]);
const BY_TYPE = new Map(Array.from(BY_EXTENSION.values(), (known) => [known[1], known]));
const TEXTS = /^(text\/|application\/(json|xml|toml|yaml|x-yaml)$)/;
const TEXT_NAMES = /\.(txt|md|log|csv|json|toml|ya?ml|xml|ini|conf|sh|rs|py|js|html|css)$/i;

/**
 * Largest file with a preview by kind, in bytes; sounds and videos are read piece by piece.
 *
 * @type {Record<Kind, number>}
 */
const MAX_BYTES = {
  picture: 32 * 1024 * 1024,
  text: 1024 * 1024,
  pdf: 64 * 1024 * 1024,
  sound: Infinity,
  video: Infinity,
};

/**
 * Returns the kind of preview of a file; `undefined` if it has none.
 *
 * @param {{ filename: string, size: number, content_type?: string | undefined, archive?: unknown }} file
 * @returns {PreviewKind | undefined}
 */
export function previewKind({ filename, size, content_type: declared = "", archive }) {
  if (archive) return undefined;
  const bare = declared.split(";")[0].trim().toLowerCase();
  // Some senders omit the content type.
  const known = BY_TYPE.get(bare) ?? BY_EXTENSION.get(filename.split(".").at(-1)?.toLowerCase() ?? "");
  const isText = TEXTS.test(bare) || TEXT_NAMES.test(filename);
  const [kind, type] = known ?? (isText ? /** @type {const} */ (["text", "text/plain"]) : []);
  return kind && type && size <= MAX_BYTES[kind] ? { kind, type } : undefined;
}

/**
 * Returns whether the preview reads parts of the file, as a player asks for them.
 *
 * @param {PreviewKind | undefined} preview
 */
export function isPlayed(preview) {
  return preview?.kind === "sound" || preview?.kind === "video";
}
