// Everything brought together.

import { showCloser } from "./closer.js";
import { beginSaying, element, say } from "./elements.js";
import { beginNetwork, showNetwork } from "./network.js";
import { change, data, onChange, readHash, state, told } from "./state.js";
import { beginSteps, onStepKey, showChips, showStep } from "./steps.js";
import { showRates } from "./update.js";

const choice = element(
  "select",
  { id: "notation", onchange: () => change({ notation: Number(choice.value) }) },
  ...data.notations.map((each, i) => element("option", { value: i }, each.name)),
);
const practice = element("input", {
  type: "checkbox",
  id: "practice",
  onchange: () => change({ practice: practice.checked }),
});
const source = element("span", { class: "quiet", id: "source" });

function controls() {
  return element(
    "div",
    { class: "controls" },
    element("label", { for: "notation" }, "Notation "),
    choice,
    source,
    element("label", { for: "practice", class: "check" }, practice, " practice: I fill in the derivatives"),
  );
}

function showNotes() {
  choice.value = String(state.notation);
  source.textContent = told().source.replace(/^S\d: /, ""); // the documents' short names
  document
    .getElementById("footnotes")
    .replaceChildren(...told().footnotes.map((note) => element("li", {}, `${note}.`)));
  practice.checked = state.practice;
  document.body.classList.toggle("practice", state.practice);
}

function show(changed) {
  const all = changed === null;
  const has = (...keys) => all || keys.some((key) => changed.has(key));
  if (has("notation", "practice")) showNotes();
  if (has("notation")) showChips();
  if (has("notation", "step", "selected")) showNetwork();
  if (has("notation", "step", "form", "practice")) showStep(!all && has("step", "notation"));
  if (has("notation", "selected", "path")) showCloser();
  if (!data.updated && has("rate")) showRates();
  if (!all && changed.has("selected")) say(`${document.querySelector("#closer p").textContent}`);
}

// Before anything has the focus, keys are for the pass: its steps, and the table of its network.
function onPageKey(event) {
  if (event.target === document.body || event.target.closest(".stepper")) onStepKey(event);
  onTableKey(event);
}

// T opens and closes the table of the figure in which the focus is.
function onTableKey(event) {
  if (event.key !== "t" && event.key !== "T") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const twin = (event.target.closest(".figure, .nudge") ?? document.getElementById("network")).querySelector("details.twin");
  if (!twin) return;
  twin.open = !twin.open;
  say(twin.open ? "Table shown" : "Table hidden");
}

document.documentElement.classList.add("js");
document.querySelector("header").append(controls());
beginSaying();
beginNetwork();
beginSteps();
state.selected = data.selected;
change(readHash(), true);
onChange(show);
show(null);
document.addEventListener("keydown", onPageKey);
window.addEventListener("hashchange", () => change(readHash(), true));
