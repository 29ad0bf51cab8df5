// A run: a training, the reader's changes in it, and the way back. Where it is, is a number of steps; a
// way back is the last kept state before it and the same steps once more, which give the same bits.

import { cellOf, isCell } from "./cells.js";
import { Trail } from "./trail.js";
import { Walk } from "./walk.js";

export const RATE = "r"; // the place of the learning rate

const NEAR = 30, FAR = 60; // states that are kept: the last ones, and some from the beginning on
const EPOCHS = 1000, WAY = 200, NUMBERS = 2000000; // epochs that are kept; points of the way, and their numbers in all

export class Run {
  constructor(problem) {
    Object.assign(this, { problem, at: 0, known: 0, edits: [], curve: [], near: [], far: [], every: 1, stopped: null });
    const { made, parameters, X, Y, plan, held } = problem;
    const copy = (A) => new backprop.Matrix(A.rows, A.columns, A.data.slice());
    this.training = new backprop.Training(made, parameters, copy(X), copy(Y), plan);
    this.cells = [...(problem.cells ?? [])]; // raw rows, where there are such
    this.stepsPerEpoch = Math.ceil(X.rows / plan.batchSize);
    this.held = held;
    this.heldCurve = [];
    this.trail = new Trail(EPOCHS); // {epoch, ratios}
    this.way = new Trail(Math.max(20, Math.min(WAY, Math.floor(NUMBERS / made.nParameters)))); // {epoch, parameters}
    this.firstRate = this.rate;
    this.isPlain = plan.optimizer.name === "sgd" && !plan.optimizer.momentum; // w - rate * gradient
    this.share = made.cost.reduction === "sum" ? 1 : 1 / X.rows;
    this.keep(this.far);
    this.way.add(0, () => ({ parameters: this.state.parameters.slice() }));
  }

  get state() {
    return this.training.state;
  }

  get rate() {
    return this.training.optimizer.rate;
  }

  // What a step consists of, for a reader who goes through it.
  get walk() {
    this.wholeWalk ??= new Walk(this.training.made);
    return this.wholeWalk;
  }

  // Return what the next step will be, as `look` has it; nothing is changed.
  nextStep() {
    const { at, edits, next } = this;
    if (next?.at !== at || next.edits !== edits) this.next = { at, edits, made: this.training.look() };
    return this.next.made;
  }

  // A step makes new moments, but changes are made in the parameters themselves.
  keep(among) {
    if (among.some((each) => each.at === this.at)) return;
    const parameters = this.state.parameters.slice();
    among.push({ at: this.at, state: { ...this.state, parameters } });
  }

  // Go to where `edits` have been made up to `step`, as far as `until()` lets it; return whether it is there.
  seek(edits, step, until = () => false) {
    const common = this.commonWith(edits), changed = common < Math.max(this.edits.length, edits.length);
    const first = Math.min(this.edits[common]?.step ?? Infinity, edits[common]?.step ?? Infinity);
    const from = changed ? Math.min(step, first) : step, isMore = common === this.edits.length && Math.min(step, first) >= this.at;
    if (changed) this.forget(from);
    if ((changed && !isMore) || step < this.at || this.lastKept(from).at > this.at) this.restore(from); // else nothing done is undone
    this.edits = edits;
    this.settle();
    while (this.at < step && !this.stopped) {
      if (until()) return false;
      this.advance(step - this.at <= NEAR);
    }
    return true;
  }

  // Return how many of the changes at the beginning are those of this run.
  commonWith(edits) {
    const parting = edits.findIndex((each, i) => !same(each, this.edits[i]));
    return parting < 0 ? edits.length : parting;
  }

  // Return whether this run, with these changes, has been as far as `step`.
  knows(edits, step) {
    return edits.length === this.edits.length && this.commonWith(edits) === edits.length && step <= this.known;
  }

  // What comes after `at` is of another run from now on.
  forget(at) {
    this.near = this.near.filter((each) => each.at <= at);
    this.far = this.far.filter((each) => each.at <= at);
    this.known = Math.min(this.known, at);
    const epochs = Math.floor(at / this.stepsPerEpoch);
    for (const curve of [this.curve, this.heldCurve]) curve.length = Math.min(curve.length, epochs);
    for (const trail of [this.trail, this.way]) trail.cut(epochs);
  }

  lastKept(at) {
    let best = this.far[0];
    for (const each of [...this.far, ...this.near]) if (each.at <= at && each.at > best.at) best = each;
    return best;
  }

  // Take the last kept state that is not after `at`; it holds no change made there.
  restore(at) {
    const kept = this.lastKept(at);
    Object.assign(this.state, kept.state, { parameters: kept.state.parameters.slice() });
    const { X, Y } = this.problem;
    this.training.X.data.set(X.data);
    this.training.Y.data.set(Y.data);
    this.cells = [...(this.problem.cells ?? [])];
    this.at = kept.at;
    this.stopped = null;
    this.training.optimizer.rate = this.firstRate;
    // What was changed before, of rows and the rate; parameters are in the state.
    for (const each of this.edits) if (each.step < this.at && each.place[0] !== "p") this.apply(each);
  }

  // Make the changes that belong here.
  settle() {
    for (const each of this.edits) if (each.step === this.at) this.apply(each);
  }

  apply({ place, value }) {
    if (isCell(place)) return this.applyCell(place, value);
    const [from, at] = this.placeOf(place);
    if (from) from[at] = value;
  }

  // A cell of a raw row changes what the network sees of the row.
  applyCell(place, value) {
    const { inputs } = this.problem.set, [row, column] = place.slice(1).split(".").map(Number);
    if (!inputs?.columns[column] || !this.cells[row]) return;
    this.cells[row] = this.cells[row].with(column, cellOf(inputs.columns[column], place[0], value));
    this.training.X.row(row).set(backprop.encoded(inputs, [this.cells[row]]).data);
  }

