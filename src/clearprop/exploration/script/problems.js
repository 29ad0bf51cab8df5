// From a recipe to what the engine takes: a description, first parameters, and rows.

import { callInputs } from "./elements.js";
import { activationsOf, data, described, hiddenSizes, named, numbersIn, partsOf } from "./recipe.js";
import { ROWS_DRAWN, setOf } from "./sets.js";

const MOST_PARAMETERS = 20000;

// Return {made, parameters, X, Y, plan, set}, or throw with one sentence.
export function problemOf(recipe) {
  const set = setOf(recipe), X = set.inputs ? backprop.encoded(set.inputs, set.X) : backprop.Matrix.of(set.X);
  const description = data.own?.architecture ?? networkOf(recipe, set, X.columns), made = backprop.architecture(description);
  if (made.nParameters > MOST_PARAMETERS) {
    throw new RangeError(`A network may have at most ${MOST_PARAMETERS.toLocaleString("en")} parameters here, this one would have ${made.nParameters.toLocaleString("en")}.`);
  }
  const seed = Number(recipe.seed), rate = Number(recipe.dropout), Y = backprop.Matrix.of(targetsOf(set, description.sizes.at(-1)));
  const rows = parted(X, Y, Number(recipe.held), set.inputs ? set.X : null), batchSize = Math.min(Number(recipe.batch), rows.X.rows);
  const optimizer = { ...described(recipe.optimizer, data.optimizers), learning_rate: Number(recipe.rate) };
  const parameters = firstParameters(recipe, made, seed);
  callInputs(set.inputs ? backprop.encodedNames(set.inputs) : (set.names ?? null));
  return { made, set, parameters, ...rows, plan: { optimizer, seed, batchSize, dropout: made.layers.slice(1).map(() => rate) } };
}

// Part the rows; which are held out depends on how many there are, and on no seed of a run. `cells` are the
// raw rows of those that are kept, where there are such.
function parted(X, Y, percent, cells) {
  const n = Math.round((X.rows * percent) / 100);
  if (n === 0 || n === X.rows) return { X, Y, cells, held: null };
  const order = backprop.permutation(0, X.rows, 1, ROWS_DRAWN), out = order.slice(0, n).sort(), rest = order.slice(n).sort();
  const kept = cells && Array.from(rest, (i) => cells[i]);
  return { X: X.pick(rest), Y: Y.pick(rest), cells: kept, held: { X: X.pick(out), Y: Y.pick(out) } };
}

// Given numbers are those of the flat vector; a single one is all of them.
function firstParameters(recipe, made, seed) {
  const given = numbersIn(recipe.start);
  if (given.length) {
    const right = given.length === 1 || given.length === made.nParameters;
    if (!right) throw new RangeError(`First parameters must be 1 number or ${made.nParameters}; got ${given.length}.`);
    return Float64Array.from({ length: made.nParameters }, (_, i) => given[given.length === 1 ? 0 : i]);
  }
  if (data.own) return Float64Array.from(data.own.parameters[Number(recipe.member ?? 1) - 1]);
  return backprop.initialParameters(made, ...[recipe.weights, recipe.biases].map((each) => described(each, data.initializers)), seed);
}

// Return what the task of a set may have as its output and cost.
export function outputsOf({ units }) {
  return data.outputs[units ? "quantity" : "classes"];
}

function networkOf(recipe, set, nIn) {
  const table = outputsOf(set), sizes = hiddenSizes(recipe);
  named(recipe, "output", table);
  const { row } = partsOf(recipe.output, table), k = set.classes?.length ?? 2;
  const n = k > 2 ? k : set.Y[0].length, nOut = row.output === "softmax" ? Math.max(2, n) : n;
  if (row.two && nOut > 1) throw new RangeError(`Binary cross-entropy is for one output, here are ${nOut}: choose softmax and cross-entropy.`);
  if (row.counts && set.Y.flat().some((y) => y < 0)) throw new RangeError("Poisson's cost is for targets of at least 0.");
  const layers = activationsOf(recipe).map((names) => ({ activation: names.length === 1 ? names[0] : names, bias: true }));
  layers.push({ activation: row.output, bias: true });
  return { sizes: [nIn, ...sizes, nOut], layers, cost: described(recipe.output, table) };
}

// Return the targets of a network with so many outputs: of classes, a column for each.
function targetsOf({ Y }, n) {
  return Y[0].length === n ? Y : Y.map(([c]) => Array.from({ length: n }, (_, j) => Number(j === c)));
}
