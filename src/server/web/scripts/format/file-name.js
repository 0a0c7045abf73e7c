// Makes file names from strangers safe, by the same rules as `domain/file_name.rs`.

import { utf8 } from "./bytes.js";

/** Longest file name of common file systems in bytes. */
const MAX_BYTES = 255;
/** Longest extension, with its dot, that is kept when a name is shortened, in bytes. */
const MAX_EXTENSION_BYTES = 32;

/** Control characters, invisible formatting characters and unpaired surrogates. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u{2060}-\u{206f}\u{e0000}-\u{e007f}]/gu;
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])\s*(\.|$)/i;

/**
 * Returns a safe file name: no path, no hidden or invisible characters, no Windows device name.
 *
 * @param {string} name
 */
export function safeName(name) {
  const lastPart = name.split(/[/\\]/).findLast((part) => part !== "") ?? "";
  const visible = shortened(lastPart.replace(INVISIBLE, "").trimStart()).replace(/^[.-]/, "_");
  const safe = DEVICE.test(visible) ? shortened(`_${visible}`) : visible;
  return safe === "" ? "file" : safe;
}

/**
 * Shortens a name to the limit of file systems between two characters, and keeps a short extension.
 *
 * @param {string} name
 */
function shortened(name) {
  const trimmed = trimmedEnd(name);
  if (utf8(trimmed).length <= MAX_BYTES) return trimmed;
  const dot = trimmed.lastIndexOf(".");
  const ending = dot < 0 ? "" : trimmed.slice(dot);
  const extension = utf8(ending).length <= MAX_EXTENSION_BYTES ? ending : "";
  const buffer = new Uint8Array(MAX_BYTES - utf8(extension).length);
  const { read } = new TextEncoder().encodeInto(trimmed, buffer);
  return trimmedEnd(`${trimmed.slice(0, read)}${extension}`);
}

/**
 * Removes trailing dots and spaces. A regular expression would take hours for some names.
 *
 * @param {string} name
 */
function trimmedEnd(name) {
  let end = name.length;
  while (end > 0 && /[.\s]/u.test(name[end - 1])) end -= 1;
  return name.slice(0, end);
}
