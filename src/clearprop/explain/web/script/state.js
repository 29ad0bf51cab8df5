// What the reader has chosen: notation, step, form, selection; kept in the URL's hash.

export const data = JSON.parse(document.getElementById("data").textContent);

for (const step of data.notations.flatMap((each) => each.steps)) {
  step.title = data.words[step.title];
  step.said = data.words[step.said];
}

export const state = { notation: 0, step: 0, form: data.form, selected: "", path: -1, practice: data.blanks, rate: null };

const listeners = [];

export function onChange(listener) {
  listeners.push(listener);
}

export function change(next, keepHash = false) {
  const before = { ...state };
  Object.assign(state, next);
  if (next.selected !== undefined && next.selected !== before.selected) state.path = -1;
  if (state.notation !== before.notation && next.step === undefined) state.step = sameStep(before);
  state.step = Math.max(0, Math.min(state.step, told().steps.length - 1));
  const changed = new Set(Object.keys(state).filter((key) => state[key] !== before[key]));
  if (!keepHash) writeHash();
  for (const listener of listeners) listener(changed);
}

export function told() {
  return data.notations[state.notation];
}

export function currentStep() {
  return told().steps[state.step];
}

// The step of the new notation that is the old one's, or the last one before it that both have.
function sameStep(before) {
  const old = data.notations[before.notation].steps;
  const keys = told().steps.map((step) => step.key);
  for (let i = before.step; i >= 0; i -= 1) {
    const found = keys.indexOf(old[i].key);
    if (found >= 0) return found;
  }
  return 0;
}

// A selection is "layer,to" or "layer,to,from"; in the hash it is z:1:2 or w:1:2:1, counted from 1.

function hashOf(selected) {
  const at = selected.split(",").map(Number);
  return [at.length === 3 ? "w" : "z", at[0], ...at.slice(1).map((i) => i + 1)].join(":");
}

function selectedFrom(text) {
  const [kind, layer, ...units] = text.split(":");
  const at = [Number(layer), ...units.map((i) => Number(i) - 1)];
  if (!(kind === "w" || kind === "z") || at.length !== (kind === "w" ? 3 : 2)) return null;
  const known = kind === "w" ? data.notations[0].weights : data.notations[0].neurons;
  return Object.hasOwn(known, at.join(",")) ? at.join(",") : null;
}

function writeHash() {
  const parts = [`n=${encodeURIComponent(told().name)}`, `step=${state.step + 1}`];
  if (state.form !== "numbers") parts.push(`form=${state.form}`);
  parts.push(`sel=${hashOf(state.selected)}`);
  if (state.practice) parts.push("practice=1");
  try {
    history.replaceState(null, "", `#${parts.join("&")}`);
  } catch {
    // A page inside another has no address of its own.
  }
}

// What the hash says, as far as it says something that this page has.
export function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const next = {};
  const notation = data.notations.findIndex((each) => each.name === given.get("n"));
  if (notation >= 0) next.notation = notation;
  const step = Number.parseInt(given.get("step"), 10);
  if (step >= 1) next.step = step - 1;
  if (FORMS.includes(given.get("form"))) next.form = given.get("form");
  const selected = given.get("sel") && selectedFrom(given.get("sel"));
  if (selected) next.selected = selected;
  if (given.get("practice") === "1") next.practice = true;
  return next;
}

// The forms in the order of their buttons, and by their number in a line (LINES of trees.py).
export const FORMS = ["numbers", "component", "matrix", "chain", "path"];
export const LINES = ["matrix", "component", "numbers", "chain", "path", "update"];
