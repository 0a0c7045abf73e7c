// Lists, changes and revokes sender tokens.

import { byId, cell, element, onEvent, showError, showMessage } from "../ui/dom.js";
import { count, size, time } from "../ui/format.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { editToken, watchEditToken } from "./edit-token.js";
import { watchNewToken } from "./new-token.js";
import { deleteTransfersOf } from "./transfers.js";

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
  watchEditToken(replaceRow);
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
  /** @type {(used: number, most: number | null, text: (value: number) => string) => string} */
  const of = (used, most, text) => (most === null ? text(used) : `${text(used)} of ${text(most)}`);
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
    cell(
      "Change",
      ...(item.status === "revoked" ? [] : [editButton(item)]),
      ...(item.status === "active" ? [" ", revokeButton(item)] : []),
      " ",
      element("a", { href: `#transfers/${item.token_id}`, "aria-label": `Transfers of ${item.name}` }, "Transfers"),
    ),
  );
}

/** @param {TokenItem} item */
function editButton(item) {
  const button = element("button", { "aria-label": `Edit ${item.name}` }, "Edit");
  button.addEventListener("click", () => editToken(item, button));
  return button;
}

/**
 * Replaces the row of a token, and returns the new one.
 *
 * @param {TokenItem} item
 */
function replaceRow(item) {
  const changed = row(item);
  byId(rowId(item)).replaceWith(changed);
  return changed;
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
  replaceRow(after).focus();
  showMessage(`“${item.name}” is revoked.`);
  if (after.bytes_held === 0) return;
  const deletes = await confirmed(
    `Delete the transfers of “${item.name}”?`,
    `They take ${size(after.bytes_held)}, and can still be downloaded. This cannot be undone.`,
    "Delete the transfers",
  );
  if (!deletes) return;
  const results = await deleteTransfersOf(item.token_id);
  const failed = results.filter(({ code }) => code !== undefined).length;
  if (failed > 0) showError(`“${item.name}” is revoked; ${count(failed, "transfer")} could not be deleted.`);
  else showMessage(`“${item.name}” is revoked; ${count(results.length, "transfer")} deleted.`);
}
