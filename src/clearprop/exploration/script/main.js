// The page: where the run is, what is chosen, and everything that a reader can do.

import { typed } from "../../page/numbers.js";
import { at, nameOf, number, say, shortName } from "./elements.js";
import { Network } from "./network.js";
import { Plane, showCurve } from "./pictures.js";
import { problemOf } from "./problems.js";
import { data, hashOf, MOST, positionOf, recipeOf } from "./recipe.js";
import { Run } from "./run.js";
import { showTables } from "./tables.js";

const BUDGET = 12, REST = 200; // milliseconds: of a frame for steps, and after a change
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const HAS_ADDRESS = location.protocol !== "about:"; // a notebook's frame has none

let run = null, pass = null, position = null, chosen = "", past = [], future = [];
let playing = false, due = 0, lastFrame = 0, lastShown = 0, waiting = false, touched = null, dragging = false, rest = 0;
const network = new Network(choose, (sign) => nudge(sign));
const plane = new Plane((row) => go({ ...position, row }, { remember: false }));

// Going somewhere

function go(next, { remember = true, quiet = false } = {}) {
  if (remember && position) {
    past.push(position);
    if (past.length > 200) past.shift();
    future = [];
  }
  const isOther = !position || JSON.stringify(next.recipe) !== JSON.stringify(position.recipe);
  if (isOther) run = new Run(problemOf(next.recipe));
  position = { ...next, row: Math.min(next.row, run.training.X.rows - 1) };
  if (!quiet) touched = null;
  dragging = quiet;
  if (isOther) showRecipe();
  arrive();
}

// Make the steps that lead to the position, as many as a frame can hold.
function arrive() {
  const end = performance.now() + BUDGET;
  waiting = !run.seek(position.edits, position.step, () => performance.now() > end);
  if (run.stopped) {
    position = { ...position, step: run.at };
    stop();
  }
  document.documentElement.toggleAttribute("data-ready", !waiting);
  show();
  if (waiting) requestAnimationFrame(arrive);
}

function step(n) {
  stop();
  touched = null;
  const to = Math.min(MOST.steps, Math.max(0, position.step + n));
  if (to !== position.step) go({ ...position, step: to });
}

function epoch(n) {
  const { stepsPerEpoch } = run, whole = position.step / stepsPerEpoch;
  step((n > 0 ? Math.floor(whole) + 1 : Math.ceil(whole) - 1) * stepsPerEpoch - position.step);
}

function play() {
  if (playing) return stop();
  playing = true;
  dragging = false;
  past.push(position);
  future = [];
  touched = null;
  [due, lastFrame] = [0, performance.now()];
  showPlaying();
  requestAnimationFrame(frame);
}

function stop() {
  if (!playing) return;
  playing = false;
  showPlaying();
  show();
}

function frame(now) {
  if (!playing) return;
  const speed = Number(at("speed").value), end = performance.now() + BUDGET;
  due = Math.min(due + (speed * run.stepsPerEpoch * Math.max(0, now - lastFrame)) / 1000, 1e5);
  lastFrame = now;
  if (!waiting) {
    const to = Math.min(MOST.steps, position.step + Math.floor(due));
    run.seek(position.edits, to, () => performance.now() > end);
    due = run.at < to && speed >= 1000 ? 0 : due - (run.at - position.step);
    position = { ...position, step: run.at };
    // Motion that nobody asked to be spared is shown at every frame.
    if (!CALM.matches || now - lastShown > 500) {
      lastShown = now;
      show();
    }
  }
  if (run.stopped || run.at >= MOST.steps) stop();
  else requestAnimationFrame(frame);
}

function undo() {
  move(past, future);
}

function redo() {
  move(future, past);
}

function move(from, to) {
  stop();
  if (!from.length) return;
  to.push(position);
  go(from.pop(), { remember: false });
}

// Changing a number

function choose(place) {
  if (place === chosen) return;
  chosen = place;
  touched = null;
  showChosen();
}

