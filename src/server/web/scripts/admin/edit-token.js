// Changes the name, expiry and limits of a sender token.

import { byId, field, onEvent, showError, showMessage } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { attempt, callAsAdmin } from "./api.js";
import { bytesIn, countIn, secondsIn } from "./parse.js";

/** @import { TokenItem, UpdateToken } from "../wire.d.ts" */
/** @typedef {{ id: string, member: Member, read: (text: string) => number | undefined, none: string, like: string }} Limit */
/** @typedef {Exclude<keyof UpdateToken, "name">} Member */

/**
 * Optional fields: request field, parser, and the word that removes the limit.
 *
 * @type {Limit[]}
 */
const LIMITS = [
  { id: "edit-expiry", member: "expires_in_s", read: secondsIn, none: "never", like: "90 days, 12 h or never" },
  { id: "edit-transfers", member: "max_transfers", read: countIn, none: "unlimited", like: "10 or unlimited" },
  { id: "edit-bytes", member: "max_total_bytes", read: bytesIn, none: "unlimited", like: "2 GiB or unlimited" },
];

/** @type {TokenItem | undefined} */
let edited;
/** @type {HTMLElement | undefined} */
let opener;

/**
 * Activates the form; `changed` receives the changed token, and returns its row.
 *
 * @param {(item: TokenItem) => HTMLElement} changed
 */
export function watchEditToken(changed) {
  onEvent("edit-form", "submit", () => attempt(() => save(changed)));
  onEvent("edit-cancel", "click", () => {
    close();
    opener?.focus();
  });
}

/**
 * Opens the form for a token.
 *
 * @param {TokenItem} item
 * @param {HTMLElement} button
 */
export function editToken(item, button) {
  [edited, opener] = [item, button];
  byId("edit-title").textContent = `Edit “${item.name}”`;
  field("edit-name").value = item.name;
  for (const { id } of LIMITS) {
    field(id).value = "";
    byId(id).removeAttribute("aria-invalid");
  }
  field("edit-expiry").placeholder = item.expires_at === null ? "never" : time(item.expires_at);
  field("edit-transfers").placeholder = item.max_transfers === null ? "unlimited" : `${item.max_transfers}`;
  field("edit-bytes").placeholder = item.max_total_bytes === null ? "unlimited" : size(item.max_total_bytes);
  byId("edit-token").hidden = false;
  field("edit-name").focus();
}

/** Closes the form. */
function close() {
  edited = undefined;
  byId("edit-token").hidden = true;
}

/** @param {(item: TokenItem) => HTMLElement} changed */
async function save(changed) {
  if (!edited) return;
  const update = read(edited);
  if (!update) return;
  /** @type {TokenItem} */
  const item = await callAsAdmin(`/tokens/id/${edited.token_id}/update`, { json: update });
  close();
  changed(item).focus();
  showMessage(`“${item.name}” is changed.`);
}

/**
 * Returns the changes in the form; `undefined` after reporting an invalid field.
 *
 * @param {TokenItem} item
 */
function read(item) {
  /** @type {UpdateToken} */
  const update = {};
  const name = field("edit-name").value.trim();
  if (name === "") return wrong("edit-name", "A token needs a name.");
  if (name !== item.name) update.name = name;
  for (const { id, member, read, none, like } of LIMITS) {
    const text = field(id).value.trim();
    byId(id).removeAttribute("aria-invalid");
    if (text === "") continue;
    const value = text === none ? null : read(text);
    if (value === undefined) return wrong(id, `Expected ${like}.`);
    update[member] = value;
  }
  return update;
}

/**
 * @param {string} id
 * @param {string} reason
 * @returns {undefined}
 */
function wrong(id, reason) {
  showError(reason);
  byId(id).setAttribute("aria-invalid", "true");
  byId(id).focus();
}
