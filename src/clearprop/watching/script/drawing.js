// Curves of the history, and histograms of the layers.

import { brief, called, drawn, element, number } from "./dom.js";

const WIDE = 300, HIGH = 150, LEFT = 66, TOP = 10, LINE = 17;
const BARS = 120, TALL = 44;
const STEEP = 30; // largest over smallest: from there on the axis is logarithmic

// Costs together, and every other column in a figure with its like; a rate that stays needs none.
export function panels(curves) {
  const groups = new Map();
  const isFlat = ({ name, points }) => name === "learning_rate" && points.every(([, rate]) => rate === points[0][1]);
  for (const curve of curves.filter((each) => each.points.length && !isFlat(each))) {
    const kind = curve.name.endsWith("cost") ? "cost" : curve.name.replace(/^(training|validation|running)_/, "");
    groups.set(kind, [...(groups.get(kind) ?? []), curve]);
  }
  return [...groups].sort(([a], [b]) => (b === "cost") - (a === "cost"));
}

export function curveFigure([kind, curves]) {
  const every = curves.flatMap(({ points }) => points);
  const epochs = every.map(([epoch]) => epoch), values = every.map(([, value]) => value);
  const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const least = Math.min(...values.filter((value) => value > 0)); // where a cost is 0, it lies on the axis
  const isLog = low >= 0 && high > STEEP * least;
  if (isLog) low = least;
  if (!isLog && low > 0 && low < 0.5 * high) low = 0;
  const label = brief(low) === brief(high) ? number : brief;
  const scaled = isLog ? (value) => Math.log(Math.max(value, low)) : (value) => value;
  const x = (epoch) => LEFT + (last > first ? (WIDE * (epoch - first)) / (last - first) : WIDE / 2);
  const y = (value) => TOP + (high > low ? (HIGH * (scaled(high) - scaled(value))) / (scaled(high) - scaled(low)) : HIGH / 2);
  const path = (points) => points.map(([epoch, value], i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("") + (points.length === 1 ? "h0.1" : "");
  const below = TOP + HIGH, legend = below + 20;
  const svg = drawn("svg", { viewBox: `0 0 ${LEFT + WIDE + 8} ${legend + LINE * curves.length}`, role: "img" },
    drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${below}H${LEFT + WIDE}` }),
    drawn("text", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }, label(high)),
    drawn("text", { x: LEFT - 6, y: below, "text-anchor": "end" }, label(low)),
    drawn("text", { x: LEFT, y: below + 15 }, `epoch ${first.toLocaleString("en")}`),
    drawn("text", { x: LEFT + WIDE, y: below + 15, "text-anchor": "end" }, last.toLocaleString("en")),
    ...curves.flatMap(({ name, points }, i) => [
      drawn("path", { class: `curve tone-${i % 4}`, d: path(points) }),
      drawn("path", { class: `curve tone-${i % 4}`, d: `M${LEFT} ${legend + LINE * i + 8}h30` }),
      drawn("text", { x: LEFT + 38, y: legend + LINE * i + 12 }, `${called(name)} ${number(points.at(-1)[1])}`),
    ]),
  );
  const said = curves.map(({ name, points }) => `${called(name)} from ${number(points[0][1])} to ${number(points.at(-1)[1])}`);
  svg.setAttribute("aria-label", `${said.join("; ")}, of epochs ${first} to ${last}`);
  return element("figure", {}, svg, element("figcaption", {}, called(kind) + (isLog ? ", logarithmic" : "")));
}

const QUANTITIES = [["z", "z"], ["a", "a"], ["delta", "δ"], ["gradient", "∂C/∂w"]];

export function layerRow(layer) {
  const ratio = layer.update === null ? [] : [element("span", { title: "how far a step moves the weights, over their size" }, `‖Δw‖ / ‖w‖ ${brief(layer.update)}`)];
  return element("div", { class: "layer" },
    element("h3", {}, `Layer ${layer.layer}`, element("span", {}, `${layer.neurons.toLocaleString("en")} × ${layer.function}`), ...ratio),
    ...QUANTITIES.map(([key, name]) => histogram(name, layer.of[key], key === "delta" || key === "gradient", layer.layer)),
  );
}

function histogram(name, spread, isBack, layer) {
  const caption = element("figcaption", {}, name);
  if (!spread.counts) return element("figure", {}, caption, `${name} is not finite`);
  const { counts, from, to, rms, quantiles, not_finite: lost } = spread, most = Math.max(...counts), wide = BARS / counts.length;
  const bars = counts.map((n, i) => [i * wide, (TALL * n) / most]).filter(([, tall]) => tall > 0);
  const d = bars.map(([left, tall]) => `M${left.toFixed(1)} ${TALL}v${(-Math.max(tall, 0.7)).toFixed(1)}h${(wide - 0.6).toFixed(1)}V${TALL}z`).join("");
  const zero = (BARS * -from) / (to - from);
  const svg = drawn("svg", { viewBox: `0 0 ${BARS} ${TALL + 1}`, role: "img" },
    drawn("path", { class: isBack ? "bars back" : "bars", d }),
    drawn("path", { class: "axis", d: `M0 ${TALL}h${BARS}` }),
    ...(zero > 0 && zero < BARS ? [drawn("path", { class: "zero", d: `M${zero.toFixed(1)} 0V${TALL}` })] : []),
  );
  const [low, median, high] = quantiles.map(brief);
  svg.setAttribute("aria-label", `${name} of layer ${layer}: median ${median}, nine tenths from ${low} to ${high}`);
  caption.append(`, RMS ${brief(rms)}`, ...(lost ? [`, ${lost} not finite`] : []));
  const ends = element("div", { class: "ends", "aria-hidden": "true" }, element("span", {}, brief(from)), element("span", {}, brief(to)));
  return element("figure", {}, caption, svg, ends);
}
