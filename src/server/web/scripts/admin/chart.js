// Bar charts of daily numbers.

import { element, svg } from "../ui/dom.js";
import { locale, t } from "../ui/text.js";

/** @import { DayOverview } from "../wire.d.ts" */
/** @typedef {{ member: Member, title: string, text: (value: number) => string, binary?: boolean }} Measure */
/** @typedef {Exclude<keyof DayOverview, "day">} Member */

const STEP = 10;
const GAP = 2;
const HEIGHT = 100;

/**
 * Formats a UTC day (`yyyy-mm-dd`) for people.
 *
 * @param {string} day
 */
export function dayName(day) {
  /** @type {Intl.DateTimeFormatOptions} */
  const format = { day: "numeric", month: "short", timeZone: "UTC" };
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(locale, format);
}

/**
 * Creates a bar chart of `member` for each of `days`; `text` formats a value.
 *
 * The labels are HTML around the image, so that they keep their size on any screen. Pointing at a day or moving to it
 * with the arrow keys shows its value.
 *
 * @param {Measure} measure
 * @param {DayOverview[]} days
 */
export function barPlot({ member, title, text, binary = false }, days) {
  const values = days.map((day) => day[member]);
  const max = Math.max(0, ...values);
  const total = values.reduce((sum, value) => sum + value, 0);
  const top = (binary ? binaryTop : decimalTop)(max);
  /** @type {(index: number) => string} */
  const at = (index) => `${dayName(days[index].day)}: ${text(values[index])}`;
  const peak = max === 0 ? t("admin.plot_nothing") : t("admin.plot_most", { day: at(values.indexOf(max)) });
  const caption = element("p", { class: "plot-value", "aria-live": "polite" }, peak);
  const band = svg("rect", { class: "band", y: 0, width: STEP, height: HEIGHT, visibility: "hidden" });
  const image = svg(
    "svg",
    {
      viewBox: `0 0 ${STEP * days.length} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      tabindex: 0,
      "aria-label": `${title}: ${text(total)}. ${peak} ${t("admin.plot_keys")}`,
    },
    band,
    ...[0, HEIGHT / 2, HEIGHT].map((y) => svg("line", { x1: 0, x2: STEP * days.length, y1: y, y2: y })),
    ...values.map((value, index) => bar(index, value / top)),
  );
  selectDays(image, days.length, (index) => {
    caption.textContent = index === undefined ? peak : at(index);
    band.setAttribute("visibility", index === undefined ? "hidden" : "visible");
    if (index !== undefined) band.setAttribute("x", `${index * STEP}`);
  });
  /** @type {(name: string, ...texts: string[]) => HTMLElement} */
  const labels = (name, ...texts) =>
    element("div", { class: name, "aria-hidden": "true" }, ...texts.map((label) => element("span", {}, label)));
  return element(
    "figure",
    { class: "plot" },
    element("figcaption", {}, element("strong", {}, title), ` ${text(total)}`),
    labels("plot-scale", text(top), text(top / 2), text(0)),
    image,
    labels("plot-days", dayName(days[0].day), dayName(days[days.length - 1].day)),
    caption,
  );
}

/**
 * @param {number} index
 * @param {number} share
 */
function bar(index, share) {
  // A value above 0 is always visible.
  const height = share === 0 ? 0 : Math.max(1.5, share * HEIGHT);
  const position = { x: index * STEP + GAP / 2, y: HEIGHT - height, width: STEP - GAP, height };
  return svg("rect", { class: "bar", ...position });
}

/**
 * Calls `select` with the index of the day under the pointer or keyboard focus, and with `undefined` afterwards.
 *
 * @param {SVGElement} image
 * @param {number} days
 * @param {(index: number | undefined) => void} select
 */
function selectDays(image, days, select) {
  /** @type {number | undefined} */
  let now;
  /** @type {(index: number | undefined) => void} */
  const move = (index) => {
    now = index === undefined ? undefined : Math.min(days - 1, Math.max(0, index));
    select(now);
  };
  /** @type {(event: PointerEvent) => void} */
  const point = (event) => {
    const { left, width } = image.getBoundingClientRect();
    move(Math.floor(((event.clientX - left) / width) * days));
  };
  image.addEventListener("pointermove", point);
  image.addEventListener("pointerdown", point);
  image.addEventListener("pointerleave", (event) => {
    // On a touch screen the value must stay visible after the finger has left.
    if (event.pointerType !== "touch") move(undefined);
  });
  image.addEventListener("blur", () => move(undefined));
  image.addEventListener("keydown", (event) => {
    const last = days - 1;
    /** @type {Record<string, number | undefined>} */
    const to = {
      ArrowLeft: (now ?? days) - 1,
      ArrowRight: (now ?? last - 1) + 1,
      Home: 0,
      End: last,
      Escape: undefined,
    };
    if (!(event.key in to)) return;
    event.preventDefault();
    move(to[event.key]);
  });
}

/**
 * Returns the smallest round axis maximum of at least `max`; its half is a round number, too.
 *
 * @param {number} max
 */
function decimalTop(max) {
  for (let power = 1; ; power *= 10) {
    const fitting = [2, 4, 10].find((digit) => digit * power >= max);
    if (fitting) return fitting * power;
  }
}

/**
 * Returns the axis maximum for bytes: the smallest power of two of at least `max`.
 *
 * @param {number} max
 */
function binaryTop(max) {
  return Math.max(2, 2 ** Math.ceil(Math.log2(Math.max(1, max))));
}
