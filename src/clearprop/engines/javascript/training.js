// Training by mini-batches: engines/reference.py, on the page.
//
// What does not change is the plan: {optimizer, seed, batchSize, shuffle, l2, l1, dropout, clipNorm}, of
// which all but the optimizer (as in a checkpoint: {name, learning_rate, ...}) and the seed may be left
// out. Where a training is, is its state, the same as Python's; a copy of it is all that a step back needs.

export class Training {
  // `sampleWeight` has mean 1; null is 1 for every sample.
  constructor(made, parameters, X, Y, plan, sampleWeight = null) {
    check(made, parameters, X, Y);
    Object.assign(this, { made, X, Y, sampleWeight, plan: wholePlan(plan, X.rows) });
    this.optimizer = optimizerOf(plan.optimizer);
    this.stretches = stretches(made.blocks, this.optimizer.decay);
    this.state = {
      parameters: Float64Array.from(parameters),
      moments: [new Float64Array(made.nParameters), new Float64Array(made.nParameters)],
      step: 0, // keys the dropout masks
      updates: 0,
      epoch: 0, // keys the order of samples
      epochStep: 0,
      epochCost: 0, // sum of the samples' weighted costs, each before its step's update
    };
  }

  // Return the numbers of the samples of the next step.
  rows() {
    const { seed, batchSize, shuffle } = this.plan, { epoch, epochStep } = this.state, n = this.X.rows;
    if (this.orderOf !== epoch) {
      this.order = shuffle
        ? permutation(seed, n, shuffle === "once" ? 0 : epoch)
        : Uint32Array.from({ length: n }, (_, i) => i);
      this.orderOf = epoch;
    }
    return this.order.subarray(epochStep * batchSize, (epochStep + 1) * batchSize);
  }

  // Return what the next step computes: everything that the pass leaves, the gradient that the optimizer
  // follows, and the new parameters and moments; nothing is changed.
  look() {
    const { made, state, plan } = this, rows = this.rows();
    const X = this.X.pick(rows), Y = this.Y.pick(rows);
    const weight = this.sampleWeight && Float64Array.from(rows, (i) => this.sampleWeight[i]);
    const passed = forward(made, state.parameters, X, this.keep(rows.length));
    const back = backward(made, state.parameters, passed, Y, weight);
    const cost = back.costs.reduce((total, each, i) => total + each * (weight ? weight[i] : 1), 0);
    const slope = gradient(made, passed, back);
    addPenalties(made, slope, state.parameters, plan.l2, plan.l1);
    for (const { offset, size, gradient: factor } of made.blocks) {
      if (factor !== 1) slope.subarray(offset, offset + size).forEach((x, i, its) => (its[i] = factor * x));
    }
    clip(slope, plan.clipNorm);
    const moves = !weight || weight.some((w) => w !== 0);
    return { rows, passed, back, cost, gradient: slope, ...this.updated(slope, moves) };
  }

  // Return new parameters and moments.
  updated(slope, moves) {
    const { made, state, optimizer } = this, { row, rate, numbers } = optimizer;
    const parameters = state.parameters.slice(), moments = state.moments.map((each) => each.slice());
    for (const { start, end, rate: factor, decay } of moves ? this.stretches : []) {
      const [p, g, u, v] = [parameters, slope, ...moments].map((x) => x.subarray(start, end));
      const its = rate * factor;
      const to = { ...numbers, rate: its, decay: its * optimizer.decay * decay, t: state.updates + 1 };
      row.follow(to, p, g, u, v);
    }
    return { parameters, moments, updates: state.updates + (moves ? 1 : 0) };
  }

  // Make the next step and return what `look` does; null where the cost or a parameter is not finite:
  // then the state is as it was before.
  step() {
    const made = this.look(), { state } = this;
    if (!Number.isFinite(made.cost) || !made.parameters.every(Number.isFinite)) return null;
    const { parameters, moments, updates } = made;
    Object.assign(state, { parameters, moments, updates });
    state.epochCost += made.cost;
    state.step += 1;
    state.epochStep += 1;
    if (state.epochStep * this.plan.batchSize >= this.X.rows) {
      made.epochCost = state.epochCost;
      Object.assign(state, { epoch: state.epoch + 1, epochStep: 0, epochCost: 0 });
    }
    return made;
  }

