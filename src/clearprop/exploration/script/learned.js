// From a table of texts to what a network can learn: kinds of columns, their scales, and the target.

import { Refused, shortened } from "./csv.js";

export const MOST_CATEGORIES = 20, MOST_CLASSES = 20, MOST_FEATURES = 200, MOST_LEARNED = 1000; // rows
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, COMMA = /^[+-]?\d*,\d+(e[+-]?\d+)?$/i;
const THOUSANDS = /^[+-]?\d{1,3}(,\d{3})+$/, TARGETS = /^(target|label|class|y|species|outcome|survived|churn)$/i;

// Return which column is most likely meant to be predicted.
export function likelyTarget({ names }) {
  return names.find((name) => TARGETS.test(name)) ?? names.at(-1);
}

// Return the kind of each column with a sentence: {name, kind: "number", "text" or "", says, cells}.
export function kindsOf(table, missing, file) {
  return table.names.map((name, k) => {
    const texts = table.columns[k].map((text) => (missing.includes(text) ? null : text));
    const there = texts.filter((text) => text !== null), different = new Set(there).size;
    const gaps = texts.length - there.length, more = gaps ? `, ${gaps} missing` : "";
    const numbers = cellsAsNumbers(texts, there, table.separator, name, file);
    if (different === 0) return { name, kind: "", says: "left out: it has no values", cells: texts };
    if (different === 1 && !gaps) return { name, kind: "", says: `left out: it is always ${shortened(there[0])}`, cells: texts };
    if (numbers) {
      const present = numbers.filter((x) => x !== null).sort((one, other) => one - other);
      return { name, kind: "number", says: `numbers from ${present[0]} to ${present.at(-1)}${more}`, cells: numbers };
    }
    if (different > MOST_CATEGORIES && different > 0.9 * there.length) {
      return { name, kind: "", says: `left out: ${different} different values in ${there.length} rows`, cells: texts };
    }
    return { name, kind: "text", says: `${different} ${different === 1 ? "category" : "categories"}${more}`, cells: texts };
  });
}

// Return a column's numbers, null where they are missing; null if it is of something else.
function cellsAsNumbers(texts, there, separator, name, file) {
  const comma = there.some((text) => text.includes(",")) && there.every((text) => COMMA.test(text) || NUMBER.test(text) || THOUSANDS.test(text));
  if (comma && separator === ",") {
    throw new Refused(`${shortened(name)} of ${file} holds ${shortened(there.find((text) => text.includes(",")))}: write numbers with a point, and without separators of thousands.`);
  }
  const plain = comma ? there.map((text) => text.replace(",", ".")) : there;
  if (!there.length || !plain.every((text) => NUMBER.test(text))) return null;
  const numbers = texts.map((text) => (text === null ? null : Number(comma ? text.replace(",", ".") : text)));
  const far = numbers.findIndex((x) => x !== null && !Number.isFinite(x));
  if (far >= 0) throw new Refused(`${shortened(name)} of ${file} must hold finite numbers, got ${shortened(texts[far])}.`);
  return numbers;
}

// Return a data set to learn from; `target` is the name of a column.
export function learnedFrom(table, target, missing, file) {
  const kinds = kindsOf(table, missing, file), its = kinds.find(({ name }) => name === target) ?? kinds.at(-1);
  if (its.kind === "") throw new Refused(`The target must vary and say what is to be learned: ${shortened(its.name)} of ${file} is ${its.says}.`);
  const says = [table.note], has = its.cells.map((cell) => cell !== null);
  const all = has.reduce((n, each) => n + each, 0), rows = keptRows(has);
  if (all < has.length) says.push(`${has.length - all} rows have no target and were left out.`);
  if (all > MOST_LEARNED) says.push(`The first ${MOST_LEARNED.toLocaleString("en")} of ${all.toLocaleString("en")} rows are learned from.`);
  const features = kinds.filter((each) => each !== its && each.kind).map((each) => ({ ...each, cells: rows.map((i) => each.cells[i]) }));
  const columns = features.filter(({ cells }) => cells.some((cell) => cell !== cells[0])).map(columnOf);
  if (!columns.length) throw new Refused(`${file} must have a column to learn from beside ${shortened(its.name)}, it has none that varies.`);
  const cells = rows.map((_, i) => columns.map((each) => each.cells[i]));
  const inputs = { dtype: "float64", columns: columns.map(({ cells: _, ...described }) => described), steps: [] };
  const wide = backprop.encodedNames(inputs).length;
  if (wide > MOST_FEATURES) throw new Refused(`The columns of ${file} must make at most ${MOST_FEATURES} inputs, they make ${wide}: leave some out.`);
  inputs.steps.push(scaleOf(inputs, cells));
  if (!backprop.encoded(inputs, cells).data.every(Number.isFinite)) throw new Refused(`The numbers of ${file} are too far apart to be learned from.`);
  return { inputs, X: cells, ...targetOf(its, rows.map((i) => its.cells[i]), file), says: says.filter(Boolean) };
}

