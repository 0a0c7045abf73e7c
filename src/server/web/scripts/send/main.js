// Upload page: encrypts and uploads the selected content, and follows the transfer's status.

import { call, Unreachable, withRetries } from "../api.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { offerRequests } from "../request/inbox.js";
import { offerLanguages, offerReveal, showIfSupported } from "../ui/controls.js";
import { byId, collapse, field, hide, onEvent, show, showError, showMessage, typedById } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { size } from "../ui/format.js";
import { Progress } from "../ui/progress.js";
import { t } from "../ui/text.js";
import { DropZone } from "./drop-zone.js";
import { NewLink } from "./links.js";
import { offerMine, rememberName } from "./mine.js";
import { chosenLimits, chosenMessage, chosenNames, offerOptions, problemWithOptions, resetOptions } from "./options.js";
import { Payload } from "./payload.js";
import { closeResult, offerResult, showSent } from "./result.js";
import { textContent } from "./selection.js";
import { isSelected, offerTabs, selectTab } from "./tabs.js";
import { ask, currentToken, isAboutToken, offerToken } from "./token.js";
import { Upload } from "./upload.js";

/** @import { HealthLimits, Health, TransferOptions } from "../wire.d.ts" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { Content } from "./selection.js" */

const zone = new DropZone();
/** @type {HealthLimits | undefined} */
let limits;
/** @type {AbortController | undefined} */
let stopping;
/** @type {Upload | undefined} */
let upload;

async function prepare() {
  try {
    /** @type {Health} */
    const health = await withRetries(() => call("/health"));
    limits = health.limits;
  } catch (error) {
    showError(errorMessage(error));
    return;
  }
  zone.maxSize = limits.max_content_bytes;
  offerOptions(limits);
}

/**
 * Returns the content to encrypt, of at most `max` bytes; `undefined` after reporting what is missing.
 *
 * @param {number} max
 */
async function content(max) {
  const isText = isSelected("text-tab");
  const chosen = await zone.selection();
  const text = typedById("text", HTMLTextAreaElement).value;
  if (isText ? text === "" : chosen.isEmpty) {
    showError(t(isText ? "send.empty_text" : "common.empty"));
    return undefined;
  }
  const selected = isText ? textContent(text) : chosen.content();
  if (selected.metadata.size > max) {
    showError(t("common.too_large", { size: size(selected.metadata.size), max: size(max) }));
    return undefined;
  }
  return selected;
}

async function send() {
  showMessage("");
  await prepared;
  if (isSelected("request-tab")) return createRequest();
  const selected = limits && (await content(limits.max_content_bytes));
  if (!selected) return;
  const problem = problemWithOptions();
  if (problem) {
    showError(problem);
    return;
  }
  stopping = new AbortController();
  hide("send-form", "account");
  collapse("show-mine");
  collapse("show-requests");
  addEventListener("beforeunload", warnBeforeLeaving);
  try {
    await uploadContent(selected, stopping.signal);
  } catch (error) {
    await deleteAndReport(stopping.signal.aborted ? undefined : error);
  } finally {
    removeEventListener("beforeunload", warnBeforeLeaving);
    hide("progress");
  }
}

/**
 * Encrypts and uploads the content, and shows the result.
 *
 * @param {Content} selected
 * @param {AbortSignal} signal
 */
async function uploadContent(selected, signal) {
  const passphrase = field("passphrase").value;
  const linkKey = LinkKey.random(passphrase !== "");
  const payloadKey = await linkKey.secret(passphrase);
  const message = chosenMessage();
  const info = { ...selected.info, ...(message && { message }) };
  const payload = await Payload.of({ ...selected, info }, payloadKey);
  const progress = new Progress(t("common.uploading"), payload.size);
  byId("cancel").focus();
  const options = { signal, progress, waiting: () => progress.wait(t("common.retrying")) };
  // With recipients, the limits hold for each of their links, and nobody can use the transfer's own link.
  const names = chosenNames();
  const links = await Promise.all(names.map((name) => NewLink.of(name, { payloadKey, passphrase }, chosenLimits())));
  const own = names.length > 0 ? closedLink() : chosenLimits();
  const proof = await ownProof(linkKey, payloadKey);
  upload = await Upload.create(payload, currentToken(), { ...own, ...proof }, options);
  signal.throwIfAborted();
  for (const link of links) await link.create(upload, options);
  const completed = await upload.send(payload, options);
  signal.throwIfAborted();
  progress.end();
  const { filename, size: bytes } = selected.metadata;
  const name = isSelected("text-tab") ? filename : zone.title;
  rememberName(upload.transfer.transfer_id, name);
  showSent({ upload, linkKey, links, completed, content: { name, bytes } });
  show("account");
}

/**
 * Returns the options for creating a transfer with further links only.
 *
 * @returns {TransferOptions}
 */
function closedLink() {
  return { expires_in_s: chosenLimits().expires_in_s, own_link: "closed" };
}

/**
 * Returns the options that make access require the key in addition to the ID, which notifications contain.
 *
 * @param {LinkKey} linkKey
 * @param {Bytes} payloadKey
 */
async function ownProof(linkKey, payloadKey) {
  const proof = await (await AccessProof.of(payloadKey)).digest();
  return { access_sha256: proof, access_from_passphrase: linkKey.needsPassphrase };
}

/** Creates a request with the script that only this needs. */
async function createRequest() {
  try {
    const script = await import("../request/create.js").catch((cause) => Promise.reject(new Unreachable(cause)));
    await script.createRequest();
  } catch (error) {
    showError(errorMessage(error));
    if (isAboutToken(error)) ask();
  }
}

/** @param {unknown} error */
async function deleteAndReport(error) {
  hide("progress");
  if (upload) showMessage(t("send.deleting"));
  const removed = await upload?.remove().then(
    () => true,
    () => false,
  );
  const rest = upload ? `\n${t(removed ? "send.rolled_back" : "send.left_behind")}` : "";
  upload = undefined;
  if (error) showError(`${errorMessage(error)}${rest}`);
  else showMessage(`${t("send.cancelled")}${rest}`);
  if (isAboutToken(error)) return ask();
  show("send-form", "account");
  byId("send").focus();
}

function another() {
  closeResult();
  upload = undefined;
  zone.clear();
  resetOptions();
  typedById("text", HTMLTextAreaElement).value = "";
  selectTab("files-tab");
  show("send-form");
  showMessage("");
  byId("files").focus();
}

/** @param {Event} event */
function warnBeforeLeaving(event) {
  event.preventDefault();
}

onEvent("send-form", "submit", send);
onEvent("another", "click", another);
byId("cancel").addEventListener("click", () => stopping?.abort(new Error("stopped")));
offerTabs((tab) => (byId("sending").hidden = tab === "request-tab"));
offerReveal();
offerResult();
offerMine(() => collapse("show-requests"));
offerRequests(() => collapse("show-mine"));
offerLanguages();

/** @type {Promise<void> | undefined} */
let prepared;
if (showIfSupported("token-form")) {
  prepared = prepare();
  offerToken(() => byId("files").focus());
}
