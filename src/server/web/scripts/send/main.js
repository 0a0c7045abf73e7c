// Upload page: encrypts and uploads the selected content, and follows the transfer's status.

import { at, call, root, withRetries } from "../api.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { showIfSupported } from "../ui/browser-support.js";
import { copy } from "../ui/clipboard.js";
import { byId, element, hide, onEvent, show, showError, showMessage, showTransparency } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { count, size, span } from "../ui/format.js";
import { Progress } from "../ui/progress.js";
import { qrImage } from "../ui/qr.js";
import { Payload } from "./payload.js";
import { Selection, textContent } from "./selection.js";
import { showStatus, StatusPoller } from "./status.js";
import { storedToken, storeToken } from "./token-storage.js";
import { Upload } from "./upload.js";

const LIFETIMES = [3_600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400];

const chosen = new Selection();
let limits;
/** Pending reads of dropped folders. */
let reading = Promise.resolve();
let stopping;
let upload;
let poller;

async function prepare() {
  byId("token").value = storedToken();
  byId("keep-token").checked = byId("token").value !== "";
  try {
    ({ limits } = await withRetries(() => call("/health")));
  } catch (error) {
    showError(errorMessage(error));
    return;
  }
  const { min, default: usual, max } = limits.expires_in_s;
  const lifetimes = LIFETIMES.filter((seconds) => seconds >= min && seconds <= max);
  for (const seconds of lifetimes) byId("expires").append(element("option", { value: seconds }, span(seconds)));
  byId("expires").value = usual;
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

/** Returns the content to encrypt; `undefined` after reporting what is missing. */
function content() {
  const text = byId("text").value;
  if (chosen.isEmpty && text === "") {
    showError("There is nothing to send yet: choose a file or a folder, or write a text.");
    return undefined;
  }
  const selected = chosen.isEmpty ? textContent(text) : withText(text).content();
  const { max_content_bytes: max } = limits;
  if (selected.metadata.size > max) {
    showError(`That is ${size(selected.metadata.size)}, and this server takes ${size(max)} at most.`);
    return undefined;
  }
  return selected;
}

/** Returns the selection, with the text as an additional file if there is any. */
function withText(text) {
  return text === "" ? chosen : chosen.with("text.txt", new File([text], "text.txt"));
}

async function send() {
  showMessage("");
  await Promise.all([prepared, reading]);
  const selected = limits && content();
  if (!selected) return;
  const token = byId("token").value.trim();
  storeToken(byId("keep-token").checked ? token : undefined);
  stopping = new AbortController();
  const { signal } = stopping;
  hide("send-form", "sent");
  showMessage("");
  addEventListener("beforeunload", warnBeforeLeaving);
  const linkKey = LinkKey.random(byId("passphrase").value !== "");
  let progress;
  let completed;
  try {
    const payloadKey = await linkKey.payloadKey(byId("passphrase").value);
    const payload = await Payload.of(selected, payloadKey);
    progress = new Progress("Sending", payload.size);
    const waiting = () => progress.wait("The connection broke. Trying again …");
    const options = { signal, progress, waiting };
    upload = await Upload.create(payload, token, await transferOptions(linkKey, payloadKey), options);
    signal.throwIfAborted();
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
  showSent(linkKey, completed);
}

/**
 * Returns the options for creating the transfer. With a download limit or passphrase, access requires the key in
 * addition to the ID.
 */
async function transferOptions(linkKey, payloadKey) {
  const downloads = byId("downloads").valueAsNumber;
  const limited = downloads > 0;
  const proof = limited || linkKey.needsPassphrase ? await (await AccessProof.of(payloadKey)).digest() : undefined;
  return {
    expires_in_s: Number(byId("expires").value),
    ...(limited && { max_downloads: downloads }),
    ...(proof && { access_sha256: proof }),
  };
}

async function deleteAndReport(error) {
  if (upload) showMessage("Deleting what was sent …");
  const removed = await upload?.remove().then(
    () => true,
    () => false,
  );
  const rest = {
    true: "\nWhat was sent was deleted.",
    false: "\nWhat was sent could not be deleted; it expires in a day.",
  };
  if (error) showError(`${errorMessage(error)}${upload ? rest[removed] : ""}`);
  else showMessage(`Stopped.${upload ? rest[removed] : ""}`);
  upload = undefined;
  show("send-form");
  byId("send").focus();
}

function showSent(linkKey, { transparency, ...status }) {
  const link = pageOf(upload.transfer);
  const apart = byId("apart").checked;
  const whole = `${link}#${linkKey}`;
  byId("link").value = apart ? link : whole;
  byId("link-key").value = apart ? `${linkKey}` : "";
  byId("key-row").hidden = !apart;
  byId("link-advice").hidden = apart;
  byId("qr").replaceChildren(qrImage(byId("link").value, apart ? "The link, without its key" : "The link"));
  showTransparency(byId("transparency"), transparency);
  showStatus(status);
  show("sent");
  showMessage(linkKey.needsPassphrase ? "Sent. The recipient also needs the passphrase." : "Sent.");
  byId("sent-title").focus();
  poller = new StatusPoller(upload);
}

/** Returns the URL of the transfer's page: the server's, if plausible, or one below this page's root. */
function pageOf({ transfer_id: id, page_url: named }) {
  const page = at(named);
  const isPage = ["http:", "https:"].includes(page.protocol) && page.pathname.endsWith(`/d/${id}`);
  return isPage ? page.href : new URL(`d/${id}`, root).href;
}

function another() {
  poller?.stop();
  upload = undefined;
  chosen.clear();
  showChosen();
  for (const id of ["files", "folder", "text", "passphrase", "downloads", "link", "link-key"]) byId(id).value = "";
  byId("qr").replaceChildren();
  byId("qr-details").open = false;
  hide("sent");
  show("send-form");
  showMessage("");
  byId("files").focus();
}

async function remove() {
  try {
    await upload.remove();
    showMessage("Deleted. Nobody can fetch it any more.");
    poller.poll().catch(() => {});
  } catch (error) {
    showError(errorMessage(error));
  }
}

function warnBeforeLeaving(event) {
  event.preventDefault();
}

for (const id of ["files", "folder"]) {
  byId(id).addEventListener("change", ({ target }) => {
    chosen.addFiles(target.files);
    target.value = "";
    showChosen();
  });
}
for (const [event, over] of [
  ["dragover", true],
  ["dragleave", false],
  ["drop", false],
]) {
  byId("drop").addEventListener(event, (dragged) => {
    dragged.preventDefault();
    byId("drop").classList.toggle("over", over);
  });
}
byId("drop").addEventListener("drop", ({ dataTransfer }) => {
  const dropped = chosen.addDropped(dataTransfer).catch((error) => showError(errorMessage(error)));
  reading = Promise.all([reading, dropped]).then(showChosen);
});

onEvent("send-form", "submit", send);
onEvent("delete", "click", remove);
onEvent("another", "click", async () => another());
onEvent("copy-link", "click", () => copy("link", "The link"));
onEvent("copy-key", "click", () => copy("link-key", "The key"));
byId("cancel").addEventListener("click", () => stopping.abort(new Error("stopped")));

const prepared = showIfSupported("send-form") ? prepare() : undefined;
