// Where the run is, what is chosen, and everything that moves it; cards show it, and call these functions.
//
// A card is an object that may have `begin()`, once; `show(here)`, at every frame that is shown; and
// `rest(here)`, what no eye could follow while numbers move. A panel that is not open is not asked.

import { say } from "./elements.js";
import { OWN_NOTATION, useNotation } from "./notation.js";
import { problemOf } from "./problems.js";
import { data, hashOf, MOST, positionOf } from "./recipe.js";
import { RATE, Run } from "./run.js";

const BUDGET = 12, REST = 200; // milliseconds: of a frame for steps, and after a change
const KEPT = 200; // positions that undo leads back to
export const CALM = matchMedia("(prefers-reduced-motion: reduce)");
export const HAS_ADDRESS = location.protocol !== "about:"; // a notebook's frame has none

export const here = {
  run: null, // of the recipe
  pass: null, // over all rows, at the position
  position: null, // {recipe, edits, step, row, lesson, practice}, `to`, the last step of the run so far, and inside, a tick, where one goes through a step
  chosen: "", // a place of the run
  touched: null, // the change that is going on: {place, step, before, cost, slope}
  grain: "epoch", // how far a step goes: epoch, batch, layer or product
  scrubbed: null, // the position that the slider of epochs led to
  past: [],
  future: [],
  playing: false,
  moving: false, // playing, on the way to a position, or dragged
};
const cards = [];
let due = 0, lastFrame = 0, lastShown = 0, waiting = false, dragging = false, resting = 0;

export function begin(all) {
  cards.push(...all);
  for (const card of cards) card.begin?.();
  addEventListener("hashchange", fromHash);
  fromHash();
}

function tell(what) {
  for (const card of cards) if (card.isOpen?.() ?? true) card[what]?.(here);
}

// Going somewhere

export function go(next, { remember = true, quiet = false } = {}) {
  const { position } = here;
  const isOther = !position || JSON.stringify(next.recipe) !== JSON.stringify(position.recipe);
  if (isOther) here.run = new Run(problemOf(next.recipe)); // which may refuse it
  if (remember && position) {
    here.past.push(position);
    if (here.past.length > KEPT) here.past.shift();
    here.future = [];
  }
  const row = Math.min(next.row, here.run.training.X.rows - 1);
  const kept = { lesson: position?.lesson ?? null, practice: position?.practice ?? null, notation: position?.notation ?? OWN_NOTATION };
  here.position = { ...kept, ...next, row, to: Math.max(next.to ?? 0, next.step) };
  if (next.inside > here.run.walk.length) here.position.inside = here.run.walk.length;
  useNotation(here.position.notation);
  if (!quiet) here.touched = null;
  dragging = quiet;
  if (isOther) tell("another");
  arrive();
}

// Make the steps that lead to the position, as many as a frame can hold.
function arrive() {
  const end = performance.now() + BUDGET, { run, position } = here;
  const isLate = () => performance.now() > end;
  waiting = !record(isLate) || !run.seek(position.edits, position.step, isLate);
  if (run.stopped) {
    here.position = { ...position, step: run.at, to: run.at, inside: undefined };
    stop();
  }
  document.documentElement.toggleAttribute("data-ready", !waiting);
  show();
  if (waiting) requestAnimationFrame(arrive);
}

// Go to a step of the run so far; back and forth over it is one way for undo.
export function scrubTo(to) {
  stop();
  const { position } = here, step = Math.min(to, position.to), goesOn = position === here.scrubbed;
  here.touched = null;
  go({ ...position, step, inside: undefined }, { remember: !goesOn, quiet: true });
  here.scrubbed = here.position;
}

// A run that goes farther than the position is made as far, once.
function record(isLate) {
  const { run, position } = here;
  if (position.to <= position.step || run.knows(position.edits, position.to)) return true;
  if (!run.seek(position.edits, position.to, isLate)) return false;
  if (run.stopped) here.position = { ...position, to: run.at };
  return true;
}

function goToStep(to) {
  stop();
  here.touched = null;
  const { position } = here, step = Math.min(MOST.steps, Math.max(0, to));
  if (step !== position.step || position.inside !== undefined) go({ ...position, step, inside: undefined });
}

// Inside a step, its beginning is a batch back.
export function step(n) {
  const { step, inside } = here.position;
  goToStep(n < 0 && inside ? step + n + 1 : step + n);
}

export function epoch(n) {
  const { stepsPerEpoch } = here.run, whole = here.position.step / stepsPerEpoch;
  goToStep((n > 0 ? Math.floor(whole) + 1 : Math.ceil(whole) - 1) * stepsPerEpoch);
}

export function toStart() {
  goToStep(0);
}

export function stepBy(grain) {
  here.grain = document.getElementById("grain").value = grain;
}

// Go on or back by a grain.
export function advance(sign, grain = here.grain) {
  if (grain === "epoch") return epoch(sign);
  if (grain === "batch") return step(sign);
  stop();
  const to = through(here.position, sign, grain);
  if (to) go(to);
}

