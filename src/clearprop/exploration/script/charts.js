// Lines and bars, for figures that move: made once, and filled again at each frame.

import { at, brief, drawn, element, table } from "./elements.js";

const HIGH = 160, LEFT = 48, TOP = 12, MORE_WIDE = 12; // of a chart's inside
const widths = new WeakMap(); // of charts in pixels, so that their text has its size
const watch = new ResizeObserver((all) => all.forEach(({ target, contentRect }) => widths.set(target, contentRect.width)));
const LINES = 24; // that a twin has

// Draw lines over epochs. `lines` are {name, values: [[epoch, y], ...]}; on a logarithmic axis, what is not
// above 0 is left out. `marks` are epochs at which something was changed.
export function showLines(svg, lines, { log = false, marks = [], now = null } = {}) {
  const kept = lines.map(({ values }) => values.filter(([, y]) => Number.isFinite(y) && (!log || y > 0)));
  const every = kept.flat(), last = Math.max(1, ...every.map(([epoch]) => epoch));
  const [low, high] = rangeOf(every.map(([, y]) => y), log), scale = (y) => (log ? Math.log10(y) : y);
  const wide = insideOf(svg), x = (epoch) => LEFT + (wide * epoch) / last;
  const y = (value) => TOP + HIGH * (1 - (scale(value) - scale(low)) / (scale(high) - scale(low)));
  const path = (values) => values.map(([epoch, value], i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const text = (words, place) => drawn("text", place, words);
  const middle = log ? Math.sqrt(low * high) : null;
  svg.replaceChildren(
    drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${TOP + HIGH}H${LEFT + wide}` }),
    ...marks.map((epoch) => drawn("path", { class: "mark", d: `M${x(epoch).toFixed(1)} ${TOP}V${TOP + HIGH}` })),
    ...(now && now < last ? [drawn("path", { class: "now", d: `M${x(now).toFixed(1)} ${TOP}V${TOP + HIGH}` })] : []),
    ...kept.map((values, i) => drawn("path", { class: `series s${i % 6}`, d: path(values.length === 1 ? [values[0], values[0]] : values) })),
    text(every.length ? brief(high, true) : "", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }),
    text(middle && every.length ? brief(middle, true) : "", { x: LEFT - 6, y: TOP + HIGH / 2 + 4, "text-anchor": "end" }),
    text(log ? (every.length ? brief(low, true) : "") : "0", { x: LEFT - 6, y: TOP + HIGH, "text-anchor": "end" }),
    text(every.length ? "0" : "no epoch yet", { x: LEFT, y: TOP + HIGH + 16 }),
    text(every.length ? `epoch ${last.toLocaleString("en")}` : "", { x: LEFT + wide, y: TOP + HIGH + 16, "text-anchor": "end" }),
    ...(lines.length > 1 ? endNames(lines, kept, x, y) : []),
  );
}

function insideOf(svg) {
  if (!widths.has(svg)) {
    widths.set(svg, svg.clientWidth || 364);
    watch.observe(svg);
  }
  const whole = Math.max(180, widths.get(svg));
  svg.setAttribute("viewBox", `0 0 ${whole} ${HIGH + TOP + 22}`);
  return whole - LEFT - MORE_WIDE;
}

function rangeOf(values, log) {
  const most = values.reduce((best, y) => Math.max(best, y), 0) || 1;
  if (!log) return [0, most];
  const least = values.reduce((best, y) => Math.min(best, y), most);
  return [10 ** Math.floor(Math.log10(least)), 10 ** Math.ceil(Math.log10(most) + 1e-9)];
}

// Each line's name at its end; those that would cover one another move apart.
function endNames(lines, kept, x, y) {
  const ends = lines.map(({ name }, i) => ({ name, i, end: kept[i].at(-1) })).filter(({ end }) => end);
  ends.sort((one, other) => y(one.end[1]) - y(other.end[1]));
  let before = -Infinity;
  return ends.map(({ name, i, end }) => {
    const at = Math.min(TOP + HIGH - 2, Math.max(y(end[1]) - 5, before + 12, TOP + 9));
    before = at;
    return drawn("text", { class: `name s${i % 6}`, x: x(end[0]) - 3, y: at, "text-anchor": "end" }, name);
  });
}

// Fill a figure's twin while it is open.
export function showTwin(id, caption, columns, rows) {
  const box = at(`${id}-twin`);
  if (!box.parentElement.open) return;
  const every = Math.ceil(rows.length / LINES), kept = rows.filter((_, i) => i === 0 || (rows.length - 1 - i) % every === 0);
  box.replaceChildren(kept.length ? table(caption, columns, kept) : element("p", { class: "quiet" }, "nothing yet"));
}

const BINS = 25;

// Draw how often values occur between -most and most.
export function showBars(path, values, most) {
  const counts = new Float64Array(BINS);
  for (const x of values) {
    if (Math.abs(x) <= most) counts[Math.min(BINS - 1, Math.floor(((x + most) / (2 * most)) * BINS))] += 1;
  }
  const top = Math.max(1, ...counts);
  const bar = (n, i) => (n ? `M${i} 40v${((-38 * n) / top).toFixed(1)}h1V40z` : "");
  path.setAttribute("d", Array.from(counts, bar).join(""));
}

// Return the next of 1, 2 and 5 times a power of ten.
export function roundUp(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].map((step) => step * power).find((each) => each >= x * (1 - 1e-12));
}
