// Upload page: encrypts and uploads the selected content, and follows the transfer's status.

import { at, call, root, withRetries } from "../api.js";
import { characters, MAX_MESSAGE_CHARACTERS } from "../format/info.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { showIfSupported } from "../ui/browser-support.js";
import { copy } from "../ui/clipboard.js";
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
import { showRequests } from "../request/inbox.js";
import { errorMessage } from "../ui/error-messages.js";
import { count, size, span } from "../ui/format.js";
import { Progress } from "../ui/progress.js";
import { qrImage } from "../ui/qr.js";
import { namesIn, NewLink, problemWith, showLinks } from "./links.js";
import { Payload } from "./payload.js";
import { Selection, textContent } from "./selection.js";
import { showStatus, StatusPoller } from "./status.js";
import { storedToken, storeToken } from "./token-storage.js";
import { Upload } from "./upload.js";

/** @import { HealthLimits, Health, CompletedTransfer, CreatedTransfer, TransferOptions } from "../wire.d.ts" */
/** @import { Bytes } from "../format/bytes.js" */

const LIFETIMES = [3_600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400];

const chosen = new Selection();
/** @type {HealthLimits | undefined} */
let limits;
/**
 * Pending reads of dropped folders.
 *
 * @type {Promise<unknown>}
 */
let reading = Promise.resolve();
/** @type {AbortController | undefined} */
let stopping;
/** @type {Upload | undefined} */
let upload;
/** @type {StatusPoller | undefined} */
let poller;

async function prepare() {
  field("token").value = storedToken();
  field("keep-token").checked = field("token").value !== "";
  try {
    /** @type {Health} */
    const health = await withRetries(() => call("/health"));
    limits = health.limits;
  } catch (error) {
    showError(errorMessage(error));
    return;
  }
  const { min, default: usual, max } = limits.expires_in_s;
  const lifetimes = LIFETIMES.filter((seconds) => seconds >= min && seconds <= max);
  const expires = typedById("expires", HTMLSelectElement);
  for (const seconds of lifetimes) expires.append(element("option", { value: seconds }, span(seconds)));
  expires.value = `${usual}`;
}

function showChosen() {
  const items = chosen.tops.map(({ name, isFolder, files, bytes }) => {
    const remove = element("button", { type: "button", "aria-label": `Leave out ${name}` }, "Leave out");
    remove.addEventListener("click", () => {
      chosen.remove(name);
      showChosen();
      byId("files").focus();
    });
    return element("li", {}, `${name} (${isFolder ? `${count(files, "file")}, ` : ""}${size(bytes)}) `, remove);
  });
  byId("chosen").replaceChildren(...items);
}

/**
 * Returns the content to encrypt, of at most `max` bytes; `undefined` after reporting what is missing.
 *
 * @param {number} max
 */
function content(max) {
  const text = typedById("text", HTMLTextAreaElement).value;
  if (chosen.isEmpty && text === "") {
    showError("There is nothing to send yet: choose a file or a folder, or write a text.");
    return undefined;
  }
  const selected = chosen.isEmpty ? textContent(text) : withText(text).content();
  if (selected.metadata.size > max) {
    showError(`That is ${size(selected.metadata.size)}, and this server takes ${size(max)} at most.`);
    return undefined;
  }
  return selected;
}

/**
 * Returns the selection, with the text as an additional file if there is any.
 *
 * @param {string} text
 */
function withText(text) {
  return text === "" ? chosen : chosen.with("text.txt", new File([text], "text.txt"));
}

