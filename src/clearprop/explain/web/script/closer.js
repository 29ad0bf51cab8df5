// A neuron or a weight looked at closely.

import { drawn, element, formulaLine, markScrolling, numberOf, table, twinOf } from "./elements.js";
import { edgeName } from "./network.js";
import { changesPanel, nudgePanel } from "./nudge.js";
import { text, value } from "./numbers.js";
import { pathsPanel } from "./paths.js";
import { LINES, data, state, told } from "./state.js";
import { rateOf } from "./update.js";

const panel = document.getElementById("closer");
const WORDS = {
  numbers: "what came in times what comes back",
  chain: "by the chain rule",
  path: "as the sum over all paths",
  update: "the update",
};

export function showCloser() {
  const at = state.selected.split(",").map(Number);
  const isWeight = at.length === 3;
  const [layer, to, from] = at;
  const name = isWeight ? `Weight ${edgeName(state.selected)}` : upper(data.names[state.selected]);
  const lines = isWeight ? told().weights[state.selected] : told().neurons[state.selected];
  const formulas = element(
    "div",
    { class: "part formulas" },
    ...lines.map((line) => formulaLine(line, { words: isWeight ? WORDS[LINES[line[0]]] : "", after: data.updated ? null : rateOf(line, at) })),
  );
  panel.replaceChildren(
    element("h2", { id: "closer-title" }, isWeight ? "One weight, looked at closely" : "One neuron, looked at closely"),
    element("p", {}, `${name}. Choose another neuron or edge in the drawing.`),
    element(
      "div",
      { class: "parts" },
      element("div", {}, formulas, curvePart(layer, to)),
      element(
        "div",
        {},
        isWeight ? threeFactors(layer, to, from) : terms(layer, to),
        data.paths[`${layer},${to}`] ? pathsPanel(layer, to, from) : null,
        isWeight ? changesPanel(layer, to, from) : null,
        nudgePanel(layer, to, from),
        heatPart(layer, to),
      ),
    ),
  );
  markScrolling(panel);
}

function upper(words) {
  return words[0].toUpperCase() + words.slice(1);
}

// V5: what comes in, slope, error; the smallest of the three is why the derivative is small.
function threeFactors(layer, to, from) {
  const isOutput = layer === data.sizes.length - 1;
  const input = layer === 1 ? `x/0/0,${from}` : `a/${layer - 1}/0,${from}`;
  const cancelled = isOutput && (data.softmax || data.a_minus_y);
  const rows = [
    ["comes in: a", input],
    ...(cancelled ? [[`comes back: ${told().heads.delta}`, `delta/${layer}/0,${to}`]] : [
      ["slope at its neuron", `slope/${layer}/0,${to}`],
      ["error that arrives", `error/${layer}/0,${to}`],
    ]),
  ];
  const known = rows.filter(([, ref]) => value(ref) !== undefined);
  const largest = Math.max(...known.map(([, ref]) => Math.abs(value(ref))).filter(Number.isFinite), 1e-300);
  const cells = known.map(([words, ref]) => [words, numberOf(ref), sizeBar(Math.abs(value(ref)) / largest, value(ref) < 0)]);
  const ref = `weight_gradient/${layer}/${to},${from}`;
  if (data.samples === 1) cells.push([element("b", {}, `their product, ${told().heads.weight_gradient}`), numberOf(ref), ""]);
  const finite = [ref, ...known.map((each) => each[1])].every((each) => Number.isFinite(value(each)));
  const smallest = known.reduce((a, b) => (Math.abs(value(a[1])) <= Math.abs(value(b[1])) ? a : b));
  const why = finite
    ? `The smallest of them is "${smallest[0]}"; a derivative is small as soon as one factor is.`
    : "The pass has numbers that are not finite: no factor can be called the smallest.";
  return element(
    "div",
    { class: "part" },
    table(cancelled ? "Two factors" : "Three factors", ["factor", "value", "size"], cells),
    element("p", { class: "quiet" }, why),
  );
}

