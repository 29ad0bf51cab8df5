// The same numbers as tables.

import { at, called, element, number } from "./dom.js";

const MOST = 20; // rows of a table of epochs

export function showTables({ curves = [], layers = [] }) {
  if (!at("twin").open) return;
  const known = curves.filter(({ points }) => points.length);
  const epochs = [...new Set(known.flatMap(({ points }) => points.map(([epoch]) => epoch)))].sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(epochs.length / MOST));
  const kept = epochs.filter((_, i) => (epochs.length - 1 - i) % every === 0);
  const columns = known.map(({ points }) => new Map(points));
  at("tables").replaceChildren(
    table("Epochs", ["epoch", ...known.map(({ name }) => called(name))],
      kept.map((epoch) => [epoch, ...columns.map((column) => number(column.get(epoch) ?? null))])),
    ...[["z", "z"], ["a", "a"], ["delta", "δ"], ["gradient", "∂C/∂w"]].map(([key, name]) =>
      table(`${name} of the layers`, ["layer", "lowest", "5 %", "median", "95 %", "highest", "RMS", "not finite"],
        layers.map(({ layer, of }) => [layer, ...[of[key].low, ...(of[key].quantiles ?? [null, null, null]), of[key].high, of[key].rms].map((each) => number(each ?? null)), of[key].not_finite]))),
    table("A step of the weights, over their size", ["layer", "update / weight"], layers.map(({ layer, update }) => [layer, number(update, 3)])),
  );
}

export function table(caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each)));
  const body = rows.map(([name, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, String(name)), ...cells.map((cell) => element("td", {}, String(cell)))));
  const made = element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}
