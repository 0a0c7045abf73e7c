// Checks the browser's features.

import { byId, hide, show } from "./dom.js";
import { t } from "./text.js";

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
