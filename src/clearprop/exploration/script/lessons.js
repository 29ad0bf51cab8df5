// Lessons: a text leads, the reader may touch everything, and what is claimed is computed here.

import { typed } from "../../page/numbers.js";
import { at, element, say } from "./elements.js";
import { go, here, stepBy } from "./explorer.js";
import { measured } from "./measures.js";
import { data, lessonNamed, lessonRun, positionOf } from "./recipe.js";

let shownStep = "", checks = 0;

export const lessons = {
  begin() {
    if (!data.lessons.length) return;
    const clicks = { back: () => turn(-1), next: () => turn(1), again: () => enter(here.position.lesson), close, check };
    for (const [name, does] of Object.entries(clicks)) at(`lesson-${name}`).addEventListener("click", does);
    // The list is done with where a lesson is chosen; its title is read next.
    at("lessons").addEventListener("click", (event) => {
      if (!event.target.closest("a")) return;
      at("lessons").open = false;
      shownStep = "";
      addEventListener("hashchange", () => at("lesson-title").focus(), { once: true });
    });
  },

  show({ position: { lesson } }) {
    const key = lesson ? `${lesson.name} ${lesson.at}` : "";
    if (key === shownStep || !data.lessons.length) return;
    shownStep = key;
    checks += 1;
    at("lesson").hidden = !lesson;
    for (const marked of document.querySelectorAll("[data-marked]")) delete marked.dataset.marked;
    if (lesson) showStep(lessonNamed(lesson.name), lesson.at);
  },
};

function showStep(lesson, n) {
  const { text, claim, press, choose, speed, grain } = lesson.steps[n], last = lesson.steps.length - 1;
  at("lesson-title").textContent = lesson.title;
  at("lesson-where").textContent = `${n + 1} of ${last + 1}`;
  say("lesson-text", text);
  for (const id of ["lesson-where", "lesson-back", "lesson-next"]) at(id).hidden = last === 0;
  at("lesson-back").disabled = n === 0;
  at("lesson-next").disabled = n === last;
  at("lesson-claim").hidden = !claim;
  say("lesson-came", "");
  if (claim) {
    at("lesson-says").textContent = `${claim.says}:`;
    at("lesson-number").textContent = claim.number;
  }
  if (press) at(press).dataset.marked = "";
  if (speed) at("speed").value = speed;
  if (grain || press === "play") stepBy(grain ?? "epoch");
  if (choose) here.chosen = choose;
}

function turn(by) {
  const { name, at: now } = here.position.lesson, next = { name, at: now + by };
  // A step that says nothing of its own run leaves the reader's.
  if (by < 0 || lessonNamed(name).steps[next.at].run) enter(next);
  else go({ ...here.position, lesson: next });
  if (document.activeElement.disabled) at("lesson-title").focus();
}

function enter({ name, at: n }) {
  shownStep = "";
  go(positionOf(`#lesson=${name}&at=${n + 1}`));
}

function close() {
  go({ ...here.position, lesson: null });
  at("lessons").firstChild.focus();
}

async function check() {
  const { lesson } = here.position, { claim } = lessonNamed(lesson.name).steps[lesson.at], mine = ++checks;
  say("lesson-came", "The page computes it …");
  const came = await measured(claim, lessonRun(lesson));
  if (mine !== checks) return; // the reader has gone on
  const decimals = claim.number.split(".")[1]?.length ?? 0, unit = 10 ** -decimals;
  const isRight = Math.abs(came - typed(claim.number)) <= unit / 2 + 1e-12;
  const shown = Number.isInteger(came) ? String(came) : came.toFixed(decimals + 2).replace("-", "−");
  const said = isRight ? "as claimed" : `which is not ${claim.number}`;
  at("lesson-came").replaceChildren("It came to ", element("b", {}, shown), `: ${said}.`);
}
