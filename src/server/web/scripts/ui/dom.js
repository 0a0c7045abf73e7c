// Helpers for page elements. Text from other sources is inserted as text, never as HTML.

import { messageOf } from "./format.js";
import { t } from "./text.js";

/** @typedef {Record<string, string | number | URL>} Attributes */

/**
 * Returns the element with this ID; throws if the page has none of this type.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function typedById(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return found;
}

/**
 * Returns the element with this ID.
 *
 * @param {string} id
 */
export function byId(id) {
  return typedById(id, HTMLElement);
}

/**
 * Returns the `<input>` with this ID.
 *
 * @param {string} id
 */
export function field(id) {
  return typedById(id, HTMLInputElement);
}

/**
 * Returns the `<button>` with this ID.
 *
 * @param {string} id
 */
export function button(id) {
  return typedById(id, HTMLButtonElement);
}

/**
 * Creates an HTML element; strings among the children become text nodes.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/**
 * Creates a cell of a table whose rows are cards in narrow windows, where the cell shows the name of its column.
 *
 * @param {string} column
 * @param {(Node | string)[]} children
 */
export function cell(column, ...children) {
  return element("td", { role: "cell", "data-column": column }, element("div", {}, ...children));
}

/**
 * Creates an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {Node[]} children
 */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/**
 * @template {Element} T
 * @param {T} made
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children
 */
function filled(made, attributes, children) {
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, `${value}`);
  made.append(...children);
  return made;
}

/**
 * Shows the elements with these IDs.
 *
 * @param {string[]} ids
 */
export function show(...ids) {
  for (const id of ids) byId(id).hidden = false;
}

/**
 * Hides the elements with these IDs.
 *
 * @param {string[]} ids
 */
export function hide(...ids) {
  for (const id of ids) byId(id).hidden = true;
}

/**
 * Shows the section that a button controls.
 *
 * @param {string} id of the button
 */
export function expand(id) {
  toggle(id, true);
}

/**
 * Hides the section that a button controls.
 *
 * @param {string} id of the button
 */
export function collapse(id) {
  toggle(id, false);
}

/**
 * @param {string} id
 * @param {boolean} isOpen
 */
function toggle(id, isOpen) {
  byId(id).setAttribute("aria-expanded", `${isOpen}`);
  byId(byId(id).getAttribute("aria-controls") ?? "").hidden = !isOpen;
}

/**
 * Shows a success message, announced politely by screen readers.
 *
 * @param {string} text
 */
export function showMessage(text) {
  byId("error").textContent = "";
  byId("outcome").textContent = text;
}

/**
 * Shows an error message, announced immediately by screen readers.
 *
 * @param {string} text
 */
export function showError(text) {
  byId("outcome").textContent = "";
  byId("error").textContent = text;
}

/**
 * Shows an error of a field.
 *
 * @param {string} id of the field
 * @param {string} problem
 */
export function showFieldError(id, problem) {
  field(id).setAttribute("aria-invalid", "true");
  showError(problem);
}

/**
 * Runs `work` on each event of the element; ignores events while `work` is running.
 *
 * @param {string} id
 * @param {string} event
 * @param {() => Promise<void> | void} work
 */
export function onEvent(id, event, work) {
  let busy = false;
  byId(id).addEventListener(event, async (triggered) => {
    triggered.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await work();
    } catch (error) {
      showError(t("error.unexpected", { reason: messageOf(error) }));
    } finally {
      busy = false;
    }
  });
}

/** Time until the memory of a file that was handed over is released, in milliseconds; the browser may still read it. */
const LINGER = 60_000;

/**
 * Hands a file that is in memory over to the browser's downloads.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function handOver(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), LINGER);
}
