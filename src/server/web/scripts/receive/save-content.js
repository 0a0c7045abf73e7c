// Saves decrypted content as a file, piece by piece, with a pause on request.

import { byId, showMessage } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { t } from "../ui/text.js";
import { newFile } from "./save.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @import { Download } from "./download.js" */
/** @import { Context } from "./run.js" */

/** Gate that a user closes to pause a download. */
export class PauseGate {
  /** @type {PromiseWithResolvers<void> | undefined} */
  #closed;

  /** Whether the gate is closed. */
  get isClosed() {
    return this.#closed !== undefined;
  }

  close() {
    this.#closed ??= Promise.withResolvers();
  }

  open() {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  /** Resolves once the gate is open. */
  async passed() {
    await this.#closed?.promise;
  }
}

/**
 * Saves the content as a file and reports the success. Network and browser wait while the gate is closed.
 *
 * @param {Download} download
 * @param {{ name: string, bytes: number, content: AsyncGenerator<Bytes> }} target
 * @param {Context} context
 */
export async function saveContent(download, { name, bytes, content }, { options, progress, gate }) {
  progress.of(bytes);
  const file = await newFile(name, bytes, options.signal);
  let saved = 0;
  try {
    for await (const piece of content) {
      await gate.passed();
      // Writing transfers the buffer to the browser, after which its length is 0.
      saved += piece.length;
      await file.write(piece);
      if (!gate.isClosed) progress.at(saved);
    }
    await file.close();
  } catch (error) {
    await file.abort();
    throw error;
  }
  showMessage(`${t("receive.finished", { name, size: size(bytes) })}\n${t("receive.verified")}`);
  byId("outcome").dataset.finished = "";
  download.report("decrypt_succeeded");
}
