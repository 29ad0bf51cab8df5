// The numbers of a page of one pass, by the names that the data gives them.

import { shown, written } from "../../../page/numbers.js";
import { data, told } from "./state.js";

const NAMED = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

// A number that JSON could not write is its name.
export function plain(value) {
  return typeof value === "string" ? NAMED[value] : value;
}

// The engine's number, or undefined where the page does not have it.
export function value(ref) {
  return plain(data.values[ref]);
}

// What the notation multiplies a quantity by.
export function factor(ref) {
  return told().factors[ref.split("/")[0]] ?? 1;
}

export function text(number, digits = data.digits) {
  return written(shown(number, digits, data.single));
}

export function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}
