// Checks the signature of the sender over a whole payload. Loaded only for signed transfers.
//
// The signature is an SSHSIG (PROTOCOL.sshsig of OpenSSH) over ten lines that the page builds from what it has received.

import { openSmall } from "../format/aead.js";
import { base64url, fromBase64url, hex, joined, utf8 } from "../format/bytes.js";
import { hkdf } from "../format/key.js";
import { WrongSignature } from "../format/sealed.js";
import { byId } from "../ui/dom.js";
import { time } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { TransferStatus } from "../wire.d.ts" */
/** @import { Opener } from "./recipient.js" */
/**
 * What a signature covers besides the payload.
 *
 * @typedef {object} SignedTransfer
 * @property {string} baseUrl address of the service, without a slash at its end
 * @property {Bytes} payloadKey
 * @property {string} signature encrypted signature, as the server gave it
 * @property {string | undefined} info encrypted info block, as the server gave it
 * @property {Bytes | undefined} keys keys for recipients, if one of them has opened the transfer
 * @property {string | undefined} opener public key of the recipient that has opened the transfer
 */
/**
 * Encrypted block with a signature, opened.
 *
 * @typedef {object} SenderSignature
 * @property {string} sshsig
 * @property {string[]} [recipients] SHA-256 of each recipient's public key, sorted; absent for anyone with the link
 * @property {number} signed_at in milliseconds
 */

const LABEL = "sgsend/v1/signature";
const NAMESPACE = "sgsend";
const KEY_KIND = "ssh-ed25519";
const MAGIC = "SSHSIG";
const VERSION = 1;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const HEADER_BYTES = 40;
/** Keys of the texts by the result of a check that has verified nothing. */
const UNVERIFIED = { unchecked: "receive.signature_unchecked", unsupported: "receive.signature_unsupported" };

/**
 * Opens the signature of a transfer.
 *
 * @param {TransferStatus} transfer
 * @param {Bytes} payloadKey
 * @param {Opener | undefined} opener
 */
export function signatureCheck({ signature = "", info }, payloadKey, opener) {
  const baseUrl = `${location.origin}${location.pathname.replace(/\/d\/[^/]*\/?$/, "")}`;
  return SignatureCheck.of({ baseUrl, payloadKey, signature, info, keys: opener?.keys, opener: opener?.recipient });
}

/** Check of one signature. */
export class SignatureCheck {
  #transfer;
  #signature;
  #parsed;
  /** @type {Bytes[]} */
  #leaves = [];
  /** @type {Bytes | undefined} */
  #header;

  /** @type {"unchecked" | "unsupported" | "valid"} */
  #result = "unchecked";

  /** Fingerprint of the key that is said to have signed, as `ssh-keygen -l` prints it. */
  fingerprint;

  /**
   * Opens the signature of a transfer. Verifies nothing.
   *
   * @param {SignedTransfer} transfer
   */
  static async of(transfer) {
    const json = await openSmall(transfer.payloadKey, { label: LABEL }, transfer.signature);
    const signature = json && readSignature(json);
    if (!signature) throw new WrongSignature(t("receive.signature_damaged"));
    const parsed = parseSshsig(signature.sshsig);
    if (!parsed) throw new WrongSignature(t("receive.signature_form"));
    const digest = base64url(await sha256(parsed.publicKey)).replaceAll("-", "+").replaceAll("_", "/");
    return new SignatureCheck(transfer, signature, parsed, `SHA256:${digest}`);
  }

  /**
   * @param {SignedTransfer} transfer
   * @param {SenderSignature} signature
   * @param {NonNullable<ReturnType<typeof parseSshsig>>} parsed
   * @param {string} fingerprint
   */
  constructor(transfer, signature, parsed, fingerprint) {
    this.#transfer = transfer;
    this.#signature = signature;
    this.#parsed = parsed;
    this.fingerprint = fingerprint;
  }

  /** Shows who is said to have signed. A name would have to come from the transfer, so there is none. */
  showClaim() {
    this.#show("receive.signed_claim");
  }

  /** Forgets the result of an earlier check. */
  begin() {
    this.#result = "unchecked";
  }

