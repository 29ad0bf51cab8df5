// From a raw row to what the network sees: model/ends.py describes it, data/table/columns.py and
// data/scaling.py are the same in Python.
//
//   inputs = {dtype, columns: [{name, kind, ...}], steps: [{shift, factor} or {bound}]}
//
// A cell is a number, a text, or null where it is missing; a point in time is 2024-01-31T15:30:00.

// Return what the network sees of raw rows.
export function encoded(inputs, rows) {
  const round = inputs.dtype === "float32" ? Math.fround : (x) => x;
  const columns = inputs.columns.map((each) => ({ ...each, encode: known("kind of column", each.kind, COLUMNS) }));
  const made = rows.map((row) => columns.flatMap((each, i) => each.encode(each, row[i])).map(round));
  const steps = inputs.steps.map((step) => (step.bound ? smoothClip(step.bound, round) : scaling(step, round)));
  return Matrix.of(made.map((row) => steps.reduce((x, step) => x.map(step), row)));
}

// Return the names of what `encoded` makes of each column.
export function encodedNames({ columns }) {
  return columns.flatMap((each) => NAMES[each.kind](each));
}

function scaling({ shift, factor }, round) {
  const [away, times] = [shift, factor].map((each) => each.map(round)), all = away.length === 1;
  return (x, k) => round(round(x - away[all ? 0 : k]) * times[all ? 0 : k]);
}

// x / sqrt(1 + (x / 3)²)
function smoothClip(bound, round) {
  return (x) => {
    const part = round(x / bound), root = round(Math.sqrt(round(1 + round(part * part))));
    return round(x / root);
  };
}

const COLUMNS = {
  numeric({ median, flagged, words = [] }, cell) {
    const word = words.indexOf(cell), isNumber = typeof cell === "number";
    const missing = flagged ? [Number(!isNumber && word < 0)] : [];
    return [isNumber ? cell : median, ...missing, ...words.map((_, i) => Number(i === word))];
  },

  categorical({ categories, pooled, missing }, cell) {
    const at = categories.indexOf(cell);
    if (isPair({ categories, pooled, missing })) return [at < 0 ? 0 : 2 * at - 1];
    const isMissing = cell === null, more = [...(pooled ? [!isMissing && at < 0] : []), ...(missing ? [isMissing] : [])];
    return [...categories.map((_, i) => i === at), ...more].map(Number);
  },

  datetime({ parts, flagged }, cell) {
    const found = cell === null ? parts : partsOf(cell);
    return [...Object.keys(parts).map((name) => found[name]), ...(flagged ? [Number(cell === null)] : [])];
  },
};

const NAMES = {
  numeric: ({ name, flagged, words = [] }) => [name, ...(flagged ? [`${name} is missing`] : []), ...words.map((word) => `${name} = ${word}`)],
  categorical({ name, categories, pooled, missing }) {
    if (isPair({ categories, pooled, missing })) return [`${name} = ${categories[1]}`];
    const more = [...(pooled ? ["other"] : []), ...(missing ? ["missing"] : [])];
    return [...categories.map((word) => `${name} = ${word}`), ...more.map((each) => `${name} is ${each}`)];
  },
  datetime: ({ name, parts, flagged }) => [...Object.keys(parts).map((part) => `${name}: ${part}`), ...(flagged ? [`${name} is missing`] : [])],
};

// Two categories alone are one column, of -1 and 1.
function isPair({ categories, pooled, missing }) {
  return categories.length === 2 && !pooled && !missing;
}

function partsOf(time) {
  const [year, month, day, hour = 0, minute = 0, second = 0] = time.split(/[-T:]/).map(Number);
  const turn = (3600 * hour + 60 * minute + second) / 86400, [cos, sin] = turned(turn);
  return {
    year,
    month,
    "day of week": (daysSince1970(year, month, day) + 3) - 7 * Math.floor((daysSince1970(year, month, day) + 3) / 7),
    hour,
    minute,
    "sine of the day": sin,
    "cosine of the day": cos,
  };
}

// Days of the Gregorian calendar, whose years here begin in March.
function daysSince1970(year, month, day) {
  const y = month > 2 ? year : year - 1, since = (month + 9) % 12;
  const leaps = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return 365 * y + leaps + Math.floor((153 * since + 2) / 5) + day - 719469;
}
