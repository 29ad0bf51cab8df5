// A step of training as what it is made of: products, sums and slopes of one row, forwards and backwards,
// one after the other. Where a reader is inside a step is a number of ticks; 0 is before the first product.

export class Walk {
  // `ticks` are {kind, l, j, k}, layers from 1, neurons from 0; `marks` are where a layer is done.
  constructor(made) {
    Object.assign(this, { made, ticks: [], marks: [], knownAt: new Map() });
    const last = made.layers.length;
    for (let l = 1; l <= last; l++) this.forward(l);
    this.put("cost", "cost", last);
    this.mark();
    for (let l = last; l >= 1; l--) this.backward(l);
  }

  get length() {
    return this.ticks.length;
  }

  // What a tick finds out is known from then on; of several with one key, from the last.
  put(key, kind, l, j = 0, k = 0) {
    this.ticks.push({ kind, l, j, k });
    this.knownAt.set(key, this.ticks.length);
  }

  mark() {
    this.marks.push(this.ticks.length);
  }

  forward(l) {
    const { size, bias, names } = this.made.layers[l - 1], nIn = this.made.widths[l - 1], together = names[0] === "softmax";
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < nIn; k++) this.put(`z,${l},${j}`, "product", l, j, k);
      if (bias) this.put(`z,${l},${j}`, "bias", l, j);
      if (!together) this.put(`a,${l},${j}`, "activation", l, j);
    }
    for (let j = 0; j < size && together; j++) this.put(`a,${l},${j}`, "activation", l, j);
    this.mark();
  }

  backward(l) {
    const { size, bias } = this.made.layers[l - 1], nIn = this.made.widths[l - 1], isLast = l === this.made.layers.length;
    for (let j = 0; j < size; j++) {
      const after = isLast ? 0 : this.made.layers[l].size;
      for (let i = 0; i < after; i++) this.put(`error,${l},${j}`, "back", l, j, i);
      this.put(`δ,${l},${j}`, isLast ? "output" : "delta", l, j);
    }
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < nIn; k++) this.put(`w,${l},${j},${k}`, "gradient", l, j, k);
      if (bias) this.put(`b,${l},${j}`, "bias gradient", l, j);
    }
    this.mark();
  }

  // Return whether a number of the drawing is known inside a step; `inside` undefined: the whole pass is.
  knows(key, inside) {
    return inside === undefined || !this.knownAt.has(key) || inside >= this.knownAt.get(key);
  }

  // Return where the next tick, or the next layer, ends on one side of a place inside a step.
  next(inside, sign, grain) {
    if (grain === "product") return inside + sign;
    const beyond = this.marks.filter((mark) => (sign > 0 ? mark > inside : mark < inside));
    return sign > 0 ? beyond[0] : (beyond.at(-1) ?? 0);
  }

  // Return what was done last: one tick, or a whole layer where that has just been done.
  last(inside, grain) {
    if (!inside) return null;
    const tick = this.ticks[inside - 1], isWhole = grain !== "product" && this.marks.includes(inside);
    const isForward = inside <= this.marks[this.made.layers.length - 1];
    return { ...tick, isWhole, isForward };
  }
}

// Everything that a tick's sentence needs of the row shown. A step with dropout has a pass of its own.
export function numbersOf(run, pass, shown, inside) {
  const { made, Y } = run.training, { parameters } = run.state;
  const next = inside === undefined ? null : run.nextStep(), i = next?.passed.keep.some(Boolean) ? next.rows.indexOf(shown) : -1;
  const { passed, back } = i < 0 ? pass : next, row = i < 0 ? shown : i;
  const w = (l, j, k) => {
    const { weights } = made.layers[l - 1];
    return parameters[weights.offset + j * weights.shape[1] + k];
  };
  const a = (l, k) => passed.a[l].row(row)[k], delta = (l, j) => back.delta[l - 1].row(row)[j];
  return {
    w,
    a,
    delta,
    b: (l, j) => parameters[made.layers[l - 1].biases.offset + j],
    z: (l, j) => passed.z[l - 1].row(row)[j],
    slope: (l, j) => passed.slope[l - 1].row(row)[j],
    error: (l, j) => back.error[l - 1].row(row)[j],
    y: (j) => Y.row(shown)[j],
    keep: (l, j) => passed.keep[l - 1]?.row(row)[j],
    cost: back.costs[row],
    gradient: (l, j, k) => a(l - 1, k) * delta(l, j),
    // The sum of the first products of a neuron, forwards, or backwards.
    sum: (l, j, n) => sumOf(n, (k) => w(l, j, k) * a(l - 1, k)),
    backSum: (l, j, n) => sumOf(n, (i) => w(l + 1, i, j) * delta(l + 1, i)),
  };
}

function sumOf(n, f) {
  let total = 0;
  for (let k = 0; k < n; k++) total += f(k);
  return total;
}

// Return the sum that a tick has come to, and in whose place of the drawing it grows; null where none does.
export function partial(tick, its) {
  if (!tick || tick.isWhole) return null;
  const { kind, l, j, k } = tick;
  if (kind === "product") return { key: `z,${l},${j}`, value: its.sum(l, j, k + 1) };
  return kind === "back" ? { key: `δ,${l},${j}`, value: its.backSum(l, j, k + 1) } : null;
}

// Return between which neurons a tick's number goes, as {from: [l, k], to: [l, j]}; for a layer all of them.
export function flows(made, tick) {
  if (!tick) return [];
  const { kind, l, j, k, isWhole, isForward } = tick, nIn = made.widths[l - 1], n = made.widths[l];
  if (kind === "cost" || kind === "output") return [];
  if (!isWhole) {
    if (kind === "product") return [{ edge: [l, j, k], isForward: true }];
    if (kind === "back") return [{ edge: [l + 1, k, j], isForward: false }];
    return kind === "gradient" ? [{ edge: [l, j, k], isForward: false, stays: true }] : [];
  }
  const [at, rows, columns] = isForward ? [l, n, nIn] : [l + 1, made.widths[l + 1] ?? 0, n];
  const all = [];
  for (let i = 0; i < rows; i++) for (let c = 0; c < columns; c++) all.push({ edge: [at, i, c], isForward });
  return all;
}
