// Opens a transfer for recipients with keys of their own: the page asks for the private key, which stays in the page.

import { request } from "../api.js";
import { base64url } from "../format/bytes.js";
import { LinkKey, hkdf } from "../format/key.js";
import { byId, onEvent, showError, showMessage } from "../ui/dom.js";

/** @import { Bytes } from "../format/bytes.js" */

/**
 * Shows a form for the private key, and calls `opened` with the payload key.
 *
 * @param {string} path of the transfer in the API
 * @param {Bytes} commitment of the link
 * @param {(key: Bytes) => Promise<void>} opened
 */
export function askForIdentity(path, commitment, opened) {
  const existing = document.getElementById("identity-form");
  if (existing) {
    existing.hidden = false;
    return;
  }
  const form = document.createElement("form");
  form.id = "identity-form";
  form.className = "panel";
  const label = document.createElement("label");
  label.htmlFor = "identity";
  label.textContent = "Your private key";
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.id = "identity-hint";
  hint.textContent =
    "This link is for recipients with keys of their own. Paste the line that begins with AGE-SECRET-KEY-1, or choose the " +
    "file. The key stays on this page. For an SSH key, use: sgsend download LINK -i FILE";
  const text = document.createElement("input");
  text.id = "identity";
  text.type = "password";
  text.autocomplete = "off";
  text.setAttribute("aria-describedby", hint.id);
  const fileLabel = document.createElement("label");
  fileLabel.htmlFor = "identity-file";
  fileLabel.textContent = "Or its file";
  const file = document.createElement("input");
  file.id = "identity-file";
  file.type = "file";
  const button = document.createElement("button");
  button.textContent = "Open with this key";
  form.append(label, hint, text, fileLabel, file, button);
  byId("key-form").after(form);
  text.focus();
  onEvent("identity-form", "submit", async () => {
    const chosen = file.files?.[0];
    const identities = identitiesIn(text.value || (chosen ? await chosen.text() : ""));
    if (identities.length === 0) {
      showError("That is no private key of age: it begins with AGE-SECRET-KEY-1.");
      return;
    }
    showMessage("Opening …");
    const key = await unwrap(path, identities);
    if (!key) {
      showError("This transfer is not for this key. Use another key, or ask the sender to send it to your public key.");
      return;
    }
    // Before anything else is asked of the server: it could have given the key of another transfer.
    const found = await hkdf(key, "sgsend/v1/commitment", 32);
    if (base64url(found) !== base64url(commitment)) {
      showError("The server gave the key of another transfer than that of the link. Nothing was downloaded.");
      return;
    }
    text.value = "";
    file.value = "";
    form.hidden = true;
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