// Set what is chosen; changes of one number at one step, one after the other, are one change.
function set(value) {
  if (!Number.isFinite(value)) return;
  stop();
  const goesOn = touched?.place === chosen && touched.step === position.step;
  if (!goesOn) {
    touched = { place: chosen, step: position.step, before: run.value(chosen), cost: pass.cost, slope: run.slope(chosen, pass) };
  }
  const earlier = position.edits.filter((each) => each.step <= position.step);
  if (goesOn && touched.made) earlier.pop();
  const remember = !(goesOn && touched.made);
  touched.made = true;
  const edits = [...earlier, { step: position.step, place: chosen, value }];
  go({ ...position, edits }, { quiet: true, remember });
}

function nudge(sign) {
  set(Number((run.value(chosen) + sign * Number(at("size").value)).toPrecision(15))); // 0.3, not 0.30000000000000004
}

function asItWas() {
  stop();
  if (position.edits.length) go({ ...position, edits: [] });
}

// Showing

function show() {
  pass = run.pass();
  const moving = playing || waiting || dragging, { made, X } = run.training;
  if ("xy".includes(chosen[0])) chosen = `${chosen[0]}${position.row}.${chosen.split(".")[1]}`; // of the row shown
  showChosen();
  const { stepsPerEpoch } = run, epochs = Math.floor(position.step / stepsPerEpoch);
  at("epochs").textContent = Math.floor(run.at / stepsPerEpoch).toLocaleString("en");
  at("steps").textContent = run.at.toLocaleString("en");
  at("cost").textContent = number(pass.cost);
  at("row-cost").textContent = number(pass.back.costs[position.row]);
  at("row").value = position.row + 1;
  at("row").max = X.rows;
  at("of-rows").textContent = `of ${X.rows}`;
  at("plane-box").hidden = !plane.fits(made);
  if (plane.fits(made)) plane.show(run, position.row, moving);
  showCurve(run.curve, epochs);
  const off = { undo: !past.length, redo: !future.length, "as-it-was": !position.edits.length };
  for (const [id, isOff] of Object.entries(off)) at(id).disabled = isOff;
  for (const id of ["back", "back-epoch"]) at(id).disabled = position.step === 0;
  clearTimeout(rest);
  if (!moving) showAtRest();
  else if (dragging) rest = setTimeout(endDrag, REST);
}

// What no eye could follow while numbers move, and what browsers allow only so often: the address.
function showAtRest() {
  showTables(run, pass, position.row);
  const stopped = `The next step is not finite: ${run.stopped} is the first. A smaller learning rate helps; steps back are possible.`;
  say("stopped", run.stopped ? stopped : "");
  const hash = hashOf(position);
  if (HAS_ADDRESS && hash !== location.hash) history.replaceState(null, "", hash);
}

function endDrag() {
  dragging = false;
  show();
}

function showChosen() {
  network.show(run, pass, position.row, chosen, !playing && !waiting && !dragging);
  chosen = network.chosen;
  showTouched();
}

function showTouched() {
  const value = run.value(chosen), slope = run.slope(chosen, pass), { made } = run.training;
  at("chosen").textContent = nameOf(made, chosen);
  at("what").textContent = shortName(made, chosen);
  if (document.activeElement !== at("value") || !at("value").dataset.typing) at("value").value = String(value);
  if (document.activeElement !== at("slider")) {
    const most = Math.max(4, Math.ceil(2 * Math.abs(value)));
    if (Number.isFinite(most)) Object.assign(at("slider"), { min: -most, max: most });
  }
  at("slider").value = value;
  at("slope").textContent = number(slope);
  at("own-slope").textContent = number(ownSlope());
  at("short").textContent = "";
  if (!touched) return say("came", "");
  const change = value - touched.before, predicted = touched.slope * change, came = pass.cost - touched.cost;
  const said = [
    `Changed by ${number(change)}.`,
    `Predicted: gradient × change = ${number(touched.slope)} × ${number(change)} = ${number(predicted)}.`,
    `What came: the cost went from ${number(touched.cost)} to ${number(pass.cost)}, by ${number(came)}.`,
  ];
  say("came", said.join(" "));
  const signed = (x) => (x > 0 ? `+${number(x, 3)}` : number(x, 3));
  at("short").textContent = `cost: predicted ${signed(predicted)}, came ${signed(came)}`;
}

