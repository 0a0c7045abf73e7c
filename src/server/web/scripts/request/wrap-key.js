// Wraps the payload key of a guest for the owner of the request, as an age file.

import { base64url, random, utf8 } from "../format/bytes.js";
import { bech32 } from "../format/request-link.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { RequestLink } from "../format/request-link.js" */

/**
 * Wraps a payload key with the mark of the request; returns the text form of the file.
 *
 * It has four entries, like a file for one recipient that the command makes: three are for throw-away keys.
 *
 * @param {Bytes} payloadKey
 * @param {RequestLink} link
 */
export async function wrapForOwner(payloadKey, link) {
  // Loaded only for an upload: the library is larger than the page.
  const { Encrypter } = await import("../vendor/age-encryption/index.js");
  // Every 32 bytes are a public key: nobody has the private keys of these.
  const throwAway = () => bech32("age", random(32));
  const recipients = [link.ageRecipient, throwAway(), throwAway(), throwAway()];
  const encrypter = new Encrypter();
  for (const recipient of shuffled(recipients)) encrypter.addRecipient(recipient);
  const plaintext = utf8(`v1.${base64url(payloadKey)}\n${await link.mark(payloadKey)}`);
  return base64url(await encrypter.encrypt(plaintext));
}

/**
 * Returns the recipients in random order.
 *
 * @param {string[]} recipients
 */
function shuffled(recipients) {
  const ranks = crypto.getRandomValues(new Uint32Array(recipients.length));
  const ranked = recipients.map((recipient, index) => ({ recipient, rank: ranks[index] }));
  return ranked.sort((one, other) => one.rank - other.rank).map(({ recipient }) => recipient);
}
