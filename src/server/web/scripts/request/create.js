// Creation of a request: a link with which others send files, and the key file that opens them.

import { at, call, root, withRetries } from "../api.js";
import { random } from "../format/bytes.js";
import { characters } from "../format/info.js";
import { MAX_PURPOSE_CHARACTERS, RequestLink } from "../format/request-link.js";
import { credentials } from "../send/token.js";
import { copy } from "../ui/clipboard.js";
import { button, byId, collapse, field, handOver, hide, onEvent, show, showError, showMessage, typedById } from "../ui/dom.js";
import { time } from "../ui/format.js";
import { t } from "../ui/text.js";
import { remember } from "./arrivals.js";
import { keyFile, NewIdentity } from "./key-file.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { CreatedRequest, CreateRequest } from "../wire.d.ts" */

/** Content of the key file that is shown; empty once the page forgets it. */
let keys = "";
let isCopied = false;
let isSaved = false;

/** Creates a request as the form says, and shows its link. Throws the error of the server. */
export async function createRequest() {
  const purpose = field("request-for").value.trim();
  if (characters(purpose) > MAX_PURPOSE_CHARACTERS) {
    showError(t("inbox.purpose_long", { count: MAX_PURPOSE_CHARACTERS }));
    return;
  }
  const identity = await NewIdentity.generate().catch(() => undefined);
  if (!identity) {
    showError(t("common.too_old"));
    return;
  }
  const secret = random(32);
  const created = await register(secret);
  const link = new RequestLink(created.token_id, secret, identity.publicKey, purpose || undefined);
  remember({ link, identities: [identity.text] });
  const page = pageOf(created);
  keys = keyFile(link, page, identity);
  showCreated(created, `${page}${link.fragment}`);
}

/**
 * Registers the secret at the server. A repeated request creates no second one.
 *
 * @param {Bytes} secret
 */
async function register(secret) {
  const limit = field("request-limit").valueAsNumber;
  const bytes = typedById("request-bytes", HTMLSelectElement).value;
  /** @type {CreateRequest} */
  const json = {
    secret_sha256: await RequestLink.tokenDigest(secret),
    expires_in_s: Number(typedById("request-expires", HTMLSelectElement).value),
    ...(limit > 0 && { max_transfers: limit }),
    ...(bytes && { max_total_bytes: Number(bytes) }),
  };
  /** @type {() => Promise<CreatedRequest>} */
  const create = () => call("/requests/create", { json, headers: credentials() });
  return withRetries(create);
}

/**
 * @param {CreatedRequest} created
 * @param {string} link
 */
function showCreated(created, link) {
  [isCopied, isSaved] = [false, false];
  field("request-link").value = link;
  byId("request-facts").textContent = t("send.expires_at", { time: time(created.expires_at) });
  button("save-key").dataset.id = created.token_id;
  hide("send-form", "account");
  collapse("show-mine");
  collapse("show-requests");
  show("request-made");
  showMessage("");
  byId("request-made-title").focus();
  addEventListener("beforeunload", warnBeforeLeaving);
}

/** Forgets the secrets that are shown, and returns to the form. */
function close() {
  if (!isSaved) {
    showError(t("inbox.save_first"));
    button("save-key").focus();
    return;
  }
  keys = "";
  field("request-link").value = "";
  for (const id of ["request-for", "request-limit"]) field(id).value = "";
  removeEventListener("beforeunload", warnBeforeLeaving);
  hide("request-made");
  show("send-form", "account");
  showMessage("");
  byId("request-tab").focus();
}

/**
 * Returns the URL of the guests' page: the server's, if plausible, or one below this page's root.
 *
 * @param {CreatedRequest} created
 */
function pageOf({ token_id: id, page_url: named }) {
  const page = at(named);
  const isPage = ["http:", "https:"].includes(page.protocol) && page.pathname.endsWith(`/r/${id}`);
  return isPage && !page.search && !page.hash ? page.href : new URL(`r/${id}`, root).href;
}

/**
 * Warns while the link or its key file is only on this page.
 *
 * @param {Event} event
 */
function warnBeforeLeaving(event) {
  if (!isCopied || !isSaved) event.preventDefault();
}

onEvent("copy-request", "click", async () => {
  isCopied = (await copy("request-link", t("send.link"))) || isCopied;
});
onEvent("save-key", "click", () => {
  handOver(new Blob([keys], { type: "text/plain" }), `sgsend-request-${button("save-key").dataset.id}.key`);
  isSaved = true;
  showMessage(t("inbox.key_saved"));
});
onEvent("request-done", "click", close);
