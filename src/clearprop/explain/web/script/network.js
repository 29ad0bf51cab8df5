// The drawing: what is known at the current step, what is selected, and the way through it by keyboard.
// It is one widget with one stop of the Tab key: left and right go from neuron to edge to neuron, up and
// down within a layer or among the edges of one neuron, Enter selects, Escape leaves.

import { drawn, say } from "./elements.js";
import { factor, text, value } from "./numbers.js";
import { change, currentStep, data, state, told } from "./state.js";

const svg = document.querySelector("svg.net");
const units = new Map();
const edges = new Map();
let focused = "";

const OF_SAMPLE = new Set(["x", "z", "a", "slope", "error", "delta", "y", "sample_cost"]);

export function beginNetwork() {
  if (!svg) return;
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-roledescription", "network diagram");
  svg.setAttribute("aria-label", "The network: neurons and weights. Arrow keys move, Enter selects.");
  for (const unit of svg.querySelectorAll("[data-unit]")) units.set(unit.dataset.unit, unit);
  for (const edge of svg.querySelectorAll("[data-edge]")) edges.set(edge.dataset.edge, edge);
  for (const [key, each] of [...units, ...edges]) {
    each.setAttribute("role", "button");
    each.setAttribute("tabindex", "-1");
    each.addEventListener("click", () => select(key));
    each.addEventListener("focus", () => stopAt(key));
  }
  focused = units.keys().next().value;
  stopAt(focused);
  svg.addEventListener("keydown", onKey);
}

function select(key) {
  if (key.startsWith("0,") && key.split(",").length === 2) {
    say(`${data.names[key]}: ${currentText(`x/0/0,${key.slice(2)}`)}. Select an edge to see its weight.`);
    return;
  }
  change({ selected: key });
}

function at(key) {
  return units.get(key) ?? edges.get(key);
}

function stopAt(key) {
  at(focused)?.setAttribute("tabindex", "-1");
  focused = key;
  at(focused).setAttribute("tabindex", "0");
}

function onKey(event) {
  const next = nextOf(focused, event.key);
  if (next) {
    at(next).focus();
  } else if (event.key === "Enter" || event.key === " ") {
    select(focused);
  } else if (event.key === "Escape") {
    document.getElementById("next").focus();
  } else {
    return;
  }
  event.preventDefault();
}

function nextOf(key, pressed) {
  const [layer, to, from] = key.split(",").map(Number);
  if (pressed === "Home") return units.keys().next().value;
  if (pressed === "End") return [...units.keys()].pop();
  return from === undefined ? fromUnit(layer, to, pressed) : fromEdge(layer, to, from, pressed);
}

function fromUnit(layer, to, pressed) {
  const among = data.units[layer];
  const i = among.indexOf(to);
  if (pressed === "ArrowDown") return `${layer},${among[(i + 1) % among.length]}`;
  if (pressed === "ArrowUp") return `${layer},${among[(i + among.length - 1) % among.length]}`;
  if (pressed === "ArrowLeft" && layer > 0) return `${layer},${to},${data.units[layer - 1][0]}`;
  if (pressed === "ArrowRight" && layer + 1 < data.units.length) return `${layer + 1},${data.units[layer + 1][0]},${to}`;
  return null;
}

function fromEdge(layer, to, from, pressed) {
  if (pressed === "ArrowLeft") return `${layer - 1},${from}`;
  if (pressed === "ArrowRight") return `${layer},${to}`;
  if (pressed !== "ArrowDown" && pressed !== "ArrowUp") return null;
  // Down and up go through all edges between the two layers, those into one neuron first.
  const all = [...edges.keys()].filter((each) => each.startsWith(`${layer},`));
  const i = all.indexOf(`${layer},${to},${from}`) + (pressed === "ArrowDown" ? 1 : all.length - 1);
  return all[i % all.length];
}

// Which numbers are there at a step

function reached(kind, layer, row) {
  const steps = told().steps;
  const found = steps.findIndex(
    (step) => step.kind === kind && step.layer === layer && (row === null || step.row === row),
  );
  return found < 0 ? true : found <= state.step;
}