function sizeBar(share, isNegative) {
  // 0 or NaN
  if (!(share > 0)) return "";
  const width = Math.max(1, Math.round(100 * Math.min(1, share)));
  const shape = drawn("rect", { width, height: 10, class: isNegative ? "negative" : "positive" });
  return drawn("svg", { class: "bar", width: 102, height: 10, "aria-hidden": "true" }, shape);
}

// The terms of z: weight times activation, the drawn ones.
function terms(layer, to) {
  const rows = data.units[layer - 1].map((k) => {
    const input = layer === 1 ? `x/0/0,${k}` : `a/${layer - 1}/0,${k}`;
    const weight = `weight/${layer}/${to},${k}`;
    return [data.names[`${layer - 1},${k}`], numberOf(weight), numberOf(input), text(value(weight) * value(input))];
  });
  const more = data.sizes[layer - 1] - rows.length;
  return element(
    "div",
    { class: "part" },
    table("What comes in", ["from", "weight", "activation", "product"], rows),
    more ? element("p", { class: "quiet" }, `[..., ${more.toLocaleString("en")} more; z is the sum of all]`) : null,
  );
}

// V6: the activation function, with a dot where this neuron is, and the slope there.
function curvePart(layer, to) {
  const index = data.curve_of[`${layer},${to}`];
  if (index === undefined || index < 0) {
    const words = data.softmax && layer === data.sizes.length - 1 ? "softmax: every output depends on the z of all of them, so it has no curve of its own." : "";
    return words ? element("div", { class: "part" }, element("p", { class: "quiet" }, words)) : null;
  }
  const [name, reach, low, high, f, slope] = data.curves[index];
  const z = value(`z/${layer}/0,${to}`);
  const a = value(`a/${layer}/0,${to}`);
  const s = value(`slope/${layer}/0,${to}`);
  const x = (each) => 8 + (304 * (each + reach)) / (2 * reach);
  const y = (each) => 182 - (174 * (each - low)) / (high - low);
  const inside = Number.isFinite(z) && Number.isFinite(a) && Number.isFinite(s) && Math.abs(z) <= reach;
  const dx = reach / 5;
  const picture = drawn(
    "svg",
    { class: "curve", viewBox: "0 0 320 190", width: 320, height: 190, role: "img", "aria-label": `${name}: at z ${text(z)} it is ${text(a)}, its slope ${text(s)}` },
    drawn("path", { class: "axis", d: `M8 ${y(0)}H312M${x(0)} 8V182` }),
    drawn("path", { class: "slope", d: slope }),
    drawn("path", { class: "function", d: f }),
    inside ? drawn("path", { class: "tangent", d: `M${x(z - dx)} ${y(a - s * dx)}L${x(z + dx)} ${y(a + s * dx)}` }) : null,
    inside ? drawn("circle", { class: "dot", cx: x(z), cy: y(a), r: 5 }) : null,
    inside ? drawn("circle", { class: "dot slope-dot", cx: x(z), cy: y(s), r: 3.5 }) : null,
    drawn("text", { x: 312, y: y(0) - 4, class: "end" }, "z"),
  );
  const at = (quantity) => numberOf(`${quantity}/${layer}/0,${to}`);
  const twin = table(`${name} at this neuron`, ["what", "value"], [["z", at("z")], [`${name}(z)`, at("a")], ["slope", at("slope")]]);
  const sentence = `${upper(name)}: the dot is where this neuron stands, the line its slope there, the thin curve the slope everywhere.`;
  return element("figure", { class: "part figure" }, picture, element("figcaption", { class: "quiet" }, sentence), twinOf(twin));
}

function heatPart(layer, to) {
  const pictures = data.heat[`${layer},${to}`];
  if (!pictures) return null;
  const n = data.sizes[layer - 1].toLocaleString("en");
  const image = (source, words) =>
    element("figure", { class: "inputs" }, element("img", { src: source, alt: `${words}, as a picture`, class: "heat" }), element("figcaption", { class: "quiet" }, words));
  return element(
    "div",
    { class: "part heats" },
    image(pictures[0], `its ${n} weights`),
    image(pictures[1], "their derivatives"),
  );
}

