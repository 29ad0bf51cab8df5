// What a run is made of: data, network, optimizer and seed, and where one is in it. All of it is in the
// hash of the address, so that a link leads to the same bits.
//
// Names that go with numbers are written with them: momentum:0.95, adam:0.9,0.99,1e-8. Activations are
// one for all layers, or one for each (relu,tanh), and in a layer one for all, or for each neuron
// (relu/tanh/tanh,sigmoid).

export const data = JSON.parse(document.getElementById("data").textContent);
export const MOST = { layers: 4, neurons: 64, rate: 100, seed: Number.MAX_SAFE_INTEGER, steps: 2000000 };

const TOY = { hidden: "3", activation: "tanh", output: "binary_cross_entropy", optimizer: "sgd", rate: "0.5", batch: "4" };
const MORE = { hidden: "8", activation: "tanh", output: "cross_entropy", optimizer: "adam", rate: "0.01", batch: "16" };
const HEIGHTS = { ...MORE, output: "quadratic", rate: "0.03" };
const SUITED = { curve: HEIGHTS, saddle: HEIGHTS, iris: MORE, digits: { ...MORE, hidden: "24", activation: "relu", batch: "32" }, csv: MORE };
const SELDOM = { weights: "glorot_uniform", biases: "zeros", file: "", target: "", held: "0", start: "", dropout: "0" }; // in the address only where they differ

// Return what a data set begins with: a network that learns it.
export function suitedTo(name) {
  return SUITED[name] ?? TOY;
}

const HELD = ["0", "20", "50"]; // % of the rows, that the run does not train on
const MEMBER = data.own?.parameters.length > 1 ? { member: "1" } : {};
const OWN = { optimizer: "adam", rate: "0.01", batch: "32", seed: data.own?.seed, held: "0", start: "", dropout: "0", ...MEMBER };
const FIRST = data.own ? OWN : { data: "xor", ...TOY, seed: "0", ...SELDOM };

