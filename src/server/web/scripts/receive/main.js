// Download page of a link: shows the transfer, and downloads and decrypts it on request.

import { ApiError, call, withRetries } from "../api.js";
import { safeName } from "../format/file-name.js";
import { agrees, openInfo } from "../format/info.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { unwrapKey } from "../format/link.js";
import { Damaged, Layout } from "../format/sealed.js";
import { showIfSupported } from "../ui/browser-support.js";
import { byId, field, hide, onEvent, show, showError, showMessage, showTransparency } from "../ui/dom.js";
import { codeMessage, errorMessage } from "../ui/error-messages.js";
import { count, size, time } from "../ui/format.js";
import { Progress } from "../ui/progress.js";
import { saveAll, saveChosen, saveTar, showFiles, showTree } from "./chooser.js";
import { Download } from "./download.js";
import { preview, previewable } from "./preview.js";
import { askForIdentity } from "./recipient.js";
import { newFile } from "./save.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @import { Info } from "../format/info.js" */
/** @import { LinkStatus } from "../wire.d.ts" */
/** @typedef {{ options: RetryOptions & { signal: AbortSignal }, progress: Progress }} Context */

const linkId = location.pathname.split("/").findLast((part) => part !== "") ?? "";
const path = `/transfers/id/${linkId}`;

// Both are set before the first form or button is shown.
/** @type {LinkStatus} */
let transfer;
/** @type {LinkKey} */
let linkKey;
/** @type {Download | undefined} */
let download;
/** @type {Info | undefined} */
let info;
/**
 * Request headers that show the possession of the link's key.
 *
 * @type {Record<string, string>}
 */
let proofHeaders = {};
let stopping = new AbortController();

/** Returns the key in the address and removes it from there, so that it is not left visible to others. */
function keyInAddress() {
  const found = LinkKey.find(location.hash);
  const was = location.hash;
  if (was) history.replaceState(null, "", location.href.split("#")[0]);
  if (was.length > 1 && !found) showError("The part of the link behind the # is not a key. Was it cut off?");
  return found;
}

/** @param {LinkKey} [key] */
async function open(key) {
  try {
    transfer = await withRetries(() => call(`${path}/status`), {
      waiting: () => showMessage("The server does not answer yet …"),
    });
    showState();
  } catch (error) {
    showError(errorMessage(error));
    return;
  }
  if (byId("outcome").textContent) showMessage("");
  if (transfer.status !== "completed") {
    showError(codeMessage(endCode(transfer.status)));
  } else if (key) {
    await useKey(key);
  } else {
    show("key-form");
    byId("key").focus();
  }
}

/**
 * Returns the error code of a state in which nothing can be downloaded.
 *
 * @param {Exclude<LinkStatus["status"], "completed">} status
 */
function endCode(status) {
  if (status === "pending") return "not_completed";
  return status === "closed" ? "link_closed" : /** @type {const} */ (`transfer_${status}`);
}

function showState() {
  // A further link shows its size and limits only to clients with its key.
  if (transfer.size_bytes === undefined) return;
  byId("size").textContent = `about ${size(Layout.ofSealed(transfer.size_bytes).plaintextBytes)}`;
  byId("expires").textContent = time(transfer.expires_at);
  const left = transfer.downloads_remaining;
  byId("downloads-left").textContent = left === null ? "any number" : `${left} of ${transfer.max_downloads}`;
  show("state");
}

/** @param {LinkKey} key */
async function useKey(key) {
  linkKey = key;
  hide("key-form");
  if (key.isCommitment) return askForIdentity(path, key.bytes, unlock);
  if (!key.needsPassphrase) return unlock(await key.secret());
  show("passphrase-form");
  byId("passphrase").focus();
}

/**
 * Checks the key without counting a download, and shows the available actions.
 *
 * @param {Bytes} secret of the link
 */
async function unlock(secret) {
  const proof = transfer.access_proof ? await AccessProof.of(secret) : undefined;
  proofHeaders = proof ? { "x-sgsend-access": `${proof}` } : {};
  try {
    // The service checks the proof, and counts no download.
    if (proof) transfer = await withRetries(() => call(`${path}/status`, { headers: proofHeaders }));
    if (transfer.status !== "completed") return open();
  } catch (error) {
    if (error instanceof ApiError && error.status === 410) return open();
    if (linkKey.isCommitment) {
      show("identity-form");
    } else if (linkKey.needsPassphrase) {
      show("passphrase-form");
      field("passphrase").select();
    } else {
      show("key-form");
      byId("key").focus();
    }
    showError(errorMessage(error, linkKey.needsPassphrase));
    return;
  }
  const payloadKey = await payloadKeyOf(secret);
  if (!payloadKey || transfer.size_bytes === undefined) {
    showError("This key does not fit this link. Is the link whole? Otherwise, ask the sender for another link.");
    return;
  }
  showMessage("");
  showState();
  info = transfer.info === undefined ? undefined : await openInfo(transfer.info, payloadKey);
  const isArchive = info?.archive !== undefined;
  download = new Download(transfer, payloadKey, { proof, isPartial: isArchive });
  if (info) showFile(info);
  if (transfer.signature !== undefined) {
    showMessage("The sender has signed this. This page does not check signatures; sgsend download does.");
  }
  byId("choose").hidden = !isArchive;
  byId("preview").hidden = isArchive;
  show("actions", "actions-hint");
  byId("download").focus();
  const opened = { json: { kind: "link_opened" }, headers: proofHeaders };
  await call(`${path}/events/add`, opened).catch(() => {});
}

/**
 * Returns the payload key: that of a further link is wrapped; `undefined` if it cannot be unwrapped.
 *
 * @param {Bytes} secret of the link
 */
