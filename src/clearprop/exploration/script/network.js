// The drawing: every neuron with its numbers of one row, every weight with the batch's gradient. It is one
// widget with one stop of the Tab key; what has the focus is what is chosen.

import { at, below, brief, drawn, inputName, nameOf, number, parameterOf, say } from "./elements.js";
import { choose, here, nudge, show, showRow } from "./explorer.js";

const LINE = 14, GAP = 12, WIDEST_GAP = 70, MOST_SHOWN = 8, MOST_LABELS = 24;
const LABEL = { x: 50, y: 25 };
const ALONG = [0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75, 0.18, 0.82, 0.12, 0.88]; // where a label may stand

class Network {
  constructor() {
    Object.assign(this, { svg: at("net"), items: new Map(), chosen: "", key: "" });
    this.page = Math.floor(this.svg.parentElement.clientWidth);
    this.svg.addEventListener("keydown", (event) => this.onKey(event));
  }

  // Draw a network, where it is another one or the page has another width.
  build(made) {
    const { page } = this, width = Math.max(page, 96 * made.sizes.length - 30);
    const key = JSON.stringify([made.sizes, made.layers.map(({ names, bias }) => [names, bias]), width]);
    if (key === this.key) return;
    Object.assign(this, { key, width, narrow: page < 560, items: new Map(), groups: [] });
    this.box = this.narrow ? 66 : 104;
    this.shown = made.sizes.map((n) => Math.min(n, MOST_SHOWN));
    const heights = made.sizes.map((_, l) => this.boxHeight(l));
    this.height = Math.max(...heights.map((h, l) => this.shown[l] * (h + GAP) + (this.left(l) ? 16 : 0))) + 40;
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("height", this.height);
    this.svg.style.minWidth = `${width}px`;
    for (let l = 1; l < made.sizes.length; l++) this.drawEdges(l);
    for (let l = 0; l < made.sizes.length; l++) this.drawLayer(l);
    this.order();
    if (!this.items.has(this.where(this.chosen))) this.chosen = `p${made.layers[0].weights.offset}`;
  }

  left(l) {
    return this.made.sizes[l] - this.shown[l];
  }

  boxHeight(l) {
    const last = this.made.sizes.length - 1;
    return 8 + LINE * (l === 0 ? 1 : 3 + (this.made.layers[l - 1].bias ? 1 : 0) + (l === last ? 1 : 0));
  }

  // Return the middle of a box.
  middle(l, j) {
    const n = this.shown[l], room = (this.height - 40 - (this.left(l) ? 16 : 0)) / n;
    const each = Math.min(room, this.boxHeight(l) + WIDEST_GAP), span = this.width - this.box - 2;
    return {
      x: 1 + this.box / 2 + (span * l) / (this.made.sizes.length - 1),
      y: 30 + (this.height - 36) / 2 + (j - (n - 1) / 2) * each - (this.left(l) ? 8 : 0),
    };
  }