// Return whole texts for a recipe, or throw with one sentence.
export function recipeOf(given) {
  const recipe = { ...FIRST, ...given };
  named(recipe, "optimizer", data.optimizers);
  refuse(HELD.includes(recipe.held), "held", `one of ${HELD.join(", ")}`, recipe);
  if (data.own) {
    if (recipe.member) refuse(whole(recipe.member, 1, data.own.parameters.length), "member", `a whole number from 1 to ${data.own.parameters.length}`, recipe);
  } else {
    const sets = [...Object.keys(data.sets), "csv"];
    refuse(sets.includes(recipe.data), "data", `one of ${sets.join(", ")}`, recipe);
    if (recipe.data !== "csv") Object.assign(recipe, { file: "", target: "" });
    for (const name of ["weights", "biases"]) named(recipe, name, data.initializers);
    recipe.hidden = recipe.hidden.replaceAll(" ", "");
    const sizes = hiddenSizes(recipe), rule = `at most ${MOST.layers} sizes from 1 to ${MOST.neurons}, as 4,3`;
    refuse(sizes.length <= MOST.layers && sizes.every((n) => whole(n, 1, MOST.neurons)), "hidden", rule, recipe);
    refuse(activationsOf(recipe) !== null, "activation", "of the table, one for all layers or for each (relu,tanh), of a layer one or one for each neuron (relu/tanh/relu,tanh)", recipe);
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
  return set === "csv" || data.sets[set].drawn || data.sets[set].inputs ? "20" : "0";
}

export function hiddenSizes({ hidden }) {
  return hidden === "" ? [] : hidden.split(",").map((each) => (/^\d+$/.test(each) ? Number(each) : NaN));
}

export function numbersIn(text) {
  return text === "" ? [] : text.split(",").map((each) => (each === "" ? NaN : Number(each)));
}

// Return the activations of each hidden layer, one or one for each neuron; null where they do not fit.
export function activationsOf(recipe) {
  const sizes = hiddenSizes(recipe), layers = recipe.activation.split(",").map((each) => each.trim().split("/"));
  const known = layers.every((names) => names.every((name) => data.activations.includes(name)));
  if (!known || (layers.length > 1 && layers.length !== sizes.length)) return null;
  const each = sizes.map((_, l) => (layers.length === 1 ? layers[0] : layers[l]));
  return each.every((names, l) => names.length === 1 || names.length === sizes[l]) ? each : null;
}

// A name with numbers

// Return {name, numbers} of a text such as adam:0.9,0.99; numbers that are left out are the table's.
export function partsOf(text, table) {
  const [name, given = ""] = text.split(":"), row = Object.hasOwn(table, name) ? table[name] : null;
  if (!row) return null;
  const texts = given === "" ? [] : given.split(",");
  return { name, row, numbers: row.numbers.map(({ value }, i) => (texts[i] === undefined ? value : Number(texts[i]))), extra: texts.length > row.numbers.length };
}

export function textOf(name, numbers, table) {
  const same = table[name].numbers.every(({ value }, i) => numbers[i] === value);
  return same ? name : `${name}:${numbers.join(",")}`;
}

// Return what a name with its numbers stands for, as Python describes it.
export function described(text, table) {
  const { row, numbers } = partsOf(text, table);
  return { ...row.is, ...Object.fromEntries(row.numbers.map(({ name }, i) => [name, numbers[i]])) };
}

// Refuse a name that is not in a table, or a number that it may not have.
export function named(recipe, field, table) {
  const found = partsOf(recipe[field], table);
  refuse(found && !found.extra, field, `one of ${Object.keys(table).join(", ")}, with its numbers`, recipe);
  found.row.numbers.forEach(({ name, zero, negative, large }, i) => {
    const x = found.numbers[i], low = negative ? "a number" : zero ? "a number of at least 0" : "a number above 0";
    const fits = Number.isFinite(x) && (negative || x > 0 || (zero && x === 0)) && (large || x < 1);
    const rule = `${low}${large ? "" : ", below 1"}`;
    if (!fits) throw new RangeError(`${NAMES[field]}: ${name} must be ${rule}; got ${recipe[field].split(":")[1].split(",")[i]}.`);
  });
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
  weights: "First weights",
  biases: "First biases",
  optimizer: "Optimizer",
  rate: "Learning rate",
  batch: "Batch size",
  held: "Rows held out",
  seed: "Seed",
  dropout: "Dropout",
  start: "First parameters",
  member: "Member",
};

// The hash. An edit is {step, place, value}: `p7` is a parameter, `x3.0` an input of row 3, `y3.0` a target,
// `r` the learning rate; of a raw row, `n3.0` is a number and `c3.0` the choice with that number. `inside`
// is how far one is in the step that follows.

export function hashOf({ recipe, edits, step, inside, row, lesson, practice, notation, to }) {
  const parts = Object.entries(recipe).filter(([name, value]) => value !== SELDOM[name]);
  if (lesson) parts.unshift(["lesson", lesson.name], ["at", lesson.at + 1]);
  if (practice) parts.push(["practice", `${practice.kind}.${practice.variant}`]);
  if (Object.hasOwn(data.notations, notation)) parts.push(["notation", notation]);
  if (step) parts.push(["step", step]);
  if (inside !== undefined) parts.push(["inside", inside]);
  if (to > step) parts.push(["to", to]);
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
  const names = Object.keys(FIRST).filter((name) => given[name] !== undefined);
  const suited = data.own ? {} : suitedTo(given.data ?? FIRST.data);
  const recipe = recipeOf({ ...suited, ...Object.fromEntries(names.map((name) => [name, given[name]])) });
  const number = (text) => (whole(text ?? "", 0, MOST.steps) ? Number(text) : 0);
  const edits = (given.edits ?? "").split("_").map(editOf).filter(Boolean);
  edits.sort((one, other) => one.step - other.step);
  const position = { recipe, edits, step: number(given.step), row: number(given.row), lesson, practice: practiceOf(given), to: number(given.to) };
  if (Object.hasOwn(data.notations, given.notation ?? "")) position.notation = given.notation;
  return given.inside === undefined ? position : { ...position, inside: number(given.inside) };
}

// What is practised is {kind, variant}.
function practiceOf({ practice = "" }) {
  const found = /^(delta|gradient)\.(\d{1,9})$/.exec(practice);
  return found ? { kind: found[1], variant: Number(found[2]) } : null;
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
  const found = /^(\d+):([pxync][\d.]+|r):(-?[\d.e+-]+)$/.exec(text);
  const value = found ? Number(found[3]) : NaN;
  const fits = Number.isFinite(value) && (found[2] !== "r" || (value > 0 && value <= MOST.rate));
  return fits ? { step: Number(found[1]), place: found[2], value } : null;
}
