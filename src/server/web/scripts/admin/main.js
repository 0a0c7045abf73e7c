// Admin page: navigation between views, and the end of the session.

import { ApiError } from "../api.js";
import { byId, hide, onEvent, show, showMessage } from "../ui/dom.js";
import { attempt, callAsAdmin } from "./api.js";
import { showOverview, watchOverview } from "./overview.js";
import { showTokens, watchTokens } from "./tokens.js";
import { showTransfer, watchTransfer } from "./transfer.js";
import { showTransfers, watchTransfers } from "./transfers.js";

/** @type {Record<"overview" | "tokens" | "transfers" | "transfer", (what?: string) => Promise<void>>} */
const VIEWS = { overview: showOverview, tokens: showTokens, transfers: showTransfers, transfer: showTransfer };

/** @typedef {keyof typeof VIEWS} View */

/**
 * Returns the view that the address names, and its argument.
 *
 * @returns {{ view: View, what?: string }}
 */
function wanted() {
  const [view, what] = location.hash.slice(1).split("/");
  return isView(view) ? { view, what } : { view: "overview" };
}

/**
 * @param {string} name
 * @returns {name is View}
 */
function isView(name) {
  return Object.hasOwn(VIEWS, name);
}

/** @param {{ view: View, what?: string }} wanted */
async function showView({ view, what }) {
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  for (const link of byId("views").querySelectorAll("a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${byId(`${view}-title`).textContent} – sgsend admin`;
  await attempt(() => VIEWS[view](what));
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
