// A pad to draw one's own digit, and the network's answer to it at once.
//
// A digit becomes 8 x 8 numbers as those of the data did (Alpaydin and Kaynak 1998): strokes fill a bitmap
// of 32 x 32 from edge to edge, and each number counts the dots of a square of 4 x 4.

import { showAnswer, wordOf } from "./answers.js";
import { at, say } from "./elements.js";
import { here } from "./explorer.js";
import { inPanel } from "./panels.js";

const DOTS = 32, SQUARE = 4, PEN = 2.6, MOVE = 1 / 16;
const mine = { strokes: [], x: 0.5, y: 0.2, isDown: false, isPressed: false }; // what is drawn, and the pen

export const pad = inPanel("row", {
  begin() {
    const canvas = at("pad");
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      mine.isPressed = true;
      mine.strokes.push([placeOn(canvas, event)]);
      showPad();
      event.preventDefault();
      canvas.focus();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!mine.isPressed) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) mine.strokes.at(-1).push(placeOn(canvas, each));
      showPad();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (mine.isPressed = false));
    canvas.addEventListener("keydown", onPadKey);
    for (const its of ["focus", "blur"]) canvas.addEventListener(its, drawStrokes);
    at("pad-clear").addEventListener("click", clearPad);
  },

  show({ run, position }) {
    const { set } = run.problem, hasImage = Boolean(set.image);
    at("pad-box").hidden = !hasImage;
    if (!hasImage) return;
    drawImage(at("row-image"), run.training.X.row(position.row));
    showPad();
  },
});

function placeOn(canvas, { clientX, clientY }) {
  const box = canvas.getBoundingClientRect(), between = (x) => Math.min(1, Math.max(0, x));
  return [between((clientX - box.left) / box.width), between((clientY - box.top) / box.height)];
}

function clearPad() {
  mine.strokes = [];
  mine.isDown = false;
  showPad();
}

function onPadKey(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!moves && !["Delete", "Backspace", " "].includes(event.key)) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (!moves && event.key !== " ") return clearPad();
  if (moves) [mine.x, mine.y] = [mine.x + MOVE * moves[0], mine.y + MOVE * moves[1]].map((x) => Math.min(1, Math.max(0, x)));
  else {
    mine.isDown = !mine.isDown;
    if (mine.isDown) mine.strokes.push([]);
  }
  if (mine.isDown) mine.strokes.at(-1).push([mine.x, mine.y]);
  showPad();
}

// What is drawn, what the network sees of it, and what it answers

function showPad() {
  drawStrokes();
  const { run } = here, { set } = run.problem, levels = levelsOf(mine.strokes);
  const X = backprop.encoded(set.inputs, [levels]);
  drawImage(at("pad-seen"), X.row(0));
  if (!mine.strokes.length) {
    at("pad-answer").replaceChildren();
    return say("pad-says", "");
  }
  const a = backprop.forward(run.training.made, run.state.parameters, X).a.at(-1).row(0);
  showAnswer(at("pad-answer"), set, a);
  say("pad-says", `It says: ${wordOf(set, a)}.`);
}

function drawStrokes() {
  const canvas = at("pad"), size = canvas.width, context = canvas.getContext("2d"), style = getComputedStyle(canvas);
  context.clearRect(0, 0, size, size);
  Object.assign(context, { lineWidth: size / 12, lineCap: "round", lineJoin: "round", strokeStyle: style.color });
  for (const stroke of mine.strokes) {
    context.beginPath();
    for (const [x, y] of stroke) context.lineTo(size * x, size * y);
    if (stroke.length === 1) context.lineTo(size * stroke[0][0] + 0.1, size * stroke[0][1]);
    context.stroke();
  }
  if (document.activeElement !== canvas) return;
  context.beginPath();
  Object.assign(context, { lineWidth: 3, strokeStyle: style.outlineColor });
  context.arc(size * mine.x, size * mine.y, mine.isDown ? 6 : 11, 0, 7);
  context.stroke();
}

// Return the 64 counts, 0 to 16, of strokes that are as large as the bitmap.
function levelsOf(strokes) {
  const levels = new Array((DOTS / SQUARE) ** 2).fill(0), points = strokes.flat();
  if (!points.length) return levels;
  const ends = [0, 1].map((i) => [Math.min(...points.map((p) => p[i])), Math.max(...points.map((p) => p[i]))]);
  const size = Math.max(...ends.map(([low, high]) => high - low), 1e-3), room = DOTS - 2 * PEN;
  const dots = strokes.map((stroke) => stroke.map((p) => p.map((x, i) => DOTS / 2 + (room * (x - (ends[i][0] + ends[i][1]) / 2)) / size)));
  for (let y = 0; y < DOTS; y++) {
    for (let x = 0; x < DOTS; x++) {
      if (!dots.some((stroke) => isNear(stroke, x + 0.5, y + 0.5))) continue;
      levels[Math.floor(y / SQUARE) * (DOTS / SQUARE) + Math.floor(x / SQUARE)] += 1;
    }
  }
  return levels;
}

// Return whether the pen has touched a point on its way.
function isNear(stroke, x, y) {
  return stroke.some(([x1, y1], i) => {
    const [x2, y2] = stroke[Math.max(0, i - 1)], [dx, dy] = [x2 - x1, y2 - y1];
    const t = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
    return (x - x1 - t * dx) ** 2 + (y - y1 - t * dy) ** 2 <= PEN * PEN;
  });
}

// Draw what the network sees: 0 is paper, 1 is ink.
function drawImage(canvas, pixels) {
  const [high, wide] = here.run.problem.set.image, image = new ImageData(wide, high), small = document.createElement("canvas");
  for (let i = 0; i < pixels.length; i++) {
    const grey = Math.round(255 * (1 - Math.min(1, Math.max(0, pixels[i]))));
    image.data.set([grey, grey, grey, 255], 4 * i);
  }
  Object.assign(small, { width: wide, height: high });
  small.getContext("2d").putImageData(image, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
