// What the rules of `diagnose` compare with their limits: diagnosis/quantities.py and measurements.py, of a
// run's present pass over all of its rows. Tables there are columns here, one for each unit.

import { data } from "./recipe.js";
import { updateRatio } from "./run.js";

const BATCHES = 20; // whose steps are measured
const WORST = 5, RECENT = 500; // rows that show it best; epochs that are looked back at

const mean = (all, f) => all.reduce((total, x, i) => total + f(x, i), 0) / all.length;
const rms = (all) => Math.sqrt(mean(all, (x) => x * x));
const squares = (all) => all.reduce((total, x) => total + x * x, 0);

function columnsOf({ rows, columns, data }) {
  return Array.from({ length: columns }, (_, j) => Array.from({ length: rows }, (_, i) => data[i * columns + j]));
}

function middleOf(all) {
  const sorted = Float64Array.from(all).sort(), n = sorted.length;
  return n % 2 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

// Return everything that rules are functions of.
export function measurements(run, pass, limits) {
  const { made, X, Y, plan, optimizer } = run.training, { epoch } = run.state;
  const seen = { made, X, Y, n: X.rows, parameters: run.state.parameters, ...pass };
  seen.slope = pass.passed.slope.map((slope, l) => {
    const a = pass.passed.a[l + 1];
    return made.layers[l].names[0] === "softmax" ? a.map((x) => x * (1 - x)) : slope;
  });
  const known = made.layers.map((_, l) => layerNumbers(seen, l, limits));
  return Object.assign(Object.create(diagnosis.MEASUREMENTS), {
    n: X.rows,
    layers: known,
    output: outputNumbers(seen, limits),
    gradient: gradientNumbers(seen),
    inputs: inputNumbers(seen),
    nonfinite: firstOfPass(seen),
    steps_trained: run.at,
    batch_size: plan.batchSize,
    learning_rate: optimizer.rate,
    optimizer: FORMS_NAMED[plan.optimizer.name] ?? plan.optimizer.name,
    momentum: plan.optimizer.momentum ?? 0,
    l2: plan.l2,
    run: {
      cost: run.curve.slice(Math.max(0, epoch - RECENT), epoch),
      validation_cost: run.heldCurve.slice(Math.max(0, epoch - RECENT), epoch),
      gradient_norms: [],
    },
    step: stepNumbers(run, seen),
    feature_names: data.own?.featureNames ?? [],
    association: { score: NaN, shifted_score: NaN, shift: 0 }, // of rows that nobody has shuffled here
  });
}

const FORMS_NAMED = { sgd: "SGD", rmsprop: "RMSProp", adam: "Adam", adamw: "AdamW" };

function rangeOfUnits({ names, size }) {
  const rows = Array.from({ length: size }, (_, j) => diagnosis.RANGES[names[names.length === 1 ? 0 : j]]);
  const [steepest, kind, low, high] = [0, 1, 2, 3].map((i) => rows.map((row) => row[i]));
  return { steepest, kind, low, high };
}

function layerNumbers({ made, n, parameters, passed, back, gradient, slope }, l, limits) {
  const layer = made.layers[l], { weights, biases } = layer, nIn = weights.shape[1], isOutput = l === made.layers.length - 1;
  const range = rangeOfUnits(layer), W = parameters.subarray(weights.offset, weights.offset + weights.size);
  const dW = gradient.subarray(weights.offset, weights.offset + weights.size);
  const [error, delta, slopes] = [back.error[l], back.delta[l], slope[l]].map(columnsOf), aIn = passed.a[l];
  const cancels = isOutput && Boolean(made.costRow.error);
  const ratio = slopes.map((column, j) => column.map((x) => Math.abs(x / range.steepest[j])));
  const inputs = Array.from({ length: n }, (_, i) => squares(aIn.row(i)) + Number(Boolean(biases)));
  const ofDeltas = Array.from({ length: n }, (_, i) => squares(back.delta[l].row(i)));
  const steepest = range.steepest.map((x) => (Number.isFinite(x) ? x : 1));
  const actual = delta.map((column) => mean(column, (x, i) => inputs[i] * x * x));
  const atMost = error.map((column, j) => column.map((x) => (x * steepest[j]) ** 2));
  const possible = cancels ? actual : atMost.map((column, j) => Math.max(mean(column, (x, i) => inputs[i] * x), actual[j]));
  const lost = inputs.map((input, i) => input * ratio.reduce((total, column, j) => total + (column[i] < limits.low_slope ? atMost[j][i] : 0), 0));
  const order = lost.map((_, i) => i).sort((i, j) => lost[j] - lost[i] || i - j);
  return {
    number: l + 1,
    function: layer.names.length === 1 ? layer.names[0] : layer.names.join(","),
    n_in: nIn,
    n_out: layer.size,
    is_output: isOutput,
    cancels,
    range,
    low: ratio.map((column) => mean(column, (x) => Number(x < limits.low_slope))),
    slope: ratio.map(rms),
    activation: columnsOf(passed.a[l + 1]).map(rms),
    error: error.map(rms),
    delta: Math.sqrt(ofDeltas.reduce((total, x) => total + x, 0) / back.delta[l].data.length),
    gain: l ? gainOf(W, layer.size, nIn, slope[l - 1]) : NaN,
    weight_norm: Math.sqrt(squares(W)),
    gradient_norm: Math.sqrt(squares(dW)),
    actual,
    possible,
    listened: ofFeatures(l ? null : made.embedding, columnsOf(aIn).map((column) => mean(column, (x, i) => ofDeltas[i] * x * x))),
    usual_input: ((mean(inputs, (x) => x) - Number(Boolean(biases))) / aIn.columns) * mean(ofDeltas, (x) => x),
    z_median: middleOf(passed.z[l].data.map(Math.abs)),
    identical: isOutput ? [] : identicalUnits(made, parameters, l, limits),
    worst: order.slice(0, WORST).filter((i) => lost[i] > 0),
  };
}

// Return the sum over the numbers that each feature is embedded as.
function ofFeatures(embedding, inputs) {
  if (!embedding) return inputs;
  const { first, nOutputs } = embedding, sum = (all) => all.reduce((total, x) => total + x, 0);
  const end = (at) => Math.min(nOutputs, ...first.filter((other) => other > at));
  return first.map((at, k) => (first.indexOf(at) === k ? sum(inputs.slice(at, end(at))) : 0));
}

// Return sqrt(mean ||W diag f'||^2 (1/n_in + 1/n_out) / 2).
function gainOf(W, nOut, nIn, slopeBefore) {
  const passing = columnsOf(slopeBefore).map((column) => mean(column, (x) => x * x));
  let total = 0;
  for (let i = 0; i < W.length; i++) total += W[i] * W[i] * passing[i % nIn];
  return Math.sqrt((total * (1 / nIn + 1 / nOut)) / 2);
}

// Return the groups of units with equal weights in, bias and weights out.
function identicalUnits({ layers }, parameters, l, { identical_float64: limit }) {
  const { weights, biases, size, names } = layers[l], next = layers[l + 1], nIn = weights.shape[1];
  const arraysOf = (j) => [
    parameters.subarray(weights.offset + j * nIn, weights.offset + (j + 1) * nIn),
    Array.from({ length: next.size }, (_, i) => parameters[next.weights.offset + i * size + j]),
    ...(biases ? [[parameters[biases.offset + j]]] : []),
  ];
  const largest = (all) => all.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const alike = (one, other) => {
    const [a, b] = [arraysOf(one), arraysOf(other)], most = Math.max(...a.map(largest));
    const same = a.every((each, i) => largest(Array.from(each, (x, k) => x - b[i][k])) <= limit * most);
    return same && (names.length === 1 || names[one] === names[other]);
  };
  const groups = [];
  for (let j = 0; j < size; j++) {
    const mine = groups.find((group) => alike(group[0], j));
    if (mine) mine.push(j);
    else groups.push([j]);
  }
  return groups.filter((group) => group.length > 1);
}

function outputNumbers(seen, limits) {
  const { made, n, passed, back, slope, Y } = seen, layer = made.layers.at(-1), range = rangeOfUnits(layer);
  const leaves = !made.costRow.error, [a, y, slopes] = [passed.a.at(-1), Y, slope.at(-1)].map(columnsOf);
  const width = range.high.map((x, j) => x - range.low[j]), bounded = width.map(Number.isFinite);
  const off = a.map((column, j) => column.map((x, i) => Math.abs(x - y[j][i])));
  const isStuck = (j, i) => {
    const flat = Math.abs(slopes[j][i]) < limits.low_slope * range.steepest[j];
    return flat && off[j][i] > limits.wrong_by * width[j] && bounded[j] && leaves;
  };
  const isBeyond = (j, i) => {
    const slack = limits.unreachable * (bounded[j] ? width[j] : 1);
    return range.low[j] - slack > y[j][i] || range.high[j] + slack < y[j][i];
  };
  const notOne = Array.from({ length: n }, (_, i) => made.output === "softmax" && Math.abs(Y.row(i).reduce((s, x) => s + x, 0) - 1) > 1e-4);
  const share = (is) => y.map((column, j) => mean(column, (_, i) => Number(is(j, i))));
  const rowsWith = (is, by) => {
    const rows = notOne.map((_, i) => i).filter(is), size = (i) => Math.max(...by.map((column) => Math.abs(column[i])));
    return rows.sort((i, j) => size(j) - size(i) || i - j).slice(0, WORST);
  };
  const some = (is) => (i) => y.some((_, j) => is(j, i)), targets = Array.from(Y.data);
  return {
    cost: reduced(made, back.costs),
    constant_cost: constantCost(seen),
    silent_cost: costAt(seen, new Float64Array(layer.size)),
    accuracy: NaN,
    name: made.output,
    probabilities: ["sigmoid", "softmax"].includes(made.output),
    cost_name: made.cost.name,
    squares: diagnosis.SQUARES.includes(made.cost.name),
    n_outputs: layer.size,
    leaves_slope: leaves,
    squashes: range.kind.every((kind) => kind === 1),
    low: Math.max(...range.low),
    high: Math.min(...range.high),
    stuck: share(isStuck),
    stuck_rows: rowsWith(some(isStuck), off),
    unreachable: share(isBeyond),
    unreachable_rows: rowsWith((i) => some(isBeyond)(i) || notOne[i], y),
    target_low: targets.reduce((least, x) => Math.min(least, x)),
    target_high: targets.reduce((most, x) => Math.max(most, x)),
    not_one: mean(notOne, Number),
  };
}

function reduced(made, costs) {
  const total = costs.reduce((sum, x) => sum + x, 0);
  return made.cost.reduction === "sum" ? total : total / costs.length;
}

// Return the cost of the same z, and where it is given the same a, for every row.
function costAt({ made, n, Y, passed }, z, a = null) {
  const repeated = (row) => new backprop.Matrix(n, row.length, Float64Array.from({ length: n * row.length }, (_, i) => row[i % row.length]));
  const last = made.layers.at(-1), answers = a ?? answersOf(last, z);
  const logSum = last.names[0] === "softmax" ? new Float64Array(n).fill(Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0))) : null;
  const same = { z: [repeated(z)], a: [repeated(answers)], slope: [passed.slope.at(-1)], logSum };
  return reduced(made, backprop.costs(made, same, Y));
}