  drawLayer(l) {
    const { made, box } = this, last = made.sizes.length - 1, top = this.boxHeight(l) / 2;
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
      const names = l === 0 ? ["x"] : ["z", "a", "δ"];
      if (l && made.layers[l - 1].bias) names.unshift("b");
      if (l === last) names.splice(names.indexOf("δ"), 0, "y");
      names.forEach((name, i) => this.line(group, l, j, name, { ...middle, y: middle.y - top + 4 + LINE * (i + 0.78) }));
    }
    if (this.left(l)) {
      const { y } = this.middle(l, this.shown[l] - 1);
      this.svg.append(drawn("text", { class: "what", x, y: y + top + 14, "text-anchor": "middle" }, `and ${this.left(l)} more`));
    }
  }

  // One number of a box: those that can be changed are buttons.
  line(group, l, j, name, { x, y }) {
    const { box } = this, key = `${name},${l},${j}`, can = "bxy".includes(name);
    const line = drawn("g", { class: `line ${{ δ: "delta", y: "target" }[name] ?? name}` });
    if (can) line.append(drawn("rect", { class: "hit", x: x - box / 2 + 2, y: y - 11, width: box - 4, height: LINE, rx: 3 }));
    const whole = inputName(j), short = whole.length > 8 ? `${whole.slice(0, 7)}…` : whole;
    const label = name !== "x" ? name : this.narrow ? `x${below(j + 1)}` : short;
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
    this.items.set(key, { group, text, can });
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
    const { weights, biases } = this.made.layers[l - 1];
    return `p${name === "b" ? biases.offset + j : weights.offset + j * weights.shape[1] + k}`;
  }

  where(place) {
    if (!place) return "";
    const [first, column] = place.slice(1).split(".").map(Number);
    if (place[0] !== "p") return `${place[0]},${place[0] === "x" ? 0 : this.made.sizes.length - 1},${column}`;
    const found = parameterOf(this.made, first);
    if (!found) return "";
    const { isBias, layer, j, k } = found;
    return isBias ? `b,${layer},${j - 1}` : `w,${layer},${j - 1},${k - 1}`;
  }

  // Groups from left to right: inputs, weights into layer 1, its biases, and so on, targets.
  order() {
    const keys = [...this.items].filter(([, { can }]) => can).map(([key]) => key);
    const of = (start) => keys.filter((key) => key.startsWith(start));
    this.groups = [of("x,")];
    for (let l = 1; l < this.made.sizes.length; l++) this.groups.push(of(`w,${l},`), of(`b,${l},`));
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
  draw({ run, pass, position: { row }, chosen, moving }) {
    const resting = !moving;
    Object.assign(this, { made: run.training.made, row, chosen });
    this.build(run.training.made);
    const { passed, back, gradient } = pass, { made } = this, { parameters } = run.state, last = made.sizes.length - 1;
    const now = this.where(this.chosen);
    const values = {
      x: (l, j) => run.training.X.row(row)[j],
      z: (l, j) => passed.z[l - 1].row(row)[j],
      a: (l, j) => passed.a[l].row(row)[j],
      δ: (l, j) => back.delta[l - 1].row(row)[j],
      y: (l, j) => run.training.Y.row(row)[j],
    };
    for (const [key, { group, text, can }] of this.items) {
      const [name, l, j] = key.split(",").map((each, i) => (i ? Number(each) : each));
      const value = values[name] ? values[name](l, j) : parameters[Number(this.placeOf(key).slice(1))];
      text.textContent = brief(value, this.narrow);
      group.classList.toggle("chosen", key === now);
      if (name === "w") text.parentNode.classList.toggle("chosen", key === now);
      if (name === "w") showEdge(group, text, value, gradient[Number(this.placeOf(key).slice(1))]);
      if (!can) continue;
      group.setAttribute("tabindex", key === now ? "0" : "-1");
      if (resting) group.setAttribute("aria-label", `${nameOf(made, this.placeOf(key))}: ${brief(value)}`);
    }
    const a = Array.from(passed.a[last].row(row), brief).join(", "), y = Array.from(run.training.Y.row(row), brief).join(", ");
    if (resting) this.svg.setAttribute("aria-label", `The network at row ${row + 1}: outputs ${a}, targets ${y}. Arrow keys move, + and − change, Enter types.`);
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
  group.firstChild.setAttribute("stroke-width", size.toFixed(1));
  group.classList.toggle("negative", value < 0);
  text.nextSibling.textContent = brief(slope, true);
}

let drawing = null;

export const network = {
  begin() {
    drawing = new Network();
    at("row").addEventListener("change", () => {
      const row = Math.round(Number(at("row").value)) - 1;
      if (row >= 0 && row < here.run.training.X.rows) showRow(row);
      else show();
    });
    new ResizeObserver(([box]) => {
      drawing.page = Math.floor(box.contentRect.width);
      if (here.run) show();
    }).observe(at("net").parentElement);
  },

  show({ run, pass, position }) {
    const { X } = run.training;
    at("epochs").textContent = Math.floor(run.at / run.stepsPerEpoch).toLocaleString("en");
    at("steps").textContent = run.at.toLocaleString("en");
    at("cost").textContent = number(pass.cost);
    at("row-cost").textContent = number(pass.back.costs[position.row]);
    Object.assign(at("row"), { value: position.row + 1, max: X.rows });
    at("of-rows").textContent = `of ${X.rows}`;
    this.chosen();
  },

  chosen() {
    drawing.draw(here);
    here.chosen = drawing.chosen;
  },

  rest({ run }) {
    const stopped = `The next step is not finite: ${run.stopped} is the first. A smaller learning rate helps; steps back are possible.`;
    say("stopped", run.stopped ? stopped : "");
  },
};
