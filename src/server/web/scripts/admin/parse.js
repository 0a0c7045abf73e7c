// Parses sizes, durations and counts as people type them.

import { locale } from "../ui/text.js";

/**
 * Units of durations and their seconds; a year as the Gregorian calendar has it on average.
 *
 * @type {[unit: Intl.RelativeTimeFormatUnit, seconds: number][]}
 */
const UNITS = [
  ["second", 1],
  ["minute", 60],
  ["hour", 3_600],
  ["day", 86_400],
  ["week", 604_800],
  ["year", 31_557_600],
];
/** Numbers with all the plural forms of the languages of the pages. */
const SAMPLES = [0, 1, 2, 3, 11, 100, 1_000_000];
const FORMS = /** @type {const} */ (["long", "short", "narrow"]);
/** English words that every language accepts, with their seconds. */
const ENGLISH = /^(?:(s|sec|seconds?)|(m|min|minutes?)|(h|hours?)|(d|days?)|(w|weeks?)|(y|years?))$/u;
/** Zeros of decimal digits other than the ASCII ones: Arabic-Indic, extended Arabic-Indic, and full-width. */
const ZEROS = [0x660, 0x6f0, 0xff10];

/**
 * Parses a size such as `2 GiB`, `500MB`, `1,5 Go` or `1024` into bytes; `undefined` if invalid or less than 1 byte.
 *
 * @param {string} text
 */
export function bytesIn(text) {
  const plain = withAsciiDigits(text.trim()).replace(decimalMark(), ".").replace("\u066b", ".");
  // French counts octets.
  const [, number, prefix = "", binary = ""] = /^([\d.]+)\s*(?:([kmgt])(i)?[bo]|b|bytes?|o|octets?)?$/i.exec(plain) ?? [];
  const bytes = Number(number) * (binary ? 1024 : 1000) ** " kmgt".indexOf(prefix.toLowerCase() || " ");
  return bytes >= 1 && Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
}

/**
 * Parses a duration such as `90 days` or `1h 30m`, in the language of the page or in English, into seconds; `undefined`
 * if invalid.
 *
 * @param {string} text
 */
export function secondsIn(text) {
  const parts = withAsciiDigits(text).match(/\d+|[^\d]+/gu) ?? [];
  let sum = 0;
  /** @type {number | undefined} */
  let number;
  for (const part of parts) {
    if (/^\d/u.test(part)) {
      number = Number(part);
      continue;
    }
    if (number === undefined && /^[\p{Z}\p{Cf},]*$/u.test(part)) continue;
    const word = plainWord(part);
    const seconds = number === undefined ? localWords().alone.get(word) : secondsOf(word);
    if (seconds === undefined) return undefined;
    sum += (number ?? 1) * seconds;
    number = undefined;
  }
  return number === undefined && Number.isSafeInteger(sum) && sum > 0 ? sum : undefined;
}

/** @param {string} word */
function secondsOf(word) {
  const index = ENGLISH.exec(word)?.slice(1).findIndex((found) => found !== undefined);
  return localWords().units.get(word) ?? (index === undefined ? undefined : UNITS[index][1]);
}

/** @type {{ units: Map<string, number>, alone: Map<string, number> } | undefined} */
let words;

/**
 * Returns the words of the units in the language of the page with their seconds, and those that stand alone: in Arabic,
 * one word is two days.
 */
function localWords() {
  if (words) return words;
  words = { units: new Map(), alone: new Map() };
  for (const [unit, seconds] of UNITS) {
    for (const unitDisplay of FORMS) {
      const format = new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay });
      for (const sample of SAMPLES) {
        const parts = format.formatToParts(sample);
        const word = plainWord(parts.flatMap(({ type, value }) => (type === "unit" ? [value] : [])).join(""));
        const hasNumber = parts.some(({ type }) => type === "integer");
        if (hasNumber && !words.units.has(word)) words.units.set(word, seconds);
        if (!hasNumber && !words.alone.has(word)) words.alone.set(word, sample * seconds);
        const inflected = inflectedWord(sample, unit, unitDisplay);
        const known = hasNumber ? words.units : words.alone;
        if (inflected && !known.has(inflected)) known.set(inflected, hasNumber ? seconds : sample * seconds);
      }
    }
  }
  return words;
}

/**
 * Returns the word of a unit as it follows a preposition, such as *Tagen* of *in 90 Tagen*.
 *
 * @param {number} sample
 * @param {Intl.RelativeTimeFormatUnit} unit
 * @param {"long" | "short" | "narrow"} style
 */
function inflectedWord(sample, unit, style) {
  const parts = new Intl.RelativeTimeFormat(locale, { style }).formatToParts(sample, unit);
  const last = parts.at(-1);
  const words = last?.type === "literal" ? plainWord(last.value).split(/\p{Z}+/u) : [];
  // Without a number, Arabic has the preposition and one word for two.
  return parts.length > 1 || words.length === 2 ? words.at(-1) : undefined;
}

/**
 * Returns a word in lower case, without spaces, marks of direction, and punctuation around it.
 *
 * @param {string} text
 */
function plainWord(text) {
  return text.replace(/^[\p{Z}\p{Cf}\p{P}]+|[\p{Z}\p{Cf}\p{P}]+$/gu, "").toLocaleLowerCase(locale);
}

/** Returns the mark before the decimals of a number, in the language of the page. */
function decimalMark() {
  return new Intl.NumberFormat(locale).formatToParts(1.5).find(({ type }) => type === "decimal")?.value ?? ".";
}

/** @param {string} text */
function withAsciiDigits(text) {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const point = digit.codePointAt(0) ?? 0;
    const zero = ZEROS.find((zero) => point >= zero && point < zero + 10);
    return zero === undefined ? digit : `${point - zero}`;
  });
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