function answersOf({ names, activations }, z) {
  if (names[0] !== "softmax") return z.map((x, j) => activations[names.length === 1 ? 0 : j](x)[0]);
  const total = z.reduce((sum, x) => sum + Math.exp(x), 0);
  return z.map((x) => Math.exp(x) / total);
}

// Return the cost of the best output that is the same for every row: the mean or the median of y.
function constantCost(seen) {
  const y = columnsOf(seen.Y), output = seen.made.output;
  const inside = (x) => Math.min(1 - 1e-7, Math.max(1e-7, x)), above = (x) => Math.max(x, 1e-7);
  const inverse = {
    softmax: (x) => Math.log(inside(x)),
    sigmoid: (x) => Math.log(inside(x)) - Math.log1p(-inside(x)),
    exp: (x) => Math.log(above(x)),
    softplus: (x) => Math.log(Math.expm1(above(x))),
  };
  const found = [(column) => mean(column, (x) => x), middleOf].map((of) => {
    const a = Float64Array.from(y, of);
    return costAt(seen, inverse[output] ? a.map(inverse[output]) : a, a);
  });
  return Math.min(...found.filter(Number.isFinite));
}

// Of weights and biases alone.
function gradientNumbers({ made, n, passed, back, gradient }) {
  const blocks = made.layers.flatMap(({ weights, biases }) => (biases ? [weights, biases] : [weights]));
  const samples = Array.from({ length: n }, (_, i) =>
    made.layers.reduce((total, { bias }, l) => total + (squares(passed.a[l].row(i)) + Number(bias)) * squares(back.delta[l].row(i)), 0),
  );
  const per = made.cost.reduction === "mean" ? 1 : 1 / n;
  const ofMean = blocks.reduce((sum, { offset, size }) => sum + squares(gradient.subarray(offset, offset + size)), 0) * per ** 2;
  const total = samples.reduce((sum, x) => sum + x, 0), noise = n > 1 ? Math.max(total - n * ofMean, 0) / (n - 1) : NaN;
  const numbers = { norm: Math.sqrt(ofMean), sample_norm: Math.sqrt(total / n), noise, signal: ofMean - noise / n, pull: NaN };
  return Object.assign(Object.create(diagnosis.GRADIENT), numbers);
}