async function payloadKeyOf(secret) {
  const wrapped = transfer.size_bytes === undefined ? undefined : transfer.wrapped_key;
  if (linkKey.isFurther !== (wrapped !== undefined)) return undefined;
  return wrapped === undefined ? secret : unwrapKey(wrapped, secret, linkId);
}

/**
 * Runs `work` with the download's metadata and reports the result.
 *
 * @param {(download: Download, metadata: Metadata, current: Context) => Promise<void>} work
 */
async function runDownload(work) {
  const current = download;
  if (!current || transfer.size_bytes === undefined) return;
  hide("actions", "actions-hint", "files");
  showMessage("");
  stopping = new AbortController();
  const { signal } = stopping;
  const progress = new Progress("Downloading", transfer.size_bytes);
  byId("cancel").focus();
  addEventListener("beforeunload", warnBeforeLeaving);
  const options = { signal, waiting: () => progress.wait("The connection broke. Retrying …") };
  try {
    const metadata = await current.metadata(options);
    if ((metadata.signed === true) !== (transfer.signature !== undefined)) {
      throw new Damaged("the sender's signature is missing, or does not belong to it");
    }
    showFile({ ...metadata, message: info?.message });
    if (info && !agrees(info, metadata)) {
      showError("The sender announced other content than was sent: the name and the size above are those of the content.");
    }
    await work(current, metadata, { options, progress });
  } catch (error) {
    if (signal.aborted) {
      showMessage("Download stopped. Resuming on this page does not count as another download.");
    } else {
      showError(errorMessage(error, linkKey.needsPassphrase));
      current.reportFailure(error);
      if (current.isLocked) show(linkKey.needsPassphrase ? "passphrase-form" : "key-form");
    }
  } finally {
    removeEventListener("beforeunload", warnBeforeLeaving);
    current.pause();
    progress.end();
    show("actions", "actions-hint");
    byId(showTree() ? "files-title" : "download").focus();
    if (current.transparency) showTransparency(byId("transparency"), current.transparency);
    // Not awaited: the new status is not urgent.
    refresh();
  }
}

/**
 * Warns before a reload, which would lose the key and the grant of the counted download.
 *
 * @param {Event} event
 */
function warnBeforeLeaving(event) {
  event.preventDefault();
}

async function refresh() {
  /** @type {Promise<LinkStatus>} */
  const status = call(`${path}/status`, { headers: proofHeaders });
  const fresh = await status.catch(() => undefined);
  if (!fresh) return;
  transfer = fresh;
  showState();
}

/** @param {Metadata & { message?: string } | Info} metadata */
function showFile({ filename, size: bytes, content_type: type, archive, message }) {
  const name = safeName(filename);
  byId("file-name").textContent = archive ? `${name}.tar` : name;
  const inside = typeof archive === "object" ? count(archive.files, "file") : "several files";
  const facts = [size(bytes), archive ? `${inside} in one archive; sgsend download unpacks it` : type];
  byId("file-message").textContent = message ?? "";
  byId("file-message").hidden = !message;
  byId("file-facts").textContent = facts.filter(Boolean).join(", ");
  show("file");
}

/**
 * @param {Download} current
 * @param {Metadata} metadata
 * @param {Context} context
 */
async function save(current, metadata, { options, progress }) {
  const name = byId("file-name").textContent;
  const file = await newFile(name, metadata.size, options.signal);
  let saved = 0;
  try {
    for await (const piece of current.content(options)) {
      // Writing transfers the buffer to the browser, after which its length is 0.
      saved += piece.length;
      await file.write(piece);
      progress.at(saved);
    }
    await file.close();
  } catch (error) {
    await file.abort();
    throw error;
  }
  showMessage(`Download finished: ${name}, ${size(metadata.size)}.\nYour browser has it among your downloads.`);
  current.report("decrypt_succeeded");
}

/**
 * @param {Download} current
 * @param {Metadata} metadata
 * @param {Context} context
 */
async function showPreview(current, metadata, { options, progress }) {
  const reason = previewable(metadata);
  if (reason) {
    showMessage(`${reason} Download it; that counts as no further download.`);
    return;
  }
  /** @type {Bytes[]} */
  const pieces = [];
  let received = 0;
  for await (const piece of current.content(options)) {
    pieces.push(piece);
    progress.at((received += piece.length));
  }
  await preview(byId("shown"), metadata, pieces);
  show("shown");
  showMessage("This is what was sent. Downloading it as well counts as no further download.");
  current.report("decrypt_succeeded");
}

onEvent("key-form", "submit", async () => {
  const key = LinkKey.find(field("key").value);
  if (!key) {
    showError("That is no key: one is v1., v1p., v2., v2p. or to. and 43 letters, digits, - or _, mostly behind the # of a link.");
    return;
  }
  field("key").value = "";
  showMessage("");
  await useKey(key);
});

onEvent("passphrase-form", "submit", async () => {
  const passphrase = field("passphrase").value;
  hide("passphrase-form");
  showMessage("Making the key of the passphrase …");
  await unlock(await linkKey.secret(passphrase));
  if (download) field("passphrase").value = "";
});

onEvent("download", "click", () => runDownload(save));
onEvent("choose", "click", () => runDownload(showFiles));
onEvent("save-chosen", "click", () => runDownload(saveChosen));
onEvent("save-all", "click", () => runDownload(saveAll));
onEvent("save-tar", "click", () => runDownload(saveTar));
onEvent("preview", "click", () => runDownload(showPreview));
byId("cancel").addEventListener("click", () => stopping.abort(new Error("stopped")));
addEventListener("hashchange", () => location.hash && location.reload());

const key = keyInAddress();
if (showIfSupported("receive")) await open(key);
