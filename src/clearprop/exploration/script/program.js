// A run as a Python program that goes on with it: the rows, the network, and all that a next step needs.

import { hashOf } from "./recipe.js";

const PLAIN = ["sizes", "layers", "cost"]; // what the arguments of Network say of an architecture
const INSIDE = ["from clearprop.model.inputs import Inputs", "from clearprop.model.model import Model, first_targets"];
// Of others the file has the architecture; X and Y are as the first layer and the cost see them.
const FROM_FILE = [
  'whole = cp.load("network.safetensors")  # the page\'s "Network"',
  "made = whole.architecture",
  "net = cp.Network.of(Model(made, whole.parameters, Inputs(), first_targets(made)))",
];

export function programOf({ run, position }) {
  const { training, state } = run, { plan } = training, dropout = plan.dropout.some(Boolean);
  const settings = [
    `optimizer=${optimizerText(plan.optimizer, training.optimizer.rate)}`,
    `batch_size=${plan.batchSize}`,
    ...(dropout ? [`dropout=${list(plan.dropout)}`] : []),
    `seed=${plan.seed}`,
  ];
  const lines = [
    `"""Goes on with a run of clearprop's live page, from its step ${state.step}.`,
    "",
    "The address of the run there ends in",
    hashOf(position),
    '"""',
    "",
    "import numpy as np",
    "",
    "import clearprop as cp",
    ...(isPlain(training.made.description) ? [] : INSIDE),
    "",
    ...arrayOf("X", training.X),
    ...arrayOf("Y", training.Y),
    ...networkText(training.made.description),
    `training = cp.Training(net, X, Y, ${settings.join(", ")})`,
    "",
    ...stateOf(state),
    "",
    'if __name__ == "__main__":',
    "    print(training.run(epochs=10))",
    '    print("cost of all rows now:", net.cost(X, Y))',
    "",
  ];
  return lines.join("\n");
}

// Return what sets the state of a training.
function stateOf({ parameters, moments, step, updates, epoch, epochStep, epochCost }) {
  const moved = moments.some((each) => each.some(Boolean));
  const both = [`for mine, its in zip(state.moments, [`, ...moments.map((each) => `    ${list(each)},`), "]):", "    mine[:] = its"];
  return [
    "state = training.state",
    `state.parameters[:] = ${list(parameters)}`,
    ...(moved ? both : []),
    `state.step, state.updates = ${step}, ${updates}`,
    `state.epoch, state.epoch_step, state.epoch_cost = ${epoch}, ${epochStep}, ${real(epochCost)}`,
  ];
}

function isPlain(description) {
  return Object.keys(description).every((name) => PLAIN.includes(name));
}

function networkText(description) {
  if (!isPlain(description)) return FROM_FILE;
  const { sizes, layers, cost } = description, { name, reduction, ...more } = cost;
  const made = layers.map(({ activation, bias }, l) => `cp.Layer(${sizes[l + 1]}, ${JSON.stringify(activation)}${bias ? "" : ", bias=False"})`);
  const given = Object.entries(more).map(([key, value]) => `${key}=${real(value)}, `).join("");
  const kind = reduction === "mean" && !given ? JSON.stringify(name) : `cp.costs.FACTORIES["${name}"](${given}reduction="${reduction}")`;
  return [`net = cp.Network([${sizes[0]}, ${made.join(", ")}], cost=${kind}, dtype="float64", seed=0)`];
}

function optimizerText({ name, ...numbers }, rate) {
  const all = Object.entries({ ...numbers, learning_rate: rate });
  const given = all.map(([key, value]) => `${key}=${typeof value === "boolean" ? (value ? "True" : "False") : real(value)}`);
  return `cp.${backprop.FORMS[name] ?? "SGD"}(${given.join(", ")})`;
}

function arrayOf(name, { rows, columns, data }) {
  const lines = Array.from({ length: rows }, (_, i) => `    ${list(data.subarray(i * columns, (i + 1) * columns))},`);
  return [`${name} = np.array([`, ...lines, "])"];
}

function list(numbers) {
  return `[${Array.from(numbers, real).join(", ")}]`;
}

// The shortest digits that are this number, as Python has them for a float.
function real(x) {
  const text = Object.is(x, -0) ? "-0" : String(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
