// Admin page: navigation between views, and the end of the session.

import { ApiError } from "../api.js";
import { offerLanguages } from "../ui/controls.js";
import { byId, hide, onEvent, show, showMessage } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { attempt, callAsAdmin } from "./api.js";
import { showOverview, watchOverview } from "./overview.js";
import { showSettings } from "./settings.js";
import { showTokens, watchTokens } from "./tokens.js";
import { showTransfer, watchTransfer } from "./transfer.js";
import { showTransfers, watchTransfers } from "./transfers.js";
import { showWebhooks } from "./webhooks.js";

/** @typedef {{ what?: string, filters: URLSearchParams }} Place */

/**
 * Views by the name in the address.
 *
 * @type {Record<string, (place: Place) => Promise<void>>}
 */
const VIEWS = {
  overview: showOverview,
  transfers: ({ filters }) => showTransfers(filters),
  tokens: showTokens,
  transfer: ({ what }) => showTransfer(what),
  webhooks: showWebhooks,
  settings: showSettings,
};

/**
 * Returns the view that the address names, its argument, and its filters: `#view/argument?filters`.
 *
 * @returns {Place & { view: string }}
 */
function wanted() {
  const [path, query] = location.hash.slice(1).split("?");
  const [view, what] = path.split("/");
  const filters = new URLSearchParams(query);
  return Object.hasOwn(VIEWS, view) ? { view, what, filters } : { view: "overview", filters };
}

/** @param {Place & { view: string }} wanted */
async function showView({ view, ...place }) {
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  for (const link of byId("views").querySelectorAll("a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${byId(`${view}-title`).textContent} – ${t("admin.title")}`;
  await attempt(() => VIEWS[view](place));
}

async function endSession() {
  try {
    await callAsAdmin("/auth/end-session", { json: {}, ask: false });
  } catch (error) {
    // A session that has expired counts as ended.
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
  // The reloaded page contains nothing that was shown or typed.
  history.replaceState(null, "", location.pathname);
  location.reload();
}

hide("without-script");
watchOverview();
watchTokens();
watchTransfers();
watchTransfer();
offerLanguages();
onEvent("dismiss", "click", () => showMessage(""));
onEvent("end-session", "click", () => attempt(endSession));
window.addEventListener("hashchange", async () => {
  showMessage("");
  const next = wanted();
  await showView(next);
  if (!next.what) byId(`${next.view}-title`).focus();
});
// All views need a session: this request asks for one.
await attempt(() => callAsAdmin("/stats/overview"));
show("views", "admin");
await showView(wanted());
