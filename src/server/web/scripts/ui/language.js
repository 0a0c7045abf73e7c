// Switch for the language of the page.

import { root } from "../api.js";
import { typedById } from "./dom.js";

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
