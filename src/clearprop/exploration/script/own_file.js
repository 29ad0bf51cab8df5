// A file of the reader's own: read here, sent nowhere. A link has its name, and a number that its bytes have.

import { Refused, readCsv } from "./csv.js";
import { at, element, say } from "./elements.js";
import { go, here, stop } from "./explorer.js";
import { kindsOf, learnedFrom, likelyTarget } from "./learned.js";
import { outputsOf } from "./problems.js";
import { data, positionOf, suitedTo, usuallyHeld } from "./recipe.js";
import { keepFile, setOf } from "./sets.js";

const PREVIEWED = 4; // rows
const TYPED = { classes: { output: "cross_entropy" }, quantity: { output: "quadratic" } };
let opened = null, awaited = ""; // {file, name, bytes, table}; the address of a run on a file that is not here

export const ownFile = {
  begin() {
    if (data.own) return;
    if (data.film?.file) openBytes(Uint8Array.from(atob(data.film.file.bytes), (each) => each.charCodeAt(0)), data.film.file.name);
    at("file").addEventListener("change", () => at("file").files.length && take(at("file").files[0]));
    const box = at("own-file");
    box.addEventListener("dragover", (event) => event.preventDefault());
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    });
    at("file-columns").addEventListener("change", () => start(at("file-target").value));
    awaitFile();
    addEventListener("hashchange", awaitFile);
  },

  another() {
    if (data.own) return;
    if (here.position.recipe.data === "csv") showColumns(here.run.problem.set);
    else at("own-file").hidden = !awaited;
  },
};

// Show the box, or hide it where other data were chosen.
export function showOwnFile(isShown) {
  at("own-file").hidden = !isShown;
  if (!isShown) awaited = "";
}

// Keep the address of a run whose file is not here, for when it is opened.
function awaitFile() {
  const given = new URLSearchParams(location.hash.slice(1));
  awaited = given.get("data") === "csv" && given.get("file") !== opened?.file ? location.hash : "";
  if (!awaited) return;
  at("own-file").hidden = false;
  say("file-said", given.get("file") ? `This link is of a run on your file ${given.get("file").replace(/-[0-9a-f]{8}$/, "")}, which it cannot hold: open the file here.` : "");
}

// Return the file of a run as a film holds it, null where the run is on other data.
export function fileOf({ recipe }) {
  if (recipe.data !== "csv" || !opened) return null;
  return { name: opened.name, bytes: btoa(Array.from(opened.bytes, (each) => String.fromCharCode(each)).join("")) };
}

function openBytes(bytes, name) {
  const table = readCsv(bytes, name), each = new Map(); // data sets by their targets: a run asks for the same again
  opened = { file: `${name}-${checksum(bytes)}`, name, bytes, table };
  keepFile(opened.file, (target) => {
    if (!each.has(target)) each.set(target, learnedFrom(table, target, data.missing, name));
    return each.get(target);
  });
}

async function take(file) {
  try {
    openBytes(new Uint8Array(await file.arrayBuffer()), file.name);
    const { table } = opened, wanted = awaited && new URLSearchParams(awaited.slice(1)).get("file") === opened.file;
    if (wanted) go(positionOf(awaited));
    else start(likelyTarget(table));
    if (awaited && !wanted) say("file-said", `This is not the file of the link, its bytes differ. ${at("file-said").textContent}`);
    awaited = "";
  } catch (problem) {
    refuseFile(problem);
  }
}

// Begin a run that predicts a column.
function start(target) {
  try {
    const recipe = { ...here.position.recipe, ...suitedTo("csv"), data: "csv", file: opened.file, target, held: usuallyHeld("csv"), start: "" };
    const task = setOf(recipe).units ? "quantity" : "classes";
    stop();
    go({ recipe: { ...recipe, ...TYPED[task] }, edits: [], step: 0, row: 0 });
  } catch (problem) {
    refuseFile(problem);
    if (opened) showTargets(target);
  }
}

function refuseFile(problem) {
  const isOurs = problem instanceof Refused || problem instanceof RangeError;
  say("file-said", isOurs ? problem.message : "The file could not be read: is it still there, and a file of text?");
}

// FNV-1a, in 32 bits: whether it is the same file, not whether somebody meant it to seem so.
function checksum(bytes) {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}

// What became of it

function showColumns({ X, inputs, target, classes, says = [] }) {
  at("own-file").hidden = false;
  const n = backprop.encodedNames(inputs).length, what = classes ? `${classes.length} classes` : "a quantity";
  say("file-said", [`${opened.name}: ${X.length} rows, ${n} inputs from ${inputs.columns.length} columns; ${target} is ${what}.`, ...says].join(" "));
  showTargets(target);
}

function showTargets(target) {
  const { table, name } = opened, label = element("label"), select = element("select", { id: "file-target" });
  select.append(...table.names.map((each) => element("option", { value: each }, each)));
  select.value = target;
  label.append(element("span", {}, "What is to be predicted"), select);
  at("file-columns").replaceChildren(label, preview(table, kindsOf(table, data.missing, name), target));
}

function preview({ names, columns }, kinds, target) {
  const box = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Columns of the file" });
  const made = element("table"), head = element("tr"), rows = names.map(() => element("tr"));
  const heads = ["column", "becomes", ...Array.from({ length: Math.min(PREVIEWED, columns[0].length) }, (_, i) => `row ${i + 1}`)];
  head.append(...heads.map((each) => element("th", { scope: "col" }, each)));
  rows.forEach((line, k) => {
    const becomes = names[k] === target ? "the target" : kinds[k].says;
    line.append(element("th", { scope: "row" }, names[k]), element("td", { class: "words" }, becomes));
    line.append(...columns[k].slice(0, PREVIEWED).map((cell) => element("td", {}, cell.slice(0, 40) || "–")));
  });
  const top = element("thead"), body = element("tbody");
  top.append(head);
  body.append(...rows);
  made.append(element("caption", {}, "Columns of the file"), top, body);
  box.append(made);
  return box;
}
