// Opens a transfer for recipients with keys of their own: the page asks for the private key, which stays in the page.

import { request } from "../api.js";
import { base64url } from "../format/bytes.js";
import { LinkKey, hkdf } from "../format/key.js";
import { byId, field, hide, onEvent, show, showFieldError } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { showHeading } from "./file.js";

/** @import { Bytes } from "../format/bytes.js" */
/**
 * Recipient whose private key has opened the transfer.
 *
 * @typedef {object} Opener
 * @property {Bytes} keys age file with the wrapped key, as the server gave it
 * @property {string} recipient public key
 */

/**
 * Asks for the private key, and calls `opened` with the payload key.
 *
 * @param {string} path of the transfer in the API
 * @param {Bytes} commitment of the link
 * @param {(key: Bytes, opener: Opener) => Promise<void>} opened
 */
export function askForIdentity(path, commitment, opened) {
  showHeading(t("receive.protected"));
  show("identity-form");
  byId("identity").focus();
  onEvent("identity-form", "submit", async () => {
    const chosen = field("identity-file").files?.[0];
    const identities = identitiesIn(field("identity").value || (chosen ? await chosen.text() : ""));
    if (identities.length === 0) {
      showFieldError("identity", t("receive.identity_none"));
      return;
    }
    const unwrapped = await unwrap(path, identities);
    if (!unwrapped) {
      showFieldError("identity", t("receive.identity_other"));
      return;
    }
    const { key, opener } = unwrapped;
    // Before anything else is asked of the server: it could have given the key of another transfer.
    const found = await hkdf(key, "sgsend/v1/commitment", 32);
    if (base64url(found) !== base64url(commitment)) {
      showFieldError("identity", t("receive.identity_swapped"));
      return;
    }
    for (const id of ["identity", "identity-file"]) field(id).value = "";
    hide("identity-form");
    await opened(key, opener);
  });
}

/**
 * Returns the private keys in a text.
 *
 * @param {string} text
 */
function identitiesIn(text) {
  return text
    .split(/\s+/u)
    .map((word) => word.toUpperCase())
    .filter((word) => word.startsWith("AGE-SECRET-KEY-1"));
}

/**
 * Unwraps the payload key with the first private key that fits; `undefined` if none of the private keys fits.
 *
 * @param {string} path
 * @param {string[]} identities
 */
async function unwrap(path, identities) {
  const response = await request(`${path}/keys`);
  const keys = new Uint8Array(await response.arrayBuffer());
  // Loaded only here: no other visitor needs the library.
  const { Decrypter, identityToRecipient } = await import("../vendor/age-encryption/index.js");
  for (const identity of identities) {
    try {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      const plaintext = await decrypter.decrypt(keys, "text");
      const key = LinkKey.parse(plaintext.split("\n")[0] ?? "");
      if (!key || key.isFurther || key.needsPassphrase || key.isCommitment) return undefined;
      return { key: key.bytes, opener: { keys, recipient: await identityToRecipient(identity) } };
    } catch {
      // Another private key may fit.
    }
  }
  return undefined;
}