function shownRow() {
  const row = currentStep().row;
  return row === null ? 0 : row;
}

export function showNetwork() {
  renumber();
  if (!svg) return;
  const step = currentStep();
  const row = shownRow();
  for (const [key, unit] of units) {
    const layer = Number(key.split(",")[0]);
    if (layer > 0) {
      unit.classList.toggle("no-z", !reached("forwardz", layer, row));
      unit.classList.toggle("no-a", !reached("forwarda", layer, row));
      unit.classList.toggle("no-delta", !reached("delta", layer, row));
    }
    unit.classList.toggle("forward-now", isForward(step, layer));
    unit.classList.toggle("backward-now", (step.kind === "delta" || step.kind === "error") && step.layer === layer);
    unit.classList.toggle("selected", key === state.selected);
    unit.setAttribute("aria-pressed", String(key === state.selected));
    unit.setAttribute("aria-label", unitLabel(key, layer, row));
  }
  for (const [key, edge] of edges) {
    const layer = Number(key.split(",")[0]);
    const now = edgeNow(step, layer);
    edge.classList.toggle("now", now);
    edge.classList.toggle("selected", key === state.selected);
    edge.setAttribute("aria-pressed", String(key === state.selected));
    edge.setAttribute("aria-label", edgeLabel(key));
    const [sign, width] = edge.dataset[STYLES[modeOf(layer, step)]].split(" ");
    const line = edge.querySelector(".line");
    line.setAttribute("class", `line ${sign}`);
    line.setAttribute("stroke-width", width);
  }
  for (const between of svg.querySelectorAll(".between")) {
    between.setAttribute("class", `between shows-${modeOf(Number(between.dataset.layer), step)}`);
  }
  showLegend();
  svg.querySelector(".cost").classList.toggle("unknown", !reached("cost", 0, row));
  svg.querySelector(".cost").classList.toggle("forward-now", step.kind === "cost");
  const atOutput = (step.kind === "delta" || step.kind === "error") && step.layer === data.sizes.length - 1;
  svg.querySelector(".to-cost").classList.toggle("now", step.kind === "cost" || atOutput);
  svg.classList.toggle("going-back", ["error", "delta", "gradient"].includes(step.kind));
  svg.querySelector(".cost-symbol").textContent = told().cost_symbol;
  for (const symbol of svg.querySelectorAll(".delta .symbol")) symbol.textContent = told().heads.delta;
  for (const span of svg.querySelectorAll("tspan[data-layer]")) {
    span.textContent = told().layer_numbers[Number(span.dataset.layer)];
  }
}

const STYLES = { weight: "w", gradient: "g", after: "u" };
const SHOWN = { weight: "weights", gradient: "derivatives by the weights", after: "weights after the update" };

// What the edges into a layer show: weights, their derivatives, or weights after the update.
function modeOf(layer, step) {
  if (step.kind === "gradient" && layer === step.layer) return "gradient";
  return updated(layer) ? "after" : "weight";
}

function showLegend() {
  document.getElementById("edges-now").textContent = edgesNow();
}

function edgesNow() {
  if (svg?.classList.contains("has-path")) return "a path to the cost";
  const step = currentStep();
  const modes = data.sizes.slice(1).map((_, i) => modeOf(i + 1, step));
  const numbers = (mode) => modes.flatMap((each, i) => (each === mode ? told().layer_numbers[i + 1] : []));
  if (modes.every((each) => each === modes[0])) return SHOWN[modes[0]];
  const mode = modes.includes("gradient") ? "gradient" : "after";
  const into = `layer${numbers(mode).length === 1 ? "" : "s"} ${numbers(mode).join(", ")}`;
  return `${SHOWN[mode]} into ${into}, elsewhere ${SHOWN[modes.find((each) => each !== mode)]}`;
}

function updated(layer) {
  return data.updated && reached("update", layer, null);
}

function isForward(step, layer) {
  if (step.kind === "input") return layer === 0;
  return step.kind.startsWith("forward") && step.layer === layer;
}

