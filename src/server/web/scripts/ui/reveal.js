// Buttons that show and hide the characters of a secret field.

import { field } from "./dom.js";
import { t } from "./text.js";

/** Makes each button of the class `reveal` show or hide the field that it controls. */
export function offerReveal() {
  for (const button of document.querySelectorAll("button.reveal")) {
    const input = field(button.getAttribute("aria-controls") ?? "");
    /** @param {boolean} isShown */
    const show = (isShown) => {
      input.type = isShown ? "text" : "password";
      button.textContent = t(isShown ? "common.hide" : "common.show");
      button.setAttribute("aria-pressed", `${isShown}`);
    };
    button.addEventListener("click", () => show(input.type === "password"));
    // A browser must not offer to remember a secret that was shown.
    input.form?.addEventListener("submit", () => show(false));
    show(false);
  }
}
