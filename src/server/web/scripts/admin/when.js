// Times and numbers of the admin page.

import { element } from "../ui/dom.js";
import { time } from "../ui/format.js";
import { decimal, isolated, locale } from "../ui/text.js";

/**
 * Returns an element with a time in the user's zone, and in UTC as its title.
 *
 * @param {number} at in milliseconds since the Unix epoch
 */
export function when(at) {
  return timeElement(at, time(at));
}

/**
 * Returns an element with a time to the millisecond, and in UTC as its title.
 *
 * @param {number} at in milliseconds since the Unix epoch
 */
export function exactly(at) {
  /** @type {Intl.DateTimeFormatOptions} */
  const day = { year: "numeric", month: "short", day: "numeric" };
  /** @type {Intl.DateTimeFormatOptions} */
  const exact = { ...day, hour: "numeric", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };
  return timeElement(at, new Intl.DateTimeFormat(locale, exact).format(at));
}

/**
 * @param {number} at
 * @param {string} text
 */
function timeElement(at, text) {
  const iso = new Date(at).toISOString();
  return element("time", { datetime: iso, title: `${iso.slice(0, 19).replace("T", " ")} UTC` }, text);
}

/**
 * Formats an integer.
 *
 * @param {number} value
 */
export function number(value) {
  return isolated(decimal(value));
}

/**
 * Returns an entry of a list of facts.
 *
 * @param {string} name
 * @param {(Node | string)[]} values
 */
export function fact(name, ...values) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, ...values));
}
