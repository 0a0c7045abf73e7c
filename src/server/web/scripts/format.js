// Numbers as people read them.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** A size in bytes, to three digits. */
export function size(bytes) {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const number = bytes / 1024 ** power;
  const digits = power === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${number.toFixed(digits)} ${power === 0 && bytes === 1 ? "byte" : UNITS[power]}`;
}

/** A time in milliseconds since the Unix epoch, where the reader lives. */
export function time(milliseconds) {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A span of seconds. */
export function span(seconds) {
  const [unit, each] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ].find(([, each]) => seconds >= each) ?? ["second", 1];
  return count(Math.round(seconds / each), unit);
}

/** How long to wait after a refusal that says so, or should. */
export function pause({ retryAfter }) {
  return retryAfter === undefined ? "a while" : span(retryAfter);
}

/** A number with its noun. */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