function inputNumbers({ made, n, passed, back, gradient }) {
  const X = columnsOf(passed.a[0]), delta = columnsOf(back.delta[0]), { weights } = made.layers[0], nIn = weights.shape[1];
  const means = X.map((column) => mean(column, (x) => x));
  const spread = (column, middle) => Math.sqrt(mean(column, (x) => (x - middle) ** 2));
  const deviation = X.map((column, k) => spread(column, means[k]));
  const share = made.cost.reduction === "sum" ? 1 / n : 1;
  const wanted = X.map((_, k) => {
    const each = delta.map((column, j) => {
      const middle = mean(column, (x) => x), dw = share * gradient[weights.offset + j * nIn + k];
      const found = Math.abs(dw - middle * means[k]) / (spread(column, middle) * deviation[k]);
      return Number.isFinite(found) ? found : 0;
    });
    return Math.min(1, Math.max(...each));
  });
  const active = X.map((column) => mean(column, (x) => Number(x !== 0)));
  const its = made.embedding, embedded = [...(its?.columns ?? []), ...(its?.oneHot ?? [])];
  const taken = (all, usual) => (its ? its.first.map((at, k) => (embedded.includes(k) ? usual : all[at])) : all);
  return { rms: taken(X.map(rms), 1), mean: taken(means, 0), deviation: taken(deviation, 1), active: taken(active, 1), wanted: taken(wanted, 0) };
}

