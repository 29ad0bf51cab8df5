// The drawing: every neuron with its numbers of one row, every weight with a gradient; inside a step, those
// that are known by then. It is one widget with one stop of the Tab key; what has the focus is chosen.

import { at, below, brief, drawn, element, nameOf, number, parameterOf, say, seenName } from "./elements.js";
import { choose, here, nudge, show, showRow } from "./explorer.js";
import { flow, stopFlow } from "./motion.js";
import { inNotation } from "./notation.js";
import { told, toldOfStep } from "./telling.js";
import { flows, numbersOf, partial } from "./walk.js";

const LINE = 14, GAP = 12, WIDEST_GAP = 70, MOST_SHOWN = 8, MOST_LABELS = 24;
const LABEL = { x: 50, y: 25 };
const UNKNOWN = "?"; // not computed yet, which is not 0
const ALONG = [0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75, 0.18, 0.82, 0.12, 0.88]; // where a label may stand

class Network {
  constructor() {
    Object.assign(this, { svg: at("net"), items: new Map(), chosen: "", key: "" });
    this.page = Math.floor(this.svg.parentElement.clientWidth);
    this.svg.addEventListener("keydown", (event) => this.onKey(event));
  }

  // Draw a network, where it is another one or the page has another size.
  build(made) {
    const { page, high } = this;
    const key = JSON.stringify([made.widths, made.layers.map(({ names, bias }) => [names, bias]), Boolean(made.scale), seenName(made, 0), inNotation("w⁽¹⁾ δ"), page, high]);
    if (key === this.key) return;
    Object.assign(this, { key, narrow: page < 560, items: new Map(), groups: [] });
    this.box = this.narrow ? 66 : 104;
    this.shown = made.widths.map((n) => Math.min(n, MOST_SHOWN));
    const heights = made.widths.map((_, l) => this.boxHeight(l));
    this.height = Math.max(...heights.map((h, l) => this.shown[l] * (h + GAP) + (this.left(l) ? 16 : 0))) + 40;
    this.svg.style.setProperty("--natural", `${this.height}px`);
    this.svg.setAttribute("height", this.height);
    // Where the style lets a drawing be less high, all of it is smaller: it has the whole width then too.
    const scale = Math.min(1, this.svg.getBoundingClientRect().height / this.height) || 1;
    this.width = Math.max(Math.floor(page / scale), 96 * made.widths.length - 30);
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.style.minWidth = `${Math.floor(this.width * scale)}px`;
    for (let l = 1; l < made.widths.length; l++) this.drawEdges(l);
    for (let l = 0; l < made.widths.length; l++) this.drawLayer(l);
    this.order();
    if (!this.items.has(this.where(this.chosen))) this.chosen = `p${made.layers[0].weights.offset}`;
  }

  left(l) {
    return this.made.widths[l] - this.shown[l];
  }

  // Return the numbers of a box: what is changed (b, a share s, x, y) and what follows.
  lines(l) {
    const { made } = this, last = made.widths.length - 1, { bias, shares } = made.layers[l - 1] ?? {};
    if (l > 0) return [...(bias ? ["b"] : []), ...(shares ? ["s"] : []), "z", "a", ...(l === last ? ["y"] : []), "δ"];
    const scale = made.scale ? ["s"] : [];
    return made.embedding ? ["a", ...scale] : ["x", ...scale, ...(made.scale ? ["a"] : [])];
  }

  boxHeight(l) {
    return 8 + LINE * this.lines(l).length;
  }

  // Return the middle of a box.
  middle(l, j) {
    const n = this.shown[l], room = (this.height - 40 - (this.left(l) ? 16 : 0)) / n;
    const each = Math.min(room, this.boxHeight(l) + WIDEST_GAP), span = this.width - this.box - 2;
    return {
      x: 1 + this.box / 2 + (span * l) / (this.made.widths.length - 1),
      y: 30 + (this.height - 36) / 2 + (j - (n - 1) / 2) * each - (this.left(l) ? 8 : 0),
    };
  }

  drawLayer(l) {
    const { made, box } = this, last = made.widths.length - 1, top = this.boxHeight(l) / 2;
    const called = l === 0 ? "inputs" : l < last ? `layer ${l}` : "outputs";
    const what = l === 0 ? "" : made.layers[l - 1].names.join(", ");
    const { x } = this.middle(l, 0);
    const anchor = l === 0 ? "start" : l < last ? "middle" : "end";
    const tx = l === 0 ? 1 : l < last ? x : this.width - 1;
    this.svg.append(drawn("text", { class: "called", x: tx, y: 12, "text-anchor": anchor }, called));
    const short = this.narrow ? what.slice(0, 10) : what.slice(0, 40);
    this.svg.append(drawn("text", { class: "what", x: tx, y: 25, "text-anchor": anchor }, short));
    for (let j = 0; j < this.shown[l]; j++) {
      const middle = this.middle(l, j), group = drawn("g", { class: l ? "unit" : "unit input" });
      const frame = { class: "body", x: middle.x - box / 2, y: middle.y - top, width: box, height: 2 * top, rx: 6 };
      group.append(drawn("rect", frame));
      this.svg.append(group);
      this.lines(l).forEach((name, i) => this.line(group, l, j, name, { ...middle, y: middle.y - top + 4 + LINE * (i + 0.78) }));
    }
    if (this.left(l)) {
      const { y } = this.middle(l, this.shown[l] - 1);
      this.svg.append(drawn("text", { class: "what", x, y: y + top + 14, "text-anchor": "middle" }, `and ${this.left(l)} more`));
    }
  }

