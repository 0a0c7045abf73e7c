// Rules for paths in archives, the same as in `domain/archive_path.rs`. A name is kept unchanged or rejected, since
// every recipient rejects the same names.

import { utf8 } from "./bytes.js";

const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4_096;
const MAX_DEPTH = 256;

const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/u;

/**
 * Returns the reason why a path is not allowed in an archive; `undefined` if it is allowed.
 *
 * @param {string} path
 */
export function rejectionReason(path) {
  const names = path.split("/");
  if (path.startsWith("/") || /^[a-z]:$/i.test(names[0])) return "is an absolute path";
  if (utf8(path).length > MAX_PATH_BYTES) return `is a path of more than ${MAX_PATH_BYTES} bytes`;
  if (names.length > MAX_DEPTH) return `lies more than ${MAX_DEPTH} folders deep`;
  return names.map(nameRejectionReason).find((reason) => reason !== undefined);
}

/** @param {string} name */
function nameRejectionReason(name) {
  if (["", ".", ".."].includes(name)) return "is not a plain path: it has an empty part, a dot or two";
  if (name.includes("\\")) return "contains a backslash";
  if (CONTROL.test(name)) return "contains a control character";
  if (DIRECTION.test(name)) return "contains a character that turns the direction of text";
  if (utf8(name).length > MAX_NAME_BYTES) return `has a name of more than ${MAX_NAME_BYTES} bytes`;
  return undefined;
}
