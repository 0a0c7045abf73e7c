// Formats sizes, times and counts for people.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];
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
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const number = bytes / 1024 ** power;
  const digits = power === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${number.toFixed(digits)} ${power === 0 && bytes === 1 ? "byte" : UNITS[power]}`;
}

/**
 * Formats a time in milliseconds since the Unix epoch, in the reader's time zone.
 *
 * @param {number} milliseconds
 */
export function time(milliseconds) {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * Formats a duration in seconds, in its largest unit.
 *
 * @param {number} seconds
 */
export function span(seconds) {
  const [unit, each] = SPANS.find(([, each]) => seconds >= each) ?? ["second", 1];
  return count(Math.round(seconds / each), unit);
}

/**
 * Formats the waiting time of an error response; "a while" if the response has none.
 *
 * @param {{ retryAfter?: number | undefined }} error
 */
export function pause({ retryAfter }) {
  return retryAfter === undefined ? "a while" : span(retryAfter);
}

/**
 * Returns the message of something that was thrown.
 *
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : `${error}`;
}

/**
 * Formats a number with its noun.
 *
 * @param {number} number
 * @param {string} noun
 */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