  // One number of a box: those that can be changed are buttons.
  line(group, l, j, name, { x, y }) {
    const { box } = this, key = `${name},${l},${j}`, can = "bsxy".includes(name);
    const line = drawn("g", { class: `line ${{ δ: "delta", y: "target" }[name] ?? name}` });
    if (can) line.append(drawn("rect", { class: "hit", x: x - box / 2 + 2, y: y - 11, width: box - 4, height: LINE, rx: 3 }));
    const whole = seenName(this.made, j), short = whole.length > 8 ? `${whole.slice(0, 7)}…` : whole;
    const isNamed = l === 0 && name === this.lines(0)[0];
    const label = !isNamed ? inNotation(name) : this.narrow ? `x${below(j + 1)}` : short;
    line.append(drawn("text", { class: "letter", x: x - box / 2 + 5, y }, label));
    line.append(drawn("text", { class: "value", x: x + box / 2 - 5, y, "text-anchor": "end" }));
    group.append(line);
    this.put(key, line, line.lastChild, can);
  }

  drawEdges(l) {
    const taken = [], few = this.shown[l] * this.shown[l - 1] <= MOST_LABELS, labels = [];
    for (let j = 0; j < this.shown[l]; j++) {
      for (let k = 0; k < this.shown[l - 1]; k++) {
        const from = this.middle(l - 1, k), to = this.middle(l, j), edge = drawn("g", { class: few ? "edge" : "edge dense" });
        const [x1, x2] = [from.x + this.box / 2, to.x - this.box / 2], d = `M${x1} ${from.y}L${x2} ${to.y}`;
        edge.append(drawn("path", { class: "wire", d }), drawn("path", { class: "hit", d }));
        const free = few ? freePlace(taken, x1, from.y, x2, to.y) : null;
        const { x, y } = free ?? { x: (x1 + x2) / 2, y: (from.y + to.y) / 2 };
        const label = drawn("g", { class: free ? "edge-label" : "edge-label only-chosen", "aria-hidden": "true" });
        label.append(drawn("text", { class: "weight", x, y: y - 2, "text-anchor": "middle" }));
        label.append(drawn("text", { class: "slope", x, y: y + 10, "text-anchor": "middle" }));
        this.svg.append(edge);
        labels.push(label);
        this.put(`w,${l},${j},${k}`, edge, label.firstChild, true);
      }
    }
    this.svg.append(...labels); // above all lines
  }

  put(key, group, text, can) {
    const [name, l, j, k] = key.split(",").map((each, i) => (i ? Number(each) : each));
    const parameter = "wbs".includes(name) ? Number(this.placeOf(key).slice(1)) : undefined;
    this.items.set(key, { group, text, can, name, l, j, k, parameter });
    if (!can) return;
    group.setAttribute("role", "button");
    group.setAttribute("tabindex", "-1");
    group.dataset.item = key;
    group.addEventListener("focus", () => choose(this.placeOf(key)));
    group.addEventListener("click", () => group.focus({ preventScroll: true }));
  }

  // Between a place of the run and an item of the drawing.

  placeOf(key) {
    const [name, l, j, k] = key.split(",").map((each, i) => (i ? Number(each) : each));
    if (name === "x" || name === "y") return `${name}${this.row}.${j}`;
    if (name === "s") return `p${(l ? this.made.layers[l - 1].shares : this.made.scale).offset + j}`;
    const { weights, biases } = this.made.layers[l - 1];
    return `p${name === "b" ? biases.offset + j : weights.offset + j * weights.shape[1] + k}`;
  }

  where(place) {
    if (!place) return "";
    const [first, column] = place.slice(1).split(".").map(Number);
    if (place[0] !== "p") return `${place[0]},${place[0] === "x" ? 0 : this.made.widths.length - 1},${column}`;
    const found = parameterOf(this.made, first);
    if (!found || found.kind === "embedding") return "";
    const { kind, isBias, layer, j, k } = found;
    if (kind === "scales" || kind === "shares") return `s,${kind === "scales" ? 0 : layer},${j - 1}`;
    return isBias ? `b,${layer},${j - 1}` : `w,${layer},${j - 1},${k - 1}`;
  }