  // Return where a place is: an array and an index, or null where this run has none.
  placeOf(place) {
    const { X, Y } = this.training, numbers = place.slice(1).split(".").map(Number);
    if (place === RATE) return [this.training.optimizer, "rate"];
    if (place[0] === "p") return numbers[0] < this.state.parameters.length ? [this.state.parameters, numbers[0]] : [null];
    const table = place[0] === "x" ? X : Y, [row, column] = numbers;
    if (isCell(place)) return [null];
    return row < table.rows && column < table.columns ? [table.data, row * table.columns + column] : [null];
  }

  value(place) {
    const [from, at] = this.placeOf(place);
    return from ? from[at] : NaN;
  }

  advance(isNear) {
    const before = this.state.parameters, made = this.training.step();
    if (!made) {
      this.stopped = firstNotFinite(this.training.made, this.training.look());
      return;
    }
    this.at += 1;
    this.known = Math.max(this.known, this.at);
    if (made.epochCost !== undefined) this.endEpoch(made.epochCost, before);
    if (isNear) {
      this.keep(this.near);
      if (this.near.length > NEAR) this.near.shift();
    }
    if (this.at % this.every === 0) this.keepFar();
    this.settle();
  }

  endEpoch(cost, before) {
    const { epoch, parameters } = this.state, { layers } = this.training.made;
    this.curve[epoch - 1] = cost * this.share;
    if (this.held) this.heldCurve[epoch - 1] = this.heldCost();
    this.trail.add(epoch, () => ({ ratios: layers.map(({ weights }) => updateRatio(weights, before, parameters)) }));
    this.way.add(epoch, () => ({ parameters: parameters.slice() }));
  }

  // Return the cost of the rows that are held out: their mean, or, where costs are summed, their sum.
  heldCost() {
    const { made } = this.training, { X, Y } = this.held;
    const costs = backprop.costs(made, backprop.forward(made, this.state.parameters, X), Y);
    const total = costs.reduce((sum, each) => sum + each, 0);
    return made.cost.reduction === "sum" ? total : total / X.rows;
  }

  // Return the last steps again, as {at, made}, without going there.
  lastSteps(n) {
    const { state } = this, kept = { ...state };
    const found = this.near.filter((each) => each.at <= this.at).sort((one, other) => one.at - other.at).slice(-n).map((each) => {
      Object.assign(state, each.state);
      return { at: each.at, made: this.training.look(), parameters: each.state.parameters };
    });
    Object.assign(state, kept);
    return found;
  }

  keepFar() {
    this.keep(this.far);
    if (this.far.length <= FAR) return;
    this.every *= 2;
    this.far = this.far.filter((each) => each.at % this.every === 0);
  }

  // Return everything of a pass over all rows: z, a, error, delta, costs, and the gradient of their cost.
  pass() {
    const { made, X, Y } = this.training;
    const passed = backprop.forward(made, this.state.parameters, X);
    const back = backprop.backward(made, this.state.parameters, passed, Y);
    const cost = back.costs.reduce((total, each) => total + each, 0) * this.share;
    return { passed, back, cost, gradient: backprop.gradient(made, passed, back) };
  }

  // Return dC/d(place) of the cost over all rows, from a pass.
  slope(place, { passed, back, gradient }) {
    const { made } = this.training, [row, column] = place.slice(1).split(".").map(Number);
    if (place[0] === "p") return gradient[row];
    if (place[0] === "x") {
      const error = backprop.inputError(made, this.state.parameters, passed, back.delta[0]);
      return error.row(row)[column] * this.share;
    }
    const { costRow } = made, a = passed.a.at(-1).row(row)[column];
    if (!costRow.error) return -back.error.at(-1).row(row)[column] * this.share; // the cost is of a - y
    const z = passed.z.at(-1).row(row)[column], cost = (y) => costRow.cost(passed.logSum?.[row], z, a, y)[0];
    return (cost(1) - cost(0)) * this.share; // the cost is linear in y
  }
}

function same(one, other) {
  return Boolean(other) && one.step === other.step && one.place === other.place && one.value === other.value;
}

// Return ||W - W_before|| / ||W_before||; NaN for weights of 0.
export function updateRatio({ offset, size }, before, after) {
  let moved = 0, was = 0;
  for (let i = offset; i < offset + size; i++) {
    moved += (after[i] - before[i]) ** 2;
    was += before[i] ** 2;
  }
  return was ? Math.sqrt(moved / was) : NaN;
}

// Return what in a step was the first not to be finite, as {layer, quantity}: training/divergence.py.
function firstNotFinite(made, { passed, back, cost, gradient, parameters }) {
  const isOff = (numbers) => !numbers.every(Number.isFinite);
  for (const [l, z] of passed.z.entries()) {
    if (isOff(z.data)) return { layer: l + 1, quantity: "z" };
    if (isOff(passed.a[l + 1].data)) return { layer: l + 1, quantity: "a" };
  }
  if (!Number.isFinite(cost)) return { layer: null, quantity: "cost" };
  const l = back.delta.findLastIndex((each) => isOff(each.data));
  if (l >= 0) return { layer: l + 1, quantity: "delta" };
  for (const [quantity, flat] of Object.entries({ gradient, parameters })) {
    const block = made.blocks.find(({ offset, size }) => isOff(flat.subarray(offset, offset + size)));
    if (block) return { layer: (Number(block.name.split(".")[1]) || 0) + 1, quantity }; // what is before layer 1 counts to it
  }
  return { layer: null, quantity: "cost" };
}
