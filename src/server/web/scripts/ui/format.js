// Formats sizes, times and counts for people.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** Formats a size in bytes with up to three digits. */
export function size(bytes) {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const number = bytes / 1024 ** power;
  const digits = power === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${number.toFixed(digits)} ${power === 0 && bytes === 1 ? "byte" : UNITS[power]}`;
}

/** Formats a time in milliseconds since the Unix epoch, in the reader's time zone. */
export function time(milliseconds) {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Formats a duration in seconds, in its largest unit. */
export function span(seconds) {
  const [unit, each] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ].find(([, each]) => seconds >= each) ?? ["second", 1];
  return count(Math.round(seconds / each), unit);
}

/** Formats the waiting time of an error response; "a while" if the response has none. */
export function pause({ retryAfter }) {
  return retryAfter === undefined ? "a while" : span(retryAfter);
}

/** Formats a number with its noun. */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
