// Changes the name, expiry and limits of a sender token.

import { byId, field, onEvent, showMessage } from "../ui/dom.js";
import { size, time } from "../ui/format.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { unmark, wrong } from "./fields.js";
import { bytesIn, countIn, secondsIn } from "./parse.js";
import { number } from "./when.js";

/** @import { TokenItem, UpdateToken } from "../wire.d.ts" */
/** @typedef {{ id: string, member: Member, read: (text: string) => number | undefined, none: string, like: string }} Limit */
/** @typedef {Exclude<keyof UpdateToken, "name">} Member */

/**
 * Optional fields: request field, parser, the words that remove the limit, and the message about a wrong text.
 *
 * @type {Limit[]}
 */
const LIMITS = [
  { id: "edit-expiry", member: "expires_in_s", read: secondsIn, none: t("admin.never"), like: t("admin.wrong_expiry") },
  {
    id: "edit-transfers",
    member: "max_transfers",
    read: countIn,
    none: t("admin.unlimited"),
    like: t("admin.wrong_transfers"),
  },
  {
    id: "edit-bytes",
    member: "max_total_bytes",
    read: bytesIn,
    none: t("admin.unlimited"),
    like: t("admin.wrong_bytes"),
  },
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
  byId("edit-title").textContent = t("admin.edit_title", { name: item.name });
  field("edit-name").value = item.name;
  unmark(LIMITS.map(({ id }) => id));
  for (const { id } of LIMITS) field(id).value = "";
  field("edit-expiry").placeholder = item.expires_at === null ? t("admin.never") : time(item.expires_at);
  field("edit-transfers").placeholder = item.max_transfers === null ? t("admin.unlimited") : number(item.max_transfers);
  field("edit-bytes").placeholder = item.max_total_bytes === null ? t("admin.unlimited") : size(item.max_total_bytes);
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
  showMessage(t("admin.token_changed", { name: item.name }));
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
  if (name === "") return wrong("edit-name", t("admin.name_missing"));
  if (name !== item.name) update.name = name;
  for (const { id, member, read, none, like } of LIMITS) {
    const text = field(id).value.trim();
    unmark([id]);
    if (text === "") continue;
    const value = text.toLocaleLowerCase() === none.toLocaleLowerCase() ? null : read(text);
    if (value === undefined) return wrong(id, like);
    update[member] = value;
  }
  return update;
}
