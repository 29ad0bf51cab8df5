// What is said of a number that a reader filled in, on every page.

import { typed } from "./numbers.js";

const SHARE = 0.01; // of the right answer: two or three digits are asked for, not seven

// Return {kind, words} of an answer: "" of an empty one, else "right" or "wrong". `mistakes` are pairs of
// a value and the words for what leads to it.
export function verdictOn(given, right, shown, mistakes = []) {
  const answer = typed(given), is = (value) => Math.abs(answer - value) <= Math.max(SHARE * Math.abs(value), 1e-12);
  if (given.trim() === "") return { kind: "", words: "" };
  if (Number.isNaN(answer)) return { kind: "wrong", words: "That is not a number" };
  if (is(right)) return { kind: "right", words: `Right: ${shown}` };
  if (is(-right)) return { kind: "wrong", words: "The right size, the wrong sign" };
  const made = mistakes.find(([value]) => is(value)) ?? mistakes.find(([value]) => is(-value));
  if (!made) return { kind: "wrong", words: "Not yet: put the numbers above into the formula" };
  return { kind: "wrong", words: is(made[0]) ? made[1] : `${made[1]}; and the sign is wrong` };
}
