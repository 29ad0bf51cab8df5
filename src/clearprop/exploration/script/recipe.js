// What a run is made of: data, network, optimizer and seed, and where one is in it. All of it is in the
// hash of the address, so that a link leads to the same bits.

export const data = JSON.parse(document.getElementById("data").textContent);
const SETS = ["xor", "moons", "circles", "spiral"];
export const MOST = { layers: 4, neurons: 16, rate: 100, seed: Number.MAX_SAFE_INTEGER, steps: 2000000 };

const NETWORK = { data: "xor", hidden: "3", activation: "tanh", output: "binary_cross_entropy" };
const TRAINING = { optimizer: "sgd", rate: "0.5", batch: "4", seed: "0" };
const FIRST = data.own ? { optimizer: "adam", rate: "0.01", batch: "32", seed: data.own.seed } : { ...NETWORK, ...TRAINING };
const OUTPUTS = ["binary_cross_entropy", "quadratic", "cross_entropy"];

// Return whole texts for a recipe, or throw with one sentence.
export function recipeOf(given) {
  const recipe = { ...FIRST, ...given };
  const one = (name, from) => refuse(from.includes(recipe[name]), name, `one of ${from.join(", ")}`, recipe);
  one("optimizer", Object.keys(data.optimizers));
  if (!data.own) {
    one("data", SETS);
    one("activation", data.activations);
    one("output", OUTPUTS);
    recipe.hidden = recipe.hidden.replaceAll(" ", "");
    const sizes = hiddenSizes(recipe), rule = `at most ${MOST.layers} sizes from 1 to ${MOST.neurons}, as 4,3`;
    refuse(sizes.length <= MOST.layers && sizes.every((n) => whole(n, 1, MOST.neurons)), "hidden", rule, recipe);
  }
  const rate = Number(recipe.rate.replace(",", "."));
  refuse(rate > 0 && rate <= MOST.rate, "rate", `a number above 0, at most ${MOST.rate}`, recipe);
  recipe.rate = String(rate);
  for (const [name, from, to] of [["batch", 1, 10000], ["seed", 0, MOST.seed]]) {
    refuse(whole(recipe[name], from, to), name, `a whole number from ${from} to ${to}`, recipe);
  }
  return recipe;
}

export function hiddenSizes({ hidden }) {
  return hidden === "" ? [] : hidden.split(",").map((each) => (/^\d+$/.test(each) ? Number(each) : NaN));
}

function whole(text, from, to) {
  return /^\d+$/.test(text) && Number(text) >= from && Number(text) <= to;
}

function refuse(right, name, rule, recipe) {
  if (!right) throw new RangeError(`${NAMES[name]} must be ${rule}; got ${recipe[name] || "nothing"}.`);
}

const NAMES = {
  data: "Data",
  hidden: "Hidden layers",
  activation: "Activation",
  output: "Output and cost",
  optimizer: "Optimizer",
  rate: "Learning rate",
  batch: "Batch size",
  seed: "Seed",
};

// The hash. An edit is {step, place, value}: `p7` is a parameter, `x3.0` an input of row 3, `y3.0` a target.

export function hashOf({ recipe, edits, step, row }) {
  const parts = Object.entries(recipe).map(([name, value]) => [name, value]);
  if (step) parts.push(["step", step]);
  if (row) parts.push(["row", row]);
  if (edits.length) parts.push(["edits", edits.map((e) => `${e.step}:${e.place}:${e.value}`).join("_")]);
  return `#${parts.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;
}

export function positionOf(hash) {
  const given = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  const named = Object.keys(FIRST).filter((name) => given[name] !== undefined);
  const recipe = recipeOf(Object.fromEntries(named.map((name) => [name, given[name]])));
  const number = (text) => (whole(text ?? "", 0, MOST.steps) ? Number(text) : 0);
  const edits = (given.edits ?? "").split("_").map(editOf).filter(Boolean);
  edits.sort((one, other) => one.step - other.step);
  return { recipe, edits, step: number(given.step), row: number(given.row) };
}

function editOf(text) {
  const found = /^(\d+):([pxy][\d.]+):(-?[\d.e+-]+)$/.exec(text);
  const value = found ? Number(found[3]) : NaN;
  return Number.isFinite(value) ? { step: Number(found[1]), place: found[2], value } : null;
}
