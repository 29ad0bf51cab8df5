// Elements, and how numbers and places are called.

import { shown, written } from "../../page/numbers.js";
import { data } from "./recipe.js";

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
export function brief(x) {
  const size = Math.abs(x);
  if (size >= 0.0005 && size < 1000) return written(x.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1));
  return x === 0 ? "0" : written(Number.isFinite(x) ? x.toExponential(1) : shown(x, 2));
}

export function inputName(k) {
  return data.own?.featureNames?.[k] ?? `x${below(k + 1)}`;
}

export function below(n) {
  return String(n).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

// Return {place: what it is called} of a network, for a row: layers and neurons are counted from 1.
export function nameOf(made, place) {
  const [first, column] = place.slice(1).split(".").map(Number);
  if (place[0] === "x") return `input ${inputName(column)} of row ${first + 1}`;
  if (place[0] === "y") return `target y${below(column + 1)} of row ${first + 1}`;
  const block = made.blocks.find(({ offset, size }) => first >= offset && first < offset + size);
  const layer = Number(block.name.split(".")[1]) + 1, i = first - block.offset;
  if (block.kind === "biases") return `bias of neuron ${i + 1} in layer ${layer}`;
  const [j, k] = [Math.floor(i / block.shape[1]), i % block.shape[1]];
  const from = layer === 1 ? `input ${inputName(k)}` : `neuron ${k + 1} of layer ${layer - 1}`;
  return `weight from ${from} to neuron ${j + 1} of layer ${layer}`;
}
