// A run as a film: this very page with the run's address in it, which leads to the same bits, and with the
// reader's file, if it is on one; and its costs as a table.

import { fileOf } from "./own_file.js";
import { hashOf } from "./recipe.js";

// Taken before anything on the page is changed: the page as it was written.
const WRITTEN = document.documentElement.outerHTML;
const DATA = /(<script type="application\/json" id="data">)(.*?)(<\/script>)/s;

export function filmOf({ position }) {
  const [, , text] = DATA.exec(WRITTEN), whole = { ...JSON.parse(text), film: { hash: hashOf(position), file: fileOf(position) } };
  const inert = JSON.stringify(whole).replace(/[<>&\u2028\u2029]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `<!DOCTYPE html>\n${WRITTEN.replace(DATA, (_, before, __, after) => before + inert + after)}\n`;
}

// The columns are called as in Python's History; a rate is that of the epoch's last step.
export function costsOf({ run }) {
  const { curve, stepsPerEpoch } = run, rates = run.edits.filter(({ place }) => place === "r");
  const rate = (epoch) => rates.findLast(({ step }) => step < epoch * stepsPerEpoch)?.value ?? run.problem.plan.optimizer.learning_rate;
  const columns = [["epoch", curve.map((_, i) => i + 1)], ["cost", curve], ["learning_rate", curve.map((_, i) => rate(i + 1))]];
  if (run.held) columns.push(["validation_cost", run.heldCurve]);
  const lines = curve.map((_, i) => columns.map(([, values]) => values[i]).join(","));
  return [columns.map(([name]) => name).join(","), ...lines, ""].join("\n");
}
