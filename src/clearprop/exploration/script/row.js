// The row shown, in its own units: every cell can be changed, and the network's answer stands below.

import { showAnswer, wordOf } from "./answers.js";
import { choicesOf, digitsOf, isClock, writtenCell } from "./cells.js";
import { at, element, inputName, number, say } from "./elements.js";
import { go, here, stop } from "./explorer.js";
import { inPanel } from "./panels.js";
import { data } from "./recipe.js";

const MOST_CELLS = 60;
let shownOf = null, saidOf = null; // the set whose cells there are; the position that a sentence is of

export const rowCard = inPanel("row", {
  begin() {
    at("row-cells").addEventListener("change", (event) => onChange(event.target));
    at("row-cells").addEventListener("submit", (event) => event.preventDefault());
  },

  show({ run, position, pass }) {
    const { set } = run.problem, { row } = position, { X, Y } = run.training, a = pass.passed.a.at(-1).row(row);
    at("row-title").textContent = `Row ${row + 1} of ${X.rows}`;
    if (shownOf !== set) makeCells(set, X.columns);
    for (const field of at("row-cells").elements) if (field !== document.activeElement || !field.dataset.typing) showCell(field, run, row);
    showAnswer(at("row-answer"), set, a, Y.row(row));
    const all = membersAnswer(run, row);
    if (all) at("row-answer").append(element("p", { class: "quiet" }, `All ${data.own.parameters.length} members on average: ${wordOf(set, all)} (${Array.from(all, (x) => number(x, 3)).join(", ")})`));
    if (position !== saidOf) say("row-says", "");
  },
});

function makeCells(set, n) {
  shownOf = set;
  const columns = set.inputs?.columns ?? Array.from({ length: n }, (_, k) => ({ name: inputName(k), kind: "number" }));
  const few = set.image || columns.length > MOST_CELLS ? [] : columns;
  at("row-cells").replaceChildren(...few.map(cellField));
}

function cellField(column, k) {
  const label = element("label"), name = String(k);
  label.append(element("span", {}, column.name));
  if (column.kind === "categorical") {
    const select = element("select", { name });
    select.append(...choicesOf(column).map((each) => element("option", { value: each ?? "" }, each ?? "missing")));
    label.append(select);
  } else {
    const type = column.kind !== "datetime" ? "text" : isClock(column) ? "time" : "datetime-local";
    label.append(element("input", { name, type, autocomplete: "off", ...(type === "text" ? { inputmode: "decimal", placeholder: column.kind === "number" ? "" : "missing" } : { step: "1" }) }));
  }
  return label;
}

function showCell(field, run, row) {
  const k = Number(field.name), { inputs } = run.problem.set, column = inputs?.columns[k];
  if (!column) return void (field.value = String(run.training.X.row(row)[k]));
  const cell = run.cells[row][k], text = cell === null ? "" : typeof cell === "number" ? digitsOf(cell) : String(cell);
  if (column.kind === "datetime") return void (field.value = isClock(column) ? text.slice(11, 19) : text.slice(0, 19));
  if (field.localName === "select" && ![...field.options].some(({ value }) => value === text)) {
    field.append(element("option", { value: text }, `${text} (not learned)`));
  }
  field.value = text;
}

// Write a cell into the run, and say what the gradient of the row's inputs predicted, and what came.
function onChange(field) {
  const { run, pass, position } = here, { row } = position, k = Number(field.name), column = run.problem.set.inputs?.columns[k];
  const text = column && isClock(column) && field.value ? `1970-01-01T${field.value}` : field.value;
  const written = column ? writtenCell(column, text) : writtenCell({ kind: "numeric" }, text);
  field.setAttribute("aria-invalid", String(!written || (!column && written.letter === "c")));
  if (field.getAttribute("aria-invalid") === "true") return say("row-says", `${column?.name ?? inputName(k)} must be a number, got “${field.value}”.`);
  stop();
  const place = column ? `${written.letter}${row}.${k}` : `x${row}.${k}`, before = run.training.X.row(row).slice();
  const slopes = Array.from(before, (_, i) => (before.length <= MOST_CELLS || i === k ? run.slope(`x${row}.${i}`, pass) : 0));
  const again = (each) => each.step === position.step && "xnc".includes(each.place[0]) && each.place.slice(1) === place.slice(1);
  const earlier = position.edits.filter((each) => each.step <= position.step && !again(each));
  go({ ...position, edits: [...earlier, { step: position.step, place, value: written.value }] });
  saidOf = here.position;
  const predicted = run.training.X.row(row).reduce((total, x, i) => total + slopes[i] * (x - before[i]), 0), { cost } = here.pass;
  say("row-says", `Predicted: gradient × change, summed over what the network sees of it: ${number(predicted)}. What came: the cost went from ${number(pass.cost)} to ${number(cost)}, by ${number(cost - pass.cost)}.`);
}

// Return the mean of the outputs of all members, of which the one shown is as it is here; null of one.
function membersAnswer(run, row) {
  if (!data.own || data.own.parameters.length < 2) return null;
  const { made, X } = run.training, one = X.pick([row]), mine = Number(here.position.recipe.member) - 1;
  const outputs = data.own.parameters.map((each, k) => backprop.forward(made, k === mine ? run.state.parameters : Float64Array.from(each), one).a.at(-1).row(0));
  return outputs[0].map((_, j) => outputs.reduce((total, a) => total + a[j], 0) / outputs.length);
}
