// The sum over all paths: ranked, with shares, drawn on the network when one is chosen.

import { drawn, element, say, table } from "./elements.js";
import { bringIntoView, showPaths } from "./network.js";
import { percent, plain, text, value } from "./numbers.js";
import { change, data, state } from "./state.js";

// As the chosen path: the first few, each in its colour.
const ALL = -2;
const COLOURS = 4;

// What is multiplied along a path, from the weight on: the references of its factors.
function factorsOf(layer, way, from) {
  const last = data.sizes.length - 1;
  const refs = [from === undefined ? null : layer === 1 ? `x/0/0,${from}` : `a/${layer - 1}/0,${from}`];
  for (let at = layer; at <= last; at += 1) {
    const depth = at - layer;
    if (depth) refs.push(`weight/${at}/${way[depth]},${way[depth - 1]}`);
    const isSoftmax = at === last && data.softmax;
    refs.push(isSoftmax ? `slope/${at}/0,${way[way.length - 1]},${way[depth]}` : `slope/${at}/0,${way[depth]}`);
  }
  refs.push(`error/${last}/0,${way[way.length - 1]}`);
  return refs;
}

function valueOf(ref) {
  return ref === null ? 1 : value(ref);
}

export function pathsPanel(layer, to, from) {
  const found = data.paths[`${layer},${to}`];
  const first = from === undefined ? 1 : valueOf(factorsOf(layer, [to], from)[0]);
  const absolute = plain(found.absolute) * Math.abs(first);
  const ways = found.ways.map((way) => {
    const factors = factorsOf(layer, way, from).map(valueOf);
    return { way, factors, product: factors.reduce((a, b) => a * b, 1) };
  });
  const kept = ways.filter(({ product }) => product !== 0);
  const total = value(from === undefined ? `delta/${layer}/0,${to}` : `weight_gradient/${layer}/${to},${from}`);
  const undefinedWhy = whyUndefined(total, absolute);
  // The colours go by the neurons: in S1, blue through the first output and orange through the second.
  const coloured = kept.slice(0, COLOURS).sort((one, other) => inOrder(one.way, other.way));
  const all = state.path === ALL && kept.length > 1;
  const rows = kept.map(({ way, factors, product }, i) => [
    element(
      "button",
      { type: "button", class: "way", "aria-pressed": String(i === state.path), onclick: () => choose(i) },
      all && i < COLOURS ? element("span", { class: `swatch chain-${coloured.indexOf(kept[i])}`, "aria-hidden": "true" }) : null,
      named(way),
    ),
    text(product),
    percent(Math.abs(product) / absolute),
    element("span", { class: "factors" }, factors.map((each) => text(each, 3)).join(" × ")),
  ]);
  const more = found.n - kept.length;
  rows.push([`sum over ${found.n === 1 ? "the one path" : `all ${found.n.toLocaleString("en")} paths`}`, element("b", {}, text(total)), "", ""]);
  const drawnPaths = undefinedWhy ? [] : all ? coloured : kept.slice(state.path, state.path + 1).filter(() => state.path >= 0);
  queueMicrotask(() =>
    showPaths(
      drawnPaths.map((each, i) => ({
        edges: edgesOf(layer, each.way, from),
        output: each.way[each.way.length - 1],
        chain: all ? i : undefined,
      })),
    ),
  );
  const what = from === undefined ? "From this neuron" : "From this weight";
  return element(
    "div",
    { class: "part paths" },
    element("h3", {}, `${what} to the cost, path by path`),
    ...(undefinedWhy ? [element("p", {}, undefinedWhy)] : [
      kept.length > 1 ? drawAll(all, kept.length) : null,
      table("Paths with the largest products", ["through neurons", "product", "share", "factors"], rows),
      more > 0 ? element("p", { class: "quiet" }, `[..., ${more.toLocaleString("en")} more]`) : null,
      cancellation(total, absolute),
    ]),
    element("p", { class: "quiet" }, explained(found, from)),
  );
}

function drawAll(pressed, n) {
  const words = n > COLOURS ? `Draw the first ${COLOURS} in their colours` : n === 2 ? "Draw both in their colours" : `Draw all ${n} in their colours`;
  return element("p", {}, element("button", { type: "button", class: "all-ways", "aria-pressed": String(pressed), onclick: () => choose(ALL) }, words));
}

function inOrder(one, other) {
  const i = one.findIndex((each, at) => each !== other[at]);
  return i < 0 ? 0 : one[i] - other[i];
}

function explained(found, from) {
  const each = from === undefined ? found.factors - 1 : found.factors;
  const split = data.softmax ? " With softmax every path splits once more, into every output." : "";
  return (
    `Each path multiplies ${each} numbers, on the engine's own scale. The derivative is the total effect, through all paths; ` +
    `one product is the effect through one of them, everything else held still (E11).${split} Backpropagation never lists them: it keeps one number a neuron, dC/dz.`
  );
}

// Why shares have no value, as PathSum says it.
function whyUndefined(total, absolute) {
  if (!Number.isFinite(total) || !Number.isFinite(absolute)) return "The pass has numbers that are not finite: this sum has no value.";
  return absolute ? "" : "Every path's product is 0.";
}

function cancellation(total, absolute) {
  const share = Math.abs(total) / absolute;
  const width = Math.round(200 * Math.min(1, share));
  const picture = drawn(
    "svg",
    { class: "cancel", width: 202, height: 12, "aria-hidden": "true" },
    drawn("rect", { width: 200, height: 12, class: "all" }),
    drawn("rect", { width, height: 12, class: "left" }),
  );
  const words = share > 0.999 ? "all paths pull one way" : `${percent(share)} is left when the paths are added up; the rest cancels`;
  return element("p", { class: "cancellation" }, picture, ` ${words}`);
}

function named(way) {
  const numbers = way.map((each) => each + 1);
  if (data.softmax) return `${numbers.slice(0, -1).join(" → ")} ⇒ ${numbers[numbers.length - 1]}`;
  return numbers.join(" → ");
}

// The edges of a path, each with its rate: what the next activation does when this one grows.
function edgesOf(layer, way, from) {
  const last = data.sizes.length - 1;
  const made = [];
  if (from !== undefined) {
    const ownSlope = layer === last && data.softmax ? undefined : value(`slope/${layer}/0,${way[0]}`);
    const first = valueOf(factorsOf(layer, [way[0]], from)[0]);
    made.push({ key: `${layer},${way[0]},${from}`, rate: text(ownSlope === undefined ? first : first * ownSlope, 3) });
  }
  for (let at = layer + 1; at <= last; at += 1) {
    const [to, source] = [way[at - layer], way[at - layer - 1]];
    const weight = value(`weight/${at}/${to},${source}`);
    const slope = at === last && data.softmax ? value(`slope/${at}/0,${way[way.length - 1]},${to}`) : value(`slope/${at}/0,${to}`);
    made.push({ key: `${at},${to},${source}`, rate: text(weight * slope, 3) });
  }
  return made;
}

function choose(i) {
  change({ path: state.path === i ? -1 : i });
  (i === ALL ? document.querySelector(".all-ways") : document.querySelectorAll(".paths .way")[i])?.focus();
  // After the path is drawn, and named in the legend.
  if (state.path !== -1) queueMicrotask(bringIntoView);
  if (state.path === ALL) say("The paths are drawn on the network, each in its colour");
  else say(state.path < 0 ? "Path no longer drawn" : `Path ${i + 1} is drawn on the network`);
}
