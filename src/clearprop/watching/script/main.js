// What the server tells is shown; what the reader wants is asked for.

import { at, count, data, duration, element, number, say } from "./dom.js";
import { curveFigure, layerRow, panels } from "./drawing.js";
import { showTables, table } from "./tables.js";

const TOKEN = new URLSearchParams(location.search).get("token") ?? "";
const AGAIN = 2000; // milliseconds until a server that is gone is asked again
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

let source = null, waiting = 0, latest = null, shownAt = 0, shownLook = "", said = "", due = 0;

// The line to the server. A hidden page needs none: a browser has few for each server.

function connect() {
  clearTimeout(waiting);
  source?.close();
  source = new EventSource(`events?token=${encodeURIComponent(TOKEN)}`);
  source.onmessage = (event) => receive(JSON.parse(event.data));
  source.onerror = () => {
    source.close();
    if (latest?.state === "ended" && !data.comesBack) return;
    waiting = setTimeout(connect, AGAIN);
    if (latest?.state !== "ended") tell("gone", "The server is gone. What is shown was last; it goes on when the server is back.");
  };
}

function receive(message) {
  const isNews = !latest || latest.state !== message.state || latest.run !== message.run;
  latest = message;
  if (isNews) said = "";
  // Where motion is not wanted, numbers change once a second.
  const rest = CALM.matches && !isNews ? 1000 - (performance.now() - shownAt) : 0;
  clearTimeout(due);
  if (rest > 0) due = setTimeout(show, rest);
  else show();
}

async function ask(wish) {
  try {
    const answer = await fetch("do", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Clearprop-Token": TOKEN },
      body: JSON.stringify(wish),
    });
    if (!answer.ok) tell("gone", `The server refused: ${await answer.text()}`);
  } catch {
    tell("gone", "The server is gone: it was not told.");
  }
}

// What is shown

function tell(state, text) {
  at("state").dataset.state = state;
  say("state", text);
  for (const button of document.querySelectorAll(".buttons button")) button.disabled = state === "gone" || state === "ended";
}

const STATES = { training: "Training", waiting: "Waiting", stopping: "Stopping after this stretch", ended: "Ended" };

function show() {
  shownAt = performance.now();
  const { state, why, epoch = 0, epochs = 0, now = {}, looked } = latest;
  tell(state, said || STATES[state] + (why ? `: ${why}` : ""));
  const held = Object.entries(now).find(([name]) => name === "validation_cost");
  const done = (Math.floor(epoch * 100) / 100).toLocaleString("en");
  say("epoch", data.trains ? done : `${done} of ${count(epochs)}`);
  say("cost", number(now.cost));
  say("held", held ? number(held[1]) : "–");
  say("rate", number(now.learning_rate, 3));
  say("speed", count(latest.rows_per_second));
  say("left", state === "training" && !data.trains ? duration(latest.seconds_left) : "–");
  at("left").parentElement.hidden = data.trains;
  at("done").hidden = data.trains;
  at("done").value = epochs ? epoch / epochs : 0;
  document.title = `${done}${data.trains ? "" : ` of ${count(epochs)}`}: ${STATES[state].toLowerCase()}`;
  const figures = panels(latest.curves ?? []).map(curveFigure);
  if (figures.length) at("curves").replaceChildren(...figures);
  if (at("play")) showControls(state);
  if (latest.row) showRow(latest.row);
  const look = `${latest.run} ${looked} ${latest.look}`;
  if (latest.layers && look !== shownLook) showLook(look);
  showTables(latest);
}

function showLook(look) {
  shownLook = look;
  const { layers, findings, looked, looked_rows: rows, n_layers: n } = latest;
  const some = n > layers.length ? ` Of ${n} layers the first and the last are shown.` : "";
  say("looked", `Of a pass over ${count(rows)} rows after epoch ${looked}; the outermost bars hold what lies beyond.${some}`);
  at("layers").replaceChildren(...layers.map(layerRow));
  const told = JSON.stringify(findings);
  if (at("findings").dataset.told === told) return; // a polite region says only what is new
  at("findings").dataset.told = told;
  at("findings").replaceChildren(...(findings.length ? findings.map(finding) : [element("li", {}, "nothing that the rules of diagnose know")]));
}

function finding({ id, name, severity, sentence, equation, since }) {
  return element("li", { "data-severity": severity },
    element("p", { class: "name" }, `${severity} ${id}: ${name}`),
    element("p", {}, sentence),
    element("p", { class: "quiet" }, [equation, since === null ? "" : `since epoch ${since}`].filter(Boolean).join(" · ")),
  );
}

function showControls(state) {
  at("play").textContent = state === "training" ? "Pause" : "Play";
  at("step").disabled = state !== "waiting";
  at("start").disabled = state !== "waiting" && state !== "training";
}

function showRow({ row, cost, outputs, layers }) {
  at("row-pass").replaceChildren(
    element("p", {}, `Row ${row + 1} costs ${number(cost)}.`),
    table("Its largest outputs and targets", ["output", "a", "y"], outputs.map(({ name, a, y }) => [name, number(a), number(y)])),
    table("Its pass, layer by layer", ["layer", "z, lowest", "z, highest", "RMS of a", "RMS of δ", "‖∂C/∂w‖"],
      layers.map(({ layer, low, high, a, delta, gradient }) => [layer, ...[low, high, a, delta, gradient].map((each) => number(each, 3))])),
  );
}

at("stop")?.addEventListener("click", () => {
  said = STATES.stopping;
  tell("stopping", said);
  at("stop").disabled = true;
  ask({ do: "stop" });
});
at("play")?.addEventListener("click", () => ask({ do: latest?.state === "training" ? "pause" : "play" }));
at("step")?.addEventListener("click", () => ask({ do: "step" }));
at("start")?.addEventListener("click", () => ask({ do: "start" }));
at("row")?.addEventListener("change", () => {
  const row = Math.min(Math.max(1, Math.round(Number(at("row").value)) || 1), data.rows);
  at("row").value = row;
  ask({ do: "row", row: row - 1 });
});
at("twin").addEventListener("toggle", () => latest && showTables(latest));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(waiting);
    source?.close();
  } else if (latest?.state !== "ended" || data.comesBack) connect();
});
connect();
