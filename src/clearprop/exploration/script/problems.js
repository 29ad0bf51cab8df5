// From a recipe to what the engine takes: a description, first parameters, and rows.

import { data, hiddenSizes } from "./recipe.js";

const ROWS = 100, ROWS_DRAWN = 15; // the purpose of draws for rows, which Python draws nothing with
const TURN = 6.283185307179586;

// Return {made, parameters, X, Y, plan}.
export function problemOf(recipe) {
  const own = data.own, { X, classes } = own ?? rowsOf(recipe.data);
  const softmax = recipe.output === "cross_entropy";
  const description = own?.architecture ?? described(recipe, X[0].length, softmax ? 2 : 1);
  const Y = own?.Y ?? classes.map((c) => (softmax ? [1 - c, c] : [c]));
  const made = backprop.architecture(description);
  const seed = Number(recipe.seed);
  const parameters = own
    ? Float64Array.from(own.parameters)
    : backprop.initialParameters(made, data.initializers.weights, data.initializers.biases, seed);
  const optimizer = { ...data.optimizers[recipe.optimizer], learning_rate: Number(recipe.rate) };
  const batchSize = Math.min(Number(recipe.batch), X.length);
  return {
    made,
    parameters,
    X: backprop.Matrix.of(X),
    Y: backprop.Matrix.of(Y),
    plan: { optimizer, seed, batchSize },
  };
}

function described(recipe, nIn, nOut) {
  const hidden = hiddenSizes(recipe), output = recipe.output === "cross_entropy" ? "softmax" : "sigmoid";
  const layers = hidden.map(() => ({ activation: recipe.activation, bias: true }));
  layers.push({ activation: output, bias: true });
  return { sizes: [nIn, ...hidden, nOut], layers, cost: { name: recipe.output, reduction: "mean" } };
}

// Return rows and the class of each, 0 or 1; they do not depend on the seed of a run.
function rowsOf(name) {
  if (name === "xor") {
    // The row that is shown first has an input and a target that are not 0.
    return { X: [[0, 1], [1, 0], [0, 0], [1, 1]], classes: [1, 1, 0, 0] };
  }
  const along = backprop.uniforms(0, ROWS, ROWS_DRAWN), noise = backprop.normals(0, 2 * ROWS, ROWS_DRAWN, 1);
  const classes = Array.from(along, (_, i) => i % 2);
  const X = classes.map((c, i) => {
    const [x, y] = PLACES[name](c, along[i]), [dx, dy] = [noise[2 * i], noise[2 * i + 1]];
    return [x + NOISE[name] * dx, y + NOISE[name] * dy].map((each) => Math.round(each * 1000) / 1000);
  });
  return { X, classes };
}

const NOISE = { moons: 0.12, circles: 0.08, spiral: 0.03 };
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
