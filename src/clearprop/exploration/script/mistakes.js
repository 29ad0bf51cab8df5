// Wrong ways to a delta or a gradient, as gradient_check/wrong_passes.py and wrong_slopes.py have them:
// for one neuron or weight, the number that each leads to, with its words.

import { data } from "./recipe.js";

// Return the words for a mistake in layer l, counted from 1.
function words(name, l, last, which = 0) {
  const layer = `layer ${l}${l === last ? ", the output" : ""}`;
  const said = data.mistakes[name][which].replaceAll("{where}", `in ${layer}`).replaceAll("{which}", layer);
  return said.replaceAll("{after}", `layer ${l + 1}`);
}

// Return [value, words] of the mistakes in delta of neuron j of layer l.
export function wrongDeltas({ run, pass, row }, l, j) {
  const { made } = run.training, last = made.layers.length, { passed, back } = pass;
  const error = back.error[l - 1].row(row)[j], slope = passed.slope[l - 1].row(row)[j];
  const found = [], tell = (value, name, which) => found.push([value, words(name, l, last, which)]);
  if (l === last && made.output === "softmax") return found;
  if (l === last && made.costRow.error) tell(back.delta[l - 1].row(row)[j] * slope, "kept_slope");
  else tell(error, "missing_slope");
  if (l < last) tell(slope * sum(back.error[l].row(row), (k) => weight(made, run, l + 1, k, j)), "missing_slope", 1);
  const atA = slopeAt(made, l, j, passed.a[l].row(row)[j]);
  if (atA !== null) tell(error * atA, "slope_at_activation");
  tell(error * slope * slope, "slope_twice");
  tell(slope, "error_dropped");
  if (l < last) tell(slope * sum(back.delta[l].row(row), (k) => turned(made, run, l + 1, k, j)), "transposed_weights");
  return found;
}

// The same for dC/dw of the weight from neuron k of the layer before; k is -1 for the bias.
export function wrongGradients(asked, l, j, k) {
  const { run, pass, row } = asked, { made } = run.training, last = made.layers.length, { passed, back } = pass;
  const came = k < 0 ? 1 : passed.a[l - 1].row(row)[k], found = wrongDeltas(asked, l, j).map(([value, said]) => [value * came, said]);
  const delta = back.delta[l - 1].row(row)[j];
  if (k >= 0 && l > 1) found.push([delta * passed.z[l - 2].row(row)[k], words("wrong_input", l, last)]);
  if (k >= 0 && k < passed.a[l].columns) found.push([delta * passed.a[l].row(row)[k], words("wrong_input", l, last, 1)]);
  const { weights, biases } = made.layers[l - 1], place = k < 0 ? biases.offset + j : weights.offset + j * weights.shape[1] + k;
  found.push([pass.gradient[place], "That is of all rows together: this row's alone is asked for"]);
  if (k >= 0) found.push([delta, `That is δ alone: it is multiplied by what comes in through the weight (BP4)`]);
  return found;
}

function sum(deltas, factor) {
  return deltas.reduce((total, delta, k) => total + delta * factor(k), 0);
}

function weight(made, run, l, j, k) {
  const { weights } = made.layers[l - 1];
  return run.state.parameters[weights.offset + j * weights.shape[1] + k];
}

// The weight that a product with the matrix laid the other way finds.
function turned(made, run, l, j, k) {
  const { weights } = made.layers[l - 1];
  return run.state.parameters[weights.offset + k * weights.shape[0] + j];
}

function slopeAt(made, l, j, z) {
  const { activations, parametric } = made.layers[l - 1], f = activations[activations.length === 1 ? 0 : j];
  return parametric ? null : f(z)[1];
}
