// Names of files that come from someone else. The command line has the same rules (`domain/file_name.rs`).

import { utf8 } from "./bytes.js";

/** The longest name in bytes that the usual file systems take. */
const MOST_BYTES = 255;
/** The longest ending, dot included, that outlives the shortening of a name. */
const LONGEST_EXTENSION_BYTES = 32;

/** Characters that command a terminal, or shape text without being seen, and halves of one. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u{2060}-\u{206f}\u{e0000}-\u{e007f}]/gu;
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])\s*(\.|$)/i;

/** Makes a bare and safe name of `name`: no path, nothing hidden or unseen, no device of Windows. */
export function safeName(name) {
  const lastPart = name.split(/[/\\]/).findLast((part) => part !== "") ?? "";
  const visible = shortened(lastPart.replace(UNSEEN, "").trimStart()).replace(/^[.-]/, "_");
  const safe = DEVICE.test(visible) ? shortened(`_${visible}`) : visible;
  return safe === "" ? "file" : safe;
}

/** Cuts a name to what file systems take, between two characters; a short ending stays. */
function shortened(name) {
  const trimmed = trimmedEnd(name);
  if (utf8(trimmed).length <= MOST_BYTES) return trimmed;
  const dot = trimmed.lastIndexOf(".");
  const ending = dot < 0 ? "" : trimmed.slice(dot);
  const extension = utf8(ending).length <= LONGEST_EXTENSION_BYTES ? ending : "";
  const room = new Uint8Array(MOST_BYTES - utf8(extension).length);
  const { read } = new TextEncoder().encodeInto(trimmed, room);
  return trimmedEnd(`${trimmed.slice(0, read)}${extension}`);
}

/** Takes off dots and spaces at the end. A pattern would take hours for some names. */
function trimmedEnd(name) {
  let end = name.length;
  while (end > 0 && /[.\s]/u.test(name[end - 1])) end -= 1;
  return name.slice(0, end);
}
