// Formats sizes, times and counts for people, in the language of the page.

import { decimal, isolated, locale, t } from "./text.js";

const UNITS = ["KiB", "MiB", "GiB", "TiB"];
/**
 * Units of durations and their seconds, the largest first.
 *
 * @type {[unit: string, seconds: number][]}
 */
const SPANS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/**
 * Formats a size in bytes with up to three digits.
 *
 * @param {number} bytes
 */
export function size(bytes) {
  const power = Math.min(UNITS.length, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  if (power === 0) return t("common.bytes", { count: bytes });
  const number = bytes / 1024 ** power;
  return isolated(`${decimal(number, number >= 100 ? 0 : number >= 10 ? 1 : 2)} ${UNITS[power - 1]}`);
}

/**
 * Formats a time in milliseconds since the Unix epoch, in the reader's time zone; the year only if it is another.
 *
 * @param {number} milliseconds
 */
export function time(milliseconds) {
  const date = new Date(milliseconds);
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: /** @type {const} */ ("numeric") };
  const parts = /** @type {const} */ ({ day: "numeric", month: "long", hour: "numeric", minute: "2-digit" });
  return new Intl.DateTimeFormat(locale, { ...parts, ...year }).format(date);
}

/**
 * Formats a duration in seconds, in its largest unit.
 *
 * @param {number} seconds
 */
export function span(seconds) {
  const [unit, each] = SPANS.find(([, each]) => seconds >= each) ?? ["second", 1];
  const style = /** @type {const} */ ({ style: "unit", unit, unitDisplay: "long" });
  return new Intl.NumberFormat(locale, style).format(Math.round(seconds / each));
}

/**
 * Returns the message of something that was thrown.
 *
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : `${error}`;
}
