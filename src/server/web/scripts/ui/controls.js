// Controls that several pages have: the switch of languages, buttons that show secrets, and the fallback for browsers
// that cannot run a page.

import { root } from "../api.js";
import { byId, field, hide, show, typedById } from "./dom.js";
import { t } from "./text.js";

/** Lifetime of the cookie with the choice, in seconds: a year. */
const LIFETIME = 365 * 86_400;

/**
 * Shows the switch. A choice loads the page again; `prepare` is called before.
 *
 * @param {() => void} [prepare]
 */
export function offerLanguages(prepare = () => {}) {
  const languages = typedById("language", HTMLSelectElement);
  const label = languages.closest("label");
  if (label) label.hidden = false;
  languages.addEventListener("change", () => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    const scope = `path=${root.pathname}; max-age=${LIFETIME}; samesite=lax${secure}`;
    document.cookie = `sgsend-language=${languages.value}; ${scope}`;
    prepare();
    location.reload();
  });
}

/** Makes each button of the class `reveal` show or hide the field that it controls. */
export function offerReveal() {
  for (const button of document.querySelectorAll("button.reveal")) {
    const input = field(button.getAttribute("aria-controls") ?? "");
    /** @param {boolean} isShown */
    const showSecret = (isShown) => {
      input.type = isShown ? "text" : "password";
      button.textContent = t(isShown ? "common.hide" : "common.show");
      button.setAttribute("aria-pressed", `${isShown}`);
    };
    button.addEventListener("click", () => showSecret(input.type === "password"));
    // A browser must not offer to remember a secret that was shown.
    input.form?.addEventListener("submit", () => showSecret(false));
    showSecret(false);
  }
}

/**
 * Shows the element `id` in place of the fallback for unsupported browsers; returns whether the browser is supported.
 *
 * @param {string} id
 */
export function showIfSupported(id) {
  const missing = missingFeature();
  if (missing) {
    byId("why-not").textContent = missing;
    return false;
  }
  hide("without-script");
  show(id);
  return true;
}

function missingFeature() {
  if (!globalThis.isSecureContext) {
    return t("common.needs_https");
  }
  if (!globalThis.crypto?.subtle || !Promise.withResolvers || !AbortSignal.any) {
    return t("common.too_old");
  }
  return undefined;
}
