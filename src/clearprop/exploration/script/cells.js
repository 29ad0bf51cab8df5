// Cells of raw rows: what a reader may put into one, and how a change is written in an address.
//
// `n3.0` is a number in row 3 and column 0 (of points in time, seconds since 1970), `c3.0` one of the
// choices that its column has.

export const OTHER = "(another)"; // a category that was not learned

export function isCell(place) {
  return place[0] === "n" || place[0] === "c";
}

// Return what may stand in a column beside numbers and times: categories or words, and null where it is missing.
export function choicesOf({ kind, categories = [], words = [] }) {
  return kind === "categorical" ? [...categories, OTHER, null] : [...words, null];
}

export function cellOf(column, letter, value) {
  if (letter === "c") return choicesOf(column)[value] ?? null;
  return column.kind === "datetime" ? timeOf(value) : value;
}

function timeOf(seconds) {
  const date = new Date(1000 * seconds);
  return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, 19);
}

// Return {letter, value} of a cell as an address has it, or null where the text is none of its column's.
export function writtenCell(column, text) {
  const choice = choicesOf(column).indexOf(text === "" ? null : text);
  if (choice >= 0) return { letter: "c", value: choice };
  const value = column.kind === "datetime" ? Date.parse(`${text}Z`) / 1000 : Number(text.replace("−", "-").replace(",", "."));
  return column.kind !== "categorical" && Number.isFinite(value) ? { letter: "n", value } : null;
}

// A time of day has no date.
export function isClock({ kind, parts }) {
  return kind === "datetime" && ("minute" in parts || "sine of the day" in parts);
}

// Return a number's shortest text; one that was held in 32 bits has the digits that tell it apart there: 5.1.
export function digitsOf(x) {
  if (Math.fround(x) !== x) return String(x);
  const short = [6, 7, 8].map((digits) => Number(x.toPrecision(digits))).find((each) => Math.fround(each) === x);
  return String(short ?? x);
}
