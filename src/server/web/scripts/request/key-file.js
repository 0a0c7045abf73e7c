// Key file of a request: the private key that opens what arrives, and the link with the secret that marks it.
//
// It is an age identity file, so age and the command read it, too.

import { fromBase64url } from "../format/bytes.js";
import { bech32, RequestLink } from "../format/request-link.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @typedef {{ link: RequestLink, identities: string[] }} RequestKeys */

/** Maximum size of a chosen file that is read, in bytes. */
const MAX_FILE_BYTES = 64 * 1024;
/** Link of a request in a text: in a key file, a file of the command, or alone. */
const LINK = /\/r\/[0-9a-f]{16}\/?#r1\.[\w-]{43}\.[\w-]{43}(?:&for=[^\s"]*)?/gu;

/** A new private key, and its public key. */
export class NewIdentity {
  /**
   * @param {string} text private key as age writes it
   * @param {Bytes} publicKey X25519 public key
   */
  constructor(text, publicKey) {
    this.text = text;
    this.publicKey = publicKey;
  }

  /** Generates a key pair; throws `NotSupportedError` in browsers without X25519. */
  static async generate() {
    const pair = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]));
    const { d = "" } = await crypto.subtle.exportKey("jwk", pair.privateKey);
    const privateKey = fromBase64url(d);
    if (privateKey?.length !== 32) throw new TypeError("the browser has made another kind of key");
    const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return new NewIdentity(bech32("age-secret-key-", privateKey).toUpperCase(), publicKey);
  }
}

/**
 * Returns the content of a key file.
 *
 * @param {RequestLink} link
 * @param {string} page URL of the guests' page
 * @param {NewIdentity} identity
 */
export function keyFile(link, page, identity) {
  const lines = [
    "# Key file of a request link. It opens what arrives: keep it secret, and keep a copy.",
    `# created: ${new Date().toISOString()}`,
    `# link: ${page}${link.fragment}`,
    `# public key: ${link.ageRecipient}`,
    identity.text,
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * Reads the keys of a request from files: a key file, or the files that the command keeps. `undefined` if they are of
 * another request, or incomplete.
 *
 * @param {string} id of the request
 * @param {Iterable<File>} files
 * @returns {Promise<RequestKeys | undefined>}
 */
export async function keysIn(id, files) {
  const texts = await Promise.all(Array.from(files, (file) => file.slice(0, MAX_FILE_BYTES).text()));
  const text = texts.join("\n");
  const identities = text.match(/AGE-SECRET-KEY-1[0-9A-Z]+/gu) ?? [];
  const links = Array.from(text.matchAll(LINK), ([found]) => found.split("#"));
  const [path, fragment] = links.find(([path]) => path.replace(/\/$/u, "").endsWith(`/r/${id}`)) ?? [];
  const link = path && fragment ? RequestLink.parse(path, fragment) : undefined;
  return link && identities.length > 0 ? { link, identities } : undefined;
}
