// Parses sizes, durations and counts as people type them.

/** @type {Record<string, number>} */
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800, y: 31_557_600 };
const UNIT_OF_TIME = "s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|y|years?";

/**
 * Parses a size such as `2 GiB`, `500MB` or `1024` into bytes; `undefined` if invalid or less than 1 byte.
 *
 * @param {string} text
 */
export function bytesIn(text) {
  const [, number, prefix = "", binary = ""] = /^([\d.]+)\s*(?:([kmgt])(i)?b|b|bytes?)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(number) * (binary ? 1024 : 1000) ** " kmgt".indexOf(prefix.toLowerCase() || " ");
  return bytes >= 1 && Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
}

/**
 * Parses a duration such as `90 days` or `1h 30m` into seconds; `undefined` if invalid.
 *
 * @param {string} text
 */
export function secondsIn(text) {
  const parts = [...text.matchAll(new RegExp(`(\\d+)\\s*(${UNIT_OF_TIME})(?![a-z])`, "gi"))];
  const written = parts
    .map(([part]) => part)
    .join("")
    .replace(/\s/g, "");
  const seconds = parts.reduce((sum, [, number, unit]) => sum + Number(number) * SECONDS[unit[0].toLowerCase()], 0);
  return written === text.replace(/\s/g, "") && Number.isSafeInteger(seconds) && seconds > 0 ? seconds : undefined;
}

/**
 * Parses a positive integer; `undefined` if invalid.
 *
 * @param {string} text
 */
export function countIn(text) {
  const number = /^\d+$/.test(text.trim()) ? Number(text) : 0;
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}
