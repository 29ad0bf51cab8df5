// Elements, and how numbers and places are called.

import { shown, written } from "../../page/numbers.js";
import { inNotation } from "./notation.js";
const SVG = "http://www.w3.org/2000/svg";

export function at(id) {
  return document.getElementById(id);
}

export function element(name, attributes = {}, text = "") {
  return filled(document.createElement(name), attributes, text);
}

export function drawn(name, attributes = {}, text = "") {
  return filled(document.createElementNS(SVG, name), attributes, text);
}

function filled(made, attributes, text) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== "") made.textContent = text;
  return made;
}

// A polite region says only what is new.
export function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

export function number(x, digits = 4) {
  return written(shown(x, digits));
}

// In a drawing: three digits, and never long.
export function brief(x, isShort = false) {
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1000) return written(String(x));
  if (size >= 0.0005 && size < 1000) return written(x.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1));
  if (!Number.isFinite(x)) return written(shown(x, 2));
  return isShort ? x.toExponential(0).replaceAll("-", "−").replace("+", "") : written(x.toExponential(1));
}

let inputs = null;

// Give the inputs of a problem their names; null are x₁, x₂, ...
export function callInputs(names) {
  inputs = names;
}

export function inputName(k) {
  return inputs?.[k] ?? `x${below(k + 1)}`;
}

export function aboveOf(n) {
  return String(n).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
}

// Return what a number is called that layer 1 sees: an input, or one of those that it is embedded as.
export function seenName({ embedding }, k) {
  if (!embedding) return inputName(k);
  const { first } = embedding, input = first.reduce((best, from, i) => (from <= k && from > first[best] ? i : best), 0);
  const n = (first.find((from) => from > first[input]) ?? embedding.nOutputs) - first[input];
  const name = embedding.oneHot.includes(input) ? inputName(input).split(" = ")[0] : inputName(input); // a category's vector
  return n === 1 ? name : `${name}${below(k - first[input] + 1)}`;
}

export function below(n) {
  return String(n).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

// Return what a place is called; rows, layers and neurons are counted from 1.
export function nameOf(made, place) {
  const [first, column] = place.slice(1).split(".").map(Number);
  if (place[0] === "x") return `input ${inputName(column)} of row ${first + 1}`;
  if (place[0] === "y") return `target y${below(column + 1)} of row ${first + 1}`;
  const { kind, isBias, layer, j, k } = parameterOf(made, first);
  if (kind === "embedding") return `number ${j} of the embedding's parameters`;
  if (kind === "scales") return `scale of input ${seenName(made, j - 1)}`;
  if (kind === "shares") return `share of neuron ${j} in layer ${layer}`;
  if (isBias) return `bias of neuron ${j} in layer ${layer}`;
  const from = layer === 1 ? `input ${seenName(made, k - 1)}` : `neuron ${k} of layer ${layer - 1}`;
  return `weight from ${from} to neuron ${j} of layer ${layer}`;
}

// The same as a symbol: w⁽²⁾₁₃ leads from neuron 3 of layer 1 to neuron 1 of layer 2.
export function shortName(made, place) {
  return inNotation(symbolOf(made, place));
}

function symbolOf(made, place) {
  const [first, column] = place.slice(1).split(".").map(Number);
  if (place[0] !== "p") return `${place[0]}${below(column + 1)}`;
  const { kind, isBias, layer, j, k } = parameterOf(made, first), above = aboveOf(layer);
  if (kind === "embedding") return `e${below(j)}`;
  if (kind === "scales") return `s⁽⁰⁾${below(j)}`;
  if (kind === "shares") return `s⁽${above}⁾${below(j)}`;
  return isBias ? `b⁽${above}⁾${below(j)}` : `w⁽${above}⁾${below(j)}${j > 9 || k > 9 ? "," : ""}${below(k)}`;
}

// Return where a parameter is: the kind of its block, its layer, the neuron j that it leads to, and k that
// it comes from.
export function parameterOf(made, place) {
  const block = made.blocks.find(({ offset, size }) => place >= offset && place < offset + size);
  if (!block) return null;
  const { kind } = block;
  if (kind === "embedding") return { kind, layer: 0, j: place - made.embedded[0][1].offset + 1, k: 0 };
  const layer = Number(block.name.split(".")[1]) + 1, i = place - block.offset, nIn = block.shape[1];
  if (kind !== "weights") return { kind, isBias: kind === "biases", layer, j: i + 1, k: 0 };
  return { kind, isBias: false, layer, j: Math.floor(i / nIn) + 1, k: (i % nIn) + 1 };
}

// Return a table in a box that scrolls if it is too wide; the first cell of each row names it.
export function table(caption, columns, rows) {
  const box = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  const made = element("table"), head = element("tr"), body = element("tbody");
  head.append(...columns.map((each) => element("th", { scope: "col" }, each)));
  for (const [name, ...cells] of rows) {
    const line = element("tr");
    line.append(element("th", { scope: "row" }, name), ...cells.map((each) => element("td", {}, each)));
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  made.append(element("caption", {}, caption), top, body);
  box.append(made);
  return box;
}
