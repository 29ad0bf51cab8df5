// Backpropagation: the gradient of a cost with respect to every weight and bias.
//
// To be read beside backprop.py and the four equations of S2, BP1-BP4. With z = a_previous Wᵀ + b and
// a = f(z) in every layer, the backward pass finds delta = dC/dz, in the last layer first:
//
//   BP1   delta = dC/da * f'(z)                       in the last layer
//   BP2   delta = (delta_next W_next) * f'(z)         in every other layer
//   BP3   dC/db = the mean of delta over the samples
//   BP4   dC/dW = the mean of the outer products of delta and a_previous
//
// (mean, or sum if the cost says so). Where f is softmax, "* f'(z)" is the product with its Jacobian:
// (37) of S2. Every gradient is taken at the same parameters; nothing here changes any. A learned input
// scale s is a layer before the first, a_0 = s * X: a bias that meets the slope X. The share s of a
// parametric activation, a = z + s (f(z) - z), is one that meets the slope f(z) - z. Where inputs are
// embedded, E(X) stands for X; embedding.js goes on from dC/dE.

// Return z, a and its slope of every layer, (25) of S2; a[0] is the input, keep[l] what dropout
// multiplies a by (null without), and bend[l] is f(z) - z (null where there are no shares).
export function forward(made, parameters, X, keep = null) {
  check(made, parameters, X);
  const { weights, biases, shares, scale, embedding } = views(made, parameters);
  const passed = { X, z: [], a: [], slope: [], bend: [], keep: keep ?? weights.map(() => null), logSum: null };
  passed.embedded = made.embedding ? embed(made.embedding, embedding, X) : null;
  let a = passed.embedded?.out ?? X;
  if (scale) a = a.map((x, k) => scale[k] * x);
  passed.a.push(a);
  made.layers.forEach((layer, l) => {
    const b = biases[l];
    let z = productTransposed(a, weights[l]);
    if (b) z = z.map((sum, j) => sum + b[j]);
    const slope = new Matrix(z.rows, z.columns);
    [a, passed.logSum] = activate(layer, z, slope);
    passed.bend.push(shares[l] && share(shares[l], z, a, slope));
    if (passed.keep[l]) a = a.times(passed.keep[l]);
    passed.z.push(z);
    passed.slope.push(slope);
    passed.a.push(a);
  });
  return passed;
}

// Return f(z), and put f'(z) into slope; of softmax return log(sum(exp(z))) of each sample too.
function activate(layer, z, slope) {
  const a = new Matrix(z.rows, z.columns, z.data.slice()), f = layer.activations;
  if (f[0] === softmax) {
    const logSum = new Float64Array(z.rows);
    softmax(a.data, logSum, z.rows, z.columns);
    return [a, logSum];
  }
  for (let i = 0; i < a.data.length; i++) {
    [a.data[i], slope.data[i]] = f[f.length === 1 ? 0 : i % z.columns](z.data[i]);
  }
  return [a, null];
}

// Take of f(z) and f'(z) the shares of the neurons, the rest from the identity; return f(z) - z.
function share(shares, z, a, slope) {
  const bend = new Matrix(z.rows, z.columns);
  for (let i = 0; i < bend.data.length; i++) {
    const s = shares[i % z.columns];
    bend.data[i] = a.data[i] - z.data[i];
    a.data[i] = z.data[i] + s * bend.data[i];
    slope.data[i] = 1 + s * (slope.data[i] - 1);
  }
  return bend;
}

