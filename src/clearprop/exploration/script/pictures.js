// The plane of two inputs with what the network answers, and the curve of the cost.

import { typed } from "../../page/numbers.js";
import { showLines, showTwin } from "./charts.js";
import { at, number } from "./elements.js";
import { here, setRate, showRow } from "./explorer.js";
import { RATE } from "./run.js";

const FINE = 60, COARSE = 32, PLANE = 300, MARGIN = 0.15, POINTS = 400;

class Plane {
  begin() {
    this.canvas = at("plane");
    this.canvas.addEventListener("click", (event) => this.onClick(event));
  }

  show({ run, position, moving }) {
    const fits = this.fits(run.training.made);
    at("plane-box").hidden = !fits;
    if (fits) this.draw(run, position.row, moving);
    if (fits) this.say(run.problem.set, run.held);
  }

  // Return whether there is a plane: two inputs, and shares of a few classes or one quantity.
  fits(made) {
    return made.sizes[0] === 2 && (hasClasses(made) ? made.sizes.at(-1) <= COLOURS.length : made.sizes.at(-1) === 1);
  }

  frame({ rows, data }) {
    const between = (column) => {
      let low = Infinity, high = -Infinity;
      for (let i = 0; i < rows; i++) {
        low = Math.min(low, data[2 * i + column]);
        high = Math.max(high, data[2 * i + column]);
      }
      const more = MARGIN * (high - low) || 1;
      return [low - more, high + more];
    };
    this.range = [between(0), between(1)];
  }

  draw(run, row, moving) {
    const n = moving ? COARSE : FINE, { made, X, Y } = run.training, context = this.canvas.getContext("2d");
    this.X = X;
    this.frame(X);
    const [[left, right], [bottom, top]] = this.range;
    const grid = new backprop.Matrix(n * n, 2);
    for (let i = 0; i < n * n; i++) {
      grid.data[2 * i] = left + ((right - left) * ((i % n) + 0.5)) / n;
      grid.data[2 * i + 1] = top - ((top - bottom) * (Math.floor(i / n) + 0.5)) / n;
    }
    const answers = backprop.forward(made, run.state.parameters, grid).a.at(-1);
    const image = new ImageData(n, n);
    const heights = hasClasses(made) ? null : ends(Y.data);
    for (let i = 0; i < n * n; i++) image.data.set(heights ? heightOf(answers.data[i], heights) : colourOf(answers.row(i)), 4 * i);
    this.small ??= document.createElement("canvas");
    Object.assign(this.small, { width: n, height: n });
    this.small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.small, 0, 0, PLANE, PLANE);
    const { held } = run;
    for (let i = 0; held && i < held.X.rows; i++) this.point(context, held.X.row(i), held.Y.row(i), heights, "held");
    for (let i = 0; i < X.rows; i++) if (i !== row) this.point(context, X.row(i), Y.row(i), heights, "");
    this.point(context, X.row(row), Y.row(row), heights, "chosen");
  }

  // Of classes the marks, of a quantity the colours of its ends.
  say({ classes }, hasHeld) {
    const marks = classes?.slice(0, COLOURS.length).map((name, c) => `${"●■▲◆"[c]} ${name}`).join(", ");
    const held = hasHeld ? "; hollow is held out" : "";
    at("plane-says").textContent = `Its answer everywhere; ${marks ?? "orange is low, blue high"}${held}. Choose a row.`;
  }

  point(context, input, target, heights, kind) {
    const [x, y] = this.pixel(input), isChosen = kind === "chosen", size = isChosen ? 7 : kind ? 3.5 : 4.5;
    const c = heights ? 0 : target.length === 1 ? Number(target[0] >= 0.5) : target.indexOf(Math.max(...target));
    context.beginPath();
    if (c === 0) context.arc(x, y, size, 0, 7);
    else if (c === 1) context.rect(x - size, y - size, 2 * size, 2 * size); // a shape beside the colour
    else polygon(context, x, y, size + 1, c + 1);
    const colour = `rgb(${heights ? heightOf(target[0], heights).slice(0, 3) : COLOURS[c]})`, isHollow = kind === "held";
    context.fillStyle = isHollow ? "#fff" : colour;
    context.fill();
    context.lineWidth = isChosen ? 3 : isHollow ? 1.8 : 1.2;
    context.strokeStyle = isChosen ? "#000" : isHollow ? colour : heights ? "#444" : "#fff";
    context.stroke();
  }

  pixel([x, y]) {
    const [[left, right], [bottom, top]] = this.range;
    return [(PLANE * (x - left)) / (right - left), (PLANE * (top - y)) / (top - bottom)];
  }

  // The nearest row is the one to be shown.
  onClick(event) {
    const box = this.canvas.getBoundingClientRect(), scale = PLANE / box.width;
    const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let best = 0, least = Infinity;
    for (let i = 0; i < this.X.rows; i++) {
      const [x, y] = this.pixel(this.X.row(i)), off = (x - px) ** 2 + (y - py) ** 2;
      if (off < least) [best, least] = [i, off];
    }
    showRow(best);
  }
}

