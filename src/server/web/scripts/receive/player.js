// Preview of sounds and videos: a player in a frame of the service worker, which asks this page for the parts it plays.

import { root } from "../api.js";
import { hex, random } from "../format/bytes.js";
import { element } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { AWAKE, START, startedWorker, within } from "./save.js";
import { Unshowable } from "./unshowable.js";

/** @import { Metadata } from "../format/envelope.js" */
/** @import { Download } from "./download.js" */
/** @import { Context } from "./run.js" */

/**
 * Shows the player. All parts that it asks for belong to one download.
 *
 * @param {HTMLElement} container
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function showPlayer(container, download, { size, content_type: type = "" }, { options }) {
  const worker = await within(START, startedWorker(), options.signal).catch(() => {
    // Private windows and some browser settings have no service workers.
    options.signal.throwIfAborted();
    throw new Unshowable();
  });
  const id = hex(random(16));
  const { port1: port, port2 } = new MessageChannel();
  const ready = new Promise((resolve) => (port.onmessage = resolve));
  worker.postMessage({ id, size, media: type }, [port2]);
  await within(START, ready, options.signal);
  port.onmessage = ({ data: { start, end }, ports: [out] }) => answer(out, download, start, end);
  const isSound = type.startsWith("audio/");
  const attributes = { src: new URL(`save/${id}`, root), title: t("receive.preview") };
  container.replaceChildren(element("iframe", { ...attributes, class: isSound ? "player sound" : "player" }));
  // The browser would stop an idle worker while the player is paused.
  setInterval(() => worker.postMessage({ keepAlive: id }), AWAKE);
}

/**
 * Sends a part of the content to the worker, a piece for each demand, until it has enough.
 *
 * @param {MessagePort} port
 * @param {Download} download
 * @param {number} start
 * @param {number} end
 */
async function answer(port, download, start, end) {
  let isGone = false;
  let demand = Promise.withResolvers();
  port.onmessage = ({ data }) => {
    isGone ||= data === "gone";
    demand.resolve(undefined);
  };
  try {
    for await (const piece of download.range(start, end, {})) {
      await demand.promise;
      if (isGone) return;
      demand = Promise.withResolvers();
      port.postMessage(piece.buffer, [piece.buffer]);
    }
    await demand.promise;
    port.postMessage("end");
  } catch (error) {
    port.postMessage("failed");
    download.reportFailure(error);
  }
}
