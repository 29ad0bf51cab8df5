// What outputs say: a class with its share, or a quantity in its own units.

import { below, element, number } from "./elements.js";

// Fill a box with the answers of outputs `a`, a bar for each class; targets `y` are marked.
export function showAnswer(box, set, a, y = null) {
  box.replaceChildren(answerList(set, a, y));
}

function answerList(set, a, y) {
  const made = element("ul", { class: "answers" });
  const shares = sharesOf(set, a), truth = y && sharesOf(set, y), most = Math.max(...shares.map(({ value }) => value));
  for (const [i, { name, value, isShare }] of shares.entries()) {
    const item = element("li", { class: isShare && value === most ? "most" : "" });
    const says = truth && (isShare ? (truth[i].value >= 0.5 ? " ← target" : "") : `, target ${number(truth[i].value)}`);
    item.append(element("span", {}, name), element("span", {}, `${number(value, 3)}${says ?? ""}`));
    if (isShare) item.append(bar(value));
    made.append(item);
  }
  return made;
}

function bar(share) {
  const box = element("span", { class: "bar", "aria-hidden": "true" }), part = element("span");
  part.style.width = `${Math.round(100 * Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)))}%`;
  box.append(part);
  return box;
}

// One output of two classes is the share of the second.
function sharesOf({ classes, units }, a) {
  const values = Array.from(a), isShare = Boolean(classes);
  if (classes?.length === 2 && values.length === 1) values.unshift(1 - values[0]);
  const inUnits = (x, j) => (units?.factor ? x * units.factor[j] + units.shift[j] : x);
  return values.map((x, j) => ({ name: classes?.[j] ?? (values.length > 1 ? `answer ${below(j + 1)}` : "answer"), value: isShare ? x : inUnits(x, j), isShare }));
}

// Return the name of the class that outputs say, or the quantity.
export function wordOf(set, a) {
  const shares = sharesOf(set, a);
  if (!set.classes) return number(shares[0].value);
  return shares.reduce((one, other) => (other.value > one.value ? other : one)).name;
}
