// What happens at a tick, as an equation in symbols and in numbers.

import { aboveOf, below, brief, inputName, number } from "./elements.js";

// Return z⁽²⁾₁ and the like; a⁽⁰⁾ₖ is an input.
export function symbol(letter, l, j, k) {
  if (letter === "a" && l === 0) return inputName(j);
  const both = k === undefined ? "" : `${j > 8 || k > 8 ? "," : ""}${below(k + 1)}`;
  return `${letter}⁽${aboveOf(l)}⁾${below(j + 1)}${both}`;
}

const times = (...factors) => factors.map((x) => (x < 0 ? `(${number(x)})` : number(x))).join(" × ");

// What each kind of tick finds, as {law, words, symbols, numbers}.
const FOUND = {
  product: ({ l, j, k }, its, made) => ({
    words: `${done(k, made.widths[l - 1])} of the sum ${symbol("z", l, j)}, which has come to ${number(its.sum(l, j, k + 1))}`,
    symbols: `${symbol("w", l, j, k)} ${symbol("a", l - 1, k)}`,
    numbers: `${times(its.w(l, j, k), its.a(l - 1, k))} = ${number(its.w(l, j, k) * its.a(l - 1, k))}`,
  }),
  bias: ({ l, j }, its, made) => ({
    words: `the bias is added: ${symbol("z", l, j)} is known`,
    symbols: `${symbol("z", l, j)} = Σ w a + ${symbol("b", l, j)}`,
    numbers: `${number(its.sum(l, j, made.widths[l - 1]))} + ${times(its.b(l, j))} = ${number(its.z(l, j))}`,
  }),
  activation: (tick, its, made) => foundAtActivation(tick, its, made),
  cost: (_, its) => ({ words: "what this row costs: from here the way leads back", symbols: "C", numbers: number(its.cost) }),
  output: (tick, its, made) => ({ law: "BP1", ...foundAtOutput(tick, its, made) }),
  back: ({ l, j, k }, its, made) => ({
    law: "BP2",
    words: `${done(k, made.widths[l + 1])} of the error that arrives, which has come to ${number(its.backSum(l, j, k + 1))}`,
    symbols: `${symbol("w", l + 1, k, j)} ${symbol("δ", l + 1, k)}`,
    numbers: `${times(its.w(l + 1, k, j), its.delta(l + 1, k))} = ${number(its.w(l + 1, k, j) * its.delta(l + 1, k))}`,
  }),
  delta: ({ l, j }, its, made) => ({
    law: "BP2",
    words: "the error that arrives, times the slope at z",
    symbols: `${symbol("δ", l, j)} = (Σ w δ) ${functionOf(made, l, j)}′(${symbol("z", l, j)})`,
    numbers: `${times(its.error(l, j), its.slope(l, j))} = ${number(its.delta(l, j))}`,
  }),
  gradient: ({ l, j, k }, its) => ({
    law: "BP4",
    words: "what this row wants of the weight: what comes in, times δ",
    symbols: `∂C/∂${symbol("w", l, j, k)} = ${symbol("a", l - 1, k)} ${symbol("δ", l, j)}`,
    numbers: `${times(its.a(l - 1, k), its.delta(l, j))} = ${number(its.gradient(l, j, k))}`,
  }),
  "bias gradient": ({ l, j }, its) => ({
    law: "BP3",
    words: "and of the bias",
    symbols: `∂C/∂${symbol("b", l, j)} = ${symbol("δ", l, j)}`,
    numbers: number(its.delta(l, j)),
  }),
};

// Return what the last tick, or the last layer, has found.
export function told(made, tick, its) {
  return tick.isWhole && tick.kind !== "cost" ? toldOfLayer(made, tick) : FOUND[tick.kind](tick, its, made);
}

function done(k, n) {
  return `product ${k + 1} of ${n}`;
}

