// The fitted curve: of a network with one input and one output, its answer along the input, and the rows.

import { at, brief, drawn, inputName } from "./elements.js";
import { showRow } from "./explorer.js";

const FIT = { wide: 308, high: 210, left: 52, top: 8, points: 160, margin: 0.06 };

export const fitted = {
  begin() {
    at("fit").addEventListener("click", (event) => this.onClick(event));
  },

  show({ run, position }) {
    const { made } = run.training, fits = made.sizes[0] === 1 && made.sizes.at(-1) === 1;
    at("fit-box").hidden = !fits;
    if (fits) this.draw(run, position.row);
  },

  draw(run, row) {
    const { made, X, Y } = run.training, [left, right] = span(X.data), n = FIT.points + 1;
    const along = new backprop.Matrix(n, 1, Float64Array.from({ length: n }, (_, i) => left + ((right - left) * i) / FIT.points));
    const answers = backprop.forward(made, run.state.parameters, along).a.at(-1).data;
    const [low, high] = span([...Y.data, ...answers.filter(Number.isFinite)]);
    this.x = (x) => FIT.left + (FIT.wide * (x - left)) / (right - left);
    this.y = (y) => FIT.top + (FIT.high * (high - y)) / (high - low);
    this.rows = Array.from(X.data, (x, i) => [this.x(x), this.y(Y.data[i])]);
    const d = Array.from(answers, (a, i) => (Number.isFinite(a) ? `${i && Number.isFinite(answers[i - 1]) ? "L" : "M"}${this.x(along.data[i]).toFixed(1)} ${this.y(a).toFixed(1)}` : "")).join("");
    const dots = this.rows.map(([x, y], i) => drawn("circle", { class: i === row ? "dot chosen" : "dot", cx: x.toFixed(1), cy: y.toFixed(1), r: i === row ? 6 : 3.5 }));
    const text = (x, y, said, anchor) => drawn("text", { x, y, "text-anchor": anchor }, said);
    at("fit").replaceChildren(
      drawn("path", { class: "axis", d: `M${FIT.left} ${FIT.top}V${FIT.top + FIT.high}H${FIT.left + FIT.wide}` }),
      ...dots.filter((_, i) => i !== row),
      drawn("path", { class: "cost", d }),
      dots[row],
      text(FIT.left - 5, FIT.top + 9, brief(high, true), "end"),
      text(FIT.left - 5, FIT.top + FIT.high, brief(low, true), "end"),
      text(FIT.left, FIT.top + FIT.high + 16, brief(left, true), "start"),
      text(FIT.left + FIT.wide / 2, FIT.top + FIT.high + 16, inputName(0), "middle"),
      text(FIT.left + FIT.wide, FIT.top + FIT.high + 16, brief(right, true), "end"),
    );
  },

  // The nearest row is the one to be shown.
  onClick(event) {
    const at0 = at("fit").getScreenCTM().inverse(), { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(at0);
    const off = this.rows.map(([px, py]) => (px - x) ** 2 + (py - y) ** 2);
    showRow(off.indexOf(Math.min(...off)));
  },
};

// Return the ends of numbers, and a little more.
function span(numbers) {
  let low = Infinity, high = -Infinity;
  for (const x of numbers) [low, high] = [Math.min(low, x), Math.max(high, x)];
  const more = FIT.margin * (high - low) || 1;
  return [low - more, high + more];
}
