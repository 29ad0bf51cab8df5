// The bar that stays in sight: play, steps, the value that is chosen; and the keys that do the same.

import { typed } from "../../page/numbers.js";
import { at, number, shortName } from "./elements.js";
import { advance, here, nudge, play, redo, set, stepBy, toStart, undo } from "./explorer.js";

const GRAINS = { epoch: [">", "<"], batch: [".", ","], layer: ["]", "["], product: ["'", ";"] }; // keys on and back
const KEYS = { " ": play };
for (const [grain, [on, back]] of Object.entries(GRAINS)) {
  KEYS[on] = () => advance(1, grain);
  KEYS[back] = () => advance(-1, grain);
}

export const transport = {
  begin() {
    const clicks = { play, undo, redo, more: () => nudge(1), less: () => nudge(-1) };
    Object.assign(clicks, { start: toStart, next: () => advance(1), back: () => advance(-1) });
    for (const [id, does] of Object.entries(clicks)) at(id).addEventListener("click", does);
    beginValue(at("value"));
    at("grain").addEventListener("change", () => stepBy(at("grain").value));
    here.grain = at("grain").value; // which a browser may have kept
    document.addEventListener("keydown", onKey);
  },

  playing() {
    at("play").textContent = here.playing ? "Pause" : "Play";
    document.documentElement.toggleAttribute("data-playing", here.playing);
  },

  show() {
    const { step, inside } = here.position;
    for (const id of ["back", "start"]) at(id).disabled = step === 0 && inside === undefined;
    this.chosen();
  },

  chosen() {
    const { run, pass, touched, chosen } = here, value = run.value(chosen);
    at("what").textContent = shortName(run.training.made, chosen);
    if (document.activeElement !== at("value") || !at("value").dataset.typing) at("value").value = String(value);
    at("short").textContent = "";
    if (!touched) return;
    const signed = (x) => (x > 0 ? `+${number(x, 3)}` : number(x, 3));
    const predicted = touched.slope * (value - touched.before), came = pass.cost - touched.cost;
    at("short").textContent = `cost: predicted ${signed(predicted)}, came ${signed(came)}`;
  },
};

function beginValue(value) {
  value.addEventListener("input", () => {
    value.dataset.typing = "yes";
    value.setAttribute("aria-invalid", String(!Number.isFinite(typed(value.value))));
    set(typed(value.value));
  });
  value.addEventListener("blur", () => {
    delete value.dataset.typing;
    value.removeAttribute("aria-invalid");
    transport.chosen();
  });
  value.addEventListener("keydown", (event) => {
    const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!sign) return;
    event.preventDefault();
    delete value.dataset.typing;
    nudge(sign);
  });
}

function onKey(event) {
  const inside = event.target.closest("input, select, textarea, summary"), isButton = event.target.closest("button");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !inside) {
    event.preventDefault();
    return event.shiftKey ? redo() : undo();
  }
  if (inside || event.ctrlKey || event.metaKey || event.altKey || (isButton && event.key === " ")) return;
  if (!KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
}
