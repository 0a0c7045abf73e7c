// Lists and revokes sender tokens.

import { byId, element, onEvent, showMessage } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { attempt, callAsAdmin } from "./api.js";
import { confirmed } from "./confirm.js";
import { watchNewToken } from "./new-token.js";

const PAGE = 50;

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

async function addPage(after, before = () => {}) {
  const page = await callAsAdmin(`/tokens/list?limit=${PAGE}${after}`);
  before();
  const rows = page.items.filter((item) => !byId(rowId(item))).map(row);
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

function rowId(item) {
  return `token-${item.token_id}`;
}

function row(item) {
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

function cell(column, ...children) {
  return element("td", { role: "cell", "data-column": column }, element("div", {}, ...children));
}

function revokeButton(item) {
  const button = element("button", { class: "danger", "aria-label": `Revoke ${item.name}` }, "Revoke");
  button.addEventListener("click", () => attempt(() => revoke(item)));
  return button;
}

async function revoke(item) {
  const sure = await confirmed(
    `Revoke “${item.name}”?`,
    "From now on nobody can send with it. What was sent with it can still be fetched. It cannot be made valid again.",
    "Revoke it",
  );
  if (!sure) return;
  const revoked = row(await callAsAdmin(`/tokens/id/${item.token_id}/revoke`, { json: {} }));
  byId(rowId(item)).replaceWith(revoked);
  revoked.focus();
  showMessage(`“${item.name}” is revoked.`);
}