async function send() {
  showMessage("");
  await Promise.all([prepared, reading]);
  const selected = limits && content(limits.max_content_bytes);
  if (!selected) return;
  if (characters(typedById("message", HTMLTextAreaElement).value.trim()) > MAX_MESSAGE_CHARACTERS) {
    showError(`The message has more than ${MAX_MESSAGE_CHARACTERS} characters: send it as a text.`);
    return;
  }
  const names = namesIn(field("recipients").value);
  const problem = problemWith(names);
  if (problem) {
    showError(problem);
    return;
  }
  const token = field("token").value.trim();
  storeToken(field("keep-token").checked ? token : undefined);
  stopping = new AbortController();
  const { signal } = stopping;
  hide("send-form", "sent");
  showMessage("");
  addEventListener("beforeunload", warnBeforeLeaving);
  const passphrase = field("passphrase").value;
  const linkKey = LinkKey.random(passphrase !== "");
  /** @type {NewLink[]} */
  let links = [];
  /** @type {Progress | undefined} */
  let progress;
  let completed;
  try {
    const payloadKey = await linkKey.secret(passphrase);
    const message = typedById("message", HTMLTextAreaElement).value.trim();
    const info = { ...selected.info, ...(message && { message }) };
    const payload = await Payload.of({ ...selected, info }, payloadKey);
    const shown = new Progress("Sending", payload.size);
    progress = shown;
    const waiting = () => shown.wait("The connection broke. Retrying …");
    const options = { signal, progress: shown, waiting };
    // With recipients, the limits hold for each of their links, and nobody can use the transfer's own link.
    const secrets = { payloadKey, passphrase };
    links = await Promise.all(names.map((name) => NewLink.of(name, secrets, chosenLimits())));
    const own = names.length > 0 ? closedLink() : chosenLimits();
    const proof = await ownProof(linkKey, payloadKey, message !== "" || names.length > 0);
    upload = await Upload.create(payload, token, { ...own, ...proof }, options);
    signal.throwIfAborted();
    for (const link of links) await link.create(upload, options);
    completed = await upload.send(payload, options);
    signal.throwIfAborted();
  } catch (error) {
    progress?.end();
    await deleteAndReport(signal.aborted ? undefined : error);
    return;
  } finally {
    removeEventListener("beforeunload", warnBeforeLeaving);
  }
  progress.end();
  showSent(upload, linkKey, links, completed);
}