  /** Shows who has signed what was saved, or that the signature was not checked. */
  showResult() {
    if (this.#result !== "valid") this.#show(UNVERIFIED[this.#result]);
    else this.#show(this.#signature.recipients ? "receive.signed_you" : "receive.signed_anyone");
  }

  /** @param {string} key */
  #show(key) {
    byId("sender").textContent = t(key, { fingerprint: this.fingerprint, time: time(this.#signature.signed_at) });
    byId("sender").hidden = false;
  }

  /**
   * Hashes an encrypted segment; the first one includes the header of the payload.
   *
   * @param {number} index
   * @param {Bytes} segment
   */
  async add(index, segment) {
    if (index === 0) this.#header = segment.slice(0, HEADER_BYTES);
    this.#leaves[index] = await sha256(joined(Uint8Array.of(0), segment));
  }

  /**
   * Verifies the signature, once all segments are hashed. Throws [`WrongSignature`] if it does not belong to what was
   * received.
   *
   * @param {number} segments number of segments of the payload
   * @param {number} sealedBytes encrypted size of the payload
   */
  async verify(segments, sealedBytes) {
    if (!this.#header || Object.keys(this.#leaves).length !== segments) throw new WrongSignature(t("receive.signature_mismatch"));
    const statement = await this.#statement(await treeHash(this.#leaves), sealedBytes);
    const key = await crypto.subtle.importKey("raw", this.#parsed.key, "Ed25519", false, ["verify"]).catch(() => undefined);
    if (!key) {
      this.#result = "unsupported";
      return;
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", utf8(statement)));
    const message = joined(utf8(MAGIC), text(NAMESPACE), text(""), text("sha512"), field(digest));
    const isValid = await crypto.subtle.verify("Ed25519", key, this.#parsed.signature, message);
    if (!isValid) throw new WrongSignature(t("receive.signature_mismatch"));
    if (!(await this.#isForOpener())) throw new WrongSignature(t("receive.signature_for_other"));
    this.#result = "valid";
  }

  /** Returns whether the key that has opened the transfer is among the recipients that the sender has signed for. */
  async #isForOpener() {
    const { opener } = this.#transfer;
    const { recipients } = this.#signature;
    if (recipients === undefined || opener === undefined) return recipients === opener;
    return recipients.includes(hex(await sha256(utf8(opener))));
  }

  /**
   * Returns the ten lines that the sender has signed.
   *
   * @param {Bytes} tree
   * @param {number} sealedBytes
   */
  async #statement(tree, sealedBytes) {
    const { baseUrl, payloadKey, info, keys } = this.#transfer;
    const digest = async (/** @type {Bytes | undefined} */ bytes) => (bytes ? hex(await sha256(bytes)) : "-");
    const lines = [
      "sgsend-signature-v1",
      baseUrl,
      hex(this.#header ?? new Uint8Array()),
      hex(tree),
      sealedBytes,
      hex(await hkdf(payloadKey, "sgsend/v1/commitment", 32)),
      await digest(info === undefined ? undefined : fromBase64url(info)),
      await digest(keys),
      this.#signature.recipients?.join(",") ?? "*",
      this.#signature.signed_at,
    ];
    return lines.map((line) => `${line}\n`).join("");
  }
}

/**
 * Parses an opened block; `undefined` if it is none of a signature.
 *
 * @param {Bytes} json
 * @returns {SenderSignature | undefined}
 */
function readSignature(json) {
  try {
    const found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
    const { recipients } = found;
    const areDigests =
      recipients === undefined ||
      (Array.isArray(recipients) && recipients.every((one) => typeof one === "string" && /^[0-9a-f]{64}$/.test(one)));
    const isTime = Number.isSafeInteger(found.signed_at) && found.signed_at >= 0;
    return typeof found.sshsig === "string" && areDigests && isTime ? found : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Parses an SSHSIG in PEM form; `undefined` unless it is one of an Ed25519 key, with the namespace `sgsend` and SHA-512.
 *
 * @param {string} pem
 */
export function parseSshsig(pem) {
  const [, encoded] = /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n?$/.exec(pem) ?? [];
  const bytes = encoded && fromBase64url(encoded.replaceAll("\n", "").replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"));
  if (!bytes) return undefined;
  try {
    const reader = new Reader(bytes);
    const isMagic = decoded(reader.take(MAGIC.length)) === MAGIC && reader.number() === VERSION;
    const publicKey = reader.field();
    const [namespace, reserved, hash] = [reader.field(), reader.field(), reader.field()].map(decoded);
    const signed = new Reader(reader.field());
    const keyReader = new Reader(publicKey);
    const kinds = [keyReader.field(), signed.field()].map(decoded);
    const [key, signature] = [keyReader.field(), signed.field()];
    const isComplete = reader.isAtEnd && signed.isAtEnd && keyReader.isAtEnd;
    const isAccepted =
      isMagic &&
      isComplete &&
      namespace === NAMESPACE &&
      reserved === "" &&
      hash === "sha512" &&
      kinds.every((kind) => kind === KEY_KIND) &&
      key.length === KEY_BYTES &&
      signature.length === SIGNATURE_BYTES;
    return isAccepted ? { publicKey, key, signature } : undefined;
  } catch {
    return undefined;
  }
}

/** Reader of the binary form of SSH (RFC 4251, section 5); throws a RangeError at the end of the bytes. */
class Reader {
  #bytes;
  #at = 0;

  /** @param {Bytes} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  get isAtEnd() {
    return this.#at === this.#bytes.length;
  }

  /** @param {number} length */
  take(length) {
    if (length > this.#bytes.length - this.#at) throw new RangeError("the signature ends early");
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  number() {
    const bytes = this.take(4);
    return new DataView(bytes.buffer).getUint32(0);
  }

  field() {
    return this.take(this.number());
  }
}

/** @param {Bytes} bytes */
function decoded(bytes) {
  return String.fromCharCode(...bytes);
}

/**
 * Returns bytes with their length in front.
 *
 * @param {Bytes} bytes
 */
function field(bytes) {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return joined(length, bytes);
}

/** @param {string} value */
function text(value) {
  return field(utf8(value));
}

/** @param {Bytes} bytes */
async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/**
 * Returns the Merkle tree hash of leaves (RFC 6962, section 2.1).
 *
 * @param {Bytes[]} leaves
 * @returns {Promise<Bytes>}
 */
export async function treeHash(leaves) {
  const [first] = leaves;
  if (!first) return sha256(new Uint8Array());
  if (leaves.length === 1) return first;
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  const [one, other] = [await treeHash(leaves.slice(0, left)), await treeHash(leaves.slice(left))];
  return sha256(joined(Uint8Array.of(1), one, other));
}
