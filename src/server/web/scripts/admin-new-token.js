// A new sender token, and the only time that it is shown.

import { asAdmin, attempt } from "./admin-call.js";
import { bytesIn, countIn, secondsIn } from "./amount.js";
import { copy } from "./copying.js";
import { byId, complain, say, when } from "./page.js";

/** Seconds of 100 years: the longest that a token is good for, unless it is for ever. */
const LONGEST = 3_153_600_000;

/** Fields that may be left empty: what each becomes, how it is read, and what it should look like. */
const LIMITS = [
  { id: "token-expiry", member: "expires_in_s", read: secondsIn, like: "The time is written like 90 days or 12 h." },
  { id: "token-transfers", member: "max_transfers", read: countIn, like: "The transfers are a whole number from 1." },
  { id: "token-bytes", member: "max_total_bytes", read: bytesIn, like: "The bytes are written like 2 GiB or 500 MB." },
];

/** Lets the form work; `created` gets each new token's item. */
export function watchNewToken(created) {
  when("token-form", "submit", () => attempt(() => create(created)));
  when("copy-token", "click", () => copy("created-token", "The token"));
  when("forget-token", "click", () => {
    forget();
    byId("token-name").focus();
  });
}

async function create(created) {
  const wanted = read();
  if (!wanted) return;
  // One that was shown before makes room only once there is another.
  const { token, ...item } = await asAdmin("/tokens/create", { json: wanted });
  byId("token-form").reset();
  byId("created-title").textContent = `A token for “${item.name}”`;
  byId("created-token").value = token;
  byId("created").hidden = false;
  byId("created-title").focus();
  say("The token is created. Copy it now: it is not shown again.");
  created(item);
}

/** What the form asks for; where a field is wrong it says so, and `undefined`. */
function read() {
  const name = byId("token-name").value.trim();
  for (const id of ["token-name", ...LIMITS.map(({ id }) => id)]) byId(id).removeAttribute("aria-invalid");
  if (name === "") return wrong("token-name", "A token needs a name.");
  const wanted = { name };
  for (const { id, member, read, like } of LIMITS) {
    const text = byId(id).value.trim();
    if (text === "") continue;
    wanted[member] = read(text);
    if (wanted[member] === undefined) return wrong(id, like);
  }
  return wanted.expires_in_s > LONGEST ? wrong("token-expiry", "The time is 100 years at most.") : wanted;
}

function wrong(id, reason) {
  complain(reason);
  byId(id).setAttribute("aria-invalid", "true");
  byId(id).focus();
}

function forget() {
  byId("created-token").value = "";
  byId("created").hidden = true;
  say("");
}
