// Download page of a link: shows the transfer, and downloads and decrypts it on request.

import { ApiError, call, withRetries } from "../api.js";
import { openInfo } from "../format/info.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { Layout } from "../format/sealed.js";
import { offerLanguages, offerReveal, showIfSupported } from "../ui/controls.js";
import { byId, field, hide, onEvent, show, showError, showFieldError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { size, time } from "../ui/format.js";
import { t } from "../ui/text.js";
import { Download } from "./download.js";
import { showFile, showHeading, showLimits } from "./file.js";
import { isPlayed, previewKind } from "./preview-kind.js";
import { offerPause, runDownload } from "./run.js";
import { saveContent } from "./save-content.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { EventRecord, LinkStatus, Page } from "../wire.d.ts" */
/** @import { Opener } from "./recipient.js" */
/** @import { Opened, Work } from "./run.js" */
/** @import { SignatureCheck } from "./signature.js" */

const linkId = location.pathname.split("/").findLast((part) => part !== "") ?? "";
const path = `/transfers/id/${linkId}`;
/** Keys of the heading and of the advice, by state in which nothing can be downloaded. */
const ENDS = {
  pending: ["error.pending", "error.pending_hint"],
  expired: ["error.expired", "error.expired_hint"],
  exhausted: ["error.exhausted", "error.exhausted_hint"],
  deleted: ["error.deleted", "error.deleted_hint"],
  closed: ["error.closed", "error.closed_hint"],
};

// Both are set before the first form or button is shown.
/** @type {LinkStatus} */
let transfer;
/** @type {LinkKey} */
let linkKey;
/** @type {Opened | undefined} */
let opened;
/**
 * Request headers that show the possession of the link's key.
 *
 * @type {Record<string, string>}
 */
let proofHeaders = {};

/** @type {Opener | undefined} */
let opener;

/** Returns the key in the address and removes it from there, so that it is not left visible to others. */
function keyInAddress() {
  const found = LinkKey.find(location.hash);
  if (location.hash) history.replaceState(null, "", location.href.split("#")[0]);
  return found;
}

/**
 * @param {LinkKey} [key]
 * @returns {Promise<void>}
 */
async function open(key) {
  try {
    transfer = await withRetries(() => call(`${path}/status`), {
      waiting: () => showMessage(t("common.retrying")),
    });
  } catch (error) {
    const isUnknown = error instanceof ApiError && (error.status === 404 || error.code === "invalid_id");
    if (isUnknown) hide("security");
    showHeading(t(isUnknown ? "error.not_found" : "receive.title"));
    showError(errorMessage(error));
    return;
  }
  if (byId("outcome").textContent) showMessage("");
  if (transfer.status !== "completed") return showEnd(transfer.status, key);
  if (key) return useKey(key);
  askForKey("");
}

/**
 * Shows that nothing can be downloaded, and why.
 *
 * @param {keyof typeof ENDS} status
 * @param {LinkKey} [key]
 */
async function showEnd(status, key) {
  const [heading, advice] = ENDS[status];
  opened = undefined;
  hide("key-form", "passphrase-form", "security");
  showHeading(t(heading));
  showError(t(advice));
  if (status !== "exhausted") return;
  // The records of a further link are shown only to clients with its key.
  if (key && !key.needsPassphrase) proofHeaders = { "x-sgsend-access": `${await AccessProof.of(await key.secret())}` };
  const at = await lastDownload().catch(() => undefined);
  if (at !== undefined) byId("file-name").textContent = t("error.exhausted_at", { time: time(at) });
}

/** Returns the time of the last counted download, so that a recipient learns whether somebody else was faster. */
async function lastDownload() {
  let last;
  let after;
  do {
    const query = new URLSearchParams({ limit: "1000", ...(after && { after }) });
    /** @type {Page<EventRecord>} */
    const page = await call(`${path}/events/list?${query}`, { headers: proofHeaders });
    last = page.items.findLast(({ kind }) => kind === "download_granted")?.at ?? last;
    after = page.next;
  } while (after);
  return last;
}

/**
 * Asks for the key; the heading says what is wrong with the link.
 *
 * @param {string} problem
 * @param {string} heading
 */
function askForKey(problem, heading = t("receive.incomplete")) {
  showHeading(heading);
  show("key-form");
  byId("key").focus();
  if (problem) showFieldError("key", problem);
}

/**
 * @param {LinkKey} key
 * @returns {Promise<void>}
 */
async function useKey(key) {
  linkKey = key;
  hide("key-form");
  // Another key may be pasted into the page.
  byId("who-opens").textContent = t(key.isCommitment ? "receive.encrypted_to" : "receive.encrypted");
  if (key.isCommitment) {
    const { askForIdentity } = await import("./recipient.js");
    return askForIdentity(path, key.bytes, (secret, found) => {
      opener = found;
      return unlock(secret);
    });
  }
  if (!key.needsPassphrase) return unlock(await key.secret());
  askForPassphrase();
}

function askForPassphrase() {
  showHeading(t("receive.protected"));
  show("passphrase-form");
  byId("passphrase").focus();
}

/**
 * Checks the key without counting a download, and shows the available actions.
 *
 * @param {Bytes} secret of the link
 * @returns {Promise<void>}
 */
async function unlock(secret) {
  const proof = transfer.access_proof ? await AccessProof.of(secret) : undefined;
  proofHeaders = proof ? { "x-sgsend-access": `${proof}` } : {};
  try {
    // The service checks the proof, and counts no download.
    if (proof) transfer = await withRetries(() => call(`${path}/status`, { headers: proofHeaders }));
    if (transfer.status !== "completed") return showEnd(transfer.status);
  } catch (error) {
    if (error instanceof ApiError && error.status === 410) return open();
    refuse(errorMessage(error, linkKey.needsPassphrase));
    return;
  }
  const payloadKey = await payloadKeyOf(secret);
  const sealed = transfer.size_bytes === undefined ? undefined : transfer.info;
  const info = payloadKey && sealed !== undefined ? await openInfo(sealed, payloadKey) : undefined;
  // The info block tells a wrong key from the right one before a download is counted.
  if (!payloadKey || transfer.size_bytes === undefined || (sealed !== undefined && !info)) {
    refuse(t(linkKey.needsPassphrase ? "error.wrong_passphrase" : "error.wrong_key"));
    return;
  }
  showMessage("");
  hide("passphrase-form", "identity-form");
  for (const id of ["key", "passphrase", "identity"]) field(id).removeAttribute("aria-invalid");
  // Of an archive or a video, a recipient may want only parts.
  const isPartial = info !== undefined && (info.archive !== undefined || isPlayed(previewKind(info)));
  /** @type {SignatureCheck | undefined} */
  let check;
  try {
    // Loaded only for signed transfers.
    if (transfer.signature) check = await (await import("./signature.js")).signatureCheck(transfer, payloadKey, opener);
  } catch (error) {
    showHeading(t("receive.title"));
    showError(errorMessage(error));
    return;
  }
  const download = new Download(transfer, payloadKey, { proof, isPartial, check });
  opened = { download, info, sizeBytes: transfer.size_bytes, check, needsPassphrase: linkKey.needsPassphrase };
  showOpened();
  const event = { json: { kind: "link_opened" }, headers: proofHeaders };
  await call(`${path}/events/add`, event).catch(() => {});
}

/** Shows the file and what can be done with it. */
function showOpened() {
  if (!opened || transfer.size_bytes === undefined) return;
  const { info } = opened;
  if (info) {
    showFile(info);
  } else {
    showHeading(t("receive.title"));
    byId("file-facts").textContent = size(Layout.ofSealed(transfer.size_bytes).plaintextBytes);
  }
  showLimits(transfer);
  opened.check?.showClaim();
  const isArchive = info?.archive !== undefined;
  const hasPreview = info !== undefined && previewKind(info) !== undefined;
  byId("download").textContent = t(isArchive ? "receive.download_all" : "receive.download");
  byId("choose").hidden = !isArchive;
  byId("preview").hidden = !hasPreview;
  byId("actions-hint").hidden = transfer.max_downloads === null || !(isArchive || hasPreview);
  show("actions");
  byId("download").focus();
}

/**
 * Asks for the key or passphrase again.
 *
 * @param {string} problem
 */
function refuse(problem) {
  if (linkKey.isCommitment) {
    show("identity-form");
    showFieldError("identity", problem);
  } else if (linkKey.needsPassphrase) {
    askForPassphrase();
    field("passphrase").select();
    showFieldError("passphrase", problem);
  } else {
    askForKey(problem, t("receive.wrong_link"));
  }
}

/**
 * Returns the payload key: that of a further link is wrapped; `undefined` if it cannot be unwrapped.
 *
 * @param {Bytes} secret of the link
 */
async function payloadKeyOf(secret) {
  const wrapped = transfer.size_bytes === undefined ? undefined : transfer.wrapped_key;
  if (linkKey.isFurther !== (wrapped !== undefined)) return undefined;
  if (wrapped === undefined) return secret;
  // Loaded only for further links.
  const { unwrapKey } = await import("../format/link.js");
  return unwrapKey(wrapped, secret, linkId);
}

/**
 * Runs `work` on the opened link, and shows its limits again.
 *
 * @param {Work} work
 */
async function run(work) {
  if (!opened) return;
  await runDownload(opened, work);
  // Not awaited: the new status is not urgent.
  refresh();
}

async function refresh() {
  /** @type {Promise<LinkStatus>} */
  const status = call(`${path}/status`, { headers: proofHeaders });
  const fresh = await status.catch(() => undefined);
  if (!fresh) return;
  transfer = fresh;
  if (transfer.size_bytes !== undefined) showLimits(transfer);
}

/** @type {Work} */
async function save(download, metadata, context) {
  if (metadata.archive) return (await import("./chooser.js")).saveAll(download, metadata, context);
  const name = byId("file-name").textContent ?? "";
  await saveContent(download, { name, bytes: metadata.size, content: download.content(context.options) }, context);
}

onEvent("key-form", "submit", async () => {
  const key = LinkKey.find(field("key").value);
  if (!key) {
    showFieldError("key", t("receive.no_key"));
    return;
  }
  field("key").value = "";
  field("key").removeAttribute("aria-invalid");
  showMessage("");
  await useKey(key);
});

onEvent("passphrase-form", "submit", async () => {
  const passphrase = field("passphrase").value;
  hide("passphrase-form");
  showMessage(t("receive.deriving"));
  await unlock(await linkKey.secret(passphrase));
  if (opened) field("passphrase").value = "";
});

onEvent("download", "click", () => run(save));
onEvent("choose", "click", () => run(async (...all) => (await import("./chooser.js")).showFiles(...all)));
onEvent("save-chosen", "click", () => run(async (...all) => (await import("./chooser.js")).saveChosen(...all)));
onEvent("save-tar", "click", () => run(async (...all) => (await import("./chooser.js")).saveTar(...all)));
onEvent("preview", "click", () => run(async (...all) => (await import("./preview.js")).showPreview(...all)));
offerPause();
offerReveal();
// The page loads again with the key in its address, and removes it from there again.
offerLanguages(() => {
  if (linkKey) history.replaceState(null, "", `${location.href.split("#")[0]}#${linkKey}`);
});
addEventListener("hashchange", () => location.hash && location.reload());

const key = keyInAddress();
if (showIfSupported("receive")) await open(key);
