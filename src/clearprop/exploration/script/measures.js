// What a lesson's claim is about: numbers of a run, which the page's own engine makes for it.

import { problemOf } from "./problems.js";
import { positionFrom } from "./recipe.js";
import { Run } from "./run.js";
import { rowsOf } from "./sets.js";

const AT_ONCE = 12; // milliseconds

const MEASURES = {
  cost: (run) => run.pass().cost,
  fresh: (run, { rows }) => freshCost(run, rows),
  activation: (run, { layer }) => run.pass().passed.a[layer].row(0)[0],
  delta: (run, { layer }) => run.pass().back.delta[layer - 1].row(0)[0],
  parameter: (run, { place }) => run.value(place),
  slope: (run, { place }) => run.slope(place, run.pass()),
  gradient: (run, { layer }) => gradientSize(run, layer),
  spread: (run, { layer }) => spread(run, layer),
  steps: (run) => run.at,
};

// Return the number that a claim is about, of a lesson's run.
export async function measured(claim, given) {
  const of = (changes) => runAt(positionFrom({ ...given, ...claim.run, ...changes }));
  if (claim.measure === "above") {
    let n = 0;
    for (let seed = 0; seed < claim.seeds; seed++) n += (await of({ seed: String(seed) })).pass().cost > claim.limit;
    return n;
  }
  const measure = MEASURES[claim.measure], run = await of({});
  if (claim.over) return measure(run, claim) / measure(await of(claim.over), claim);
  return claim.under ? measure(run, claim) / measure(run, { layer: claim.under }) : measure(run, claim);
}

// Make a run of its own, in pieces that a page can wait for.
async function runAt({ recipe, edits, step }) {
  const run = new Run(problemOf(recipe));
  let end = performance.now() + AT_ONCE;
  while (!run.seek(edits, step, () => performance.now() > end)) {
    await new Promise((done) => setTimeout(done));
    end = performance.now() + AT_ONCE;
  }
  return run;
}

function freshCost({ training, state, problem, share }, n) {
  const { X, Y } = rowsOf(problem.set.name, n), { made } = training;
  const passed = backprop.forward(made, state.parameters, backprop.Matrix.of(X));
  const costs = backprop.costs(made, passed, backprop.Matrix.of(Y));
  return costs.reduce((total, each) => total + each, 0) * (made.cost.reduction === "sum" ? 1 : 1 / n);
}

function gradientSize(run, layer) {
  const { offset, size } = run.training.made.layers[layer - 1].weights;
  return Math.sqrt(run.pass().gradient.subarray(offset, offset + size).reduce((total, g) => total + g * g, 0));
}

// The largest difference between a layer's neurons in what leads to them.
function spread(run, layer) {
  const { weights, biases } = run.training.made.layers[layer - 1], [n, nIn] = weights.shape, { parameters } = run.state;
  const columns = Array.from({ length: nIn }, (_, k) => (j) => parameters[weights.offset + j * nIn + k]);
  columns.push((j) => parameters[biases.offset + j]);
  const differences = columns.map((of) => {
    const values = Array.from({ length: n }, (_, j) => of(j));
    return Math.max(...values) - Math.min(...values);
  });
  return Math.max(...differences);
}
