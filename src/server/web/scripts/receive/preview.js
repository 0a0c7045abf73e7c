// Previews on request: pictures, texts, PDF, sounds and videos.

import { button, byId, element, show, showMessage } from "../ui/dom.js";
import { copyTextOf } from "../ui/clipboard.js";
import { t } from "../ui/text.js";
import { showPdf } from "./pdf-preview.js";
import { showPlayer } from "./player.js";
import { isPlayed, previewKind } from "./preview-kind.js";
import { Unshowable } from "./unshowable.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @import { Download } from "./download.js" */
/** @import { Context } from "./run.js" */

/**
 * Shows the file below its name. The metadata of the envelope decide about the kind, not those of the info block.
 *
 * @param {Download} download
 * @param {Metadata} metadata
 * @param {Context} context
 */
export async function showPreview(download, metadata, context) {
  const preview = previewKind(metadata);
  const container = byId("shown");
  if (!preview) {
    showMessage(t("receive.not_previewed"));
    return;
  }
  try {
    if (isPlayed(preview)) {
      await showPlayer(container, download, { ...metadata, content_type: preview.type }, context);
    } else {
      const content = await whole(download, metadata.size, context);
      if (preview.kind === "picture") container.replaceChildren(await picture(metadata, preview.type, content));
      else if (preview.kind === "pdf") await showPdf(container, content);
      else showText(container, await content.text());
    }
  } catch (error) {
    if (!(error instanceof Unshowable)) throw error;
    showMessage(t("receive.not_previewed"));
    return;
  }
  button("preview").hidden = true;
  show("shown");
  download.report("decrypt_succeeded");
}

/**
 * Downloads the whole file.
 *
 * @param {Download} download
 * @param {number} bytes
 * @param {Context} context
 */
async function whole(download, bytes, { options, progress, gate }) {
  progress.of(bytes);
  /** @type {Bytes[]} */
  const pieces = [];
  let received = 0;
  for await (const piece of download.content(options)) {
    await gate.passed();
    pieces.push(piece);
    progress.at((received += piece.length));
  }
  return new Blob(pieces);
}

/**
 * @param {Metadata} metadata
 * @param {string} type
 * @param {Blob} content
 */
async function picture({ filename }, type, content) {
  const url = URL.createObjectURL(content.slice(0, content.size, type));
  const image = element("img", { src: url, alt: filename });
  try {
    await image.decode();
  } catch {
    throw new Unshowable();
  } finally {
    URL.revokeObjectURL(url);
  }
  return image;
}

/**
 * @param {HTMLElement} container
 * @param {string} text
 */
function showText(container, text) {
  const copy = element("button", { type: "button", id: "copy-text" }, t("receive.copy_text"));
  const shown = element("pre", { tabindex: "0", dir: "auto" }, text);
  copy.addEventListener("click", () => copyTextOf(shown, t("receive.preview")));
  container.replaceChildren(shown, copy);
}
