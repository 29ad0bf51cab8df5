// The next step as a table: every parameter's gradient by the row shown, by the batch, and its update.

import { at, element, number, shortName, table } from "./elements.js";
import { inPanel } from "./panels.js";
import { numbersOf } from "./walk.js";

const MOST_LINES = 60; // parameters that a table has

export const inside = inPanel("step", {
  rest({ run, pass, position, lastGrain }) {
    const { row } = position, { made } = run.training, next = run.nextStep();
    at("step-rows").textContent = rowsOfStep(run, next, row);
    const tick = position.inside ? run.walk.last(position.inside, lastGrain) : null;
    const its = numbersOf(run, pass, row, position.inside ?? run.walk.length);
    const layers = made.layers.map((_, l) => l + 1).filter((l) => !tick || made.nParameters <= MOST_LINES || l === tick.l);
    at("step-table").replaceChildren(...layers.map((l) => gradientTable(run, next, its, position, l)));
  },
});

function rowsOfStep(run, { rows }, row) {
  const named = Array.from(rows, (i) => i + 1).sort((i, j) => i - j), few = named.slice(0, 12).join(", ");
  const list = named.length > 12 ? `${few} and ${named.length - 12} more` : few;
  const which = rows.length === run.training.X.rows ? `all ${rows.length} rows` : rows.length === 1 ? `row ${list}` : `rows ${list}`;
  const outside = rows.includes(row) ? "" : ` Row ${row + 1}, which is shown, is not one of them.`;
  return `Step ${(run.at + 1).toLocaleString("en")} is made with ${which}.${outside}`;
}

function gradientTable(run, next, its, { row, inside }, l) {
  const { made } = run.training, { weights, biases, size } = made.layers[l - 1], nIn = weights.shape[1];
  const isEnd = inside === undefined || inside === run.walk.length, mean = made.cost.reduction === "sum" ? "sum" : "mean";
  const of = (place, key, own) => {
    const known = run.walk.knows(key, inside), before = run.state.parameters[place];
    const cells = [before, known ? own : null, known ? next.gradient[place] : null];
    cells.push(...(isEnd ? [next.parameters[place] - before, next.parameters[place]] : [null, null]));
    return [shortName(made, `p${place}`), ...cells.map((x) => (x === null ? "?" : number(x)))];
  };
  const rows = [];
  for (let j = 0; j < size && rows.length < MOST_LINES; j++) {
    for (let k = 0; k < nIn; k++) rows.push(of(weights.offset + j * nIn + k, `w,${l},${j},${k}`, its.gradient(l, j, k)));
    if (biases) rows.push(of(biases.offset + j, `b,${l},${j}`, its.delta(l, j)));
  }
  const m = next.rows.length, caption = `Layer ${l}: ∂C/∂w of row ${row + 1} alone, and the ${mean} over the batch`;
  const columns = ["parameter", "value", `row ${row + 1}`, `${mean} of ${m}`, "update", "new value"];
  const found = table(caption, columns, rows.slice(0, MOST_LINES));
  const left = size * (nIn + (biases ? 1 : 0)) - MOST_LINES;
  if (left > 0) found.append(element("p", { class: "quiet" }, `and ${left} more`));
  return found;
}
