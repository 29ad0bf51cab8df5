// What is wrong, or worth knowing, as `diagnose` says it: its rules, of this run's numbers, while it trains.

import { at, element, say } from "./elements.js";
import { here } from "./explorer.js";
import { measurements } from "./measurements.js";

const LOOKS_APART = 400; // milliseconds between two looks while numbers move
let lookedAt = 0, run = null, since = new Map();

export const findings = {
  // While a number is dragged, nobody reads; at its end is a look.
  show({ moving, playing }) {
    if (moving && (!playing || performance.now() - lookedAt < LOOKS_APART)) return;
    lookedAt = performance.now();
    look();
  },
};

// Return what the rules find, the most severe first.
export function found(its, limits = diagnosis.LIMITS) {
  const first = [...diagnosis.RULES.D1(its, limits)];
  const all = first.length ? first : Object.values(diagnosis.RULES).flatMap((rule) => [...rule(its, limits)]);
  const rank = ({ severity, explains = 0, id }) => [-diagnosis.SEVERITIES.indexOf(severity), -explains, Number(id.slice(1))];
  return all.sort((one, other) => {
    const [a, b] = [rank(one), rank(other)], i = a.findIndex((x, k) => x !== b[k]);
    return i < 0 ? 0 : a[i] - b[i];
  });
}

function look() {
  if (run !== here.run) [run, since] = [here.run, new Map()];
  const all = found(measurements(run, here.pass, diagnosis.LIMITS)), { epoch } = run.state, before = since;
  since = new Map(all.map((each) => [keyOfFinding(each), Math.min(epoch, before.get(keyOfFinding(each)) ?? epoch)]));
  const n = all.filter(({ severity }) => severity !== "info").length;
  at("tab-findings").textContent = n ? `Findings (${n})` : "Findings";
  say("findings-say", all.length ? "" : "Nothing is wrong, as far as these numbers tell.");
  if (at("panel-findings").hidden) return;
  const key = JSON.stringify(all.map(({ what, how }) => [what, how]));
  if (at("findings").dataset.key === key) return;
  at("findings").dataset.key = key;
  at("findings").replaceChildren(...all.map(item));
}

function keyOfFinding({ id, name, layer }) {
  return `${id} ${name} ${layer}`;
}

function item(each) {
  const made = element("li", { class: `finding ${each.severity}` }), head = element("p", { class: "finding-head" });
  const seen = since.get(keyOfFinding(each));
  head.append(element("b", {}, `${each.severity}: ${each.name}`), " ", element("span", { class: "quiet" }, `${each.id}, since epoch ${seen}`));
  made.append(head, element("p", {}, `${each.what} ${each.how}`), element("p", {}, each.remedy));
  if (each.equation) made.append(element("p", { class: "equation" }, diagnosis.symbols(each.equation)));
  return made;
}