function edgeNow(step, layer) {
  if (step.kind === "forwardz" || step.kind === "gradient" || step.kind === "update") return step.layer === layer;
  if (step.kind === "error" || (step.kind === "delta" && !told().steps.some((each) => each.kind === "error" && each.layer === step.layer))) {
    return step.layer + 1 === layer;
  }
  return false;
}

// Numbers in the current notation and of the current example

function currentText(ref, digits = data.digits) {
  const number = value(ref);
  return number === undefined ? "—" : text(factor(ref) * number, digits);
}

function renumber() {
  const row = shownRow();
  for (const each of document.querySelectorAll("[data-head]")) each.textContent = told().heads[each.dataset.head];
  for (const each of document.querySelectorAll("header [data-ref], #network [data-ref]")) {
    each.dataset.base ??= each.dataset.ref;
    let ref = each.dataset.base;
    if (row && svg?.contains(each) && OF_SAMPLE.has(ref.split("/")[0])) {
      ref = ref.replace(/\/0(?=,|$)/, `/${row}`);
    }
    if (value(ref) === undefined) continue;
    each.dataset.ref = ref;
    const times = factor(ref);
    if (times === 1) delete each.dataset.factor;
    else each.dataset.factor = times;
    each.textContent = currentText(ref, Number(each.dataset.digits) || data.digits);
    if (each.classList.contains("value")) each.classList.toggle("long", each.textContent.length > 6);
  }
}

function unitLabel(key, layer, row) {
  const j = key.split(",")[1];
  if (layer === 0) return `${data.names[key]}, ${currentText(`x/0/${row},${j}`)}`;
  const part = (name, quantity) => `${name} ${currentText(`${quantity}/${layer}/${row},${j}`)}`;
  return [data.names[key], part("z", "z"), part("a", "a"), part(told().heads.delta, "delta")].join(", ");
}

export function edgeName(key) {
  const [layer, to, from] = key.split(",");
  return `from ${data.names[`${layer - 1},${from}`]} to ${data.names[`${layer},${to}`]}`;
}

function edgeLabel(key) {
  const [layer, to, from] = key.split(",");
  const ref = `${layer}/${to},${from}`;
  const derivative = told().heads.weight_gradient.startsWith("−") ? "minus the derivative" : "derivative";
  return `weight ${edgeName(key)}, ${currentText(`weight/${ref}`)}, ${derivative} ${currentText(`weight_gradient/${ref}`)}`;
}

// What is drawn because of a button further down is brought into view.
export function bringIntoView() {
  svg?.scrollIntoView({ block: "nearest" });
}

// Paths, drawn over the edges: one with the rate factors da/da on them (V11, V12), or several as chains
// from the weight to the cost, each in its colour and beside the others (V14, V16).

export function showPaths(paths) {
  if (!svg) return;
  for (const each of svg.querySelectorAll(".path-over")) each.remove();
  svg.classList.toggle("has-path", paths.length > 0);
  showLegend();
  const toCost = svg.querySelectorAll(".to-cost path");
  paths.forEach(({ edges: edgesOfPath, output, chain }, i) => {
    const over = drawn("g", { class: chain === undefined ? "path-over" : `path-over chain-${chain}`, "aria-hidden": "true" });
    if (paths.length > 1) over.setAttribute("transform", `translate(0 ${6 * (i - (paths.length - 1) / 2)})`);
    for (const { key, rate } of edgesOfPath) {
      const edge = edges.get(key);
      if (!edge) continue;
      const line = edge.querySelector(".line");
      over.append(drawn("path", { d: line.getAttribute("d") }));
      if (chain !== undefined) continue;
      const middle = line.getPointAtLength(line.getTotalLength() * 0.56);
      over.append(drawn("text", { x: middle.x, y: middle.y - 6 }, `×${rate}`));
    }
    const end = toCost[data.units[data.units.length - 1].indexOf(output)];
    if (end && chain !== undefined) over.append(drawn("path", { d: end.getAttribute("d") }));
    svg.querySelector(".edges").append(over);
  });
}
