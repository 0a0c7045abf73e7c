// Upload of a guest: encrypted for the owner of a request, and continued by this page only.

import { hex, random } from "../format/bytes.js";
import { AccessProof } from "../format/key.js";
import { Payload } from "../send/payload.js";
import { Upload } from "../send/upload.js";
import { wrapForOwner } from "./wrap-key.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { RequestLink } from "../format/request-link.js" */
/** @import { Content } from "../send/selection.js" */
/** @import { SendOptions } from "../send/upload.js" */

/** Content of a guest with a payload key of its own. */
export class GuestUpload {
  #payloadKey;
  #request;

  /**
   * Encrypts the info block, and wraps the payload key for the owner.
   *
   * @param {Content} content
   * @param {RequestLink} request
   */
  static async prepare(content, request) {
    const payloadKey = random(32);
    const payload = await Payload.of(content, payloadKey);
    payload.keys = await wrapForOwner(payloadKey, request);
    return new GuestUpload(payload, payloadKey, request);
  }

  /**
   * @param {Payload} payload
   * @param {Bytes} payloadKey
   * @param {RequestLink} request
   */
  constructor(payload, payloadKey, request) {
    this.payload = payload;
    this.#payloadKey = payloadKey;
    this.#request = request;
  }

  /** Encrypted size in bytes. */
  get size() {
    return this.payload.size;
  }

  /**
   * Creates the transfer.
   *
   * @param {number} lifetime in seconds
   * @param {SendOptions} options
   */
  async create(lifetime, options) {
    const access = await (await AccessProof.of(this.#payloadKey)).digest();
    const transfer = { expires_in_s: lifetime, access_sha256: access, access_from_passphrase: false };
    const guest = await guestProof();
    return Upload.create(this.payload, await this.#request.token(), transfer, { ...options, guest });
  }
}

/** Creates the proof with which only this page continues or deletes the upload. */
async function guestProof() {
  const proof = random(32);
  return { proof: hex(proof), digest: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", proof))) };
}