  // Groups from left to right: inputs, weights into layer 1, its biases, and so on, targets.
  order() {
    const keys = [...this.items].filter(([, { can }]) => can).map(([key]) => key);
    const of = (start) => keys.filter((key) => key.startsWith(start));
    this.groups = [of("x,"), of("s,0,")];
    for (let l = 1; l < this.made.widths.length; l++) this.groups.push(of(`w,${l},`), of(`b,${l},`), of(`s,${l},`));
    this.groups = [...this.groups, of("y,")].filter((group) => group.length);
  }

  onKey(event) {
    const key = this.where(this.chosen), g = this.groups.findIndex((group) => group.includes(key));
    const group = this.groups[g], i = group?.indexOf(key), { length } = this.groups;
    const sign = { "+": 1, "=": 1, "-": -1, _: -1 }[event.key];
    if (!group || event.ctrlKey || event.metaKey) return;
    const to = {
      ArrowDown: () => group[(i + 1) % group.length],
      ArrowUp: () => group[(i + group.length - 1) % group.length],
      ArrowRight: () => this.groups[(g + 1) % length][0],
      ArrowLeft: () => this.groups[(g + length - 1) % length][0],
      Home: () => this.groups[0][0],
      End: () => this.groups.at(-1)[0],
    }[event.key];
    if (to) this.items.get(to()).group.focus({ preventScroll: true });
    else if (sign) nudge(sign);
    else if (event.key === "Enter") at("value").focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Show the numbers of a pass for a row, and what is chosen.
  draw({ run, pass, position: { row, inside }, chosen, moving }) {
    const resting = !moving;
    Object.assign(this, { made: run.training.made, row, chosen });
    this.build(run.training.made);
    const { made } = this, { parameters } = run.state, now = this.where(this.chosen), { walk } = run;
    const its = numbersOf(run, pass, row, inside), growing = partial(walk.last(inside, here.lastGrain), its);
    const values = { x: (l, j) => run.training.X.row(row)[j], z: its.z, a: its.a, δ: its.delta, y: (l, j) => its.y(j) };
    for (const [key, { group, text, can, name, l, j, k, parameter }] of this.items) {
      const isHeld = parameter !== undefined, value = isHeld ? parameters[parameter] : values[name](l, j);
      const isKnown = isHeld || walk.knows(key, inside), grows = growing?.key === key;
      setText(text, grows ? brief(growing.value, this.narrow) : isKnown ? brief(value, this.narrow) : UNKNOWN);
      text.classList.toggle("unknown", !isKnown && !grows);
      text.classList.toggle("partial", grows);
      group.classList.toggle("chosen", key === now);
      if (name === "w") {
        text.parentNode.classList.toggle("chosen", key === now);
        const slope = inside === undefined ? pass.gradient[parameter] : walk.knows(key, inside) ? its.gradient(l, j, k) : null;
        showEdge(group, text, value, slope);
      }
      if (!can) continue;
      setOnce(group, "tabindex", key === now ? "0" : "-1");
      if (resting) group.setAttribute("aria-label", `${nameOf(made, this.placeOf(key))}: ${brief(value)}`);
    }
    if (resting) this.svg.setAttribute("aria-label", this.summary(run, pass, row, inside));
  }

  summary(run, { passed }, row, inside) {
    const known = run.walk.knows("cost", inside), list = (numbers) => Array.from(numbers, (x) => brief(x)).join(", ");
    const a = known ? list(passed.a.at(-1).row(row)) : "not known yet", y = list(run.training.Y.row(row));
    return `The network at row ${row + 1}: outputs ${a}, targets ${y}. Arrow keys move, + and − change, Enter types.`;
  }

  // Show where the last tick's numbers went; let them go there, if they have just done so.
  showFlow({ run, position: { inside } }, isNew) {
    const tick = inside === undefined ? null : run.walk.last(inside, here.lastGrain);
    for (const each of this.svg.querySelectorAll(".flows, .arrived")) each.classList.remove("flows", "back", "arrived");
    stopFlow();
    if (!tick) return;
    const wires = [];
    for (const { edge, isForward, stays } of flows(this.made, tick)) {
      const group = this.items.get(`w,${edge.join(",")}`)?.group;
      if (!group) continue; // of a neuron that is not drawn
      group.classList.add("flows");
      group.classList.toggle("back", !isForward);
      wires.push({ wire: group.firstChild, isForward, stays });
    }
    const arrived = this.arrived(run.walk, inside, tick);
    for (const each of arrived) each.closest(".unit")?.classList.add("arrived");
    if (isNew) flow(this.svg, wires, arrived);
  }

  // Return the texts of the numbers that a tick, or a layer, has brought.
  arrived({ knownAt, marks }, inside, tick) {
    const before = tick.isWhole ? (marks.filter((mark) => mark < inside).at(-1) ?? 0) : inside - 1;
    const growing = { product: "z", back: "δ" }[tick.kind];
    const texts = growing && !tick.isWhole ? [this.items.get(`${growing},${tick.l},${tick.j}`)?.text] : [];
    for (const [key, { text, name }] of this.items) {
      const at = knownAt.get(key);
      if (at > before && at <= inside) texts.push(name === "w" ? text.nextSibling : text);
    }
    return texts.filter(Boolean);
  }
}

// Return a place on a line for a label that covers none of those taken, which it joins; or null.
function freePlace(taken, x1, y1, x2, y2) {
  for (const t of ALONG) {
    const x = x1 + t * (x2 - x1), y = y1 + t * (y2 - y1);
    const fits = x - x1 >= LABEL.x / 2 && x2 - x >= LABEL.x / 2;
    if (!fits || taken.some((each) => Math.abs(each.x - x) < LABEL.x && Math.abs(each.y - y) < LABEL.y)) continue;
    taken.push({ x, y });
    return { x, y };
  }
  return null;
}

function showEdge(group, text, value, slope) {
  const size = Number.isFinite(value) ? Math.min(7, 1 + 1.6 * Math.sqrt(Math.abs(value))) : 1;
  setOnce(group.firstChild, "stroke-width", size.toFixed(1));
  group.classList.toggle("negative", value < 0);
  setText(text.nextSibling, slope === null ? UNKNOWN : brief(slope, true));
  text.nextSibling.classList.toggle("unknown", slope === null);
}

// Most texts and attributes of a frame are those of the one before.
function setOnce(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let drawing = null, lastWhere = "";

// What the last tick has done, and what the drawing's numbers are of.
function showTold({ run, pass, position: { row, inside }, playing }) {
  const { walk, training } = run, isInside = inside !== undefined;
  at("told").hidden = !isInside;
  at("told").setAttribute("aria-live", playing ? "off" : "polite");
  const slope = isInside ? `${inNotation("∂C/∂w")} of this row alone` : "its gradient over all rows";
  say("legend", `z, a and ${inNotation("δ")} are of the row shown; on each weight, its value above ${slope}. Dashed: negative.`);
  if (!isInside) return;
  const tick = walk.last(inside, here.lastGrain), isEnd = inside === walk.length;
  const parts = tick ? [told(training.made, tick, numbersOf(run, pass, row, inside))] : [];
  if (!tick || isEnd) parts.push(toldOfStep(run, inside, row));
  at("told").replaceChildren(...parts.map(toldLine));
}

function toldLine({ law, words, symbols, numbers }) {
  const line = element("span", { class: "line" });
  if (symbols) symbols = inNotation(symbols);
  if (law) line.append(element("b", { class: "law" }, law), " ");
  if (symbols) line.append(element("span", { class: "symbols" }, numbers ? `${symbols} = ${numbers}` : symbols), " ");
  line.append(element("span", { class: "quiet" }, words));
  return line;
}

// The left column ends where the window does, so that the bar at its end is in sight.
function reachBottom() {
  const left = document.querySelector(".left"), { top } = left.parentElement.getBoundingClientRect();
  left.style.setProperty("--top", `${Math.max(0, Math.ceil(top))}px`);
}

export const network = {
  begin() {
    drawing = new Network();
    at("row").addEventListener("change", () => {
      const row = Math.round(Number(at("row").value)) - 1;
      if (row >= 0 && row < here.run.training.X.rows) showRow(row);
      else show();
    });
    new ResizeObserver(([box]) => {
      Object.assign(drawing, { page: Math.floor(box.contentRect.width), high: Math.floor(box.contentRect.height) });
      if (here.run) show();
    }).observe(at("net").parentElement);
    addEventListener("scroll", reachBottom, { passive: true });
    new ResizeObserver(reachBottom).observe(document.body);
  },

  show({ run, pass, position }) {
    const { X } = run.training;
    at("epochs").textContent = Math.floor(run.at / run.stepsPerEpoch).toLocaleString("en");
    at("steps").textContent = run.at.toLocaleString("en");
    const known = run.walk.knows("cost", position.inside);
    at("cost").textContent = known ? number(pass.cost) : UNKNOWN;
    at("row-cost").textContent = known ? number(pass.back.costs[position.row]) : UNKNOWN;
    Object.assign(at("row"), { value: position.row + 1, max: X.rows });
    at("of-rows").textContent = `of ${X.rows}`;
    this.chosen();
    const { inside } = position, where = `${position.step} ${inside}`;
    drawing.showFlow(here, where !== lastWhere && lastWhere !== "");
    lastWhere = where;
    showTold(here);
  },

  chosen() {
    drawing.draw(here);
    here.chosen = drawing.chosen;
  },
};
