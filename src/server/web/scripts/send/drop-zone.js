// Drop zone with the list of the chosen files and folders.

import { byId, element, field, showError } from "../ui/dom.js";
import { errorMessage } from "../ui/error-messages.js";
import { size } from "../ui/format.js";
import { t } from "../ui/text.js";
import { Selection } from "./selection.js";

/** Files and folders that the user has chosen on the page. */
export class DropZone {
  #chosen = new Selection();
  /** Pending reads of dropped folders. @type {Promise<unknown>} */
  #reading = Promise.resolve();

  constructor() {
    for (const id of ["files", "folder"]) {
      const input = field(id);
      input.addEventListener("change", () => {
        this.#chosen.addFiles(input.files ?? []);
        input.value = "";
        this.#show();
      });
    }
    const zone = byId("drop");
    for (const event of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(event, (dragged) => {
        dragged.preventDefault();
        zone.classList.toggle("over", event === "dragover");
      });
    }
    zone.addEventListener("drop", ({ dataTransfer }) => {
      if (!dataTransfer) return;
      const dropped = this.#chosen.addDropped(dataTransfer).catch((error) => showError(errorMessage(error)));
      this.#reading = Promise.all([this.#reading, dropped]).then(() => this.#show());
    });
  }

  /** Resolves to the selection once all dropped folders are read. */
  async selection() {
    await this.#reading;
    return this.#chosen;
  }

  /**
   * Returns the name for the content: that of a single file or folder, or the number of files.
   *
   * An archive of several files has a random file name.
   */
  get title() {
    const { tops } = this.#chosen;
    if (tops.length === 1) return tops[0].name;
    return t("common.files", { count: tops.reduce((sum, { files }) => sum + files, 0) });
  }

  /**
   * Shows the maximum size of the content, in bytes.
   *
   * @param {number} max
   */
  set maxSize(max) {
    byId("max-size").textContent = t("common.max_size", { size: size(max) });
  }

  clear() {
    this.#chosen.clear();
    this.#show();
    for (const id of ["files", "folder"]) field(id).value = "";
  }

  #show() {
    const items = this.#chosen.tops.map(({ name, isFolder, files, bytes }) => {
      const remove = element("button", { type: "button", "aria-label": t("common.remove", { name }) }, "✕");
      remove.addEventListener("click", () => {
        this.#chosen.remove(name);
        this.#show();
        byId("files").focus();
      });
      const facts = `${isFolder ? `${t("common.files", { count: files })}, ` : ""}${size(bytes)}`;
      const text = element("span", {}, element("bdi", {}, name), " ", element("small", {}, facts));
      return element("li", {}, text, remove);
    });
    byId("chosen").replaceChildren(...items);
  }
}