  // Make the steps that are left of the epoch, and return the cost of its samples, their mean or their
  // sum, each before its step's update; null where a step was not finite.
  epoch() {
    let made;
    do made = this.step();
    while (made && made.epochCost === undefined);
    if (!made) return null;
    return this.made.cost.reduction === "sum" ? made.epochCost : made.epochCost / this.X.rows;
  }

  // Return what hidden activations are multiplied by in the next step: 0, or 1 / (1 - rate).
  keep(n) {
    const { dropout, seed } = this.plan, { layers } = this.made, { step } = this.state;
    if (!dropout.some(Boolean)) return null;
    return layers.map(({ size }, l) => {
      const rate = l < layers.length - 1 ? dropout[l] : 0; // the outputs are never dropped
      if (!rate) return null;
      const kept = keepMask(seed, step, l, n, size, rate);
      return new Matrix(n, size, Float64Array.from(kept, (each) => each * (1 / (1 - rate))));
    });
  }
}

// Return a plan with what it leaves out.
function wholePlan(given, n) {
  const plan = { optimizer: null, seed: null, batchSize: n, shuffle: "epoch", l2: 0, l1: 0, dropout: [], clipNorm: null };
  const names = Object.keys(plan), unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown) throw new Error(`a plan has ${names.join(", ")}; got ${unknown}`);
  Object.assign(plan, given);
  if (plan.optimizer === null || plan.seed === null) throw new Error("a plan needs an optimizer and a seed");
  if (!(plan.batchSize >= 1)) throw new RangeError(`batchSize must be at least 1, got ${plan.batchSize}`);
  return plan;
}

// Return the stretches of the flat vector that an optimizer treats alike.
function stretches(blocks, decays) {
  const made = [];
  for (const { offset, size, rate, decay } of blocks) {
    const before = made.at(-1), end = offset + size;
    if (before && before.rate === rate && (!decays || before.decay === decay)) before.end = end;
    else made.push({ start: offset, end, rate, decay });
  }
  return made;
}

// Return an optimizer's kernel, its learning rate, and its numbers by the kernel's names.
function optimizerOf(description) {
  const { name, learning_rate: given, momentum, nesterov } = description;
  let form = FORMS[name] ?? name;
  if (name === "sgd" && momentum) form = nesterov ? "SGD with Nesterov momentum" : "SGD with momentum";
  const row = known("optimizer", form, OPTIMIZERS);
  const rate = typeof given === "number" ? given : given.rate;
  if (typeof given !== "number" && given.name !== "constant") {
    throw new Error(`the page's engine has no learning rate ${given.name}, only a constant one`);
  }
  if (description.weight_decay?.name) {
    throw new Error(`the page's engine has no weight decay ${description.weight_decay.name}, only a constant one`);
  }
  const number = (its) => (its ? description[its] : 0);
  const numbers = { first: number(row.first), second: number(row.second), epsilon: number(row.epsilon) };
  return { row, rate, numbers, decay: number(row.weight_decay) };
}

// Return whether a block holds weights, also an embedding's map and vectors.
const isMap = ({ name }) => name.endsWith(".weight") || name.endsWith(".vectors");

// Add l2 W + l1 sign(W) to the gradient of every weight, an embedding's too, in place.
function addPenalties(made, slope, parameters, l2, l1) {
  for (const { offset, size } of l2 || l1 ? made.blocks.filter(isMap) : []) {
    for (let i = offset; i < offset + size; i++) slope[i] += l2 * parameters[i] + l1 * Math.sign(parameters[i]);
  }
}

// Return l2/2 times the squared weights and l1 times their sizes.
export function penalty(made, parameters, l2, l1) {
  let total = 0;
  for (const { offset, size } of made.blocks.filter(isMap)) {
    for (const w of parameters.subarray(offset, offset + size)) total += 0.5 * l2 * w * w + l1 * Math.abs(w);
  }
  return total;
}

function clip(slope, most) {
  if (most === null) return;
  const norm = Math.sqrt(slope.reduce((total, x) => total + x * x, 0));
  if (norm > most) slope.forEach((x, i) => (slope[i] = x * (most / norm)));
}
