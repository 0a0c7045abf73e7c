// Paths in archives: a name is kept letter for letter or refused, since every recipient refuses the same ones
// (`domain/archive_path.rs`).

import { utf8 } from "./bytes.js";

const MOST_NAME_BYTES = 255;
const MOST_PATH_BYTES = 4_096;
const MOST_DEPTH = 256;

const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/u;

/** Says why an entry of an archive cannot have this path; `undefined` if it can. */
export function whyUnfit(path) {
  const names = path.split("/");
  if (path.startsWith("/") || /^[a-z]:$/i.test(names[0])) return "is an absolute path";
  if (utf8(path).length > MOST_PATH_BYTES) return `is a path of more than ${MOST_PATH_BYTES} bytes`;
  if (names.length > MOST_DEPTH) return `lies more than ${MOST_DEPTH} folders deep`;
  return names.map(whyUnfitName).find((reason) => reason !== undefined);
}

function whyUnfitName(name) {
  if (["", ".", ".."].includes(name)) return "is not a plain path: it has an empty part, a dot or two";
  if (name.includes("\\")) return "contains a backslash";
  if (CONTROL.test(name)) return "contains a control character";
  if (DIRECTION.test(name)) return "contains a character that turns the direction of text";
  if (utf8(name).length > MOST_NAME_BYTES) return `has a name of more than ${MOST_NAME_BYTES} bytes`;
  return undefined;
}
