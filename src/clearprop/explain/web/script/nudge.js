// The demon: it adds a little to z of one neuron. What dC/dz predicts, and what the cost really does,
// on the engine's own scale: of delta the notations differ in sign and factor, or have none.

import { drawn, element, table, twinOf } from "./elements.js";
import { plain, text, value } from "./numbers.js";
import { data } from "./state.js";

const AT_FIRST = 0.5;

export function nudgePanel(layer, to, from) {
  const costs = data.nudged[`${layer},${to}`].map(plain);
  const middle = costs[data.nudges.indexOf(0)];
  const rate = value(`delta/${layer}/0,${to}`);
  if (!Number.isFinite(middle) || !Number.isFinite(rate)) {
    return element("div", { class: "part" }, element("p", {}, "The pass has numbers that are not finite: there is no cost to nudge."));
  }
  const shown = element("p", { class: "nudged", "aria-live": "polite" });
  const picture = drawn("svg", {
    class: "curve",
    viewBox: "0 0 320 190",
    width: 320,
    height: 190,
    role: "img",
    "aria-label": "The cost as z changes, and the straight line that dC/dz predicts",
  });
  const slider = element("input", {
    type: "range",
    min: 0,
    max: data.nudges.length - 1,
    step: 1,
    value: data.nudges.indexOf(AT_FIRST),
    "aria-label": "Change of z",
    oninput: () => show(),
  });
  const scale = scaleOf(costs, middle, rate);
  function show() {
    const i = Number(slider.value);
    const by = data.nudges[i];
    slider.setAttribute("aria-valuetext", text(by));
    const [predicted, exact] = [rate * by, costs[i] - middle];
    shown.replaceChildren(
      element("span", {}, "Δz = ", element("b", {}, text(by))),
      element("span", {}, " predicted dC/dz·Δz = ", element("b", { class: "predicted" }, text(predicted))),
      element("span", {}, " exact ΔC = ", element("b", { class: "exact" }, text(exact))),
      element("span", {}, " error ", element("b", { class: "error" }, text(exact - predicted))),
    );
    picture.replaceChildren(...curveWith(scale, costs, middle, rate, by, costs[i]));
  }
  show();
  const rows = [1, 0.5, 0.25, 0.125, 0.0625].map((by) => {
    const exact = costs[data.nudges.indexOf(by)] - middle;
    return [text(by), text(rate * by), text(exact), text(exact - rate * by)];
  });
  return element(
    "div",
    { class: "part nudge" },
    element("h3", {}, `Nudge: what if z of ${data.names[`${layer},${to}`]} were a little larger?`),
    element("div", { class: "beside" }, element("figure", {}, picture, twinOf(table("Halve the change: the error goes to a quarter", ["Δz", "predicted", "exact", "error"], rows))), element("div", {}, element("label", {}, "Change of z ", slider), shown, element("p", { class: "quiet" }, sentence(layer, from)))),
  );
}

// What a change of one weight does on its way to the cost: (47) to (50) of S2.
export function changesPanel(layer, to, from) {
  const found = data.changes[`${layer},${to},${from}`];
  if (!found) return null;
  const rows = found.map(([at, unit, predicted, actual]) =>
    at === null
      ? [element("b", {}, "the cost"), element("b", {}, predicted), element("b", {}, actual), "(47)"]
      : [`a of ${data.names[`${at},${unit}`]}`, predicted, actual, at === layer ? "(48)" : at === layer + 1 ? "(49), (50)" : "(49)"],
  );
  return element(
    "div",
    { class: "part changes" },
    element("h3", {}, `The weight grows by ${data.change}: the change on its way to the cost`),
    table("What changes, and by how much", ["what changes", "predicted", "actual", "S2"], rows),
    element("p", { class: "quiet" }, "Predicted is each change from the one before, by the derivative; actual is what a second pass gives, on the engine's own scale."),
  );
}

function sentence(layer, from) {
  const straight = "dC/dz, the derivative of the cost by z on the engine's own scale, is the slope of this curve at the middle: for small changes the straight line tells the truth, and halving the change makes its error a quarter.";
  if (from === undefined) return straight;
  const input = value(layer === 1 ? `x/0/0,${from}` : `a/${layer - 1}/0,${from}`);
  return input ? `${straight} Growing the weight by Δw changes z by a·Δw = ${text(input)}·Δw.` : `${straight} Growing this weight does nothing here: what comes in is 0.`;
}

function scaleOf(costs, middle, rate) {
  const finite = costs.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const room = (high - low || Math.abs(middle) || 1) * 0.08;
  return {
    x: (by) => 8 + (304 * (by + 2)) / 4,
    y: (cost) => 182 - (174 * (cost - low + room)) / (high - low + 2 * room),
    low: low - room,
    high: high + room,
    rate,
  };
}

function curveWith({ x, y, low, high }, costs, middle, rate, by, cost) {
  const points = data.nudges
    .map((each, i) => [each, costs[i]])
    .filter(([each, c]) => Number.isInteger(each * 8) && Number.isFinite(c));
  const d = `M${points.map(([each, c]) => `${x(each).toFixed(1)} ${y(c).toFixed(1)}`).join("L")}`;
  // The straight line, as far as the picture goes.
  const ends = [-2, 2].map((each) => {
    const reach = rate === 0 ? Infinity : ((each * rate > 0 ? high : low) - middle) / rate;
    return Math.abs(reach) < Math.abs(each) ? reach : each;
  });
  const line = ends.map((each) => `${x(each).toFixed(1)} ${y(middle + rate * each).toFixed(1)}`);
  const predicted = middle + rate * by;
  const visible = predicted >= low && predicted <= high;
  return [
    drawn("path", { class: "axis", d: `M${x(0)} 8V182M8 182H312` }),
    drawn("path", { class: "tangent", d: `M${line.join("L")}` }),
    drawn("path", { class: "function", d }),
    visible && Number.isFinite(cost) ? drawn("path", { class: "gap", d: `M${x(by)} ${y(predicted)}L${x(by)} ${y(cost)}` }) : null,
    visible ? drawn("circle", { class: "dot predicted", cx: x(by), cy: y(predicted), r: 4 }) : null,
    Number.isFinite(cost) ? drawn("circle", { class: "dot", cx: x(by), cy: y(cost), r: 5 }) : null,
    drawn("text", { x: 312, y: 178, class: "end" }, "Δz"),
    drawn("text", { x: x(0) + 5, y: 17 }, "cost"),
  ].filter(Boolean);
}
