// Panels that share a place: the one whose tab is chosen is open, and the others are not asked to show.

import { at } from "./elements.js";
import { show } from "./explorer.js";

let open = "";

// Return a card of the panel with this name.
export function inPanel(name, card) {
  return { ...card, isOpen: () => open === name };
}

export function openPanel(name) {
  open = name;
  for (const tab of tabs()) {
    const isOpen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.setAttribute("tabindex", isOpen ? "0" : "-1");
    at(tab.getAttribute("aria-controls")).hidden = !isOpen;
  }
}

export const panels = {
  begin() {
    openPanel(nameOfTab(tabs()[0]));
    at("tabs").addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) turnTo(tab);
    });
    at("tabs").addEventListener("keydown", (event) => {
      const all = tabs(), i = all.indexOf(event.target), n = all.length;
      const to = { ArrowRight: (i + 1) % n, ArrowLeft: (i + n - 1) % n, Home: 0, End: n - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      turnTo(all[to]);
      all[to].focus();
    });
  },
};

function turnTo(tab) {
  openPanel(nameOfTab(tab));
  show();
}

function tabs() {
  return [...at("tabs").children];
}

function nameOfTab(tab) {
  return tab.id.slice("tab-".length);
}
