// Options of an upload: expiry, download limit, passphrase, message and recipients, with their summary in one line.

import { characters, MAX_MESSAGE_CHARACTERS } from "../format/info.js";
import { byId, element, field, typedById } from "../ui/dom.js";
import { size, span } from "../ui/format.js";
import { t } from "../ui/text.js";
import { namesIn, problemWith } from "./links.js";

/** @import { HealthLimits } from "../wire.d.ts" */

/** Lifetimes of requests in seconds, and their limits of bytes. */
const REQUEST_LIFETIMES = [86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400, 365 * 86_400];
const REQUEST_BYTES = [100, 1024, 10 * 1024, 100 * 1024].map((mebibytes) => mebibytes * 1024 * 1024);
const REQUEST_LIFETIME = 7 * 86_400;
const LIFETIMES = [3_600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400];
/** Characters of generated passphrases: none that look alike. 20 of 32 are 100 bits. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 5;
const GROUP_LENGTH = 4;

/**
 * Fills the lists of lifetimes that the server allows.
 *
 * @param {HealthLimits} limits
 */
export function offerOptions({ expires_in_s: { min, default: usual, max } }) {
  const lifetimes = LIFETIMES.filter((seconds) => seconds >= min && seconds <= max);
  for (const id of ["expires", "edit-expires"]) {
    const options = lifetimes.map((seconds) => element("option", { value: seconds }, span(seconds)));
    typedById(id, HTMLSelectElement).append(...options);
  }
  typedById("expires", HTMLSelectElement).value = `${usual}`;
  offerRequestOptions();
  byId("options").addEventListener("input", summarise);
  byId("generate").addEventListener("click", () => {
    field("passphrase").value = generated();
    const reveal = byId("options").querySelector('button.reveal[aria-controls="passphrase"]');
    if (reveal instanceof HTMLButtonElement && field("passphrase").type === "password") reveal.click();
    summarise();
  });
  summarise();
}

/** Fills the lists of a request's lifetimes and sizes. */
function offerRequestOptions() {
  const expires = typedById("request-expires", HTMLSelectElement);
  expires.append(...REQUEST_LIFETIMES.map((seconds) => element("option", { value: seconds }, span(seconds))));
  expires.value = `${REQUEST_LIFETIME}`;
  const sizes = REQUEST_BYTES.map((bytes) => element("option", { value: bytes }, size(bytes)));
  typedById("request-bytes", HTMLSelectElement).append(...sizes);
}

/** Writes the chosen options in one line. */
export function summarise() {
  const { expires_in_s: expires, max_downloads: limit } = chosenLimits();
  const hasPassphrase = field("passphrase").value !== "";
  byId("options-summary").textContent = [
    t("send.expires_in", { time: span(expires) }),
    limit === undefined ? t("send.unlimited") : t("send.limit_of", { count: limit }),
    t(hasPassphrase ? "send.passphrase_yes" : "send.passphrase_no"),
  ].join(" · ");
}

/**
 * Returns the chosen lifetime and download limit.
 *
 * @returns {{ expires_in_s: number, max_downloads?: number }}
 */
export function chosenLimits() {
  const downloads = field("downloads").valueAsNumber;
  const expires = Number(typedById("expires", HTMLSelectElement).value);
  return { expires_in_s: expires, ...(downloads > 0 && { max_downloads: downloads }) };
}

/** Returns the message for recipients. */
export function chosenMessage() {
  return typedById("message", HTMLTextAreaElement).value.trim();
}

/** Returns the names of the recipients. */
export function chosenNames() {
  return namesIn(field("recipients").value);
}

/** Returns what is wrong with the options; `undefined` if nothing is. */
export function problemWithOptions() {
  if (characters(chosenMessage()) > MAX_MESSAGE_CHARACTERS) {
    return t("send.message_long", { count: MAX_MESSAGE_CHARACTERS });
  }
  return problemWith(chosenNames());
}

/** Empties the fields that belong to one transfer. */
export function resetOptions() {
  for (const id of ["recipients", "passphrase", "downloads"]) field(id).value = "";
  typedById("message", HTMLTextAreaElement).value = "";
  typedById("options", HTMLDetailsElement).open = false;
  summarise();
}

/** Returns a random passphrase that is easy to type. */
function generated() {
  const limit = 256 - (256 % ALPHABET.length);
  let text = "";
  while (text.length < GROUPS * GROUP_LENGTH) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    // Each character is equally likely.
    if (byte < limit) text += ALPHABET[byte % ALPHABET.length];
  }
  return text.match(/.{4}/g)?.join("-") ?? text;
}
