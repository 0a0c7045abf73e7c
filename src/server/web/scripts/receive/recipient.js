// Opens a transfer for recipients with keys of their own: the page asks for the private key, which stays in the page.

import { request } from "../api.js";
import { base64url } from "../format/bytes.js";
import { LinkKey, hkdf } from "../format/key.js";
import { byId, field, hide, onEvent, show, showFieldError } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { showHeading } from "./file.js";

/** @import { Bytes } from "../format/bytes.js" */

/**
 * Asks for the private key, and calls `opened` with the payload key.
 *
 * @param {string} path of the transfer in the API
 * @param {Bytes} commitment of the link
 * @param {(key: Bytes) => Promise<void>} opened
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
    const key = await unwrap(path, identities);
    if (!key) {
      showFieldError("identity", t("receive.identity_other"));
      return;
    }
    // Before anything else is asked of the server: it could have given the key of another transfer.
    const found = await hkdf(key, "sgsend/v1/commitment", 32);
    if (base64url(found) !== base64url(commitment)) {
      showFieldError("identity", t("receive.identity_swapped"));
      return;
    }
    for (const id of ["identity", "identity-file"]) field(id).value = "";
    hide("identity-form");
    await opened(key);
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
 * Unwraps the payload key; `undefined` if none of the private keys fits.
 *
 * @param {string} path
 * @param {string[]} identities
 */
async function unwrap(path, identities) {
  const response = await request(`${path}/keys`);
  const keys = new Uint8Array(await response.arrayBuffer());
  // Loaded only here: no other visitor needs the library.
  const { Decrypter } = await import("../vendor/age-encryption/index.js");
  const decrypter = new Decrypter();
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
    const plaintext = await decrypter.decrypt(keys, "text");
    const key = LinkKey.parse(plaintext.split("\n")[0] ?? "");
    return key && !key.isFurther && !key.needsPassphrase && !key.isCommitment ? key.bytes : undefined;
  } catch {
    return undefined;
  }
}
