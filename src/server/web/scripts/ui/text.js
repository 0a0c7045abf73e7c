// Texts of the page in its language: the server puts those of `text/*.json` that the scripts need into the page.

/** @typedef {string | Record<string, string>} Text */
/** @typedef {Record<string, string | number>} Values */

/** @type {Record<string, Text>} */
const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

/** Locale of the page: the user's own variant of the page's language, if the browser names one. */
export const locale = localeOf(document.documentElement.lang || "en");

const plural = new Intl.PluralRules(locale);
const isRightToLeft = document.documentElement.dir === "rtl";

/**
 * Returns the text of a key, with `{name}` replaced by the values; `count` selects the plural form.
 *
 * @param {string} key
 * @param {Values} [values]
 */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`the page has no text ${key}`);
  const form = typeof text === "string" ? text : (text[plural.select(Number(values.count))] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (_, name) => isolated(values[name]));
}

/**
 * Formats a number with a fixed count of decimal places.
 *
 * @param {number} number
 * @param {number} [digits]
 */
export function decimal(number, digits = 0) {
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale, places).format(number);
}

/**
 * Formats a value, such as a size with its unit; in texts from right to left, it keeps its own direction.
 *
 * @param {string | number} value
 */
export function isolated(value) {
  const text = typeof value === "number" ? decimal(value) : `${value}`;
  return isRightToLeft ? `\u2068${text}\u2069` : text;
}

/** @param {string} language */
function localeOf(language) {
  return navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
}
