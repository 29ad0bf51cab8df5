// Practice: a few deltas or gradients of the row shown, which the drawing hides meanwhile. The variant is
// in the address: which row, and which neurons.

import { verdictOn } from "../../page/answers.js";
import { at, below, brief, element, nameOf, number } from "./elements.js";
import { go, here } from "./explorer.js";
import { wrongDeltas, wrongGradients } from "./mistakes.js";
import { openPanel } from "./panels.js";

const DRAWN = 14; // the purpose of draws for variants, which Python draws nothing with
const MOST_ASKED = 4;
let shownKey = "", asked = [];

export const practice = {
  begin() {
    at("practice-kind").addEventListener("change", () => turnToVariant(at("practice-kind").value, 1));
    at("practice-another").addEventListener("click", () => {
      const { kind, variant } = here.position.practice;
      turnToVariant(kind, variant + 1);
      at("questions").querySelector("input").focus();
    });
  },

  show({ position }) {
    const { practice: its } = position, isOpen = !at("panel-practice").hidden, key = its ? `${its.kind} ${its.variant}` : "";
    if (isOpen && !its) queueMicrotask(() => turnToVariant("delta", 1));
    else if (its && !isOpen && key !== shownKey) openPanel("practice"); // by a link
    else if (its && !isOpen) here.position = { ...position, practice: null }; // the reader is at another panel
    document.body.classList.toggle("practising", Boolean(here.position.practice));
    if (!here.position.practice) shownKey = "";
  },

  // The questions stand as long as the numbers that they are about.
  rest({ run, position }) {
    if (!position.practice) return;
    const { kind, variant } = position.practice, key = `${kind} ${variant}`;
    const about = JSON.stringify([key, position.recipe, position.edits, run.at, position.row]);
    if (about !== asked.about) ask(kind, variant, about);
    shownKey = key;
  },
};

function turnToVariant(kind, variant) {
  const { rows } = here.run.training.X, [u] = backprop.uniforms(variant, 1, DRAWN);
  go({ ...here.position, row: Math.floor(rows * u), practice: { kind, variant } }, { remember: false });
}

function ask(kind, variant, about) {
  asked = kind === "delta" ? deltas(variant) : gradients(variant);
  asked.about = about;
  at("practice-kind").value = kind;
  at("practice-said").textContent = `Row ${here.position.row + 1}, variant ${variant}. The drawing has every other number; two digits are enough.`;
  at("questions").replaceChildren(...asked.map(questionOf));
  tellDone();
}

// One neuron of each layer, from the last one back.
function deltas(variant) {
  const { run, pass } = here, { row } = here.position, { layers } = run.training.made;
  const u = backprop.uniforms(variant, layers.length, DRAWN, 1), found = [];
  for (let l = layers.length; l > 0 && found.length < MOST_ASKED; l--) {
    const j = Math.floor(u[l - 1] * Math.min(8, layers[l - 1].size)), right = pass.back.delta[l - 1].row(row)[j];
    const mistakes = wrongDeltas({ run, pass, row }, l, j);
    found.push({ name: `δ of neuron ${j + 1}, layer ${l}`, right, mistakes, ...deltaFormula(l, j) });
  }
  return found;
}

function deltaFormula(l, j) {
  const { run, pass } = here, { row } = here.position, { made } = run.training, last = made.layers.length, { passed, back } = pass;
  const a = passed.a[l].row(row)[j], slope = passed.slope[l - 1].row(row)[j], y = run.training.Y.row(row)[j];
  if (l === last && made.costRow.error) return { formula: "δ = a − y", numbers: `${brief(a)} − ${signed(y)}` };
  if (l === last) return { formula: `δ = ∂C/∂a × f′(z), f′(z) = ${brief(slope)}`, numbers: `${signed(back.error[l - 1].row(row)[j])} × ${brief(slope)}` };
  const { weights } = made.layers[l], next = Array.from(back.delta[l].row(row)).slice(0, 8);
  const terms = next.map((delta, k) => `${signed(run.state.parameters[weights.offset + k * weights.shape[1] + j])} × ${signed(delta)}`);
  const more = made.layers[l].size > 8 ? " + …" : "";
  return { formula: `δ = (Σ w δ of layer ${l + 1}) × f′(z), f′(z) = ${brief(slope)}`, numbers: `(${terms.join(" + ")}${more}) × ${brief(slope)}` };
}

// A weight and a bias of the last layer, and a weight of each before, as many as are asked.
function gradients(variant) {
  const { run, pass } = here, { row } = here.position, { layers } = run.training.made, found = [];
  const u = backprop.uniforms(variant, 2 * layers.length, DRAWN, 2);
  const put = (l, j, k) => {
    const { weights, biases } = layers[l - 1], place = k < 0 ? biases.offset + j : weights.offset + j * weights.shape[1] + k;
    const delta = pass.back.delta[l - 1].row(row)[j], came = k < 0 ? 1 : pass.passed.a[l - 1].row(row)[k];
    const from = l === 1 ? `x${below(k + 1)}` : `a of neuron ${k + 1}, layer ${l - 1}`, of = `δ of neuron ${j + 1}, layer ${l}`;
    const formula = k < 0 ? `∂C/∂b = ${of}` : `∂C/∂w = ${of}, × ${from}; δ = ${brief(delta)}`;
    const numbers = k < 0 ? brief(delta) : `${brief(delta)} × ${signed(came)}`, mistakes = wrongGradients({ run, pass, row }, l, j, k);
    found.push({ name: nameOf(run.training.made, `p${place}`), right: delta * came, mistakes, formula, numbers });
  };
  for (let l = layers.length; l > 0 && found.length < MOST_ASKED; l--) {
    const j = Math.floor(u[2 * l - 2] * Math.min(8, layers[l - 1].size));
    put(l, j, Math.floor(u[2 * l - 1] * Math.min(8, layers[l - 1].weights.shape[1])));
    if (l === layers.length && layers[l - 1].biases) put(l, j, -1);
  }
  return found;
}

function signed(x) {
  return x < 0 ? `(${brief(x)})` : brief(x);
}

function questionOf(question, i) {
  const line = element("li"), field = element("input", { type: "text", inputmode: "decimal", autocomplete: "off", id: `answer-${i}` });
  const name = element("label", { for: `answer-${i}` }, question.name), verdict = element("output", { class: "verdict", for: `answer-${i}` });
  const formula = element("p", { class: "formula" }, question.formula), row = element("div", { class: "answer" });
  const hint = element("button", { type: "button", "aria-label": `Hint: ${question.name}` }, "Hint");
  const show = element("button", { type: "button", "aria-label": `Show: ${question.name}` }, "Show");
  field.addEventListener("change", () => pronounce(verdictOn(field.value, question.right, number(question.right), question.mistakes)));
  hint.addEventListener("click", () => (formula.textContent = `${question.formula}: ${question.numbers}`));
  show.addEventListener("click", () => pronounce({ kind: "shown", words: number(question.right) }));
  const pronounce = ({ kind, words }) => {
    question.kind = kind;
    verdict.className = `verdict ${kind}`;
    verdict.textContent = words;
    tellDone();
  };
  row.append("= ", field, " ", hint, " ", show);
  line.append(name, formula, row, verdict);
  return line;
}

function tellDone() {
  const isDone = asked.length && asked.every(({ kind }) => kind === "right");
  at("practice-done").textContent = isDone ? "All right. Another?" : "";
}