// Return the cost of each sample; put its dC/da and dC/dz, those of the last layer, where they belong.
export function costs(made, passed, Y, error = null, delta = null) {
  const z = passed.z.at(-1), a = passed.a.at(-1), slope = passed.slope.at(-1), { costRow } = made;
  error ??= new Matrix(Y.rows, Y.columns);
  delta ??= new Matrix(Y.rows, Y.columns);
  const parameter = made.cost[costRow.parameter];
  const each = new Float64Array(Y.rows);
  for (let i = 0; i < Y.rows; i++) {
    const zi = z.row(i), ai = a.row(i), yi = Y.row(i), errors = error.row(i), deltas = delta.row(i);
    if (costRow.groups) {
      const groups = groupsOf(made.cost);
      each[i] = costRow.cost(groups, 0, groups.length, zi, yi, deltas);
      errors.set(deltas); // a = z
      continue;
    }
    for (let j = 0; j < Y.columns; j++) {
      let more;
      if (costRow.error) {
        // computed from z, for the outputs that belong to it
        [more, deltas[j]] = costRow.cost(passed.logSum?.[i], zi[j], ai[j], yi[j]);
        errors[j] = costRow.error(ai[j], yi[j]);
      } else {
        [more, errors[j]] = costRow.cost(ai[j] - yi[j], parameter, Y.columns > 1 ? j / (Y.columns - 1) - 0.5 : 0);
      }
      each[i] += more;
    }
    if (!costRow.error) deltas.set(throughActivation(made.output, ai, slope.row(i), errors)); // BP1
  }
  return each;
}

// Return dC/dz of one sample from its dC/da: with softmax, error (diag(a) - a aᵀ).
function throughActivation(output, a, slope, error) {
  if (output !== "softmax") return error.map((e, j) => e * slope[j]);
  const along = a.reduce((total, x, j) => total + x * error[j], 0);
  return error.map((e, j) => a[j] * (e - along));
}

function groupsOf({ groups }) {
  let end = 0;
  return groups.map((size) => [end, (end += size)]);
}

// Return error = dC/da and delta = dC/dz of every layer, for the cost of each sample (times its weight).
export function backward(made, parameters, passed, Y, sampleWeight = null) {
  const { weights } = views(made, parameters), last = weights.length - 1;
  const back = { error: [], delta: [], scaleDelta: null, embedding: null, costs: null };
  let error = new Matrix(Y.rows, Y.columns), delta = new Matrix(Y.rows, Y.columns);
  back.costs = costs(made, passed, Y, error, delta); // BP1
  if (sampleWeight) {
    const weighted = (A) => A.data.forEach((x, i) => (A.data[i] = x * sampleWeight[Math.floor(i / A.columns)]));
    [error, delta].forEach(weighted);
  }
  back.error[last] = error;
  back.delta[last] = delta;
  for (let l = last - 1; l >= 0; l--) {
    error = product(back.delta[l + 1], weights[l + 1]);
    if (passed.keep[l]) error = error.times(passed.keep[l]);
    back.error[l] = error;
    back.delta[l] = error.times(passed.slope[l]); // BP2
  }
  if (made.inputScale) {
    back.scaleDelta = product(back.delta[0], weights[0]).times(passed.embedded?.out ?? passed.X);
  }
  if (made.embedding) {
    back.embedding = embeddingBackward(passed.embedded, errorBelow(made, parameters, back.delta[0]));
  }
  return back;
}

// Return the gradient of the cost over the batch, as a flat vector like the parameters.
export function gradient(made, passed, back) {
  const flat = new Float64Array(made.nParameters);
  const { weights, biases, shares, scale, embedding } = views(made, flat);
  const share = made.cost.reduction === "sum" ? 1 : 1 / passed.X.rows;
  const put = (place, sum) => {
    for (let i = 0; i < place.length; i++) place[i] = share * sum[i];
  };
  made.layers.forEach((_, l) => {
    if (biases[l]) put(biases[l], sumOfRows(back.delta[l])); // BP3
    put(weights[l].data, transposedProduct(back.delta[l], passed.a[l]).data); // BP4
    if (shares[l]) put(shares[l], sumOfRows(back.error[l].times(passed.bend[l]))); // BP3
  });
  if (scale) put(scale, sumOfRows(back.scaleDelta)); // BP3
  if (back.embedding) addEmbeddingGradient(passed.embedded, back.embedding, embedding);
  for (const sum of Object.values(embedding)) put(sum, sum);
  return flat;
}

// Return dC/dX from delta of layer 1: BP2's product, one layer further back.
export function inputError(made, parameters, passed, delta) {
  const error = errorBelow(made, parameters, delta);
  return passed.embedded ? embeddingInputError(passed.embedded, error) : error;
}

function errorBelow(made, parameters, delta) {
  const { weights, scale } = views(made, parameters), error = product(delta, weights[0]);
  return scale ? error.map((x, k) => x * scale[k]) : error;
}
