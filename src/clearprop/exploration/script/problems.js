// From a recipe to what the engine takes: a description, first parameters, and rows.

import { data, hiddenSizes, numbersIn } from "./recipe.js";

const ROWS_DRAWN = 15; // the purpose of draws for rows, which Python draws nothing with
const TURN = 6.283185307179586;

// Return {made, parameters, X, Y, plan, set}, or throw with one sentence.
export function problemOf(recipe) {
  const own = data.own, softmax = recipe.output === "cross_entropy", { X, Y: targets } = own ?? rowsOf(recipe.data);
  const Y = softmax && targets[0].length === 1 ? targets.map(([c]) => [1 - c, c]) : targets;
  const made = backprop.architecture(own?.architecture ?? described(recipe, X[0].length, Y[0].length));
  const seed = Number(recipe.seed), optimizer = { ...data.optimizers[recipe.optimizer], learning_rate: Number(recipe.rate) };
  const rows = parted(backprop.Matrix.of(X), backprop.Matrix.of(Y), Number(recipe.held)), rate = Number(recipe.dropout);
  const batchSize = Math.min(Number(recipe.batch), rows.X.rows);
  return {
    made,
    set: recipe.data,
    parameters: firstParameters(recipe, made, seed),
    ...rows,
    plan: { optimizer, seed, batchSize, dropout: made.layers.slice(1).map(() => rate) },
  };
}

// Part the rows; which are held out depends on how many there are, and on no seed of a run.
function parted(X, Y, percent) {
  const n = Math.round((X.rows * percent) / 100);
  if (n === 0 || n === X.rows) return { X, Y, held: null };
  const order = backprop.permutation(0, X.rows, 0, ROWS_DRAWN), out = order.slice(0, n).sort(), rest = order.slice(n).sort();
  return { X: X.pick(rest), Y: Y.pick(rest), held: { X: X.pick(out), Y: Y.pick(out) } };
}

// Given numbers are those of the flat vector; a single one is all of them.
function firstParameters(recipe, made, seed) {
  const given = numbersIn(recipe.start);
  if (given.length) {
    const right = given.length === 1 || given.length === made.nParameters;
    if (!right) throw new RangeError(`First parameters must be 1 number or ${made.nParameters}; got ${given.length}.`);
    return Float64Array.from({ length: made.nParameters }, (_, i) => given[given.length === 1 ? 0 : i]);
  }
  if (data.own) return Float64Array.from(data.own.parameters);
  return backprop.initialParameters(made, data.initializers.weights, data.initializers.biases, seed);
}

function described(recipe, nIn, nOut) {
  const hidden = hiddenSizes(recipe), output = recipe.output === "cross_entropy" ? "softmax" : "sigmoid";
  const layers = hidden.map(() => ({ activation: recipe.activation, bias: true }));
  layers.push({ activation: output, bias: true });
  return { sizes: [nIn, ...hidden, nOut], layers, cost: { name: recipe.output, reduction: "mean" } };
}

// Return the rows of a set, {X, Y}; those that are drawn do not depend on the seed of a run. Of `fresh`
// rows, as many others are drawn in the same way.
export function rowsOf(name, fresh = 0) {
  const set = data.sets[name];
  if (!set.drawn) return set;
  const n = fresh || set.rows, seed = fresh ? 1 : 0;
  const along = backprop.uniforms(seed, n, ROWS_DRAWN), noise = backprop.normals(seed, 2 * n, ROWS_DRAWN, 1);
  const Y = Array.from(along, (_, i) => [i % 2]);
  const X = Y.map(([c], i) => {
    const [x, y] = PLACES[set.drawn](c, along[i]), [dx, dy] = [noise[2 * i], noise[2 * i + 1]];
    return [x + set.noise * dx, y + set.noise * dy].map((each) => Math.round(each * 1000) / 1000);
  });
  return { X, Y };
}

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
