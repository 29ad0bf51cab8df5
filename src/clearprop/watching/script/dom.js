// Elements, and numbers as they are read.

import { shown, written } from "../../page/numbers.js";

const SVG = "http://www.w3.org/2000/svg";

export const data = JSON.parse(document.getElementById("data").textContent);

export function at(id) {
  return document.getElementById(id);
}

// Text is set as text, whatever it holds: a name is never markup.
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A polite region says only what is new.
export function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

export function number(x, digits = 4) {
  return x === null || x === undefined ? "–" : written(shown(x, digits));
}

// Two or three digits, where more would be in the way.
export function brief(x) {
  if (x === null || x === undefined) return "–";
  const size = Math.abs(x), isPlain = x === 0 || (size >= 0.001 && size < 10000);
  if (isPlain) return written(String(size >= 100 ? Math.round(x) : Number(x.toPrecision(2))));
  return written(x.toExponential(1));
}

export function count(x) {
  return x === null || x === undefined ? "–" : Math.round(x).toLocaleString("en");
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export function called(column) {
  return column.replaceAll("_", " ");
}
