// Changing a number: what its gradient predicted of the cost, and what came.

import { at, nameOf, number, say } from "./elements.js";
import { asItWas, here, set } from "./explorer.js";

export const touch = {
  begin() {
    at("slider").addEventListener("input", () => set(Number(at("slider").value)));
    at("as-it-was").addEventListener("click", asItWas);
  },

  show({ past, future, position }) {
    const off = { undo: !past.length, redo: !future.length, "as-it-was": !position.edits.length };
    for (const [id, isOff] of Object.entries(off)) at(id).disabled = isOff;
    this.chosen();
  },

  chosen() {
    const { run, pass, touched, chosen } = here, value = run.value(chosen);
    at("chosen").textContent = nameOf(run.training.made, chosen);
    if (document.activeElement !== at("slider")) {
      const most = Math.max(4, Math.ceil(2 * Math.abs(value)));
      if (Number.isFinite(most)) Object.assign(at("slider"), { min: -most, max: most });
    }
    at("slider").value = value;
    at("slope").textContent = number(run.slope(chosen, pass));
    at("own-slope").textContent = number(ownSlope());
    if (!touched) return say("came", "");
    const change = value - touched.before, came = pass.cost - touched.cost;
    const said = [
      `Changed by ${number(change)}.`,
      `Predicted: gradient × change = ${number(touched.slope)} × ${number(change)} = ${number(touched.slope * change)}.`,
      `What came: the cost went from ${number(touched.cost)} to ${number(pass.cost)}, by ${number(came)}.`,
    ];
    say("came", said.join(" "));
  },
};

// The gradient of this row's cost alone.
function ownSlope() {
  const { run, pass, chosen } = here, { made, X, Y } = run.training, { row } = here.position;
  const [of, column] = chosen.slice(1).split(".").map(Number);
  if (chosen[0] !== "p") return of === row ? run.slope(`${chosen[0]}${of}.${column}`, pass) / run.share : 0;
  const passed = backprop.forward(made, run.state.parameters, X.pick([row]));
  return backprop.gradient(made, passed, backprop.backward(made, run.state.parameters, passed, Y.pick([row])))[of];
}
