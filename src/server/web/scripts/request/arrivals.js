// Transfers that arrived for a request, opened with the keys of its owner.

import { ApiError, call, request, root } from "../api.js";
import { base64url } from "../format/bytes.js";
import { safeName } from "../format/file-name.js";
import { openInfo } from "../format/info.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { credentials } from "../send/token.js";
import { element } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { Page, TransferItem, TransferStatus } from "../wire.d.ts" */
/** @import { RequestKeys } from "./key-file.js" */

export { keysIn } from "./key-file.js";

/** Number of transfers in a page of the list: each needs two more requests. */
const SHOWN_AT_ONCE = 20;

/**
 * Keys of requests that this page has created or opened, by id of the request. They are forgotten with the page.
 *
 * @type {Map<string, RequestKeys>}
 */
const known = new Map();

/**
 * Remembers the keys of a request for as long as the page is open.
 *
 * @param {RequestKeys} keys
 */
export function remember(keys) {
  known.set(keys.link.id, keys);
}

/**
 * Returns the keys of a request; `undefined` if the page does not know them.
 *
 * @param {string} id
 */
export function knownKeys(id) {
  return known.get(id);
}

/**
 * Returns a list item for each transfer in a page of those that have arrived, the newest first, and `next`.
 *
 * @param {RequestKeys} keys
 * @param {string | null} after `next` of the page before
 */
export async function arrivals(keys, after) {
  const query = { limit: `${SHOWN_AT_ONCE}`, state: "completed", request: keys.link.id, ...(after && { after }) };
  /** @type {Page<TransferItem>} */
  const page = await call(`/transfers/list?${new URLSearchParams(query)}`, { headers: credentials() });
  const rows = [];
  for (const transfer of page.items) rows.push(await row(transfer, keys));
  return { rows, next: page.next };
}

/**
 * @param {TransferItem} transfer
 * @param {RequestKeys} keys
 */
async function row({ transfer_id: id, created_at, size_bytes: bytes }, keys) {
  const { key, problem } = await payloadKey(id, keys);
  const title = (/** @type {string} */ text) => element("strong", {}, element("bdi", {}, text));
  const facts = element("p", { class: "facts-line" }, [time(created_at), size(bytes)].join(" · "));
  if (!key) return element("li", {}, title(time(created_at)), facts, element("p", {}, t(problem)));
  const headers = { "x-sgsend-access": `${await AccessProof.of(key)}` };
  /** @type {TransferStatus} */
  const { info: sealed } = await call(`/transfers/id/${id}/status`, { headers });
  const info = sealed === undefined ? undefined : await openInfo(sealed, key);
  const name = info ? safeName(info.filename) : time(created_at);
  const message = info?.message ? [element("p", { class: "message", dir: "auto" }, info.message)] : [];
  const page = new URL(`d/${id}#v1.${base64url(key)}`, root);
  const link = { href: page, target: "_blank", rel: "noopener", class: "button", "aria-label": `${t("inbox.open")}: ${name}` };
  if (info) facts.textContent = [time(created_at), size(info.archive?.bytes ?? info.size)].join(" · ");
  return element("li", { id: `arrived-${id}` }, title(name), facts, ...message, element("a", link, t("inbox.open")));
}

/**
 * Returns the payload key of a transfer, or the key of the text that says why it cannot be opened.
 *
 * @param {string} id
 * @param {RequestKeys} keys
 * @returns {Promise<{ key?: Bytes, problem: string }>}
 */
async function payloadKey(id, { link, identities }) {
  const foreign = { problem: "inbox.foreign" };
  let wrapped;
  try {
    wrapped = new Uint8Array(await (await request(`/transfers/id/${id}/keys`)).arrayBuffer());
  } catch (error) {
    if (error instanceof ApiError && error.code === "no_keys") return foreign;
    throw error;
  }
  // Loaded only here: no other visitor of the page needs the library.
  const { Decrypter } = await import("../vendor/age-encryption/index.js");
  const decrypter = new Decrypter();
  let plaintext;
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
    plaintext = await decrypter.decrypt(wrapped, "text");
  } catch {
    return { problem: "inbox.other_key" };
  }
  const [text = "", mark] = plaintext.split("\n");
  const found = LinkKey.parse(text);
  const isPlain = found && !found.isFurther && !found.needsPassphrase && !found.isCommitment;
  // Without the mark, the server could have made the transfer: it knows the public key.
  if (!isPlain || mark !== (await link.mark(found.bytes))) return foreign;
  return { key: found.bytes, problem: "" };
}
