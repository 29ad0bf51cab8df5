// Why a run stops: what was the first not to be finite, and what the steps before it did.

import { at, number, say, table } from "./elements.js";
import { data } from "./recipe.js";

const STEPS = 8; // that are looked back at

export const stopped = {
  rest({ run }) {
    say("stopped", run.stopped ? divergence(run) : "");
    at("why-box").hidden = !run.stopped;
    if (run.stopped) at("why").replaceChildren(stepsBefore(run));
  },
};

function divergence(run) {
  const { layer, quantity } = run.stopped, { epoch, epochStep } = run.state;
  const where = layer === null ? "the cost" : `${quantity} of layer ${layer}`;
  const said = { who: "training", epoch: epoch + 1, step: epochStep + 1, where, rate: String(run.rate) };
  const text = data.diverged.replace(/\{(\w+)\}/g, (_, name) => said[name]);
  return `${text[0].toUpperCase()}${text.slice(1)}. Steps back are possible.`;
}

function stepsBefore(run) {
  const norm = (numbers) => Math.sqrt(numbers.reduce((total, x) => total + x * x, 0));
  const rows = run.lastSteps(STEPS).map(({ at, made, parameters }) => {
    const size = norm(parameters), moved = norm(made.parameters.map((x, i) => x - parameters[i]));
    const numbers = [made.cost / made.rows.length, norm(made.gradient), size, moved / size];
    return [String(at + 1), ...numbers.map((x) => number(x))];
  });
  return table("The last steps, and the one that was not made", ["step", "cost of its rows", "‖gradient‖", "‖w‖ before", "‖update‖ / ‖w‖"], rows);
}