function foundAtActivation({ l, j }, its, made) {
  const f = functionOf(made, l, j), kept = its.keep(l, j), factor = kept === undefined ? "" : ` × ${number(kept)}`;
  const words = f === "softmax" ? "its part of all outputs of the layer" : "what the neuron hands on";
  return {
    words: factor ? `${words}, with what dropout multiplies it by in this step` : words,
    symbols: `${symbol("a", l, j)} = ${f}(${symbol("z", l, j)})${factor && " × keep"}`,
    numbers: `${f}(${number(its.z(l, j))})${factor} = ${number(its.a(l, j))}`,
  };
}

function foundAtOutput({ l, j }, its, made) {
  const f = functionOf(made, l, j), a = symbol("a", l, j), delta = symbol("δ", l, j), found = number(its.delta(l, j));
  const y = `y${below(j + 1)}`, difference = its.a(l, j) - its.y(j);
  if (made.costRow.error && Math.abs(difference - its.delta(l, j)) <= 1e-12 * Math.abs(difference)) {
    const numbers = `${number(its.a(l, j))} − ${times(its.y(j))} = ${found}`;
    return { words: `with this cost the slope of ${f} cancels`, symbols: `${delta} = ${a} − ${y}`, numbers };
  }
  if (f === "softmax") return { words: "through the Jacobian of softmax", symbols: delta, numbers: found };
  return {
    words: "how the cost changes with the output, times the slope at z",
    symbols: `${delta} = ∂C/∂${a} ${f}′(${symbol("z", l, j)})`,
    numbers: `${times(its.error(l, j), its.slope(l, j))} = ${found}`,
  };
}

function toldOfLayer(made, { l, isForward }) {
  const f = functionOf(made, l, 0), n = made.widths[l], [up, before, after] = [l, l - 1, l + 1].map(aboveOf);
  const a = before === aboveOf(0) ? "x" : `a⁽${before}⁾`;
  if (isForward) {
    return {
      words: `forwards through layer ${l}: ${made.widths[l - 1]} numbers go to ${n} ${n === 1 ? "neuron" : "neurons"}`,
      symbols: `z⁽${up}⁾ = W⁽${up}⁾ ${a} + b⁽${up}⁾, a⁽${up}⁾ = ${f}(z⁽${up}⁾)`,
      numbers: "",
    };
  }
  const isLast = l === made.layers.length, gradient = `∂C/∂W⁽${up}⁾ = δ⁽${up}⁾ ${a}ᵀ`;
  const delta = isLast ? `δ⁽${up}⁾ = ∂C/∂z⁽${up}⁾` : `δ⁽${up}⁾ = (W⁽${after}⁾ᵀ δ⁽${after}⁾) ∘ ${f}′(z⁽${up}⁾)`;
  return {
    law: isLast ? "BP1, BP3, BP4" : "BP2, BP3, BP4",
    words: `backwards ${isLast ? "from the cost" : `from layer ${l + 1}`} to layer ${l}, and its gradients`,
    symbols: `${delta}, ${gradient}`,
    numbers: "",
  };
}

function functionOf(made, l, j) {
  const { names } = made.layers[l - 1], name = names[names.length === 1 ? 0 : j];
  return { identity: "id", sigmoid: "σ" }[name] ?? name;
}

// Return what stands at the two ends of a step, where there was no tick.
export function toldOfStep(run, inside, row) {
  const { rows } = run.nextStep(), m = rows.length, isIn = rows.includes(row);
  const many = m === 1 ? "one row" : `${m} rows`;
  if (inside === 0) return { words: `a step of ${many} begins: nothing of its pass is known yet`, symbols: "", numbers: "" };
  const mean = run.training.made.cost.reduction === "sum" ? "sum" : "mean";
  return {
    words: `the pass is done. Next: the update, with the ${mean} of the gradients of ${many}${isIn ? "" : "; the row shown is not one of them"}`,
    symbols: run.isPlain ? `w ← w − η ∂C/∂w, η = ${brief(run.rate)}` : "",
    numbers: "",
  };
}
