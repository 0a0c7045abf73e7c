// Previews of images and texts, shown in the page on request.

import { element } from "../ui/dom.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @typedef {(metadata: Metadata, pieces: Bytes[]) => Promise<HTMLElement>} Show */

/** Image types that browsers show without running scripts in them, by file extension. */
const PICTURES = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["avif", "image/avif"],
  ["bmp", "image/bmp"],
]);
const TEXTS = /^(text\/|application\/(json|xml|toml|yaml|x-yaml)$)/;
const TEXT_NAMES = /\.(txt|md|log|csv|json|toml|ya?ml|xml|ini|conf|sh|rs|py|js|html|css)$/i;

const MAX_PICTURE_BYTES = 32 * 1024 * 1024;
const MAX_TEXT_BYTES = 1024 * 1024;

/**
 * Returns the reason why a file has no preview; `undefined` if it has one.
 *
 * @param {Metadata} metadata
 */
export function previewable(metadata) {
  const kind = kindOf(metadata);
  if (!kind) return "Only pictures and texts can be shown here.";
  if (metadata.size > kind.maxBytes) return "It is too large to be shown here.";
  return undefined;
}

/**
 * Shows the file in the element `container`.
 *
 * @param {HTMLElement} container
 * @param {Metadata} metadata
 * @param {Bytes[]} pieces
 */
export async function preview(container, metadata, pieces) {
  const kind = kindOf(metadata);
  if (kind) container.replaceChildren(await kind.show(metadata, pieces));
}

/**
 * @param {Metadata} metadata
 * @returns {{ maxBytes: number, show: Show } | undefined}
 */
function kindOf({ content_type: type = "", filename, archive }) {
  if (archive) return undefined;
  const bare = type.split(";")[0].trim().toLowerCase();
  // Some senders omit the content type.
  const declared = [...PICTURES.values()].find((known) => known === bare);
  const kind = declared ?? PICTURES.get(filename.split(".").at(-1)?.toLowerCase() ?? "");
  if (kind) return { maxBytes: MAX_PICTURE_BYTES, show: (file, pieces) => picture(file, kind, pieces) };
  if (TEXTS.test(bare) || TEXT_NAMES.test(filename)) return { maxBytes: MAX_TEXT_BYTES, show: text };
  return undefined;
}

/**
 * @param {Metadata} metadata
 * @param {string} type
 * @param {Bytes[]} pieces
 */
async function picture({ filename }, type, pieces) {
  const url = URL.createObjectURL(new Blob(pieces, { type }));
  const image = element("img", { src: url, alt: filename });
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(url);
  }
  return image;
}

/**
 * @param {Metadata} _
 * @param {Bytes[]} pieces
 */
async function text(_, pieces) {
  return element("pre", { tabindex: "0" }, await new Blob(pieces).text());
}
