// Motion that explains a tick: what flows, from where to where, before the number that it makes appears.
// A reader who asked for none gets none; what is highlighted says the same.

import { drawn } from "./elements.js";
import { CALM, here } from "./explorer.js";

const LONGEST = 650, SHORTEST = 90; // milliseconds
let moving = [];

// Let a dot run along each of the wires, and the numbers appear when it arrives.
export function flow(svg, wires, numbers) {
  stopFlow();
  const duration = here.playing ? Math.min(LONGEST, 800 / Number(document.getElementById("speed").value)) : LONGEST;
  if (CALM.matches || duration < SHORTEST || !svg.animate) return;
  for (const { wire, isForward, stays } of wires) {
    const length = wire.getTotalLength(), [start, end] = [wire.getPointAtLength(0), wire.getPointAtLength(length)];
    const [from, to] = isForward ? [start, end] : [end, start];
    const dot = drawn("circle", { class: isForward ? "dot" : "dot back", r: 5 });
    svg.append(dot);
    const at = ({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` });
    const middle = { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 };
    const way = stays ? [at(start), at(middle)] : [at(from), at(to)];
    const run = dot.animate(way, { duration: 0.8 * duration, easing: "ease-in-out" });
    const done = () => dot.remove();
    run.finished.then(done, done);
    moving.push(run);
  }
  const appear = [{ opacity: 0 }, { opacity: 0, offset: wires.length ? 0.75 : 0.2 }, { opacity: 1 }];
  for (const each of numbers) moving.push(each.animate(appear, { duration }));
}

export function stopFlow() {
  for (const each of moving) each.cancel();
  moving = [];
}
