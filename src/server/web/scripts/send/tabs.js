// Tabs of the upload form, used with arrow keys as the ARIA Authoring Practices describe.

import { byId } from "../ui/dom.js";

/** @type {(tab: string) => void} */
let onSelect = () => {};

/**
 * Makes the tabs of the page show their panels; `selected` receives the id of each selected tab.
 *
 * @param {(tab: string) => void} selected
 */
export function offerTabs(selected) {
  onSelect = selected;
  const tabs = allTabs();
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const isForward = key === (document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight");
      if (!isForward && key !== "ArrowLeft" && key !== "ArrowRight") return;
      const next = tabs[(index + (isForward ? 1 : tabs.length - 1)) % tabs.length];
      select(next);
      next.focus();
    });
  }
}

/**
 * Returns whether the tab with this id is selected.
 *
 * @param {string} id
 */
export function isSelected(id) {
  return byId(id).getAttribute("aria-selected") === "true";
}

/**
 * Selects the tab with this id.
 *
 * @param {string} id
 */
export function selectTab(id) {
  select(byId(id));
}

/** @param {HTMLElement} chosen */
function select(chosen) {
  for (const tab of allTabs()) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", `${isChosen}`);
    tab.tabIndex = isChosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls") ?? "").hidden = !isChosen;
  }
  onSelect(chosen.id);
}

function allTabs() {
  return Array.from(document.querySelectorAll('[role="tab"]')).filter((tab) => tab instanceof HTMLElement);
}
