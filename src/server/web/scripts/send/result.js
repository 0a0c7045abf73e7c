// Result of an upload: link, QR code, state, and deletion.

import { at, root } from "../api.js";
import { copy } from "../ui/clipboard.js";
import { byId, field, hide, onEvent, show, showError, showMessage, typedById } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { size } from "../ui/format.js";
import { t } from "../ui/text.js";
import { qrImage } from "../ui/qr.js";
import { showTransparency } from "../ui/transparency.js";
import { confirmDeletion } from "./dialogs.js";
import { showLinks } from "./links.js";
import { showStatus, StatusPoller } from "./status.js";

/** @import { CompletedTransfer, CreatedTransfer } from "../wire.d.ts" */
/** @import { LinkKey } from "../format/key.js" */
/** @import { NewLink } from "./links.js" */
/** @import { Upload } from "./upload.js" */
/**
 * Upload that has finished.
 *
 * @typedef {object} Sent
 * @property {Upload} upload
 * @property {LinkKey} linkKey
 * @property {NewLink[]} links
 * @property {CompletedTransfer} completed
 * @property {{ name: string, bytes: number }} content
 */

/** @type {StatusPoller | undefined} */
let poller;
/** @type {Upload | undefined} */
let upload;

/**
 * Shows the link, or the links for the recipients, and follows the transfer.
 *
 * @param {Sent} sent
 */
export function showSent({ upload: sent, linkKey, links, completed: { transparency, ...status }, content }) {
  upload = sent;
  const page = pageOf(sent.transfer);
  const apart = field("apart").checked;
  const hasNames = links.length > 0;
  byId("sent-title").textContent = t(hasNames ? "send.links_ready" : "send.ready");
  byId("sent-facts").textContent = `${content.name} · ${size(content.bytes)}`;
  byId("link-panel").hidden = hasNames;
  byId("links-panel").hidden = !hasNames;
  if (hasNames) {
    showLinks(links, (id) => page.slice(0, -id.length) + id, apart);
  } else {
    field("link").value = apart ? page : `${page}#${linkKey}`;
    field("link-key").value = apart ? `${linkKey}` : "";
    byId("key-row").hidden = !apart;
    byId("link-advice").hidden = apart;
    byId("share").hidden = !navigator.share;
    byId("qr").replaceChildren(qrImage(field("link").value, t("send.qr")));
  }
  showTransparency(byId("transparency"), transparency);
  showStatus(status);
  show("sent", "state");
  byId("delete").hidden = false;
  showMessage(t(linkKey.needsPassphrase ? "send.sent_protected" : "send.sent"));
  byId("sent-title").focus();
  poller = new StatusPoller(sent, new Map(links.map(({ name, request }) => [request.link_id, name])));
  addEventListener("beforeunload", warnBeforeLeaving);
}

/** Hides the result and forgets it. */
export function closeResult() {
  poller?.stop();
  poller = undefined;
  upload = undefined;
  keepNothing();
  removeEventListener("beforeunload", warnBeforeLeaving);
  hide("sent");
}

/** Makes the buttons of the result work. */
export function offerResult() {
  onEvent("copy-link", "click", async () => {
    if (await copy("link", t("send.link"))) removeEventListener("beforeunload", warnBeforeLeaving);
  });
  onEvent("copy-key", "click", async () => {
    await copy("link-key", t("send.key"));
  });
  onEvent("share", "click", async () => {
    // Rejected when the user closes the dialog of the system.
    await navigator.share({ url: field("link").value }).then(
      () => removeEventListener("beforeunload", warnBeforeLeaving),
      () => {},
    );
  });
  byId("links").addEventListener("click", () => removeEventListener("beforeunload", warnBeforeLeaving));
  onEvent("delete", "click", remove);
}

async function remove() {
  if (!upload || !(await confirmDeletion())) return;
  try {
    await upload.remove();
  } catch (error) {
    showError(errorMessage(error));
    return;
  }
  // A link that opens nothing must not be copied.
  keepNothing();
  hide("link-panel", "links-panel", "delete");
  removeEventListener("beforeunload", warnBeforeLeaving);
  showMessage(t("send.deleted"));
  poller?.poll().catch(() => {});
  byId("another").focus();
}

function keepNothing() {
  for (const id of ["link", "link-key"]) field(id).value = "";
  byId("qr").replaceChildren();
  byId("links").replaceChildren();
  for (const id of ["qr-details", "activity"]) typedById(id, HTMLDetailsElement).open = false;
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

/**
 * Warns while the link is only on this page.
 *
 * @param {Event} event
 */
function warnBeforeLeaving(event) {
  event.preventDefault();
}
