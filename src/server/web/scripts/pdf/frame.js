// Draws pages of a PDF file onto a canvas, in a sandboxed frame with an origin of its own.
//
// The policy of the frame allows scripts of this service only: no requests, no frames, no forms. The library runs in
// this thread, since a worker of an opaque origin cannot be loaded.

/** @typedef {{ width: number, height: number }} Viewport */
/**
 * What this frame uses of pdf.js.
 *
 * @typedef {object} PdfPage
 * @property {(options: { scale: number }) => Viewport} getViewport
 * @property {(options: { canvas: HTMLCanvasElement, viewport: Viewport }) => { promise: Promise<void> }} render
 */
/** @typedef {{ numPages: number, getPage: (number: number) => Promise<PdfPage> }} PdfDocument */

/** Largest canvas in pixels: larger ones fail on phones. */
const MAX_PIXELS = 16_000_000;

document.body.style.margin = "0";

addEventListener(
  "message",
  ({ data: { file, scale }, ports: [port] }) => {
    const opened = open(file);
    opened.catch(() => {});
    port.onmessage = async ({ data: { page, width } }) => {
      try {
        port.postMessage(await draw(await opened, page, { width, scale }));
      } catch (error) {
        port.postMessage({ failed: `${error}` });
      }
    };
  },
  { once: true },
);

/**
 * Opens a file. The settings turn off what would run code of the file, or load anything.
 *
 * @param {ArrayBuffer} data
 * @returns {Promise<PdfDocument>}
 */
async function open(data) {
  const [{ getDocument }, { WorkerMessageHandler }] = await Promise.all([library("pdf"), library("pdf.worker")]);
  Object.assign(globalThis, { pdfjsWorker: { WorkerMessageHandler } });
  const off = { isEvalSupported: false, enableXfa: false, useWorkerFetch: false, useWasm: false };
  // Decoders of JPEG 2000, JBIG2 and fax pictures: scripts, since the policy allows no WebAssembly. The library imports
  // one when a page has such a picture.
  const wasmUrl = new URL("../vendor/pdfjs-dist/", import.meta.url).href;
  return getDocument({ data, useSystemFonts: true, wasmUrl, ...off }).promise;
}

/**
 * Loads a part of the library.
 *
 * @param {string} name
 */
function library(name) {
  return import(new URL(`../vendor/pdfjs-dist/${name}.min.mjs`, import.meta.url).href);
}

/**
 * @param {PdfDocument} pdf
 * @param {number} number
 * @param {{ width: number, scale: number }} screen
 */
async function draw(pdf, number, { width, scale }) {
  const page = await pdf.getPage(number);
  const natural = page.getViewport({ scale: 1 });
  const wanted = (width / natural.width) * scale;
  const most = Math.sqrt(MAX_PIXELS / (natural.width * natural.height));
  const viewport = page.getViewport({ scale: Math.min(wanted, most) });
  const canvas = document.querySelector("canvas");
  if (!canvas) throw new Error("the frame has no canvas");
  Object.assign(canvas, { width: Math.floor(viewport.width), height: Math.floor(viewport.height) });
  const height = Math.ceil((width * natural.height) / natural.width);
  Object.assign(canvas.style, { display: "block", width: `${width}px`, height: `${height}px` });
  await page.render({ canvas, viewport }).promise;
  return { page: number, pages: pdf.numPages, height };
}
