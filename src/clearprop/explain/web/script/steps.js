// The stepper, and the step that is shown: what it means, its formulas, and blanks to fill in (E7).

import { element, formulaLine, markScrolling, math, say } from "./elements.js";
import { contains, mathml, result, withoutSymbols } from "./formula.js";
import { verdictOn } from "../../../page/answers.js";
import { text, value } from "./numbers.js";
import { FORMS, LINES, change, currentStep, data, state, told } from "./state.js";
import { movedTable, rateField } from "./update.js";

const NAMES = { numbers: "with numbers", component: "symbols", matrix: "matrices", chain: "chain rule", path: "paths" };
// Forms with the results that are to be found.
const TELLING = ["matrix", "chain", "path"];
const holder = document.getElementById("all-steps");
const bar = element("div", { class: "stepper", role: "group", "aria-label": "Steps of the pass" });
const chips = element("ol", { class: "chips" });
const forms = element("div", { class: "forms", role: "group", "aria-label": "How the formulas are written" });

function button(id, words, label, go) {
  return element("button", { type: "button", id, "aria-label": label, onclick: go }, words);
}

const first = button("first", "|◀", "First step", () => change({ step: 0 }));
const back = button("back", "◀ Back", "One step back", () => change({ step: state.step - 1 }));
const next = button("next", "Next ▶", "Next step", () => change({ step: state.step + 1 }));
const end = button("end", "▶|", "Last step", () => change({ step: told().steps.length - 1 }));

export function beginSteps() {
  document.getElementById("steps-title").textContent = "The pass, step by step";
  bar.append(element("div", { class: "buttons" }, first, back, next, end), chips);
  holder.before(bar, forms);
}

// Left and right go from step to step, in the stepper and where nothing on the page has the focus.
export function onStepKey(event) {
  const moves = { ArrowLeft: state.step - 1, ArrowRight: state.step + 1, Home: 0, End: told().steps.length - 1 };
  if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  change({ step: moves[event.key] });
  if (event.target.closest(".chips")) chips.children[state.step].firstChild.focus();
}

export function showChips() {
  chips.replaceChildren(
    ...told().steps.map((step, i) =>
      element(
        "li",
        {},
        element(
          "button",
          { type: "button", class: `chip ${side(step.kind)}`, "aria-label": step.title, title: step.title, onclick: () => change({ step: i }) },
          math(`<math>${mathml(step.chip)}</math>`),
        ),
      ),
    ),
  );
}

function side(kind) {
  if (kind === "cost") return "cost";
  if (kind === "update") return "update";
  return ["error", "delta", "gradient"].includes(kind) ? "backward" : "forward";
}

// The lines of a step in one form; "numbers" has the layer's formula in symbols as well.
export function linesOf(step, form) {
  if (form === "component") return step.lines.filter(([each]) => LINES[each] === "numbers");
  if (form !== "numbers") return step.lines.filter(([each]) => LINES[each] === form);
  return step.lines.filter(([each, , i]) => LINES[each] === "numbers" || (LINES[each] === "matrix" && !contains(i, "m")));
}

export function showStep(isNew) {
  const step = currentStep();
  const count = told().steps.length;
  const active = document.activeElement;
  first.disabled = back.disabled = state.step === 0;
  next.disabled = end.disabled = state.step === count - 1;
  if (active?.disabled) (state.step === 0 ? next : back).focus();
  [...chips.children].forEach((each, i) => {
    const chip = each.firstChild;
    if (i === state.step) chip.setAttribute("aria-current", "step");
    else chip.removeAttribute("aria-current");
    chip.tabIndex = i === state.step ? 0 : -1;
    if (i === state.step) {
      chips.scrollLeft = each.offsetLeft - chips.offsetLeft - chips.clientWidth / 2 + each.offsetWidth / 2;
    }
  });
  const has = FORMS.filter((each) => linesOf(step, each).length && !(state.practice && TELLING.includes(each)));
  const form = has.includes(state.form) ? state.form : has[0];
  forms.replaceChildren(
    ...has.map((each) =>
      element(
        "button",
        { type: "button", "aria-pressed": String(each === form), "data-form": each, onclick: () => change({ form: each }) },
        NAMES[each],
      ),
    ),
  );
  holder.replaceChildren(rendered(step, form, state.step, count));
  markScrolling(holder);
  if (isNew) say(`Step ${state.step + 1} of ${count}: ${step.title}. ${step.said}`);
}

function rendered(step, form, i, count) {
  return element(
    "section",
    { class: `step ${side(step.kind)}`, id: `step-${i}`, "data-kind": step.kind },
    element("p", { class: "where" }, `Step ${i + 1} of ${count}`),
    element("h3", {}, step.title),
    step.said ? element("p", {}, step.said) : null,
    ...linesOf(step, form).map((line) => {
      if (form === "component") return formulaLine(line, { leaveOut: withoutSymbols(line[2]) });
      return isBlank(step, line) ? blank(line) : formulaLine(line);
    }),
    step.kind === "update" && !data.updated && !state.practice ? element("div", {}, rateField("step-rate"), movedTable(step.layer)) : null,
    step.left_out ? element("p", { class: "quiet" }, step.left_out) : null,
  );
}

function isBlank(step, [form, , i]) {
  return state.practice && LINES[form] === "numbers" && ["error", "delta", "gradient"].includes(step.kind) && result(i) !== null;
}

// A formula without its result, and a field for it.
function blank(line) {
  const answer = result(line[2]);
  const verdict = element("output", { class: "verdict" });
  const field = element("input", {
    type: "text",
    inputmode: "decimal",
    size: 10,
    autocomplete: "off",
    "aria-label": "Result",
    onchange: () => check(field, verdict, answer),
  });
  const show = element("button", { type: "button", onclick: () => pronounce(verdict, "shown", `${text(answer.factor * answerOf(answer))}`) }, "Show");
  const row = element("p", { class: "answer" }, "= ", field, " ", show, " ", verdict);
  return formulaLine(line, { leaveOut: 1, after: row });
}

function answerOf({ ref, text: words }) {
  return value(ref) ?? Number(words.replace("inf", "Infinity"));
}

function pronounce(verdict, kind, words) {
  verdict.className = `verdict ${kind}`;
  verdict.textContent = words;
}

function check(field, verdict, answer) {
  const right = value(answer.ref) === undefined ? answerOf(answer) : answer.factor * value(answer.ref);
  const { kind, words } = verdictOn(field.value, right, text(right));
  pronounce(verdict, kind, words);
}
