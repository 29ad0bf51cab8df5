// A file of comma-separated values as a table of texts: everything that can be wrong with it is a sentence.

export const MOST_BYTES = 2000000, MOST_COLUMNS = 200;
const SEPARATORS = [",", ";", "\t"], SNIFFED = 20; // records by which the separator is told

export class Refused extends Error {}

// Return {names, columns, separator, note}: texts without the blanks around them, column by column.
export function readCsv(bytes, file) {
  if (bytes.length > MOST_BYTES) {
    throw new Refused(`${file} must have at most ${MOST_BYTES / 1000000} MB, it has ${(bytes.length / 1000000).toFixed(1)}: take a part of its rows.`);
  }
  const { text, note } = decoded(bytes, file);
  const { separator, records } = separated(text, file);
  const [header, ...rows] = records;
  if (header.cells.length < 2) {
    throw new Refused(`${file} must have at least two columns, separated by commas, semicolons or tabs; its first line has one.`);
  }
  if (header.cells.length > MOST_COLUMNS) {
    throw new Refused(`${file} must have at most ${MOST_COLUMNS} columns, it has ${header.cells.length}.`);
  }
  const names = namesOf(header.cells, file);
  const uneven = rows.find(({ cells }) => cells.length !== names.length);
  if (uneven) {
    throw new Refused(`Line ${uneven.line} of ${file} has ${counted(uneven.cells.length, "value")}, but there are ${names.length} names in the first line.`);
  }
  if (rows.length < 2) throw new Refused(`${file} must have at least two rows below its names, it has ${rows.length}.`);
  const columns = names.map((_, k) => rows.map(({ cells }) => cells[k]));
  return { names, columns, separator, note };
}

function counted(n, what) {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function decoded(bytes, file) {
  const marked = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "";
  if (marked) return { text: new TextDecoder(marked).decode(bytes), note: "" };
  if (bytes.includes(0)) throw new Refused(`${file} is no text: it must be a file of comma-separated values.`);
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), note: "" };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), note: "It is no UTF-8, and was read as Windows-1252." };
  }
}

// Return the records by the separator that makes the most columns of the first ones, alike in all.
function separated(text, file) {
  const found = SEPARATORS.map((separator) => judged(text, separator, file));
  const best = found.reduce((one, other) => (other.score > one.score ? other : one));
  const problem = found.find((each) => each.problem)?.problem;
  if (best.score < 2 && problem) throw problem;
  return { separator: best.separator, records: recordsOf(text, best.separator, file, Infinity) };
}

function judged(text, separator, file) {
  try {
    const [first, ...others] = recordsOf(text, separator, file, SNIFFED).map(({ cells }) => cells.length);
    const same = others.filter((n) => n === first).length / Math.max(1, others.length);
    return { separator, score: first + (first > 1 ? first * same : 0) };
  } catch (problem) {
    return { separator, score: 0, problem };
  }
}

// Return {line, cells} of each record that is not empty; a quoted cell may hold separators and lines.
function recordsOf(text, separator, file, most) {
  const records = [];
  let cells = [], line = 1, start = 1, at = 0;
  const end = () => {
    if (cells.length > 1 || cells[0] !== "") records.push({ line: start, cells });
    [cells, start] = [[], line];
  };
  while (at < text.length && records.length < most) {
    let cell;
    while (text[at] === " ") at += 1;
    if (text[at] === '"') {
      [cell, at] = quoted(text, at, line, file);
      line += cell.split("\n").length - 1;
      if (at < text.length && ![separator, "\n", "\r"].includes(text[at])) {
        throw new Refused(`Line ${line} of ${file} has something after a closing quote; a quote inside quotes is written twice.`);
      }
    } else {
      const from = at;
      while (at < text.length && text[at] !== separator && text[at] !== "\n" && text[at] !== "\r") at += 1;
      cell = text.slice(from, at);
    }
    cells.push(cell.trim());
    if (text[at] === separator) {
      at += 1;
      if (at < text.length) continue;
      cells.push("");
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at += 1;
    at += 1;
    line += 1;
    end();
  }
  if (cells.length) end();
  if (!records.length) throw new Refused(`${file} is empty: it must have names in its first line, and rows below.`);
  return records;
}

// Return the text in quotes that begin here, and the place after them and the blanks that follow.
function quoted(text, at, line, file) {
  let cell = "", from = at + 1;
  for (;;) {
    const to = text.indexOf('"', from);
    if (to < 0) throw new Refused(`Line ${line} of ${file} opens a quote that is not closed.`);
    cell += text.slice(from, to);
    if (text[to + 1] !== '"') {
      at = to + 1;
      break;
    }
    cell += '"';
    from = to + 2;
  }
  while (text[at] === " ") at += 1;
  return [cell, at];
}

function namesOf(cells, file) {
  const names = cells.map((cell, k) => cell || `column ${k + 1}`);
  if (cells.every((cell) => cell === "" || Number.isFinite(Number(cell.replace(",", "."))))) {
    throw new Refused(`${file} must have names in its first line, it has numbers: ${cells.slice(0, 3).join(", ")}.`);
  }
  const twice = names.find((name, k) => names.indexOf(name) < k);
  if (twice) throw new Refused(`${file} must have different names of columns, two are ${shortened(twice)}.`);
  return names;
}

// Return a text of a file as a sentence can hold it.
export function shortened(text) {
  const one = text.replaceAll(/\s+/g, " ");
  return `“${one.length > 40 ? `${one.slice(0, 39)}…` : one}”`;
}
