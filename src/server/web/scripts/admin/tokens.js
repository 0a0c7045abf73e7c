// Lists, changes and revokes sender tokens.

import { byId, cell, element, onEvent, showError, showMessage } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { editToken, watchEditToken } from "./edit-token.js";
import { watchNewToken } from "./new-token.js";
import { deleteTransfersOf } from "./transfers.js";
import { number, when } from "./when.js";

/** @import { Page, TokenItem, TokenState } from "../wire.d.ts" */

/**
 * Labels by state of a token.
 *
 * @type {Record<TokenState, string>}
 */
const STATES = { active: t("admin.active"), revoked: t("admin.revoked"), expired: t("admin.expired") };

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
  const { token_id: id, name, owner, status } = item;
  const about = owner === undefined ? [] : [element("br"), t("admin.request_of", { token: owner })];
  // The biggest first: an operator who looks at a token's transfers mostly needs room.
  const transfers = { href: `#transfers?token=${id}&order=size`, "aria-label": `${t("admin.transfers")}: ${name}` };
  return element(
    "tr",
    { id: rowId(item), class: status, role: "row", tabindex: "-1" },
    cell(t("admin.name"), element("strong", {}, element("bdi", {}, name)), element("br"), element("code", {}, id), ...about),
    cell(t("admin.state"), element("span", { class: `badge ${status}` }, STATES[status])),
    cell(t("admin.created"), when(item.created_at)),
    cell(t("admin.expires"), item.expires_at === null ? t("admin.never") : when(item.expires_at)),
    cell(t("admin.last_used"), item.last_used_at === null ? t("admin.never") : when(item.last_used_at)),
    cell(t("admin.transfers"), ...use(t("admin.transfers"), item.transfers_created, item.max_transfers, number)),
    cell(t("admin.stored"), ...use(t("admin.stored"), item.bytes_held, item.max_total_bytes, size)),
    cell(
      t("admin.actions"),
      ...(status === "revoked" ? [] : [editButton(item)]),
      ...(status === "active" ? [" ", revokeButton(item)] : []),
      " ",
      element("a", transfers, t("admin.transfers")),
    ),
  );
}

/**
 * Returns the use of a limit as text and as a bar; `most` is null without a limit.
 *
 * @param {string} label
 * @param {number} used
 * @param {number | null} most
 * @param {(value: number) => string} text
 */
function use(label, used, most, text) {
  if (most === null) return [t("admin.of_unlimited", { count: text(used) })];
  const bar = element("meter", { min: 0, max: most, value: Math.min(used, most), high: 0.9 * most, optimum: 0 });
  bar.setAttribute("aria-label", label);
  return [t("admin.of", { count: text(used), max: text(most) }), bar];
}

/** @param {TokenItem} item */
function editButton(item) {
  const label = `${t("admin.edit")}: ${item.name}`;
  const button = element("button", { type: "button", "aria-label": label }, t("admin.edit"));
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
  const attributes = { type: "button", class: "danger", "aria-label": `${t("admin.revoke")}: ${item.name}` };
  const button = element("button", attributes, t("admin.revoke"));
  button.addEventListener("click", () => attempt(() => revoke(item)));
  return button;
}

/** @param {TokenItem} item */
async function revoke({ name, token_id: id }) {
  const question = t("admin.revoke_question", { name });
  if (!(await confirmed(question, t("admin.revoke_warning"), t("admin.revoke")))) return;
  /** @type {TokenItem} */
  const after = await callAsAdmin(`/tokens/id/${id}/revoke`, { json: {} });
  replaceRow(after).focus();
  showMessage(t("admin.token_revoked", { name }));
  if (after.bytes_held === 0) return;
  const warning = t("admin.delete_transfers_warning", { size: size(after.bytes_held) });
  if (!(await confirmed(t("admin.delete_transfers_of", { name }), warning, t("admin.delete_transfers")))) return;
  const results = await deleteTransfersOf(id);
  const failed = results.filter(({ code }) => code !== undefined).length;
  const revoked = t("admin.token_revoked", { name });
  if (failed > 0) showError(`${revoked} ${t("admin.not_deleted", { count: failed })}`);
  else showMessage(`${revoked} ${t("admin.deleted_many", { count: results.length })}`);
}
