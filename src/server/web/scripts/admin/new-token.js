// Creates sender tokens and shows each of them once.

import { copy } from "../ui/clipboard.js";
import { byId, field, onEvent, showError, showMessage, typedById } from "../ui/dom.js";
import { attempt, callAsAdmin } from "./api.js";
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
  { id: "token-expiry", member: "expires_in_s", read: secondsIn, like: "The time is written like 90 days or 12 h." },
  { id: "token-transfers", member: "max_transfers", read: countIn, like: "The transfers are a whole number from 1." },
  { id: "token-bytes", member: "max_total_bytes", read: bytesIn, like: "The bytes are written like 2 GiB or 500 MB." },
];

/**
 * Activates the form; `created` receives each new token's item.
 *
 * @param {(item: TokenItem) => void} created
 */
export function watchNewToken(created) {
  onEvent("token-form", "submit", () => attempt(() => create(created)));
  onEvent("copy-token", "click", () => copy("created-token", "Token").then(() => {}));
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
  byId("created-title").textContent = `A token for “${item.name}”`;
  field("created-token").value = token;
  byId("created").hidden = false;
  byId("created-title").focus();
  showMessage("The token is created. Copy it now: it is not shown again.");
  created(item);
}

/** Returns the request of the form; `undefined` after reporting an invalid field. */
function read() {
  const name = field("token-name").value.trim();
  for (const id of ["token-name", ...LIMITS.map(({ id }) => id)]) byId(id).removeAttribute("aria-invalid");
  if (name === "") return wrong("token-name", "A token needs a name.");
  /** @type {CreateToken} */
  const wanted = { name };
  for (const { id, member, read, like } of LIMITS) {
    const text = field(id).value.trim();
    if (text === "") continue;
    wanted[member] = read(text);
    if (wanted[member] === undefined) return wrong(id, like);
  }
  return (wanted.expires_in_s ?? 0) > MAX_LIFETIME ? wrong("token-expiry", "The time is 100 years at most.") : wanted;
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

function forget() {
  field("created-token").value = "";
  byId("created").hidden = true;
  showMessage("");
}
