// The control of a report: what mistakes cost above a threshold, for costs of one's own.

const found = JSON.parse(document.getElementById("data").textContent).thresholds;
const control = document.getElementById("threshold-control");
const [missedCost, alarmCost, slider, told] = ["cost-missed", "cost-alarm", "threshold", "threshold-told"].map((name) =>
  document.getElementById(name),
);
const chart = document.getElementById("cost-chart");
const rows = found.n_positive + found.n_negative;
const cost = (at) =>
  (missedCost.valueAsNumber * found.false_negatives[at] + alarmCost.valueAsNumber * found.false_positives[at]) / rows;
const [x0, x1, left, right, , , bottom, top] = chart.dataset.axes.split(" ").map(Number);
const made = (name, look) => {
  const path = document.createElementNS("http://www.w3.org/2000/svg", name);
  path.setAttribute("class", look);
  return chart.appendChild(path);
};
const own = made("path", "line own-line");
const place = made("path", "line own-line");
chart.classList.add("own");

function draw() {
  const valid = missedCost.checkValidity() && alarmCost.checkValidity();
  if (!valid || Number.isNaN(missedCost.valueAsNumber + alarmCost.valueAsNumber)) {
    told.textContent = "Costs must be numbers of at least 0.";
    return;
  }
  const costs = found.at.map((_, at) => cost(at));
  const most = Math.max(...costs) || 1;
  const across = (share) => left + ((right - left) * (share - x0)) / (x1 - x0);
  const points = costs.map((each, at) => `${across(found.at[at]).toFixed(1)} ${(bottom - ((bottom - top) * each) / most).toFixed(1)}`);
  own.setAttribute("d", `M${points.join("L")}`);
  const at = slider.valueAsNumber;
  place.setAttribute("d", `M${across(found.at[at]).toFixed(1)} ${top}V${bottom}`);
  const [alarms, missed] = [found.false_positives[at], found.false_negatives[at]];
  const count = (n) => n.toLocaleString("en");
  told.textContent =
    `Above ${found.at[at].toFixed(2)}: ${count(missed)} of ${count(found.n_positive)} ${found.positive} missed, ` +
    `${count(alarms)} of ${count(found.n_negative)} ${found.negative} false alarms; ` +
    `a row costs ${shown(costs[at], 4)} on average (the green line, to a scale of its own).`;
}

function goToBest() {
  const costs = found.at.map((_, at) => cost(at));
  const least = Math.min(...costs);
  const best = costs.flatMap((each, at) => (each === least ? [at] : []));
  slider.value = String(best[Math.floor(best.length / 2)]);
  draw();
}

control.hidden = false;
for (const each of [missedCost, alarmCost, slider]) each.addEventListener("input", draw);
document.getElementById("threshold-best").addEventListener("click", goToBest);
draw();