function keptRows(has) {
  return has.flatMap((each, i) => (each ? [i] : [])).slice(0, MOST_LEARNED);
}

function columnOf({ name, kind, cells }) {
  const there = cells.filter((cell) => cell !== null), gaps = there.length < cells.length;
  if (kind === "number") return { name, kind: "numeric", median: median(there), flagged: gaps, cells };
  const counts = new Map();
  for (const text of there) counts.set(text, (counts.get(text) ?? 0) + 1);
  const byCount = [...counts.keys()].sort((one, other) => counts.get(other) - counts.get(one) || inOrder(one, other));
  const categories = byCount.slice(0, MOST_CATEGORIES).sort(inOrder);
  return { name, kind: "categorical", categories, pooled: counts.size - categories.length, missing: gaps, cells };
}

function inOrder(one, other) {
  return one < other ? -1 : Number(one > other); // by code units, as in every language
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : sorted[half - 1] + (sorted[half] - sorted[half - 1]) / 2;
}

// Numbers get mean 0 and standard deviation 1; what says a category or a gap stays 0 and 1.
function scaleOf(inputs, rows) {
  const encoded = backprop.encoded(inputs, rows), names = new Set(inputs.columns.filter(({ kind }) => kind === "numeric").map(({ name }) => name));
  const scales = backprop.encodedNames(inputs).map((name, k) => {
    const its = names.has(name) ? momentsOf(rows.map((_, i) => encoded.row(i)[k])) : { mean: 0, spread: 1 };
    return { shift: its.mean, factor: its.spread > 0 ? 1 / its.spread : 0 };
  });
  return { shift: scales.map(({ shift }) => shift), factor: scales.map(({ factor }) => factor) };
}

// In units of the largest number, of which no square overflows.
function momentsOf(numbers) {
  const unit = Math.max(...numbers.map(Math.abs)) || 1, parts = numbers.map((x) => x / unit);
  const mean = parts.reduce((total, x) => total + x, 0) / parts.length;
  const spread = Math.sqrt(parts.reduce((total, x) => total + (x - mean) * (x - mean), 0) / parts.length);
  return { mean: mean * unit, spread: spread * unit < 1e-300 ? 0 : spread * unit };
}

// Text and at most 20 different whole numbers are classes, everything else a quantity; as in Python.
function targetOf({ name, kind }, cells, file) {
  const different = [...new Set(cells)], whole = kind === "number" && different.every(Number.isInteger);
  if (different.length < 2) throw new Refused(`The target must vary: ${shortened(name)} of ${file} is always ${shortened(String(different[0]))}.`);
  if (kind === "text" || (whole && different.length <= MOST_CLASSES)) {
    if (different.length > MOST_CLASSES) {
      throw new Refused(`The target must have at most ${MOST_CLASSES} classes: ${shortened(name)} of ${file} has ${different.length}.`);
    }
    const labels = kind === "text" ? different.sort(inOrder) : different.sort((one, other) => one - other);
    return { target: name, classes: labels.map(String), Y: cells.map((cell) => [labels.indexOf(cell)]) };
  }
  const { mean, spread } = momentsOf(cells);
  if (!(spread > 0)) throw new Refused(`The target must vary: ${shortened(name)} of ${file} varies by nothing that can be learned.`);
  return { target: name, units: { shift: [mean], factor: [spread] }, Y: cells.map((y) => [(y - mean) / spread]) };
}