// Return the layer and the quantity that is not finite, in the order of the pass: the first one.
function firstOfPass({ made, parameters, passed, back, gradient }) {
  const of = (flat, block) => (block ? flat.subarray(block.offset, block.offset + block.size) : []);
  const forwards = made.layers.flatMap(({ weights, biases }, l) => [
    [l + 1, "W", of(parameters, weights)],
    [l + 1, "b", of(parameters, biases)],
    [l + 1, "z", passed.z[l].data],
    [l + 1, "a", passed.a[l + 1].data],
  ]);
  const backwards = made.layers.flatMap(({ weights, biases }, l) => [
    [[l + 1, "delta", back.delta[l].data], [l + 1, "dC/dW", of(gradient, weights)], [l + 1, "dC/db", of(gradient, biases)]],
  ]);
  const all = [...forwards, [made.layers.length, "C", back.costs], ...backwards.reverse().flat()];
  const found = all.find(([, , numbers]) => !numbers.every(Number.isFinite));
  return found ? found.slice(0, 2) : null;
}

// Return how far steps on mini-batches go beside the weights (the median), and whether one goes too far.
function stepNumbers(run, { made, n, X, Y, gradient }) {
  const { training, state } = run, apart = Math.max(1, Math.floor(n / training.plan.batchSize));
  const firsts = new Set(Array.from({ length: Math.min(BATCHES, apart) }, (_, i) => Math.floor(i ? (i * (apart - 1)) / (Math.min(BATCHES, apart) - 1) : 0)));
  const gradientAt = (parameters, x, y) => {
    const passed = backprop.forward(made, parameters, x);
    return backprop.gradient(made, passed, backprop.backward(made, parameters, passed, y));
  };
  const batches = Array.from(firsts, (first) => {
    const rows = Array.from({ length: Math.ceil((n - first) / apart) }, (_, i) => first + i * apart);
    const { parameters } = training.updated(gradientAt(state.parameters, X.pick(rows), Y.pick(rows)), true);
    return made.layers.map(({ weights }) => updateRatio(weights, state.parameters, parameters));
  });
  const after = gradientAt(training.updated(gradient, true).parameters, X, Y);
  const along = gradient.reduce((total, x, i) => total + x * after[i], 0);
  const update = made.layers.map((_, l) => {
    const all = batches.map((each) => each[l]).filter((x) => !Number.isNaN(x));
    return all.length ? middleOf(all) : NaN;
  });
  return { update, overshoot: along / Math.sqrt(squares(gradient) * squares(after)), n_batches: batches.length };
}
