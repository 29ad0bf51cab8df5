// Elements, and what is said to those who listen.

import { display, latexOf } from "./formula.js";
import { factor, text, value } from "./numbers.js";
import { LINES } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";

function filled(made, attributes, children) {
  for (const [name, given] of Object.entries(attributes)) {
    if (given === null || given === undefined || given === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), given);
    else made.setAttribute(name, given === true ? "" : given);
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return made;
}

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

// MathML is made by our own printers, which escape every name in it.
export function math(markup) {
  const holder = document.createElement("div");
  holder.className = "math";
  holder.innerHTML = markup;
  return holder;
}

export function numberOf(ref) {
  const times = factor(ref);
  const span = element("span", { "data-ref": ref, "data-factor": times === 1 ? null : times });
  span.textContent = text(times * value(ref));
  return span;
}

// A formula with its equation's name, and a button that copies it as LaTeX.
export function formulaLine([form, label, i], { leaveOut = 0, after = null, words = "" } = {}) {
  const copy = element(
    "button",
    { type: "button", class: "copy", "aria-label": "Copy as LaTeX", title: "Copy as LaTeX", onclick: () => copyText(latexOf(i, leaveOut)) },
    "TeX",
  );
  return element(
    "div",
    { class: "formula", "data-form": LINES[form] },
    words ? element("span", { class: "words" }, words) : null,
    math(display(i, leaveOut)),
    after,
    label ? element("span", { class: "equation" }, label) : null,
    copy,
  );
}

export function table(caption, heads, rows, attributes = {}) {
  const head = element("tr", {}, heads.map((each) => element("th", { scope: "col" }, each)));
  const body = rows.map(([name, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, name), cells.map((each) => element("td", {}, each))),
  );
  const made = element(
    "table",
    attributes,
    element("caption", {}, caption),
    element("thead", {}, head),
    element("tbody", {}, body),
  );
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}

export function twinOf(made) {
  return element("details", { class: "twin" }, element("summary", {}, "As a table"), made);
}

// What is said aloud

const live = element("div", { class: "visually-hidden", "aria-live": "polite", id: "said" });

export function beginSaying() {
  document.body.append(live);
}

export function say(words) {
  live.textContent = words;
}

async function copyText(words) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    const area = element("textarea", { class: "visually-hidden", "aria-hidden": "true" });
    area.value = words;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("Copied as LaTeX");
}

// A box that scrolls sideways has to be reachable by keyboard.
export function markScrolling(root) {
  for (const box of root.querySelectorAll(".math")) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "formula");
    } else {
      box.removeAttribute("tabindex");
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  }
}
