// What goes through each layer: how z, a, delta and gradient are spread over all rows, and how far a step
// moves the weights beside their size.

import { at, brief, drawn, element, number } from "./elements.js";
import { roundUp, showBars, showLines, showTwin } from "./charts.js";
import { here } from "./explorer.js";
import { inPanel } from "./panels.js";

const EVERY = 100; // milliseconds between two looks while numbers move
const QUANTITIES = ["z", "a", "δ", "∂C/∂w"];
let built = "", bars = [], lastLook = 0;

export const layers = inPanel("layers", {
  begin() {
    for (const id of ["spread", "ratio"]) at(`${id}-twin`).parentElement.addEventListener("toggle", () => here.run && layers.rest(here));
  },

  show({ moving }) {
    if (!moving || performance.now() - lastLook < EVERY) return;
    lastLook = performance.now();
    showSpread(here);
    showRatios(here.run);
  },

  rest() {
    showSpread(here);
    showRatios(here.run);
  },
});

function showSpread({ run, pass }) {
  const { made } = run.training;
  if (built !== made.sizes.join()) build(made);
  const rows = [];
  made.layers.forEach(({ weights }, l) => {
    const values = [pass.passed.z[l].data, pass.passed.a[l + 1].data, pass.back.delta[l].data];
    values.push(pass.gradient.subarray(weights.offset, weights.offset + weights.size));
    values.forEach((each, q) => {
      const finite = each.filter(Number.isFinite), most = finite.reduce((best, x) => Math.max(best, Math.abs(x)), 0);
      const end = most ? roundUp(most) : 1, { path, label } = bars[l][q];
      showBars(path, finite, end);
      label.textContent = `±${brief(end)}`;
      rows.push(numbersOfSpread(`layer ${l + 1}, ${QUANTITIES[q]}`, each));
    });
  });
  showTwin("spread", "How the numbers are spread, over all rows", ["of", "least", "mean", "largest", "root mean square"], rows);
}

function numbersOfSpread(name, values) {
  const n = values.length, sum = (f) => values.reduce((total, x) => total + f(x), 0);
  const least = values.reduce((best, x) => Math.min(best, x), Infinity), most = values.reduce((best, x) => Math.max(best, x), -Infinity);
  return [name, ...[least, sum((x) => x) / n, most, Math.sqrt(sum((x) => x * x) / n)].map((x) => number(x))];
}

function build(made) {
  built = made.sizes.join();
  bars = [];
  const cells = [];
  made.layers.forEach((_, l) => {
    bars.push(
      QUANTITIES.map((quantity) => {
        const svg = drawn("svg", { viewBox: "0 0 25 41", preserveAspectRatio: "none", "aria-hidden": "true" });
        const path = drawn("path", { class: "bars" }), label = element("span", { class: "range" });
        svg.append(drawn("path", { class: "axis", d: "M0 40H25M12.5 38V41" }), path);
        const cell = element("div", { class: "spread" }), name = element("span", { class: "name" }, `${quantity}, layer ${l + 1}`);
        cell.append(name, svg, label);
        cells.push(cell);
        return { path, label };
      }),
    );
  });
  at("spread").replaceChildren(...cells);
}

function showRatios(run) {
  const points = run.trail.points.filter(({ ratios }) => ratios), n = run.training.made.layers.length;
  const lines = Array.from({ length: n }, (_, l) => ({ name: `layer ${l + 1}`, values: points.map(({ epoch, ratios }) => [epoch, ratios[l]]) }));
  showLines(at("ratio"), lines, { log: true });
  const rows = points.map(({ epoch, ratios }) => [String(epoch), ...ratios.map((x) => number(x))]);
  showTwin("ratio", "‖ΔW‖ / ‖W‖ of the last step of an epoch", ["epoch", ...lines.map(({ name }) => name)], rows);
  const last = points.at(-1)?.ratios;
  at("ratio").setAttribute("aria-label", `Update beside weight: ${last ? lines.map(({ name }, l) => `${name} ${number(last[l])}`).join(", ") : "no epoch yet"}`);
}
