// The plane of two inputs with what the network answers, and the curve of the cost.

import { at, brief, drawn, number } from "./elements.js";
import { showRow } from "./explorer.js";

const FINE = 60, COARSE = 32, POINTS = 240, PLANE = 300, MARGIN = 0.15;
const WIDE = 300, HIGH = 170, LEFT = 52, TOP = 12; // of the curve's inside

class Plane {
  begin() {
    this.canvas = at("plane");
    this.canvas.addEventListener("click", (event) => this.onClick(event));
  }

  show({ run, position, moving }) {
    const fits = this.fits(run.training.made);
    at("plane-box").hidden = !fits;
    if (fits) this.draw(run, position.row, moving);
    if (fits) this.say(run.problem.set);
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
    for (let i = 0; i < X.rows; i++) if (i !== row) this.point(context, i, Y, heights, false);
    this.point(context, row, Y, heights, true);
  }

  // Of classes the marks, of a quantity the colours of its ends.
  say({ classes }) {
    const marks = classes?.slice(0, COLOURS.length).map((name, c) => `${"●■▲◆"[c]} ${name}`).join(", ");
    at("plane-says").textContent = `Its answer everywhere; ${marks ?? "orange is low, blue high"}. Choose a row.`;
  }

  point(context, i, Y, heights, isChosen) {
    const [x, y] = this.pixel(this.X.row(i)), target = Y.row(i), size = isChosen ? 7 : 4.5;
    const c = heights ? 0 : target.length === 1 ? Number(target[0] >= 0.5) : target.indexOf(Math.max(...target));
    context.beginPath();
    if (c === 0) context.arc(x, y, size, 0, 7);
    else if (c === 1) context.rect(x - size, y - size, 2 * size, 2 * size); // a shape beside the colour
    else polygon(context, x, y, size + 1, c + 1);
    context.fillStyle = `rgb(${heights ? heightOf(target[0], heights).slice(0, 3) : COLOURS[c]})`;
    context.fill();
    context.lineWidth = isChosen ? 3 : 1.2;
    context.strokeStyle = isChosen ? "#000" : heights ? "#444" : "#fff";
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

// The cost of each epoch, its samples' before the steps that they are in.
export const curve = {
  show({ run }) {
    showCurve(run.curve, run.state.epoch);
  },
};

function showCurve(curve, now) {
  const svg = at("curve"), every = Math.max(1, Math.ceil(curve.length / POINTS));
  const kept = curve.map((cost, i) => [i + 1, cost]).filter(([i]) => i % every === 0 || i === curve.length || i === 1);
  const most = Math.max(...kept.map(([, cost]) => cost), 0) || 1;
  const x = (epoch) => LEFT + (WIDE * epoch) / Math.max(1, curve.length);
  const y = (cost) => TOP + HIGH * (1 - cost / most);
  const d = kept.map(([epoch, cost], i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)} ${y(cost).toFixed(1)}`).join("");
  svg.replaceChildren(
    drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${TOP + HIGH}H${LEFT + WIDE}` }),
    ...(now && now < curve.length ? [drawn("path", { class: "now", d: `M${x(now).toFixed(1)} ${TOP}V${TOP + HIGH}` })] : []),
    drawn("path", { class: "cost", d: d.includes("L") ? d : `${d}${d ? "h0.1" : ""}` }),
    drawn("text", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }, curve.length ? brief(most, true) : ""),
    drawn("text", { x: LEFT - 6, y: TOP + HIGH, "text-anchor": "end" }, "0"),
    drawn("text", { x: LEFT, y: TOP + HIGH + 16 }, curve.length ? "1" : "no epoch yet"),
    drawn("text", { x: LEFT + WIDE, y: TOP + HIGH + 16, "text-anchor": "end" }, curve.length ? `epoch ${curve.length.toLocaleString("en")}` : ""),
  );
  const said = curve.length ? `from ${number(curve[0])} in epoch 1 to ${number(curve.at(-1))} in epoch ${curve.length}` : "no epoch yet";
  svg.setAttribute("aria-label", `Cost of each epoch: ${said}`);
}
