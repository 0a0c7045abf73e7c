// Runs of a download: progress, pause, stop, and the report of the result.

import { agrees } from "../format/info.js";
import { WrongSignature } from "../format/sealed.js";
import { byId, hide, show, showError, showMessage } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { Progress } from "../ui/progress.js";
import { t } from "../ui/text.js";
import { showFile } from "./file.js";
import { PauseGate } from "./save-content.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { Metadata } from "../format/envelope.js" */
/** @import { Info } from "../format/info.js" */
/** @import { Transparency } from "../wire.d.ts" */
/** @import { Download } from "./download.js" */
/** @import { SignatureCheck } from "./signature.js" */
/** @typedef {{ options: RetryOptions & { signal: AbortSignal }, progress: Progress, gate: PauseGate }} Context */
/** @typedef {(download: Download, metadata: Metadata, context: Context) => Promise<void>} Work */
/**
 * Link that was opened.
 *
 * @typedef {object} Opened
 * @property {Download} download
 * @property {Info | undefined} info
 * @property {number} sizeBytes encrypted size
 * @property {SignatureCheck | undefined} check check of the sender's signature, if one came with the link
 * @property {boolean} needsPassphrase
 */

let stopping = new AbortController();
let gate = new PauseGate();
/** @type {Progress | undefined} */
let progress;

/**
 * Runs `work` with the download's metadata and reports the result.
 *
 * @param {Opened} opened
 * @param {Work} work
 */
export async function runDownload({ download, info, sizeBytes, check, needsPassphrase }, work) {
  const isListed = !byId("files").hidden;
  hide("actions", "files");
  showMessage("");
  stopping = new AbortController();
  gate = new PauseGate();
  showPause();
  const { signal } = stopping;
  const current = new Progress(t("receive.downloading"), sizeBytes);
  progress = current;
  byId("pause").focus();
  addEventListener("beforeunload", warnBeforeLeaving);
  const options = { signal, waiting: () => current.wait(t("common.retrying")) };
  try {
    const metadata = await download.metadata(options);
    if ((metadata.signed === true) !== (check !== undefined)) throw new WrongSignature(t("receive.signature_missing"));
    showFile({ ...metadata, archive: info?.archive ?? metadata.archive, message: info?.message });
    const isAnnounced = !info || agrees(info, metadata);
    check?.begin();
    await work(download, metadata, { options, progress: current, gate });
    check?.showResult();
    if (!isAnnounced) byId("error").textContent = t("receive.mismatch");
  } catch (error) {
    if (signal.aborted) {
      showMessage(t("receive.stopped"));
    } else {
      showError(errorMessage(error, needsPassphrase));
      download.reportFailure(error);
      if (download.isLocked) show(needsPassphrase ? "passphrase-form" : "key-form");
    }
  } finally {
    removeEventListener("beforeunload", warnBeforeLeaving);
    download.pause();
    current.end();
    progress = undefined;
    show("actions");
    if (isListed || byId("tree").hasChildNodes()) show("files");
    byId(byId("files").hidden ? "download" : "files-title").focus();
    if (download.transparency) await showStored(download.transparency);
  }
}

/**
 * Shows what the server has stored about the download. Without the script, which is loaded only here, nothing is shown.
 *
 * @param {Transparency} transparency
 */
async function showStored(transparency) {
  const script = await import("../ui/transparency.js").catch(() => undefined);
  script?.showTransparency(byId("transparency"), transparency);
}

/** Makes the buttons of the progress bar work. */
export function offerPause() {
  byId("cancel").addEventListener("click", () => {
    stopping.abort(new Error("stopped"));
    gate.open();
  });
  byId("pause").addEventListener("click", () => {
    if (gate.isClosed) {
      gate.open();
    } else {
      gate.close();
      progress?.wait(t("receive.paused"));
    }
    showPause();
  });
}

function showPause() {
  byId("pause").textContent = t(gate.isClosed ? "receive.resume" : "receive.pause");
}

/**
 * Warns before a reload, which would lose the key and the grant of the counted download.
 *
 * @param {Event} event
 */
function warnBeforeLeaving(event) {
  event.preventDefault();
}