// The gradient of this row's cost alone.
function ownSlope() {
  const { made, X, Y } = run.training, { row } = position;
  const [of, column] = chosen.slice(1).split(".").map(Number);
  if (chosen[0] !== "p") return of === row ? run.slope(`${chosen[0]}${of}.${column}`, pass) / run.share : 0;
  const passed = backprop.forward(made, run.state.parameters, X.pick([row]));
  return backprop.gradient(made, passed, backprop.backward(made, run.state.parameters, passed, Y.pick([row])))[of];
}

function showPlaying() {
  at("play").textContent = playing ? "Pause" : "Play";
  document.documentElement.toggleAttribute("data-playing", playing);
}

function showRecipe() {
  for (const field of at("choices").elements) if (field.name) field.value = position.recipe[field.name];
  say("refused", "");
}

// What a reader does

function onChoice() {
  const given = Object.fromEntries(new FormData(at("choices")));
  try {
    const recipe = recipeOf(given);
    stop();
    // Another rate, batch or optimizer is another run from the same start: a link has to lead there too.
    go({ recipe, edits: [], step: 0, row: recipe.data === position.recipe.data ? position.row : 0 });
  } catch (problem) {
    say("refused", problem.message);
  }
}

function onKey(event) {
  const inside = event.target.closest("input, select, textarea, summary"), isButton = event.target.closest("button");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !inside) {
    event.preventDefault();
    return event.shiftKey ? redo() : undo();
  }
  if (inside || event.ctrlKey || event.metaKey || event.altKey || (isButton && event.key === " ")) return;
  const does = { " ": play, ".": () => step(1), ",": () => step(-1), ">": () => epoch(1), "<": () => epoch(-1) };
  if (!does[event.key]) return;
  event.preventDefault();
  does[event.key]();
}

function begin() {
  at("address").hidden = !HAS_ADDRESS;
  const clicks = { play, undo, redo, "as-it-was": asItWas, more: () => nudge(1), less: () => nudge(-1) };
  Object.assign(clicks, { next: () => step(1), back: () => step(-1), "next-epoch": () => epoch(1), "back-epoch": () => epoch(-1) });
  clicks.start = () => step(-position.step);
  for (const [id, does] of Object.entries(clicks)) at(id).addEventListener("click", does);
  const value = at("value");
  value.addEventListener("input", () => {
    value.dataset.typing = "yes";
    value.setAttribute("aria-invalid", String(!Number.isFinite(typed(value.value))));
    set(typed(value.value));
  });
  value.addEventListener("blur", () => {
    delete value.dataset.typing;
    value.removeAttribute("aria-invalid");
    showTouched();
  });
  value.addEventListener("keydown", (event) => {
    const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!sign) return;
    event.preventDefault();
    delete value.dataset.typing;
    nudge(sign);
  });
  at("slider").addEventListener("input", () => set(Number(at("slider").value)));
  at("choices").addEventListener("change", onChoice);
  at("choices").addEventListener("submit", (event) => event.preventDefault());
  at("row").addEventListener("change", () => {
    const row = Math.round(Number(at("row").value)) - 1;
    if (row >= 0 && row < run.training.X.rows) go({ ...position, row }, { remember: false });
    else show();
  });
  at("twin").addEventListener("toggle", show);
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", fromHash);
  new ResizeObserver(([box]) => {
    network.page = Math.floor(box.contentRect.width);
    if (run) show();
  }).observe(at("net").parentElement);
}

function fromHash() {
  stop();
  if (position && location.hash === hashOf(position)) return;
  try {
    go(positionOf(location.hash), { remember: Boolean(position) });
  } catch (problem) {
    if (!position) go(positionOf(""));
    say("refused", problem.message);
  }
}

begin();
fromHash();
