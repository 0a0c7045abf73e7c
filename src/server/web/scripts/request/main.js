// Page of a request: guests encrypt and send files to whoever made the link.

import { call, withRetries } from "../api.js";
import { hex, random } from "../format/bytes.js";
import { characters, MAX_MESSAGE_CHARACTERS } from "../format/info.js";
import { AccessProof } from "../format/key.js";
import { RequestLink } from "../format/request-link.js";
import { Payload } from "../send/payload.js";
import { Selection } from "../send/selection.js";
import { Upload } from "../send/upload.js";
import { showIfSupported } from "../ui/controls.js";
import {
  byId,
  element,
  field,
  hide,
  onEvent,
  show,
  showError,
  showMessage,
  showTransparency,
  typedById,
} from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { guestMessage } from "./errors.js";
import { t } from "./texts.js";
import { wrapForOwner } from "./wrap-key.js";

/** @import { Health, CompletedTransfer } from "../wire.d.ts" */

// First of all, so that neither the history nor an extension that reads the address keeps the secret.
const fragment = location.hash;
history.replaceState(null, "", location.pathname + location.search);
const link = RequestLink.parse(location.pathname, fragment);

const chosen = new Selection();
/** Pending reads of dropped folders. @type {Promise<unknown>} */
let reading = Promise.resolve();
/** @type {AbortController | undefined} */
let stopping;
/** @type {Upload | undefined} */
let upload;

/** Progress bar of an upload. */
class GuestProgress {
  #total;

  /** @param {number} total in bytes */
  constructor(total) {
    this.#total = Math.max(1, total);
    this.at(0);
    show("progress");
  }

  /** @param {number} done */
  at(done) {
    typedById("progress-bar", HTMLProgressElement).value = done / this.#total;
    byId("progress-text").textContent = t("request.progress", { done: size(done), total: size(this.#total) });
  }

  wait() {
    byId("progress-text").textContent = t("request.retrying");
  }

  end() {
    hide("progress");
  }
}

function showChosen() {
  const items = chosen.tops.map(({ name, isFolder, files, bytes }) => {
    const attributes = { type: "button", "aria-label": t("request.remove", { name }) };
    const remove = element("button", attributes, t("request.remove_short"));
    remove.addEventListener("click", () => {
      chosen.remove(name);
      showChosen();
      byId("files").focus();
    });
    const text = t(isFolder ? "request.folder" : "request.file", { name, files, size: size(bytes) });
    return element("li", {}, `${text} `, remove);
  });
  byId("chosen").replaceChildren(...items);
}

/** Returns name and note as one message. */
function message() {
  const [name, note] = [field("sender").value.trim(), typedById("note", HTMLTextAreaElement).value.trim()];
  return [name, note].filter((text) => text !== "").join("\n\n");
}

/** @param {RequestLink} request */
async function send(request) {
  showMessage("");
  await reading;
  if (chosen.isEmpty) {
    showError(t("request.nothing"));
    return;
  }
  const text = message();
  if (characters(text) > MAX_MESSAGE_CHARACTERS) {
    showError(t("request.note_too_long", { max: MAX_MESSAGE_CHARACTERS }));
    return;
  }
  const selected = chosen.content();
  stopping = new AbortController();
  const { signal } = stopping;
  addEventListener("beforeunload", warnBeforeLeaving);
  hide("guest-form", "sent");
  /** @type {GuestProgress | undefined} */
  let progress;
  try {
    /** @type {Health} */
    const { limits } = await withRetries(() => call("/health"), { signal });
    if (selected.metadata.size > limits.max_content_bytes) {
      showError(t("request.too_large", { size: size(selected.metadata.size), max: size(limits.max_content_bytes) }));
      show("guest-form");
      return;
    }
    const payloadKey = random(32);
    const info = { ...selected.info, ...(text && { message: text }) };
    const payload = await Payload.of({ ...selected, info }, payloadKey);
    payload.keys = await wrapForOwner(payloadKey, request);
    const shown = new GuestProgress(payload.size);
    progress = shown;
    const options = { signal, progress: shown, waiting: () => shown.wait() };
    const access = await (await AccessProof.of(payloadKey)).digest();
    const transfer = { expires_in_s: limits.expires_in_s.default, access_sha256: access, access_from_passphrase: false };
    upload = await Upload.create(payload, await request.token(), transfer, { ...options, guest: await guestProof() });
    signal.throwIfAborted();
    const completed = await upload.send(payload, options);
    signal.throwIfAborted();
    progress.end();
    showSent(completed);
  } catch (error) {
    progress?.end();
    await deleteAndReport(signal.aborted ? undefined : error);
  } finally {
    removeEventListener("beforeunload", warnBeforeLeaving);
  }
}

/** Creates the proof with which only this page continues or deletes the upload. */
async function guestProof() {
  const proof = random(32);
  return { proof: hex(proof), digest: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", proof))) };
}

/** @param {unknown} error */
async function deleteAndReport(error) {
  await upload?.remove().catch(() => {});
  upload = undefined;
  show("guest-form");
  if (error) showError(guestMessage(error));
  else showMessage(t("request.cancelled"));
  byId("send").focus();
}

/** @param {CompletedTransfer} completed */
function showSent({ transparency, ...status }) {
  byId("sent-text").textContent = t("request.sent", { time: time(status.expires_at) });
  showTransparency(byId("transparency"), transparency);
  hide("intro");
  show("sent", "delete");
  byId("sent-title").focus();
}

async function remove() {
  showMessage(t("request.deleting"));
  try {
    await upload?.remove();
    hide("sent");
    another();
    showMessage(t("request.deleted"));
  } catch (error) {
    showError(guestMessage(error));
  }
}

function another() {
  upload = undefined;
  chosen.clear();
  showChosen();
  for (const id of ["files", "folder"]) field(id).value = "";
  typedById("note", HTMLTextAreaElement).value = "";
  showMessage("");
  hide("sent");
  show("guest-form");
  byId("title").focus();
}

/** @param {BeforeUnloadEvent} event */
function warnBeforeLeaving(event) {
  event.preventDefault();
}

/** @param {RequestLink} request */
function start(request) {
  if (request.purpose) {
    byId("purpose-text").textContent = request.purpose;
    show("purpose");
  }
  onEvent("guest-form", "submit", () => send(request));
  onEvent("cancel", "click", () => stopping?.abort());
  onEvent("delete", "click", remove);
  onEvent("another", "click", another);
  for (const id of ["files", "folder"]) {
    field(id).addEventListener("change", () => {
      chosen.addFiles(field(id).files ?? []);
      showChosen();
    });
  }
  const drop = byId("drop");
  for (const type of ["dragenter", "dragover"]) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer) reading = Promise.all([reading, chosen.addDropped(event.dataTransfer)]).then(showChosen);
  });
}

if (showIfSupported("guest-form")) {
  if (link) {
    start(link);
  } else {
    hide("guest-form");
    showError(t(fragment === "" ? "request.reloaded" : "request.incomplete"));
  }
}
