// Data sets: {X, Y}, a row of inputs and a row of targets for each sample.
//
// Of classes, `classes` are their labels and Y has their numbers; of a quantity, `units` has its shift and
// factor, if any. Where there are `inputs`, X is raw, and
// they say what the network sees of it (engines/javascript/inputs.js).

import { Refused } from "./csv.js";
import { data } from "./recipe.js";

export const ROWS_DRAWN = 15; // the purpose of draws for rows, which Python draws nothing with
const TURN = 6.283185307179586, LEVELS = "0123456789abcdefg", EACH = new Map();
let atHand = null; // a file of the reader's own, {file, learned}

// Return the data set of a recipe.
export function setOf(recipe) {
  if (data.own) return data.own;
  if (recipe.data === "csv") return ofFile(recipe);
  if (!EACH.has(recipe.data)) EACH.set(recipe.data, wholeSet(recipe.data));
  return EACH.get(recipe.data);
}

function wholeSet(name) {
  const set = { name, ...data.sets[name], ...rowsOf(name) };
  if (set.image) set.X = set.X.map((text) => Array.from(text, (level) => LEVELS.indexOf(level)));
  if (SURFACES[set.drawn]) set.units = {};
  else if (!set.classes && set.Y.every(([y, ...more]) => !more.length && (y === 0 || y === 1))) set.classes = ["0", "1"];
  return set;
}

// Keep a file that a reader has opened. Its name in a recipe ends with a number that its bytes have;
// `learned(target)` is the data set.
export function keepFile(file, learned) {
  atHand = { file, learned };
}

function ofFile({ file, target }) {
  if (atHand?.file === file) return atHand.learned(target);
  const name = file.replace(/-[0-9a-f]{8}$/, "");
  throw new Refused(name ? `This run is on the file ${name}, which a link cannot hold: open it below.` : "Open a file first.");
}

// Return the rows of a set; those that are drawn do not depend on the seed of a run. Of `fresh` rows, as
// many others are drawn in the same way.
export function rowsOf(name, fresh = 0) {
  const { drawn, noise: size, rows, X, Y } = data.sets[name];
  if (!drawn) return { X, Y };
  const n = fresh || rows, seed = fresh ? 1 : 0;
  const along = backprop.uniforms(seed, 2 * n, ROWS_DRAWN), noise = backprop.normals(seed, 2 * n, ROWS_DRAWN, 1);
  return SURFACES[drawn] ? heights(SURFACES[drawn], n, along, noise, size) : points(PLACES[drawn], n, along, noise, size);
}

function points(place, n, along, noise, size) {
  const Y = Array.from({ length: n }, (_, i) => [i % 2]);
  const X = Y.map(([c], i) => {
    const [x, y] = place(c, along[i]), [dx, dy] = [noise[2 * i], noise[2 * i + 1]];
    return [rounded(x + size * dx), rounded(y + size * dy)];
  });
  return { X, Y };
}

function heights(of, n, along, noise, size) {
  const X = Array.from({ length: n }, (_, i) => Array.from(along.subarray(i * of.length, (i + 1) * of.length), (u) => rounded(3 * u - 1.5)));
  return { X, Y: X.map((row, i) => [rounded(of(...row) + size * noise[i])]) };
}

function rounded(x) {
  return Math.round(x * 1000) / 1000;
}

const SURFACES = {
  curve: (x) => 0.8 * backprop.cosineAndSine(3 * x)[1] + 0.3 * x,
  saddle: (x, y) => x * y,
};
const PLACES = {
  moons(c, u) {
    const [cos, sin] = backprop.cosineAndSine((TURN / 2) * u);
    return c ? [0.5 - cos, 0.25 - sin] : [cos - 0.5, sin - 0.25];
  },
  circles(c, u) {
    const [cos, sin] = backprop.cosineAndSine(TURN * u), r = c ? 1 : 0.4;
    return [r * cos, r * sin];
  },
  spiral(c, u) {
    const r = 0.1 + 1.1 * u, [cos, sin] = backprop.cosineAndSine(TURN * (1.25 * u + 0.5 * c));
    return [r * cos, r * sin];
  },
};
