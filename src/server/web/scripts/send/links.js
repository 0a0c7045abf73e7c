// Further links of a transfer: one for each recipient whom the sender has named.

import { call, withRetries } from "../api.js";
import { hex, random } from "../format/bytes.js";
import { AccessProof, LinkKey } from "../format/key.js";
import { isLinkName, MAX_NAME_BYTES, sealLabel, wrapKey } from "../format/link.js";
import { copy } from "../ui/clipboard.js";
import { byId, element } from "../ui/dom.js";
import { t } from "../ui/text.js";

/** @import { RetryOptions } from "../api.js" */
/** @import { Bytes } from "../format/bytes.js" */
/** @import { CreateLink } from "../wire.d.ts" */
/** @import { Upload } from "./upload.js" */

const ID_BYTES = 16;
/** Maximum number of further links of a transfer. */
const MAX_LINKS = 1000;

/** Further link with its key. */
export class NewLink {
  /**
   * Draws id and key of a link, and seals what the server stores of it.
   *
   * @param {string} name
   * @param {{ payloadKey: Bytes, passphrase: string }} secrets
   * @param {{ expires_in_s: number, max_downloads?: number }} limits
   */
  static async of(name, { payloadKey, passphrase }, limits) {
    const key = LinkKey.random(passphrase !== "", true);
    const secret = await key.secret(passphrase);
    const id = hex(random(ID_BYTES));
    /** @type {CreateLink} */
    const request = {
      link_id: id,
      wrapped_key: await wrapKey(payloadKey, secret, id),
      access_sha256: await (await AccessProof.of(secret)).digest(),
      access_from_passphrase: key.needsPassphrase,
      label: await sealLabel(name, payloadKey, id),
      ...limits,
    };
    return new NewLink(name, key, request);
  }

  /**
   * @param {string} name
   * @param {LinkKey} key
   * @param {CreateLink} request
   */
  constructor(name, key, request) {
    this.name = name;
    this.key = key;
    this.request = request;
  }

  /**
   * Creates the link at the server. A repeated request creates no second link.
   *
   * @param {Upload} upload
   * @param {RetryOptions} options
   */
  async create(upload, options) {
    const { path, credentials: headers } = upload;
    await withRetries(() => call(`${path}/links/create`, { json: this.request, headers }), options);
  }
}

/**
 * Returns the names in a text, which commas, semicolons or lines separate.
 *
 * @param {string} text
 */
export function namesIn(text) {
  const names = text.split(/[,;\n]/u).map((name) => name.trim());
  return names.filter((name) => name !== "");
}

/**
 * Returns why names cannot be those of the links of one transfer; `undefined` if they can.
 *
 * @param {string[]} names
 */
export function problemWith(names) {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return t("send.name_twice", { name: twice });
  const unfit = names.find((name) => !isLinkName(name));
  if (unfit !== undefined) return t("send.name_long", { name: unfit.slice(0, MAX_NAME_BYTES) });
  return names.length > MAX_LINKS ? t("send.names_many", { count: MAX_LINKS }) : undefined;
}

/**
 * Shows the links with their names, each with a button that copies it.
 *
 * @param {NewLink[]} links
 * @param {(id: string) => string} pageOf returns the URL of a link without its key
 * @param {boolean} isApart whether link and key are shown apart
 */
export function showLinks(links, pageOf, isApart) {
  const rows = links.flatMap(({ name, key, request }, at) => {
    const page = pageOf(request.link_id);
    const link = row(`link-${at}`, name, isApart ? page : `${page}#${key}`, t("send.link_for", { name }));
    return isApart ? [...link, ...row(`key-${at}`, t("send.key_for", { name }), `${key}`, t("send.key_for", { name }))] : link;
  });
  byId("links").replaceChildren(...rows);
}

/**
 * @param {string} id
 * @param {string} name
 * @param {string} value
 * @param {string} what
 */
function row(id, name, value, what) {
  const field = element("input", { id, readonly: "", autocomplete: "off", value });
  const button = element("button", { type: "button", "aria-label": `${t("common.copy")}: ${what}` }, t("common.copy"));
  button.addEventListener("click", () => copy(id, what));
  return [element("label", { for: id }, name), element("div", { class: "with-button" }, field, button)];
}
