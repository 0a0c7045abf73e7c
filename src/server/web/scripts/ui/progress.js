// Progress bar with transfer rate.

import { byId, hide, show, typedById } from "./dom.js";
import { size, span } from "./format.js";
import { t } from "./text.js";

/** Time span of the rate measurement, in milliseconds. */
const WINDOW = 5_000;
/** Update interval of the text, in milliseconds. */
const EVERY = 250;

/** Progress bar of a page with the text below it. */
export class Progress {
  #total;
  #doing;
  #done = 0;
  /** @type {[now: number, done: number][]} */
  #marks = [];
  #written = -Infinity;

  /**
   * Shows the bar; `doing` is a label such as "Uploading", `total` is in bytes.
   *
   * @param {string} doing
   * @param {number} total
   */
  constructor(doing, total) {
    this.#doing = doing;
    this.#total = Math.max(1, total);
    this.at(0);
    show("progress");
  }

  /**
   * Sets the total number of bytes, once it is known to be another.
   *
   * @param {number} total
   */
  of(total) {
    this.#total = Math.max(1, total);
  }

  /**
   * Sets the number of finished bytes.
   *
   * @param {number} done
   */
  at(done) {
    const now = performance.now();
    this.#done = done;
    this.#marks.push([now, done]);
    while (now - this.#marks[0][0] > WINDOW) this.#marks.shift();
    if (now - this.#written < EVERY && done < this.#total) return;
    this.#written = now;
    typedById("progress-bar", HTMLProgressElement).value = done / this.#total;
    const moved = t("common.progress", { done: size(done), total: size(this.#total) });
    byId("progress-text").textContent = [this.#doing, moved, ...this.#rate(now)].join(" · ");
  }

  /**
   * Shows the reason of an interruption.
   *
   * @param {string} reason
   */
  wait(reason) {
    byId("progress-text").textContent = reason;
    this.#marks = [];
  }

  end() {
    hide("progress");
  }

  /** @param {number} now */
  #rate(now) {
    const [since, before] = this.#marks[0];
    const rate = ((this.#done - before) / (now - since)) * 1000;
    if (now - since < 1000 || !(rate > 0)) return [];
    const left = Math.ceil((this.#total - this.#done) / rate);
    return [t("common.rate", { size: size(rate) }), t("common.left", { time: span(Math.max(1, left)) })];
  }
}