// Return the position one layer, or one product, on or back; null at the start of a run.
function through(position, sign, grain) {
  const { inside } = position, { walk } = here.run;
  here.touched = null;
  here.lastGrain = grain;
  if (sign > 0) {
    if (inside === walk.length) return inBatch({ ...position, step: position.step + 1, inside: 0 });
    return inBatch({ ...position, inside: walk.next(inside ?? 0, 1, grain) });
  }
  if (inside) return { ...position, inside: walk.next(inside, -1, grain) };
  if (position.step) return inBatch({ ...position, step: position.step - 1, inside: walk.length });
  return inside === 0 ? { ...position, inside: undefined } : null;
}

// The row whose pass is gone through is one of the batch's.
function inBatch(position) {
  if (position.step !== here.position.step) here.run.seek(position.edits, position.step);
  const { rows } = here.run.nextStep();
  return rows.includes(position.row) ? position : { ...position, row: rows[0] };
}

export function showRow(row) {
  go({ ...here.position, row }, { remember: false });
}

export function play() {
  if (here.playing) return stop();
  here.playing = true;
  dragging = false;
  here.past.push(here.position);
  here.future = [];
  here.touched = null;
  [due, lastFrame] = [0, performance.now()];
  tell("playing");
  requestAnimationFrame(frame);
}

export function stop() {
  if (!here.playing) return;
  here.playing = false;
  tell("playing");
  show();
}

function frame(now) {
  if (!here.playing) return;
  const { run, position, grain } = here, speed = Number(document.getElementById("speed").value);
  const end = performance.now() + BUDGET, steps = grain === "epoch" ? run.stepsPerEpoch : 1;
  due = Math.min(due + (speed * steps * Math.max(0, now - lastFrame)) / 1000, 1e5);
  lastFrame = now;
  if (grain === "layer" || grain === "product") {
    if (due >= 1) go(through(position, 1, grain), { remember: false });
    due %= 1;
  } else if (!waiting) {
    const to = Math.min(MOST.steps, position.step + Math.floor(due));
    run.seek(position.edits, to, () => performance.now() > end);
    due = run.at < to && speed >= 1000 ? 0 : due - (run.at - position.step);
    here.position = { ...position, step: run.at, to: Math.max(position.to, run.at), inside: undefined };
    // Motion that nobody asked to be spared is shown at every frame.
    if (!CALM.matches || now - lastShown > 500) {
      lastShown = now;
      show();
    }
  }
  if (run.stopped || run.at >= MOST.steps) stop();
  else requestAnimationFrame(frame);
}

export function undo() {
  move(here.past, here.future);
}

export function redo() {
  move(here.future, here.past);
}

function move(from, to) {
  stop();
  if (!from.length) return;
  to.push(here.position);
  go(from.pop(), { remember: false });
}

// Changing a number

export function choose(place) {
  if (place === here.chosen) return;
  here.chosen = place;
  here.touched = null;
  tell("chosen");
}

// Set what is chosen; changes of one number at one step, one after the other, are one change.
export function set(value) {
  if (!Number.isFinite(value)) return;
  stop();
  const { run, pass, position, chosen } = here;
  const goesOn = here.touched?.place === chosen && here.touched.step === position.step;
  if (!goesOn) {
    const before = { before: run.value(chosen), cost: pass.cost, slope: run.slope(chosen, pass) };
    here.touched = { place: chosen, step: position.step, ...before };
  }
  const earlier = position.edits.filter((each) => each.step <= position.step);
  const remember = !(goesOn && here.touched.made);
  if (!remember) earlier.pop();
  here.touched.made = true;
  const edits = [...earlier, { step: position.step, place: chosen, value }];
  go({ ...position, edits, to: 0 }, { quiet: true, remember });
}

// The learning rate from here on is a change of the run like any other; who plays, plays on.
export function setRate(value) {
  if (!(value > 0 && value <= MOST.rate)) return show();
  const { position } = here, isHere = ({ step, place }) => step === position.step && place === RATE;
  const earlier = position.edits.filter((each) => each.step <= position.step && !isHere(each));
  go({ ...position, edits: [...earlier, { step: position.step, place: RATE, value: Number(value.toPrecision(12)) }], to: 0 });
}

export function nudge(sign) {
  const by = Number(document.getElementById("size").value);
  set(Number((here.run.value(here.chosen) + sign * by).toPrecision(15))); // 0.3, not 0.30000000000000004
}

export function asItWas() {
  stop();
  if (here.position.edits.length) go({ ...here.position, edits: [], to: 0 });
}

// Showing

export function show() {
  here.pass = here.run.pass();
  here.moving = here.playing || waiting || dragging;
  const { chosen, position } = here;
  if ("xy".includes(chosen[0])) here.chosen = `${chosen[0]}${position.row}.${chosen.split(".")[1]}`; // of the row shown
  tell("show");
  clearTimeout(resting);
  if (!here.moving) rest();
  else if (dragging) resting = setTimeout(endDrag, REST);
}

// Browsers allow a change of the address only so often.
function rest() {
  tell("rest");
  const hash = hashOf(here.position);
  if (HAS_ADDRESS && hash !== location.hash) history.replaceState(null, "", hash);
}

function endDrag() {
  dragging = false;
  show();
}

function fromHash() {
  stop();
  const { position } = here;
  if (position && location.hash === hashOf(position)) return;
  try {
    const opens = location.hash || (position ? "" : data.film?.hash ?? "");
    go({ notation: OWN_NOTATION, ...positionOf(opens) }, { remember: Boolean(position) });
  } catch (problem) {
    if (!position) go(positionOf(""));
    say("refused", problem.message);
  }
}
