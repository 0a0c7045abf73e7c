// Creates sender tokens and shows each of them once.

import { copy } from "../ui/clipboard.js";
import { byId, field, onEvent, showMessage, typedById } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { unmark, wrong } from "./fields.js";
import { bytesIn, countIn, secondsIn } from "./parse.js";

/** @import { CreatedToken, CreateToken, TokenItem } from "../wire.d.ts" */
/** @typedef {{ id: string, member: Member, read: (text: string) => number | undefined, like: string }} Limit */
/** @typedef {Exclude<keyof CreateToken, "name">} Member */

/** Longest lifetime of a token that expires, in seconds: 100 years. */
const MAX_LIFETIME = 3_153_600_000;

/**
 * Optional fields: request field, parser and example of each.
 *
 * @type {Limit[]}
 */
const LIMITS = [
  { id: "token-expiry", member: "expires_in_s", read: secondsIn, like: t("admin.wrong_expiry") },
  { id: "token-transfers", member: "max_transfers", read: countIn, like: t("admin.wrong_transfers") },
  { id: "token-bytes", member: "max_total_bytes", read: bytesIn, like: t("admin.wrong_bytes") },
];

/**
 * Activates the form; `created` receives each new token's item.
 *
 * @param {(item: TokenItem) => void} created
 */
export function watchNewToken(created) {
  onEvent("token-form", "submit", () => attempt(() => create(created)));
  onEvent("copy-token", "click", () => copy("created-token", t("admin.token")).then(() => {}));
  onEvent("forget-token", "click", () => {
    forget();
    byId("token-name").focus();
  });
}

/** @param {(item: TokenItem) => void} created */
async function create(created) {
  const wanted = read();
  if (!wanted) return;
  // A previously shown token is replaced only once the new one exists.
  /** @type {CreatedToken} */
  const { token, ...item } = await callAsAdmin("/tokens/create", { json: wanted });
  typedById("token-form", HTMLFormElement).reset();
  byId("created-title").textContent = t("admin.token_for", { name: item.name });
  field("created-token").value = token;
  byId("created").hidden = false;
  byId("created-title").focus();
  showMessage(t("admin.token_created"));
  created(item);
}

/** Returns the request of the form; `undefined` after reporting an invalid field. */
function read() {
  const name = field("token-name").value.trim();
  unmark(["token-name", ...LIMITS.map(({ id }) => id)]);
  if (name === "") return wrong("token-name", t("admin.name_missing"));
  /** @type {CreateToken} */
  const wanted = { name };
  for (const { id, member, read, like } of LIMITS) {
    const text = field(id).value.trim();
    if (text === "") continue;
    wanted[member] = read(text);
    if (wanted[member] === undefined) return wrong(id, like);
  }
  return (wanted.expires_in_s ?? 0) > MAX_LIFETIME ? wrong("token-expiry", t("admin.expiry_long")) : wanted;
}

function forget() {
  field("created-token").value = "";
  byId("created").hidden = true;
  showMessage("");
}
