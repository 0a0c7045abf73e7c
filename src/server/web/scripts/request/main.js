// Page of a request: guests encrypt and send files to the person who made the link.

import { call, Unreachable, withRetries } from "../api.js";
import { characters, MAX_MESSAGE_CHARACTERS } from "../format/info.js";
import { RequestLink } from "../format/request-link.js";
import { confirmDeletion } from "../send/dialogs.js";
import { DropZone } from "../send/drop-zone.js";
import { offerLanguages, showIfSupported } from "../ui/controls.js";
import { byId, field, hide, onEvent, show, showError, showMessage, typedById } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { Progress } from "../ui/progress.js";
import { t } from "../ui/text.js";
import { showTransparency } from "../ui/transparency.js";
import { guestMessage } from "./errors.js";

/** @import { CompletedTransfer, Health, HealthLimits } from "../wire.d.ts" */
/** @import { Content } from "../send/selection.js" */
/** @import { Upload } from "../send/upload.js" */

// First of all, so that neither the history nor an extension that reads the address keeps the secret.
const { hash: fragment } = location;
history.replaceState(null, "", location.pathname + location.search);

const zone = new DropZone();
let request = RequestLink.parse(location.pathname, fragment);
/** @type {HealthLimits | undefined} */
let limits;
/** @type {AbortController | undefined} */
let stopping;
/** @type {Upload | undefined} */
let upload;

/** Returns name and note as one message. */
function message() {
  const [name, note] = [field("sender").value.trim(), typedById("note", HTMLTextAreaElement).value.trim()];
  return [name, note].filter((text) => text !== "").join("\n\n");
}

/** Loads the limits of the server, unless they are known. */
async function knownLimits() {
  if (limits) return limits;
  /** @type {Health} */
  const health = await withRetries(() => call("/health"));
  limits = health.limits;
  zone.maxSize = limits.max_content_bytes;
  return limits;
}

async function send() {
  showMessage("");
  const chosen = await zone.selection();
  if (chosen.isEmpty) {
    showError(t("common.empty"));
    return;
  }
  if (characters(message()) > MAX_MESSAGE_CHARACTERS) {
    showError(t("request.note_long", { count: MAX_MESSAGE_CHARACTERS }));
    return;
  }
  const selected = chosen.content();
  stopping = new AbortController();
  addEventListener("beforeunload", warnBeforeLeaving);
  try {
    const { max_content_bytes: max, expires_in_s: lifetimes } = await knownLimits();
    if (selected.metadata.size > max) {
      showError(t("common.too_large", { size: size(selected.metadata.size), max: size(max) }));
      return;
    }
    hide("guest-form", "security");
    await uploadContent(selected, lifetimes.default, stopping.signal);
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
 * @param {number} lifetime in seconds
 * @param {AbortSignal} signal
 */
async function uploadContent(selected, lifetime, signal) {
  if (!request) return;
  const text = message();
  const info = { ...selected.info, ...(text && { message: text }) };
  // Loaded only now, so that the page itself is small.
  const { GuestUpload } = await import("./upload.js").catch((cause) => Promise.reject(new Unreachable(cause)));
  const sealed = await GuestUpload.prepare({ ...selected, info }, request);
  const progress = new Progress(t("common.uploading"), sealed.size);
  byId("cancel").focus();
  const options = { signal, progress, waiting: () => progress.wait(t("common.retrying")) };
  upload = await sealed.create(lifetime, options);
  signal.throwIfAborted();
  const completed = await upload.send(sealed.payload, options);
  signal.throwIfAborted();
  progress.end();
  byId("sent-facts").textContent = `${zone.title} · ${size(selected.metadata.size)}`;
  showSent(completed);
}

/** @param {unknown} error */
async function deleteAndReport(error) {
  hide("progress");
  await upload?.remove().catch(() => {});
  upload = undefined;
  show("guest-form", "security");
  if (error) showError(guestMessage(error));
  else showMessage(t("request.cancelled"));
  byId("send").focus();
}

/** @param {CompletedTransfer} completed */
function showSent({ transparency, ...status }) {
  byId("sent-text").textContent = t("request.sent_until", { time: time(status.expires_at) });
  showTransparency(byId("transparency"), transparency);
  show("sent");
  byId("sent-title").focus();
}

async function remove() {
  if (!upload || !(await confirmDeletion())) return;
  showMessage(t("request.deleting"));
  try {
    await upload.remove();
  } catch (error) {
    showError(guestMessage(error));
    return;
  }
  another();
  showMessage(t("request.deleted"));
}

function another() {
  upload = undefined;
  zone.clear();
  typedById("note", HTMLTextAreaElement).value = "";
  showMessage("");
  hide("sent");
  show("guest-form", "security");
  byId("title").focus();
}

/** @param {Event} event */
function warnBeforeLeaving(event) {
  event.preventDefault();
}

/** Opens a link that was pasted: the whole link, or the part behind the `#`. */
function openPasted() {
  const pasted = field("request-link").value.trim();
  const [page, secret = page] = pasted.split("#");
  const isOther = pasted.includes("#") && page !== "" && !page.endsWith(location.pathname);
  request = isOther ? undefined : RequestLink.parse(location.pathname, secret);
  if (!request) {
    field("request-link").setAttribute("aria-invalid", "true");
    showError(t("request.no_link"));
    return;
  }
  field("request-link").value = "";
  showMessage("");
  hide("link-form");
  show("guest-form", "security");
  start();
}

function start() {
  if (request?.purpose) {
    byId("purpose-text").textContent = request.purpose;
    show("purpose");
  }
  byId("title").focus();
  // Also told before a file is chosen; an error is reported once something is sent.
  knownLimits().catch(() => {});
}

onEvent("link-form", "submit", openPasted);
onEvent("guest-form", "submit", send);
onEvent("delete", "click", remove);
onEvent("another", "click", another);
byId("cancel").addEventListener("click", () => stopping?.abort(new Error("stopped")));
// The page loads again with the secret in its address, and removes it from there again.
offerLanguages(() => {
  if (request) history.replaceState(null, "", `${location.pathname}${location.search}${request.fragment}`);
});
addEventListener("hashchange", () => location.hash && location.reload());

if (showIfSupported(request ? "guest-form" : "link-form")) {
  if (request) {
    show("security");
    start();
  } else {
    if (fragment === "") byId("link-title").textContent = t("request.again");
    byId("request-link").focus();
  }
}