/** Returns the chosen lifetime and download limit. */
function chosenLimits() {
  const downloads = field("downloads").valueAsNumber;
  const expires = Number(typedById("expires", HTMLSelectElement).value);
  return { expires_in_s: expires, ...(downloads > 0 && { max_downloads: downloads }) };
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
 * Returns the options that make access require the key in addition to the ID: with a download limit, a passphrase, or if
 * something else `isRestricted`.
 *
 * @param {LinkKey} linkKey
 * @param {Bytes} payloadKey
 * @param {boolean} isRestricted
 */
async function ownProof(linkKey, payloadKey, isRestricted) {
  if (!isRestricted && !linkKey.needsPassphrase && chosenLimits().max_downloads === undefined) return {};
  const proof = await (await AccessProof.of(payloadKey)).digest();
  return { access_sha256: proof, access_from_passphrase: linkKey.needsPassphrase };
}

/** @param {unknown} error */
async function deleteAndReport(error) {
  if (upload) showMessage("Deleting what was sent …");
  const removed = await upload?.remove().then(
    () => true,
    () => false,
  );
  const rest = removed
    ? "\nWhat was sent was deleted."
    : "\nWhat was sent could not be deleted; it expires in a day.";
  if (error) showError(`${errorMessage(error)}${upload ? rest : ""}`);
  else showMessage(`Stopped.${upload ? rest : ""}`);
  upload = undefined;
  show("send-form");
  byId("send").focus();
}

/**
 * @param {Upload} sent
 * @param {LinkKey} linkKey
 * @param {NewLink[]} links
 * @param {CompletedTransfer} completed
 */
function showSent(sent, linkKey, links, { transparency, ...status }) {
  const page = pageOf(sent.transfer);
  const apart = field("apart").checked;
  byId("link-panel").hidden = links.length > 0;
  byId("links-panel").hidden = links.length === 0;
  if (links.length > 0) {
    showLinks(links, (id) => page.slice(0, -id.length) + id, apart);
  } else {
    field("link").value = apart ? page : `${page}#${linkKey}`;
    field("link-key").value = apart ? `${linkKey}` : "";
    byId("key-row").hidden = !apart;
    byId("link-advice").hidden = apart;
    byId("qr").replaceChildren(qrImage(field("link").value, apart ? "The link, without its key" : "The link"));
  }
  showTransparency(byId("transparency"), transparency);
  showStatus(status);
  show("sent");
  const also = links.length > 0 ? "The recipients also need the passphrase." : "The recipient also needs the passphrase.";
  showMessage(linkKey.needsPassphrase ? `Sent. ${also}` : "Sent.");
  byId("sent-title").focus();
  poller = new StatusPoller(sent, new Map(links.map(({ name, request }) => [request.link_id, name])));
}

/**
 * Returns the URL of the transfer's page: the server's, if plausible, or one below this page's root.
 *
 * @param {CreatedTransfer} transfer
 */
function pageOf({ transfer_id: id, page_url: named }) {
  const page = at(named);
  const isPage = ["http:", "https:"].includes(page.protocol) && page.pathname.endsWith(`/d/${id}`);
  return isPage && !page.search && !page.hash ? page.href : new URL(`d/${id}`, root).href;
}

function another() {
  poller?.stop();
  upload = undefined;
  chosen.clear();
  showChosen();
  const fields = ["files", "folder", "recipients", "passphrase", "downloads", "link", "link-key"];
  for (const id of fields) field(id).value = "";
  typedById("text", HTMLTextAreaElement).value = "";
  byId("qr").replaceChildren();
  byId("links").replaceChildren();
  typedById("qr-details", HTMLDetailsElement).open = false;
  hide("sent");
  show("send-form");
  showMessage("");
  byId("files").focus();
}

async function remove() {
  if (!upload) return;
  try {
    await upload.remove();
    showMessage("Deleted. Nobody can fetch it any more.");
    poller?.poll().catch(() => {});
  } catch (error) {
    showError(errorMessage(error));
  }
}

/** @param {Event} event */
function warnBeforeLeaving(event) {
  event.preventDefault();
}

for (const id of ["files", "folder"]) {
  const input = field(id);
  input.addEventListener("change", () => {
    chosen.addFiles(input.files ?? []);
    input.value = "";
    showChosen();
  });
}
for (const event of ["dragover", "dragleave", "drop"]) {
  byId("drop").addEventListener(event, (dragged) => {
    dragged.preventDefault();
    byId("drop").classList.toggle("over", event === "dragover");
  });
}
byId("drop").addEventListener("drop", ({ dataTransfer }) => {
  if (!dataTransfer) return;
  const dropped = chosen.addDropped(dataTransfer).catch((error) => showError(errorMessage(error)));
  reading = Promise.all([reading, dropped]).then(showChosen);
});

onEvent("send-form", "submit", send);
onEvent("delete", "click", remove);
onEvent("another", "click", async () => another());
onEvent("copy-link", "click", () => copy("link", "The link"));
onEvent("copy-key", "click", () => copy("link-key", "The key"));
byId("cancel").addEventListener("click", () => stopping?.abort(new Error("stopped")));

/** Lists the requests of the token in the form. */
async function listRequests() {
  const token = field("token").value.trim();
  const number = token === "" ? 0 : await showRequests(byId("requests"), token);
  if (token === "") showError("Fill in your sender token first.");
  else showMessage(number === 0 ? "This token has no requests." : "");
}

onEvent("show-requests", "click", async () => {
  try {
    await listRequests();
  } catch (error) {
    showError(errorMessage(error));
  }
});
const prepared = showIfSupported("send-form") ? prepare() : undefined;
byId("inbox").hidden = prepared === undefined;
