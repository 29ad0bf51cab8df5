// What a run is made of, as a form.

import { at, element, say } from "./elements.js";
import { go, here, stop } from "./explorer.js";
import { notationSays } from "./notation.js";
import { showOwnFile } from "./own_file.js";
import { outputsOf } from "./problems.js";
import { activationsOf, data, hiddenSizes, partsOf, recipeOf, suitedTo, textOf, usuallyHeld } from "./recipe.js";

const BY_NEURON = "/", MOST_NEURONS = 16; // of a layer whose neurons have an activation each

const OF = { optimizer: "", output: "cost: ", weights: "weights: ", biases: "biases: " }; // whose number it is

export const choices = {
  begin() {
    at("choices").addEventListener("change", onChoice);
    at("choices").addEventListener("submit", (event) => event.preventDefault());
  },

  show({ position: { notation } }) {
    at("choices").elements.notation.value = notation;
    say("notation-says", notationSays(notation));
  },

  another() {
    const { recipe } = here.position;
    if (recipe.member) showMembers(recipe.member);
    const { image, inputs } = here.run.problem.set;
    at("choices-hint").textContent = image ? "Under “Row” is a pad to draw a digit of your own." : inputs ? "Under “Row” a row can be changed in its own units." : "";
    if (!data.own) showActivations(recipe);
    for (const [name, table] of Object.entries(offered())) showComposed(name, recipe[name], table);
    for (const field of at("choices").elements) if (recipe[field.name] !== undefined && !offered()[field.name]) field.value = recipe[field.name];
    say("refused", "");
  },
};

function onChoice(event) {
  const { position } = here;
  if (event.target.name === "notation") return go({ ...position, notation: event.target.value });
  if (event.target.name === "data") {
    const isFile = event.target.value === "csv";
    showOwnFile(isFile);
    if (isFile) return at("file").focus(); // which begins a run when it is read
  }
  try {
    const recipe = recipeOf(given());
    stop();
    // Another rate, batch or optimizer is another run from the same start: a link has to lead there too.
    go({ recipe, edits: [], step: 0, row: recipe.data === position.recipe.data ? position.row : 0 });
  } catch (problem) {
    say("refused", problem.message);
  }
}

// Return what the form says; other data begin with a network that learns them.
function given() {
  const { recipe } = here.position, entries = Object.fromEntries(new FormData(at("choices")));
  const isOther = entries.data && entries.data !== recipe.data;
  if (isOther) entries.held = usuallyHeld(entries.data);
  if (isOther && suitedTo(entries.data) !== suitedTo(recipe.data)) {
    return { ...recipe, ...suitedTo(entries.data), data: entries.data, held: entries.held, start: "" };
  }
  const plain = Object.fromEntries(Object.entries(entries).filter(([name]) => recipe[name] !== undefined));
  const composed = Object.entries(offered()).map(([name, table]) => [name, composedText(name, entries, table)]);
  const activation = data.own ? {} : { activation: activationText(entries) };
  return { ...recipe, ...plain, ...activation, ...Object.fromEntries(composed) };
}

// Names with their numbers

function offered() {
  const { optimizers, initializers } = data;
  if (data.own) return { optimizer: optimizers };
  return { output: outputsOf(here.run.problem.set), weights: initializers, biases: initializers, optimizer: optimizers };
}

function showComposed(name, text, table) {
  const { name: chosen, row, numbers } = partsOf(text, table), select = at("choices").elements[name];
  select.replaceChildren(...Object.entries(table).map(([value, { title }]) => element("option", { value }, title)));
  select.value = chosen;
  const fields = row.numbers.map((each, i) => field(`${OF[name]}${each.name}`, element("input", { name: `${name}.${i}`, inputmode: "decimal", autocomplete: "off", value: String(numbers[i]) })));
  document.querySelector(`[data-numbers=${name}]`).replaceChildren(...fields);
}

function composedText(name, entries, table) {
  const chosen = entries[name], before = partsOf(here.position.recipe[name], table);
  if (before?.name !== chosen) return chosen;
  return textOf(chosen, before.row.numbers.map((_, i) => Number(entries[`${name}.${i}`].replace(",", "."))), table);
}

function field(name, control) {
  const made = element("label");
  made.append(element("span", {}, name), control);
  return made;
}

// Of a model with members, which one the page is of.
function showMembers(chosen) {
  if (at("choices").elements.member) return;
  const select = element("select", { name: "member" });
  select.append(...data.own.parameters.map((_, k) => element("option", { value: k + 1 }, `${k + 1} of ${data.own.parameters.length}`)));
  select.value = chosen;
  at("choices").prepend(field("Member", select));
}

// Activations of layers and neurons

function showActivations(recipe) {
  const sizes = hiddenSizes(recipe), each = activationsOf(recipe);
  const fields = each.flatMap((names, l) => {
    const what = sizes.length > 1 ? `Activation, layer ${l + 1}` : "Activation", byNeuron = names.length > 1;
    const own = sizes[l] > 1 && sizes[l] <= MOST_NEURONS ? [[BY_NEURON, "neuron by neuron"]] : [];
    const whole = activationSelect(`activation.${l}`, byNeuron ? BY_NEURON : names[0], own);
    return [field(what, whole), ...(byNeuron ? names.map((name, j) => field(`layer ${l + 1}, neuron ${j + 1}`, activationSelect(`activation.${l}.${j}`, name))) : [])];
  });
  at("activations").replaceChildren(...fields);
}

function activationSelect(name, chosen, more = []) {
  const select = element("select", { name });
  const those = [...data.activations.map((each) => [each, each.replaceAll("_", " ")]), ...more];
  select.append(...those.map(([value, title]) => element("option", { value }, title)));
  select.value = chosen;
  return select;
}

// Return the text of a recipe; layers that are new have the activation of the last one.
function activationText(entries) {
  const sizes = hiddenSizes({ hidden: entries.hidden.replaceAll(" ", "") }), before = activationsOf(here.position.recipe);
  const texts = sizes.map((n, l) => {
    const chosen = entries[`activation.${l}`] ?? entries[`activation.${before.length - 1}`] ?? "tanh";
    if (chosen !== BY_NEURON) return chosen;
    const old = before[Math.min(l, before.length - 1)];
    return Array.from({ length: n }, (_, j) => entries[`activation.${l}.${j}`] ?? old[j] ?? old.at(-1)).join(BY_NEURON);
  });
  const same = texts.every((text) => text === texts[0] && !text.includes(BY_NEURON));
  return same ? (texts[0] ?? here.position.recipe.activation) : texts.join(",");
}
