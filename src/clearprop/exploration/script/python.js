// What the rules of `diagnose` call of Python and NumPy, whose arrays have one dimension there.

import { general } from "../../page/numbers.js";

const each = (f) => (a, b) => {
  if (Array.isArray(a)) return a.map((x, i) => f(x, Array.isArray(b) ? b[i] : b));
  return Array.isArray(b) ? b.map((y) => f(a, y)) : f(a, b);
};

// Numbers and texts by their order, arrays by their first elements that differ.
function ordered(a, b) {
  if (!Array.isArray(a)) return a < b ? -1 : a > b ? 1 : 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return ordered(a[i], b[i]);
  return a.length - b.length;
}

// The first of the best: max(a, b), max(iterable, key=..., default=...), and of an array its largest.
const best = (sign) => (...given) => {
  const last = given.at(-1), options = given.length > 1 && last && typeof last === "object" && !Array.isArray(last) ? given.pop() : {};
  const all = given.length === 1 ? [...given[0]] : given, key = options.key ?? ((x) => x);
  if (!all.length) return options.default;
  return all.reduce((found, x) => (sign * ordered(key(x), key(found)) > 0 ? x : found));
};

const sum = (all) => [...all].reduce((total, x) => total + Number(x), 0);
const truth = (x) => (Array.isArray(x) ? x.length > 0 : x && typeof x === "object" ? Object.keys(x).length > 0 : Number.isNaN(x) || Boolean(x));
const median = (all) => {
  const sorted = [...all].sort((a, b) => a - b), n = sorted.length;
  return n % 2 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
};

export const py = {
  add: each((a, b) => a + b),
  sub: each((a, b) => a - b),
  mul: each((a, b) => a * b),
  div: each((a, b) => a / b),
  pow: each((a, b) => a ** b),
  lt: each((a, b) => a < b),
  le: each((a, b) => a <= b),
  gt: each((a, b) => a > b),
  ge: each((a, b) => a >= b),
  eq: each((a, b) => a === b || a == Number(b)),
  ne: each((a, b) => a !== b),
  bitand: each((a, b) => a && b),
  bitor: (a, b) => (Array.isArray(a) || typeof a !== "object" ? each((x, y) => x || y)(a, b) : { ...a, ...b }),
  invert: each((a) => !a),
  neg: each((a) => -a),
  is: (a, b) => (a ?? null) === b,
  isNot: (a, b) => (a ?? null) !== b,
  within: (x, all) => (Array.isArray(all) ? all.includes(x) : Object.hasOwn(all, x)),
  both: (...all) => all.reduce((found, next, i) => (i && !truth(found) ? found : next()), null),
  either: (...all) => all.reduce((found, next, i) => (i && truth(found) ? found : next()), null),
  truth,
  at(all, i) {
    if (Array.isArray(i)) return typeof i[0] === "boolean" ? all.filter((_, k) => i[k]) : i.map((k) => all[k]);
    return Array.isArray(all) ? all.at(i) : all[i];
  },
  put(all, i, value) {
    if (!Array.isArray(i)) all[i] = value;
    else i.flatMap((is, k) => (is ? [k] : [])).forEach((k, n) => (all[k] = Array.isArray(value) ? value[n] : value));
  },
  // Built in, and of math
  len: (x) => x.length,
  float: Number,
  int: (x) => Math.trunc(Number(x)),
  bool: truth,
  str: String,
  tuple: (x) => [...x],
  sorted: (x) => [...x].sort(ordered),
  enumerate: (x, { start = 0 } = {}) => [...x].map((found, i) => [i + start, found]),
  zip(...all) {
    const lists = all.filter((x) => Array.isArray(x)), n = Math.min(...lists.map((x) => x.length));
    return Array.from({ length: n }, (_, i) => lists.map((x) => x[i]));
  },
  range: (first, end) => (end === undefined ? [...Array(first).keys()] : Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i)),
  pairwise: (x) => x.slice(1).map((found, i) => [x[i], found]),
  next(iterator, otherwise) {
    const { value, done } = iterator.next();
    return done ? otherwise : value;
  },
  round: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  floor: Math.floor,
  log: Math.log,
  max: best(1),
  min: best(-1),
  sum,
  // Of arrays
  any: (x) => [...x].some(truth),
  all: (x) => [...x].every(truth),
  mean: (x) => sum(x) / x.length,
  median,
  abs: each((x) => Math.abs(x)),
  sqrt: each((x) => Math.sqrt(x)),
  square: each((x) => x * x),
  isnan: each((x) => Number.isNaN(x)),
  isinf: each((x) => x === Infinity || x === -Infinity),
  isfinite: each((x) => Number.isFinite(x)),
  maximum: each((a, b) => Math.max(a, b)),
  where: (tests, a, b) => tests.map((test, i) => (test ? (Array.isArray(a) ? a[i] : a) : Array.isArray(b) ? b[i] : b)),
  flatnonzero: (x) => x.flatMap((found, i) => (found ? [i] : [])),
  zeros_like: (x) => x.map((found) => (typeof found === "boolean" ? false : 0)),
  clip: (x, { min = -Infinity, max = Infinity }) => x.map((found) => Math.min(max, Math.max(min, found))),
  // Of lists, dictionaries and texts
  items: (all) => Object.entries(all),
  index: (all, x) => all.indexOf(x),
  get: (all, key, otherwise = null) => (Object.hasOwn(all, key) ? all[key] : otherwise),
  join: (between, all) => [...all].join(between),
  split: (text, at) => text.split(at),
  append: (all, x) => all.push(x),
  replace: (text, from, to) => text.replaceAll(from, to),
  format,
};

function format(x, spec) {
  if (typeof x !== "number") return String(x);
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (spec === "" || spec === ",") return spec ? x.toLocaleString("en", { maximumFractionDigits: 20 }) : String(x);
  const [, digits = "6", kind] = /^\.?(\d+)?([efg])$/.exec(spec);
  if (kind === "f") return x.toFixed(Number(digits));
  if (kind === "g") return x === 0 ? "0" : general(x, Number(digits), false);
  const [mantissa, exponent] = x.toExponential(Number(digits)).split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}
