// The bar that stays in sight: play, steps, the value that is chosen; and the keys that do the same.

import { typed } from "../../page/numbers.js";
import { at, number, shortName } from "./elements.js";
import { epoch, here, nudge, play, redo, set, step, undo } from "./explorer.js";

const KEYS = { " ": play, ".": () => step(1), ",": () => step(-1), ">": () => epoch(1), "<": () => epoch(-1) };

export const transport = {
  begin() {
    const clicks = { play, undo, redo, more: () => nudge(1), less: () => nudge(-1) };
    Object.assign(clicks, { next: () => step(1), back: () => step(-1) });
    Object.assign(clicks, { "next-epoch": () => epoch(1), "back-epoch": () => epoch(-1) });
    clicks.start = () => step(-here.position.step);
    for (const [id, does] of Object.entries(clicks)) at(id).addEventListener("click", does);
    beginValue(at("value"));
    document.addEventListener("keydown", onKey);
  },

  playing() {
    at("play").textContent = here.playing ? "Pause" : "Play";
    document.documentElement.toggleAttribute("data-playing", here.playing);
  },

  show() {
    for (const id of ["back", "back-epoch"]) at(id).disabled = here.position.step === 0;
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