const COLOURS = [[178, 84, 0], [20, 92, 150], [32, 110, 60], [120, 62, 165]];
const PALE = [[246, 196, 140], [150, 200, 240], [160, 220, 175], [212, 180, 240]];

function hasClasses(made) {
  return ["sigmoid", "softmax"].includes(made.output);
}

function ends(numbers) {
  return [numbers.reduce((low, x) => Math.min(low, x)), numbers.reduce((high, x) => Math.max(high, x))];
}

// Return the colour of a quantity between the least and the largest target.
function heightOf(answer, [low, high]) {
  if (!Number.isFinite(answer)) return [128, 128, 128, 255];
  const t = Math.min(1, Math.max(0, (answer - low) / (high - low || 1))), [from, to] = t < 0.5 ? [LOW, MIDDLE] : [MIDDLE, HIGHEST];
  return [...from.map((each, i) => each + (to[i] - each) * (t < 0.5 ? 2 * t : 2 * t - 1)), 255];
}

const LOW = [214, 122, 30], MIDDLE = [246, 243, 236], HIGHEST = [44, 122, 190];

function polygon(context, x, y, size, n) {
  const angle = (k) => (2 * Math.PI * k) / n - Math.PI / 2;
  for (let k = 0; k < n; k++) context.lineTo(x + size * Math.cos(angle(k)), y + size * Math.sin(angle(k)));
  context.closePath();
}

// One output is the share of class 1; of several, each colours by its part of them all.
function colourOf(answer) {
  const one = Math.min(1, Math.max(0, answer[0]));
  const parts = answer.length === 1 ? [1 - one, one] : Array.from(answer, (a) => Math.max(0, a));
  const total = parts.reduce((sum, part) => sum + part, 0) || 1;
  const mixed = [0, 1, 2].map((i) => parts.reduce((sum, part, c) => sum + (part / total) * PALE[c][i], 0));
  return mixed.every(Number.isFinite) ? [...mixed, 255] : [128, 128, 128, 255];
}

export const plane = new Plane();

// The cost of each epoch, its samples' before the steps that they are in, and that of the rows held out.
export const curve = {
  begin() {
    at("curve-twin").parentElement.addEventListener("toggle", () => here.run && curve.show(here));
    for (const [id, factor] of [["rate-less", 0.5], ["rate-more", 2]]) at(id).addEventListener("click", () => setRate(here.run.rate * factor));
    at("rate-now").addEventListener("change", () => setRate(typed(at("rate-now").value)));
  },

  show({ run }) {
    const { curve: costs, heldCurve, state } = run, n = costs.length, every = Math.max(1, Math.ceil(n / POINTS));
    const epochs = costs.flatMap((_, i) => (i % every === 0 || i === n - 1 ? [i] : [])), line = (values) => epochs.map((i) => [i + 1, values[i]]);
    const lines = [{ name: "training", values: line(costs) }];
    if (run.held) lines.push({ name: "held out", values: line(heldCurve) });
    const marks = run.edits.filter(({ place }) => place === RATE).map(({ step }) => step / run.stepsPerEpoch);
    showLines(at("curve"), lines, { marks, now: state.epoch });
    const held = n && run.held ? `; of rows held out ${number(heldCurve[n - 1])}` : "";
    const said = n ? `from ${number(costs[0])} in epoch 1 to ${number(costs[n - 1])} in epoch ${n}${held}` : "no epoch yet";
    at("curve").setAttribute("aria-label", `Cost of each epoch: ${said}`);
    const rows = epochs.map((i) => [String(i + 1), number(costs[i]), ...(run.held ? [number(heldCurve[i])] : [])]);
    showTwin("curve", "Cost of each epoch", ["epoch", "training", ...(run.held ? ["held out"] : [])], rows);
    if (document.activeElement !== at("rate-now")) at("rate-now").value = String(run.rate);
  },
};
