// The letters of a textbook in place of the page's own: clearprop.explain.notation.
//
// The page writes w⁽¹⁾₁₂ for a weight of its layer 1; what is shown goes through `inNotation`. Numbers do not
// change: they are the derivatives, whatever a book calls them.

import { data } from "./recipe.js";

const UP = "⁰¹²³⁴⁵⁶⁷⁸⁹", SYMBOL = /([a-zA-Zδ])⁽([⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁾([₀₁₂₃₄₅₆₇₈₉,]*)/g;
const BARE = /(?<![\p{L}∂/])([wWbCδ])(?![\p{L}⁽⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉])/gu, BELOW_D = /∂([wWbC])(?![\p{L}⁽])/gu;
let its = null; // null is the page's own

export const OWN_NOTATION = "page";

export function useNotation(name) {
  its = data.notations[name] ?? null;
}

// Return symbols as the notation has them.
export function inNotation(symbols) {
  if (!its) return symbols;
  const { letters } = its, called = (letter) => letters[letter] || letter;
  const whole = symbols.replace(SYMBOL, (_, letter, up, down) => {
    if (letter === "δ" && !letters.δ) return `∂${called("C")}/∂${called("b")}${raised("b", up)}${down}`;
    return `${called(letter)}${raised(letter, up)}${down}`;
  });
  const plain = whole.replace(BARE, (_, letter) => (letter === "δ" && !letters.δ ? `∂${called("C")}/∂${called("b")}` : called(letter)));
  return plain.replace(BELOW_D, (_, letter) => `∂${called(letter)}`).replaceAll("dC/d", `d${called("C")}/d`).replaceAll("∂C", `∂${called("C")}`);
}

// The layer's number as the book counts it; a weight may have that of the layer that it comes from.
function raised(letter, up) {
  const l = Number([...up].map((digit) => UP.indexOf(digit)).join(""));
  const n = l + its.layer_base - (/[wWb]/.test(letter) && its.weight_owner === "source" ? 1 : 0);
  const text = String(n).replace(/\d/g, (digit) => UP[digit]);
  return its.superscript_style === "plain" ? text : `⁽${text}⁾`;
}

// Say what a notation changes, and what it does not.
export function notationSays(name) {
  const found = data.notations[name];
  if (!found) return "";
  const counts = found.layer_base ? "The input is layer 1 there, the page's layer 1 is layer 2. " : "";
  return `Letters of ${found.book}. ${counts}Numbers stay what they are${found.notes.length ? `: ${found.notes.join("; ")}` : ""}.`;
}
