// The drawing's twin: every number of a pass as tables, made when they are opened.

import { at, below, inputName, number, seenName, table } from "./elements.js";
import { here } from "./explorer.js";
import { inNotation } from "./notation.js";

const TABLE_ROWS = 25;

export const tables = {
  begin() {
    at("twin").addEventListener("toggle", () => tables.rest(here));
  },

  rest({ run, pass, position }) {
    if (at("twin").open) showTables(run, pass, position.row);
  },
};

function showTables(run, pass, row) {
  const { made } = run.training, each = made.layers.map((_, l) => layerTable(run, pass, row, l));
  const below = made.embedding || made.scale ? [belowTable(run, pass, row)] : [];
  at("tables").replaceChildren(...below, ...each, rowsTable(run, pass, row));
}

// What layer 1 sees: of an embedding, or of inputs and their scales.
function belowTable(run, { passed, gradient }, row) {
  const { made } = run.training, { parameters } = run.state, { scale } = made;
  const numbers = (k) => [passed.a[0].row(row)[k], ...(scale ? [parameters[scale.offset + k], gradient[scale.offset + k]] : [])];
  const rows = Array.from({ length: made.widths[0] }, (_, k) => [seenName(made, k), ...numbers(k).map((x) => number(x))]);
  return table(`What layer 1 sees at row ${row + 1}`, ["input", "a", ...(scale ? ["s", "dC/ds"] : [])], rows);
}

function layerTable(run, { passed, back, gradient }, row, l) {
  const { made } = run.training, { weights, biases, shares, size } = made.layers[l], [, nIn] = weights.shape;
  const { parameters } = run.state, from = (k) => (l ? `neuron ${k + 1}` : seenName(made, k));
  const numbered = ["z", "a", "δ", ...(biases ? ["b", "dC/db"] : []), ...(shares ? ["s", "dC/ds"] : [])];
  const columns = ["neuron", ...numbered.map(inNotation)];
  for (let k = 0; k < nIn; k++) columns.push(`${inNotation("w")} from ${from(k)}`, inNotation("dC/dw"));
  const rows = Array.from({ length: size }, (_, j) => {
    const numbers = [passed.z[l].row(row)[j], passed.a[l + 1].row(row)[j], back.delta[l].row(row)[j]];
    const of = (place) => numbers.push(parameters[place], gradient[place]);
    if (biases) of(biases.offset + j);
    if (shares) of(shares.offset + j);
    for (let k = 0; k < nIn; k++) of(weights.offset + j * nIn + k);
    return [String(j + 1), ...numbers.map((x) => number(x))];
  });
  const caption = `Layer ${l + 1} at row ${row + 1}; ${inNotation("dC/db")} and ${inNotation("dC/dw")} are of all rows`;
  return table(caption, columns, rows);
}

function rowsTable(run, { passed, back }, row) {
  const { X, Y } = run.training, first = Math.max(0, Math.min(row - TABLE_ROWS + 1, X.rows - TABLE_ROWS)), a = passed.a.at(-1);
  const names = (n, of) => Array.from({ length: n }, (_, k) => of(k));
  const columns = ["row", ...names(X.columns, inputName), ...names(Y.columns, (j) => `y${below(j + 1)}`)];
  columns.push(...names(Y.columns, (j) => `a${below(j + 1)}`), "cost");
  const rows = names(Math.min(TABLE_ROWS, X.rows), (i) => i + first).map((i) => [
    String(i + 1),
    ...[...X.row(i), ...Y.row(i), ...a.row(i), back.costs[i]].map((x) => number(x)),
  ]);
  return table(X.rows > TABLE_ROWS ? `Rows ${first + 1} to ${first + TABLE_ROWS} of ${X.rows}` : "Rows", columns, rows);
}
