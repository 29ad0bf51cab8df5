// A slice of the cost's surface with the way that the run has taken: a plane through where it is now, along
// the first two principal directions of the way, or along two parameters. It is computed in the pauses
// between frames, a few points at a time.

import { at, brief, element, number, shortName } from "./elements.js";
import { showTwin } from "./charts.js";
import { here } from "./explorer.js";
import { inPanel } from "./panels.js";

const CELLS = 31, SIZE = 310, BUDGET_OF_FRAME = 4, MOST_NAMED = 400; // 4 milliseconds
const LEAST_WIDTH = 0.5, BEYOND = 0.35; // half of the plane at least; how far it goes beyond the way
const TURNS = 40; // of the power iteration
let plan = null, scheduled = false;

export const surface = inPanel("surface", {
  begin() {
    for (const id of ["along-1", "along-2"]) at(id).addEventListener("change", () => newPlan());
    at("surface-twin").parentElement.addEventListener("toggle", () => here.run && surface.show());
  },

  another() {
    plan = null;
    showNames(here.run.training.made);
  },

  show() {
    if (!at("along-1").options.length) showNames(here.run.training.made);
    if (!plan || plan.run !== here.run || leaves(plan)) plan = planned(here.run);
    draw(plan);
    goOn();
  },

  rest() {
    // At rest the plane goes through where the run is.
    if (plan && !equal(plan.middle, here.run.state.parameters)) plan = planned(here.run);
    this.show();
  },
});

function newPlan() {
  plan = null;
  surface.show();
}

function showNames(made) {
  const named = made.nParameters <= MOST_NAMED;
  for (const id of ["along-1", "along-2"]) {
    const options = [element("option", { value: "" }, "the way's principal direction")];
    for (let i = 0; named && i < made.nParameters; i++) options.push(element("option", { value: i }, shortName(made, `p${i}`)));
    at(id).replaceChildren(...options);
  }
}

function equal(one, other) {
  return one.every((x, i) => x === other[i]);
}

// Return the points of the way, the present one last.
function wayOf(run) {
  const points = run.way.points.filter(({ epoch }) => epoch < run.state.epoch || epoch === 0);
  points.push({ epoch: run.state.epoch, parameters: run.state.parameters.slice() });
  return points.filter(({ parameters }) => parameters.every(Number.isFinite));
}

// Return what there is to compute: a plane, how wide it is, and the costs on it, NaN until they are known.
function planned(run) {
  const way = wayOf(run), middle = way.at(-1).parameters, { axes, shares } = axesOf(way, middle);
  const places = way.map(({ parameters }) => axes.map((axis) => along(parameters, middle, axis)));
  const ends = [0, 1].map((i) => {
    const each = places.map((place) => place[i]), low = Math.min(0, ...each), high = Math.max(0, ...each);
    const more = Math.max(LEAST_WIDTH, BEYOND * (high - low));
    return [low - more, high + more];
  });
  return { run, edits: run.edits, axes, shares, middle, ends, costs: new Float64Array(CELLS * CELLS).fill(NaN), next: 0 };
}

function along(parameters, middle, axis) {
  return axis.reduce((total, x, i) => total + x * (parameters[i] - middle[i]), 0);
}

function axesOf(way, middle) {
  const chosen = ["along-1", "along-2"].map((id) => at(id).value), unit = (i) => middle.map((_, k) => Number(k === Number(i)));
  const apart = way.map(({ parameters }) => parameters.map((x, i) => x - middle[i]));
  const total = apart.reduce((sum, row) => sum + norm(row) ** 2, 0);
  const axes = [], shares = [];
  for (const i of [0, 1]) {
    axes.push(chosen[i] === "" ? principal(apart, axes) : orthogonal(unit(chosen[i]), axes));
    shares.push(total ? apart.reduce((sum, row) => sum + dot(row, axes[i]) ** 2, 0) / total : 0);
  }
  return { axes, shares };
}

// Return the direction of the largest spread that is orthogonal to those found, by power iteration.
function principal(rows, found) {
  let axis = orthogonal(Float64Array.from(rows[0], (x, i) => x + 1e-3 * ((i % 7) - 3)), found);
  for (let turn = 0; turn < TURNS; turn++) {
    const next = new Float64Array(axis.length);
    for (const row of rows) {
      const factor = dot(row, axis);
      for (let i = 0; i < next.length; i++) next[i] += factor * row[i];
    }
    if (!(norm(next) > 1e-12)) return axis;
    axis = orthogonal(next, found);
  }
  return axis;
}

function orthogonal(vector, found) {
  const made = vector.slice();
  for (const each of found) {
    const factor = dot(made, each);
    for (let i = 0; i < made.length; i++) made[i] -= factor * each[i];
  }
  const size = norm(made);
  if (size > 1e-9) return made.map((x) => x / size);
  return orthogonal(made.map((_, i) => ((i * 7919) % 13) - 6), found); // the way has no second direction yet
}

function dot(one, other) {
  let total = 0;
  for (let i = 0; i < one.length; i++) total += one[i] * other[i];
  return total;
}

function norm(vector) {
  return Math.sqrt(dot(vector, vector));
}

// Whether the run has left the plane's picture, or rows were changed.
function leaves({ run, edits, axes, middle, ends }) {
  if (edits !== run.edits && !here.moving) return true;
  const { parameters } = run.state;
  return axes.some((axis, i) => {
    const place = along(parameters, middle, axis);
    return place < ends[i][0] || place > ends[i][1];
  });
}

