// Lists and revokes sender tokens.

import { byId, element, onEvent, showMessage } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { watchNewToken } from "./new-token.js";

/** @import { Page, TokenItem } from "../wire.d.ts" */

const PAGE = 50;

/** @type {string | null} */
let next = null;

/** Activates the form and buttons of the view. */
export function watchTokens() {
  watchNewToken((item) => {
    byId("token-list").prepend(row(item));
    showTableOrHint();
  });
  onEvent("more-tokens", "click", () =>
    attempt(async () => {
      const first = await addPage(`&after=${next}`);
      // The pressed button may be hidden now, so the focus moves to the first new row.
      first?.focus();
    }),
  );
}

/** Shows the first page of tokens. */
export async function showTokens() {
  await addPage("", () => byId("token-list").replaceChildren());
}

/**
 * @param {string} after
 * @param {() => void} [before]
 */
async function addPage(after, before = () => {}) {
  /** @type {Page<TokenItem>} */
  const page = await callAsAdmin(`/tokens/list?limit=${PAGE}${after}`);
  before();
  const rows = page.items.filter((item) => !document.getElementById(rowId(item))).map(row);
  byId("token-list").append(...rows);
  next = page.next;
  byId("more-tokens").hidden = next === null;
  showTableOrHint();
  return rows[0];
}

function showTableOrHint() {
  const none = byId("token-list").childElementCount === 0;
  byId("no-tokens").hidden = !none;
  byId("token-table").hidden = none;
}

/** @param {TokenItem} item */
function rowId(item) {
  return `token-${item.token_id}`;
}

/** @param {TokenItem} item */
function row(item) {
  /** @type {(used: number | null, most: number | null, text: (value: number) => string) => string} */
  const of = (used, most, text) => (most === null ? "any\u00a0number" : `${text(used ?? 0)} of ${text(most)}`);
  return element(
    "tr",
    { id: rowId(item), class: item.status, role: "row", tabindex: "-1" },
    cell("Name", element("strong", {}, item.name), element("br"), element("code", {}, item.token_id)),
    cell("Status", element("span", { class: `badge ${item.status}` }, item.status)),
    cell("Created", time(item.created_at)),
    cell("Expires", item.expires_at === null ? "never" : time(item.expires_at)),
    cell("Last used", item.last_used_at === null ? "never" : time(item.last_used_at)),
    cell("Transfers", of(item.transfers_created, item.max_transfers, String)),
    cell("Bytes", of(item.bytes_held, item.max_total_bytes, size)),
    cell("Change", ...(item.status === "active" ? [revokeButton(item)] : [])),
  );
}

/**
 * @param {string} column
 * @param {(Node | string)[]} children
 */
function cell(column, ...children) {
  return element("td", { role: "cell", "data-column": column }, element("div", {}, ...children));
}

/** @param {TokenItem} item */
function revokeButton(item) {
  const button = element("button", { class: "danger", "aria-label": `Revoke ${item.name}` }, "Revoke");
  button.addEventListener("click", () => attempt(() => revoke(item)));
  return button;
}

/** @param {TokenItem} item */
async function revoke(item) {
  const sure = await confirmed(
    `Revoke “${item.name}”?`,
    "From now on nobody can send with it. What was sent with it can still be downloaded. It cannot be made valid again.",
    "Revoke it",
  );
  if (!sure) return;
  /** @type {TokenItem} */
  const after = await callAsAdmin(`/tokens/id/${item.token_id}/revoke`, { json: {} });
  const revoked = row(after);
  byId(rowId(item)).replaceWith(revoked);
  revoked.focus();
  showMessage(`“${item.name}” is revoked.`);
}
