// Upload page: encrypts and uploads the selected content, and follows the transfer's status.

import { at, call, patiently, root } from "../api.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { begin } from "../ui/browser-support.js";
import { copy } from "../ui/clipboard.js";
import { byId, complain, element, hide, say, show, showTransparency, when } from "../ui/dom.js";
import { inWords } from "../ui/error-messages.js";
import { count, size, span } from "../ui/format.js";
import { Progress } from "../ui/progress.js";
import { qrImage } from "../ui/qr.js";
import { Payload } from "./payload.js";
import { Chosen, textContent } from "./selection.js";
import { showStatus, Watching } from "./status.js";
import { keepToken, keptToken } from "./token-storage.js";
import { Upload } from "./upload.js";

const LIFETIMES = [3_600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400];

const chosen = new Chosen();
let limits;
/** Pending reads of dropped folders. */
let reading = Promise.resolve();
let stopping;
let upload;
let watching;

async function prepare() {
  byId("token").value = keptToken();
  byId("keep-token").checked = byId("token").value !== "";
  try {
    ({ limits } = await patiently(() => call("/health")));
  } catch (error) {
    complain(inWords(error));
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
    complain("There is nothing to send yet: choose a file or a folder, or write a text.");
    return undefined;
  }
  const what = chosen.isEmpty ? textContent(text) : withText(text).content();
  if (what.metadata.size > limits.max_content_bytes) {
    complain(`That is ${size(what.metadata.size)}, and this server takes ${size(limits.max_content_bytes)} at most.`);
    return undefined;
  }
  return what;
}

/** Returns the selection, with the text as an additional file if there is any. */
function withText(text) {
  return text === "" ? chosen : chosen.with("text.txt", new File([text], "text.txt"));
}

async function send() {
  say("");
  await Promise.all([prepared, reading]);
  const what = limits && content();
  if (!what) return;
  const token = byId("token").value.trim();
  keepToken(byId("keep-token").checked ? token : undefined);
  stopping = new AbortController();
  const { signal } = stopping;
  hide("send-form", "sent");
  say("");
  addEventListener("beforeunload", warnBeforeLeaving);
  const linkKey = LinkKey.random(byId("passphrase").value !== "");
  let progress;
  let completed;
  try {
    const payloadKey = await linkKey.payloadKey(byId("passphrase").value);
    const payload = await Payload.of(what, payloadKey);
    progress = new Progress("Sending", payload.size);
    const waiting = () => progress.wait("The connection broke. Trying again …");
    const options = { signal, progress, waiting };
    upload = await Upload.create(payload, token, await terms(linkKey, payloadKey), options);
    signal.throwIfAborted();
    completed = await upload.send(payload, options);
    signal.throwIfAborted();
  } catch (error) {
    progress?.end();
    await giveUp(signal.aborted ? undefined : error);
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
async function terms(linkKey, payloadKey) {
  const downloads = byId("downloads").valueAsNumber;
  const limited = downloads > 0;
  const proof = limited || linkKey.needsPassphrase ? await (await AccessProof.of(payloadKey)).digest() : undefined;
  return {
    expires_in_s: Number(byId("expires").value),
    ...(limited && { max_downloads: downloads }),
    ...(proof && { access_sha256: proof }),
  };
}

async function giveUp(error) {
  if (upload) say("Deleting what was sent …");
  const removed = await upload?.remove().then(
    () => true,
    () => false,
  );
  const rest = {
    true: "\nWhat was sent was deleted.",
    false: "\nWhat was sent could not be deleted; it expires in a day.",
  };
  if (error) complain(`${inWords(error)}${upload ? rest[removed] : ""}`);
  else say(`Stopped.${upload ? rest[removed] : ""}`);
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
  say(linkKey.needsPassphrase ? "Sent. The recipient also needs the passphrase." : "Sent.");
  byId("sent-title").focus();
  watching = new Watching(upload);
}

/** Returns the URL of the transfer's page: the server's, if plausible, or one below this page's root. */
function pageOf({ transfer_id: id, page_url: named }) {
  const page = at(named);
  const isPage = ["http:", "https:"].includes(page.protocol) && page.pathname.endsWith(`/d/${id}`);
  return isPage ? page.href : new URL(`d/${id}`, root).href;
}

function another() {
  watching?.stop();
  upload = undefined;
  chosen.clear();
  showChosen();
  for (const id of ["files", "folder", "text", "passphrase", "downloads", "link", "link-key"]) byId(id).value = "";
  byId("qr").replaceChildren();
  byId("qr-details").open = false;
  hide("sent");
  show("send-form");
  say("");
  byId("files").focus();
}

async function remove() {
  try {
    await upload.remove();
    say("Deleted. Nobody can fetch it any more.");
    watching.look().catch(() => {});
  } catch (error) {
    complain(inWords(error));
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
  byId("drop").addEventListener(event, (happened) => {
    happened.preventDefault();
    byId("drop").classList.toggle("over", over);
  });
}
byId("drop").addEventListener("drop", ({ dataTransfer }) => {
  const dropped = chosen.addDropped(dataTransfer).catch((error) => complain(inWords(error)));
  reading = Promise.all([reading, dropped]).then(showChosen);
});

when("send-form", "submit", send);
when("delete", "click", remove);
when("another", "click", async () => another());
when("copy-link", "click", () => copy("link", "The link"));
when("copy-key", "click", () => copy("link-key", "The key"));
byId("cancel").addEventListener("click", () => stopping.abort(new Error("stopped")));

const prepared = begin("send-form") ? prepare() : undefined;