// The costs next to the middle come first, so that what is looked at is there soon.
const ORDER = Array.from({ length: CELLS * CELLS }, (_, i) => i).sort((i, j) => offMiddle(i) - offMiddle(j));

function offMiddle(i) {
  return Math.max(Math.abs((i % CELLS) - (CELLS >> 1)), Math.abs(Math.floor(i / CELLS) - (CELLS >> 1)));
}

function goOn() {
  if (scheduled || !plan || plan.next >= ORDER.length) return;
  scheduled = true;
  const work = () => {
    scheduled = false;
    if (!surface.isOpen() || !plan) return;
    const end = performance.now() + BUDGET_OF_FRAME;
    while (plan.next < ORDER.length && performance.now() < end) put(plan, ORDER[plan.next++]);
    if (!here.moving) draw(plan);
    at("surface").toggleAttribute("data-done", plan.next >= ORDER.length);
    goOn();
  };
  if (window.requestIdleCallback) requestIdleCallback(work, { timeout: 200 });
  else setTimeout(work, 16);
}

function put({ run, axes, middle, ends, costs }, i) {
  const { made, X, Y } = run.training, [u, v] = placeOfCell(ends, i);
  const parameters = middle.map((x, k) => x + u * axes[0][k] + v * axes[1][k]);
  const each = backprop.costs(made, backprop.forward(made, parameters, X), Y);
  costs[i] = each.reduce((total, x) => total + x, 0) * run.share;
}

function placeOfCell([[left, right], [bottom, top]], i) {
  const x = ((i % CELLS) + 0.5) / CELLS, y = (Math.floor(i / CELLS) + 0.5) / CELLS;
  return [left + (right - left) * x, top - (top - bottom) * y];
}

const BANDS = 14;

function draw({ run, axes, shares, middle, ends, costs }) {
  const context = at("surface").getContext("2d"), side = SIZE / CELLS;
  const known = costs.filter(Number.isFinite), low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
  const floor = Math.max(low, 1e-12), shift = (x) => Math.log(Math.max(x, floor) / floor + 0.02);
  const part = (cost) => (Number.isFinite(cost) && high > low ? (shift(cost) - shift(low)) / (shift(high) - shift(low)) : 1);
  context.clearRect(0, 0, SIZE, SIZE);
  if (known.length === costs.length) paintSmooth(context, costs.map(part));
  else costs.forEach((cost, i) => Number.isNaN(cost) || paintCell(context, i, side, part(cost)));
  const way = wayOf(run), places = way.map(({ parameters }) => axes.map((axis) => along(parameters, middle, axis)));
  drawWay(context, places.map(([u, v]) => pixelOf(ends, u, v)));
  const names = ["along-1", "along-2"].map((id, i) => (at(id).value === "" ? `direction ${i + 1}` : at(id).selectedOptions[0].textContent));
  const spread = shares.map((each) => `${(100 * each).toFixed(0)} %`).join(" and ");
  at("surface-says").textContent = known.length
    ? `Cost from ${number(low)} (light) to ${number(high)} (dark) on this plane through where the run is (●, it began at ○). ${names.join(" and ")} have ${spread} of the way's spread.`
    : "";
  const rows = way.map(({ epoch }, i) => [String(epoch), ...places[i].map((x) => number(x))]);
  showTwin("surface", "The way on this plane, from where the run is now", ["epoch", ...names], rows);
  at("surface").setAttribute("aria-label", `Cost around the run, from ${brief(low)} to ${brief(high)}, with the way of ${way.length} epochs`);
}

function paintCell(context, i, side, part) {
  context.fillStyle = `rgb(${colour(part).join(",")})`;
  context.fillRect((i % CELLS) * side, Math.floor(i / CELLS) * side, side + 0.6, side + 0.6);
}

// Between the middles of cells, what stands there is weighted by how near it is; the edges of bands are contours.
function paintSmooth(context, parts) {
  const image = new ImageData(SIZE, SIZE), at = (x, y) => parts[y * CELLS + x];
  for (let py = 0; py < SIZE; py++) {
    for (let px = 0; px < SIZE; px++) {
      const [x, u] = between(px), [y, v] = between(py);
      const part = (1 - v) * ((1 - u) * at(x, y) + u * at(x + 1, y)) + v * ((1 - u) * at(x, y + 1) + u * at(x + 1, y + 1));
      image.data.set([...colour(Math.round(part * BANDS) / BANDS), 255], 4 * (py * SIZE + px));
    }
  }
  context.putImageData(image, 0, 0);
}

function between(pixel) {
  const place = Math.min(CELLS - 1.001, Math.max(0, (pixel / SIZE) * CELLS - 0.5)), whole = Math.floor(place);
  return [whole, place - whole];
}

function colour(part) {
  const [from, to] = [[247, 250, 253], [38, 66, 110]];
  return from.map((x, i) => Math.round(x + (to[i] - x) * part));
}

function pixelOf([[left, right], [bottom, top]], u, v) {
  return [(SIZE * (u - left)) / (right - left), (SIZE * (top - v)) / (top - bottom)];
}

function drawWay(context, pixels) {
  const ring = ([x, y], fill) => {
    context.beginPath();
    context.arc(x, y, 5, 0, 7);
    context.fillStyle = fill;
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = "#b25400";
    context.stroke();
  };
  context.beginPath();
  for (const [x, y] of pixels) context.lineTo(x, y);
  for (const [width, style] of [[4, "#fff"], [2, "#b25400"]]) {
    Object.assign(context, { lineWidth: width, strokeStyle: style, lineJoin: "round" });
    context.stroke();
  }
  ring(pixels[0], "#fff");
  ring(pixels.at(-1), "#b25400");
}
