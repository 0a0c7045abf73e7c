// Preview of PDF files: drawn by a sandboxed frame, which can neither reach this page nor send anything.

import { root } from "../api.js";
import { element } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { Unshowable } from "./unshowable.js";

/** @typedef {{ page: number, pages: number, height: number } | { failed: string }} Drawn */

/** Timeout for the frame to draw a page, in milliseconds. */
const DRAWING_TIME = 60_000;

/**
 * Shows the first page, and buttons for the others.
 *
 * @param {HTMLElement} container
 * @param {Blob} content
 */
export async function showPdf(container, content) {
  const frame = element("iframe", { class: "pdf", sandbox: "allow-scripts", title: t("receive.preview") });
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  frame.setAttribute("src", new URL("web/pdf/frame.html", root).href);
  const previous = element("button", { type: "button" }, t("receive.previous_page"));
  const next = element("button", { type: "button" }, t("receive.next_page"));
  const place = element("p", { role: "status", id: "pdf-page" });
  container.replaceChildren(frame, element("div", { class: "buttons" }, previous, next), place);
  container.hidden = false;
  await loaded;
  const { port1: port, port2 } = new MessageChannel();
  const file = await content.arrayBuffer();
  // The frame has an opaque origin, so no other target origin can be named; only this frame gets the port.
  frame.contentWindow?.postMessage({ file, scale: globalThis.devicePixelRatio }, "*", [file, port2]);
  let shown = 1;
  /** @param {number} page */
  const draw = async (page) => {
    port.postMessage({ page, width: frame.clientWidth });
    const drawn = await answer(port);
    if ("failed" in drawn) throw new Unshowable(drawn.failed);
    shown = drawn.page;
    frame.style.height = `${drawn.height}px`;
    previous.disabled = shown <= 1;
    next.disabled = shown >= drawn.pages;
    place.textContent = t("receive.page_of", { page: shown, pages: drawn.pages });
  };
  try {
    await draw(1);
  } catch (error) {
    container.replaceChildren();
    container.hidden = true;
    throw error;
  }
  previous.addEventListener("click", () => draw(shown - 1));
  next.addEventListener("click", () => draw(shown + 1));
}

/**
 * @param {MessagePort} port
 * @returns {Promise<Drawn>}
 */
function answer(port) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Unshowable()), DRAWING_TIME);
    port.onmessage = ({ data }) => {
      clearTimeout(late);
      resolve(data);
    };
  });
}
