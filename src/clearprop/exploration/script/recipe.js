// What a run is made of: data, network, optimizer and seed, and where one is in it. All of it is in the
// hash of the address, so that a link leads to the same bits.

export const data = JSON.parse(document.getElementById("data").textContent);
export const MOST = { layers: 4, neurons: 16, rate: 100, seed: Number.MAX_SAFE_INTEGER, steps: 2000000 };

const NETWORK = { data: "xor", hidden: "3", activation: "tanh", output: "binary_cross_entropy" };
const TRAINING = { optimizer: "sgd", rate: "0.5", batch: "4", seed: "0" };
const SELDOM = { held: "0", start: "", dropout: "0" }; // in the address only where they are used
const HELD = ["0", "20", "50"]; // % of the rows, that the run does not train on
const FIRST = data.own ? { optimizer: "adam", rate: "0.01", batch: "32", seed: data.own.seed, ...SELDOM } : { ...NETWORK, ...TRAINING, ...SELDOM };
const OUTPUTS = ["binary_cross_entropy", "quadratic", "cross_entropy"];

// Return whole texts for a recipe, or throw with one sentence.
export function recipeOf(given) {
  const recipe = { ...FIRST, ...given };
  const one = (name, from) => refuse(from.includes(recipe[name]), name, `one of ${from.join(", ")}`, recipe);
  one("optimizer", Object.keys(data.optimizers));
  one("held", HELD);
  if (!data.own) {
    one("data", Object.keys(data.sets));
    one("activation", data.activations);
    one("output", OUTPUTS);
    recipe.hidden = recipe.hidden.replaceAll(" ", "");
    const sizes = hiddenSizes(recipe), rule = `at most ${MOST.layers} sizes from 1 to ${MOST.neurons}, as 4,3`;
    refuse(sizes.length <= MOST.layers && sizes.every((n) => whole(n, 1, MOST.neurons)), "hidden", rule, recipe);
  }
  const rate = Number(recipe.rate.replace(",", "."));
  refuse(rate > 0 && rate <= MOST.rate, "rate", `a number above 0, at most ${MOST.rate}`, recipe);
  recipe.rate = String(rate);
  const dropout = Number(recipe.dropout.replace(",", "."));
  refuse(dropout >= 0 && dropout < 1, "dropout", "a share from 0 to below 1", recipe);
  recipe.dropout = String(dropout);
  recipe.start = recipe.start.replaceAll(" ", "");
  refuse(numbersIn(recipe.start).every(Number.isFinite), "start", "numbers, as 0.5,-1", recipe);
  for (const [name, from, to] of [["batch", 1, 10000], ["seed", 0, MOST.seed]]) {
    refuse(whole(recipe[name], from, to), name, `a whole number from ${from} to ${to}`, recipe);
  }
  return recipe;
}

// Four rows may be all there is to learn; of drawn rows some show what the others have taught.
export function usuallyHeld(set) {
  return data.sets[set].drawn ? "20" : "0";
}

export function hiddenSizes({ hidden }) {
  return hidden === "" ? [] : hidden.split(",").map((each) => (/^\d+$/.test(each) ? Number(each) : NaN));
}

export function numbersIn(text) {
  return text === "" ? [] : text.split(",").map((each) => (each === "" ? NaN : Number(each)));
}

function whole(text, from, to) {
  return /^\d+$/.test(text) && Number(text) >= from && Number(text) <= to;
}

function refuse(right, name, rule, recipe) {
  if (!right) throw new RangeError(`${NAMES[name]} must be ${rule}; got ${recipe[name] || "nothing"}.`);
}

const NAMES = {
  lesson: "Lesson",
  data: "Data",
  hidden: "Hidden layers",
  activation: "Activation",
  output: "Output and cost",
  optimizer: "Optimizer",
  rate: "Learning rate",
  batch: "Batch size",
  held: "Rows held out",
  seed: "Seed",
  dropout: "Dropout",
  start: "First parameters",
};

// The hash. An edit is {step, place, value}: `p7` is a parameter, `x3.0` an input of row 3, `y3.0` a target,
// `r` the learning rate. `inside` is how far one is in the step that follows.

export function hashOf({ recipe, edits, step, inside, row, lesson }) {
  const parts = Object.entries(recipe).filter(([name, value]) => value !== SELDOM[name]);
  if (lesson) parts.unshift(["lesson", lesson.name], ["at", lesson.at + 1]);
  if (step) parts.push(["step", step]);
  if (inside !== undefined) parts.push(["inside", inside]);
  if (row) parts.push(["row", row]);
  if (edits.length) parts.push(["edits", edits.map((e) => `${e.step}:${e.place}:${e.value}`).join("_")]);
  return `#${parts.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;
}

export function positionOf(hash) {
  return positionFrom(Object.fromEntries(new URLSearchParams(hash.slice(1))));
}

// Return the position of what an address, or a lesson, has: texts by their names.
export function positionFrom(texts) {
  const lesson = lessonOf(texts), given = { ...(lesson ? lessonRun(lesson) : {}), ...texts };
  const named = Object.keys(FIRST).filter((name) => given[name] !== undefined);
  const recipe = recipeOf(Object.fromEntries(named.map((name) => [name, given[name]])));
  const number = (text) => (whole(text ?? "", 0, MOST.steps) ? Number(text) : 0);
  const edits = (given.edits ?? "").split("_").map(editOf).filter(Boolean);
  edits.sort((one, other) => one.step - other.step);
  const position = { recipe, edits, step: number(given.step), row: number(given.row), lesson };
  return given.inside === undefined ? position : { ...position, inside: number(given.inside) };
}

// A lesson that is open is {name, at}, its name and which step it is at.

function lessonOf({ lesson: name, at: n }) {
  if (name === undefined || !data.lessons.length) return null;
  const names = data.lessons.map((each) => each.name);
  refuse(names.includes(name), "lesson", `one of ${names.join(", ")}`, { lesson: name });
  const last = lessonNamed(name).steps.length;
  return { name, at: whole(n ?? "", 1, last) ? Number(n) - 1 : 0 };
}

export function lessonNamed(name) {
  return data.lessons.find((each) => each.name === name);
}

// The run of a step is its own, or that of the last step before it that has one.
export function lessonRun({ name, at: n }) {
  const { run, steps } = lessonNamed(name);
  return { ...run, ...steps.slice(0, n + 1).findLast((each) => each.run)?.run };
}

function editOf(text) {
  const found = /^(\d+):([pxy][\d.]+|r):(-?[\d.e+-]+)$/.exec(text);
  const value = found ? Number(found[3]) : NaN;
  const fits = Number.isFinite(value) && (found[2] !== "r" || (value > 0 && value <= MOST.rate));
  return fits ? { step: Number(found[1]), place: found[2], value } : null;
}
