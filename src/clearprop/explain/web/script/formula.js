// Prints formulas, given as trees (see trees.py), as MathML and as LaTeX: the same text that the Python
// printers make, which a test compares.

import { data } from "./state.js";
import { written } from "../../../page/numbers.js";

const BINDS = data.binds;

function binding(node) {
  return BINDS[node[0] === "n" && node[2].startsWith("-") ? "-" : node[0]];
}

const nodeAt = (i) => data.nodes[i];

// The nodes directly below, in the order in which they are printed; a function's name is none of them.
export function childrenOf(node) {
  switch (node[0]) {
    case "=":
    case "+":
    case "*":
      return node[1];
    case "h":
    case "v":
    case "/":
      return [node[1], node[2]];
    case "f":
    case "S":
      return [node[2]];
    case "t":
    case "-":
    case "^":
      return [node[1]];
    default:
      return [];
  }
}

export function contains(i, kinds) {
  const node = nodeAt(i);
  return kinds.includes(node[0]) || childrenOf(node).some((each) => contains(each, kinds));
}

// Numbers need a sign of multiplication between them.
function areNumbers(left, right) {
  return !contains(left, "sp") && !contains(right, "sp");
}

function isSigned(node) {
  return binding(node) <= BINDS["-"] && node[0] !== "-" && node[0] !== "S";
}

// How tightly what follows a minus has to bind: a number would take the sign for its own.
function inMinus(i) {
  let first = i;
  while ("*/^".includes(nodeAt(first)[0])) [first] = childrenOf(nodeAt(first));
  return first !== i && nodeAt(first)[0] === "n" ? BINDS.n : BINDS["*"];
}

function isBareMinus(node) {
  return node[0] === "-" && node[2] === undefined;
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

export function inert(given) {
  return given.replace(/[&<>"']/g, (each) => ENTITIES[each]);
}

// 12 for a weight's 1 and 2, but 1,12 for its 1 and 12.
const separated = (sub) => (sub.split(",").every((each) => each.length === 1) ? sub.replaceAll(",", "") : sub);
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

// MathML

const TIMES = "<mo>\u2062</mo>";
const inParentheses = (inner) => `<mrow><mo>(</mo>${inner}<mo>)</mo></mrow>`;

function scripts(base, [, , sup = "", sub = ""]) {
  const joined = separated(sub);
  const below = /^\d+$/.test(joined.replaceAll(",", "")) ? `<mn>${joined}</mn>` : `<mi>${joined}</mi>`;
  if (sup && sub) return `<msubsup>${base}${below}${above(sup)}</msubsup>`;
  if (sup) return `<msup>${base}${above(sup)}</msup>`;
  return sub ? `<msub>${base}${below}</msub>` : base;
}

// The example, if it is of a batch, and the layer: a letter stands for any example.
function above(sup) {
  const [example, layer] = sup.split(",");
  if (!/^[a-z_]/i.test(example)) return `<mn>${sup}</mn>`;
  return layer === undefined ? `<mi>${example}</mi>` : `<mrow><mi>${example}</mi><mo>,</mo><mn>${layer}</mn></mrow>`;
}

function symbol(node) {
  const letter = `<mi>${inert(node[1])}</mi>`;
  return scripts(node[4] ? `<mover>${letter}<mo>→</mo></mover>` : letter, node);
}

function functionName(node, prime) {
  if (prime === "dot") return scripts(`<mover><mi>${node[1]}</mi><mo>˙</mo></mover>`, node);
  return prime ? `<msup>${symbol(node)}<mo>′</mo></msup>` : symbol(node);
}

function number([, ref, text, factor]) {
  const scaled = factor === undefined ? "" : ` data-factor="${factor}"`;
  return `<mn data-ref="${ref}"${scaled}>${written(text)}</mn>`;
}

function sum(node) {
  return `<mrow>${termsOf(node).join("")}</mrow>`;
}

function product([, factors]) {
  let made = mathml(factors[0], BINDS.v);
  for (let i = 1; i < factors.length; i += 1) {
    made += (areNumbers(factors[i - 1], factors[i]) ? "<mo>×</mo>" : TIMES) + mathml(factors[i], BINDS.v);
  }
  return `<mrow>${made}</mrow>`;
}

function matrix([, rows, below, right]) {
  const lines = rows.map((row, i) => {
    const cells = row.map((each) => number(nodeAt(each)));
    if (right) cells.push(`<mtext>...${i ? "" : `, ${grouped(right)} more`}</mtext>`);
    return cells.map((cell) => `<mtd>${cell}</mtd>`).join("");
  });
  if (below) lines.push(`<mtd><mtext>[..., ${grouped(below)} more]</mtext></mtd>`);
  const table = lines.map((line) => `<mtr>${line}</mtr>`).join("");
  return `<mrow><mo>[</mo><mtable>${table}</mtable><mo>]</mo></mrow>`;
}

const MATHML = {
  n: number,
  m: matrix,
  s: symbol,
  "+": sum,
  "*": product,
  i: ([, whole]) => `<mn>${whole}</mn>`,
  w: ([, words]) => `<mtext>${inert(words)}</mtext>`,
  "?": () => "<mtext>—</mtext>",
  b: ([, n]) => `<msub><mtext>____</mtext><mtext>(${n})</mtext></msub>`,
  f: ([, name, argument, prime = ""]) =>
    `<mrow>${functionName(nodeAt(name), prime)}${inParentheses(mathml(argument))}</mrow>`,
  p: ([, top, bottom]) =>
    `<mfrac><mrow><mo>∂</mo>${symbol(nodeAt(top))}</mrow><mrow><mo>∂</mo>${symbol(nodeAt(bottom))}</mrow></mfrac>`,
  "-": ([, argument]) => `<mrow><mo>−</mo>${mathml(argument, inMinus(argument))}</mrow>`,
  h: ([, left, right, isShown]) =>
    `<mrow>${mathml(left, BINDS["/"])}${isShown ? "<mo>⊙</mo>" : TIMES}${mathml(right, BINDS["/"])}</mrow>`,
  v: ([, left, right, dot]) => `<mrow>${mathml(left, BINDS.v)}${dot ? "<mo>·</mo>" : TIMES}${mathml(right, BINDS.v)}</mrow>`,
  t: ([, argument]) => {
    const inner = mathml(argument);
    return `<msup>${nodeAt(argument)[0] === "m" ? inner : inParentheses(inner)}<mi>T</mi></msup>`;
  },
  "/": ([, top, bottom]) => `<mfrac><mrow>${mathml(top)}</mrow><mrow>${mathml(bottom)}</mrow></mfrac>`,
  "^": ([, argument, exponent]) => `<msup>${mathml(argument, BINDS.n)}<mn>${exponent}</mn></msup>`,
  S: ([, index, argument]) =>
    `<mrow><munder><mo>∑</mo><mi>${index}</mi></munder>${mathml(argument, BINDS["*"])}</mrow>`,
};

export function mathml(i, atLeast = 0) {
  const node = nodeAt(i);
  const made = MATHML[node[0]](node);
  return binding(node) < atLeast ? inParentheses(made) : made;
}

// A side in lines: a long sum is broken before its terms (formulas.py has the same rule).

const ROOM = 7;

function leaves(i) {
  return childrenOf(nodeAt(i)).reduce((total, each) => total + leaves(each), 0) || 1;
}

function moreOf(elided, zero) {
  return `${grouped(elided)} more${zero ? ", all 0" : ""}`;
}

function termsOf([, terms, elided = 0, zero = 0]) {
  const pieces = terms.map((term, n) => {
    if (n === 0) return mathml(term, terms.length === 1 ? BINDS["-"] : BINDS["+"]);
    const node = nodeAt(term);
    if (isBareMinus(node)) return `<mo>−</mo>${mathml(node[1], BINDS["*"])}`;
    return `<mo>+</mo>${mathml(term, isSigned(node) ? BINDS.h : BINDS["-"])}`;
  });
  if (elided) pieces.push(`<mo>+</mo><mtext>[..., ${moreOf(elided, zero)}]</mtext>`);
  return pieces;
}

function linesOfSide(i) {
  const node = nodeAt(i);
  const factors = node[0] === "*" ? node[1] : [i];
  const sums = factors.filter((each) => nodeAt(each)[0] === "+");
  const negated = node[0] === "-" && nodeAt(node[1])[0] === "+";
  if (sums.length !== 1 && !negated) return [mathml(i)];
  const inner = nodeAt(negated ? node[1] : sums[0]);
  const wide = inner[1].map(leaves);
  if (wide.reduce((a, b) => a + b, 0) <= ROOM) return [mathml(i)];
  const pieces = termsOf(inner);
  if (node !== inner) {
    const k = factors.indexOf(sums[0]);
    const [before, after] = negated ? ["<mo>−</mo>", ""] : [factorsOn(factors.slice(0, k + 1), true), factorsOn(factors.slice(k), false)];
    pieces[0] = `${before}<mo stretchy="false">(</mo>${pieces[0]}`;
    pieces[pieces.length - 1] += `<mo stretchy="false">)</mo>${after}`;
  }
  const lines = [];
  let taken = Infinity;
  pieces.forEach((piece, n) => {
    const width = wide[n] ?? 2;
    if (taken + width > ROOM) {
      lines.push("");
      taken = 0;
    }
    lines[lines.length - 1] += piece;
    taken += width;
  });
  return lines.map((line) => `<mrow>${line}</mrow>`);
}

// Factors before or behind a sum that is broken, with the signs between.
function factorsOn(factors, isBefore) {
  const texts = factors.map((each, n) => {
    const sign = n ? (areNumbers(factors[n - 1], each) ? "<mo>×</mo>" : TIMES) : "";
    const isTheSum = n === (isBefore ? factors.length - 1 : 0);
    return sign + (isTheSum ? "" : mathml(each, BINDS.v));
  });
  return texts.join("");
}

// How many sides at the end have no symbols; a side besides the first is kept.
export function withoutSymbols(i) {
  const sides = nodeAt(i)[1];
  const kept = sides.findLastIndex((side) => contains(side, "sp"));
  return sides.length - Math.max(kept + 1, Math.min(2, sides.length));
}

// A relation as a math element: its first side, then a row for each other side. `leaveOut` sides at
// the end are not printed.
export function display(i, leaveOut = 0) {
  const [, sides, sign = "="] = nodeAt(i);
  const [first, ...others] = sides.slice(0, sides.length - leaveOut);
  const rows = (others.length ? others : [first]).flatMap((side, n) =>
    linesOfSide(side).map((line, k) => {
      if (k || !others.length) return `<mtr><mtd></mtd><mtd></mtd><mtd>${line}</mtd></mtr>`;
      const left = n === 0 ? mathml(first) : "";
      return `<mtr><mtd>${left}</mtd><mtd><mo>${n === 0 ? sign : "="}</mo></mtd><mtd>${line}</mtd></mtr>`;
    }),
  );
  return `<math display="block"><mtable>${rows.join("")}</mtable></math>`;
}

// The number at the end of a relation, or null where it is none.
export function result(i) {
  const sides = nodeAt(i)[1];
  const last = nodeAt(sides[sides.length - 1]);
  return last[0] === "n" ? { ref: last[1], text: last[2], factor: Number(last[3] ?? 1) } : null;
}

// LaTeX

const SPECIAL = {
  "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", $: "\\$", "&": "\\&", "#": "\\#", "%": "\\%", _: "\\_",
  "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "<": "\\textless{}", ">": "\\textgreater{}",
  "|": "\\textbar{}", "`": "\\textasciigrave{}", '"': "''",
  "⊙": "$\\odot$", "∂": "$\\partial$", "ℓ": "$\\ell$", "−": "-", "—": "---", "′": "'",
};
const GREEK = {
  α: "alpha", β: "beta", γ: "gamma", δ: "delta", ε: "epsilon", ζ: "zeta", η: "eta", θ: "theta", κ: "kappa",
  λ: "lambda", μ: "mu", ν: "nu", ξ: "xi", π: "pi", ρ: "rho", σ: "sigma", τ: "tau", φ: "phi", χ: "chi",
  ψ: "psi", ω: "omega", Γ: "Gamma", Δ: "Delta", Θ: "Theta", Λ: "Lambda", Σ: "Sigma", Φ: "Phi", Ψ: "Psi",
  Ω: "Omega",
};
const SIGNS = { "=": "=", "→": "\\to", ":=": ":=" };

function escaped(words) {
  return [...words]
    .map((each) => {
      if (SPECIAL[each]) return SPECIAL[each];
      if (GREEK[each]) return `$\\${GREEK[each]}$`;
      const code = each.codePointAt(0);
      const isPlain = (code >= 32 && code < 127) || (code >= 0xc0 && code <= 0xff && !"×÷".includes(each));
      return isPlain ? each : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
    })
    .join("");
}

function letter(base) {
  if (GREEK[base]) return `\\${GREEK[base]}`;
  if (base === "exp" || base === "ln") return `\\${base}`;
  return /^[\x00-\x7f]$/.test(base) ? base : `\\operatorname{${escaped(base)}}`;
}

function latexScripts([, , sup = "", sub = ""]) {
  return (sup ? `^{${sup}}` : "") + (sub ? `_{${separated(sub)}}` : "");
}

function latexSymbol(node) {
  const base = letter(node[1]);
  return (node[4] ? `\\vec{${base}}` : base) + latexScripts(node);
}

function latexName(node, prime) {
  if (prime === "dot") return `\\dot{${letter(node[1])}}${latexScripts(node)}`;
  return latexSymbol(node) + (prime ? "'" : "");
}

function latexNumber([, , text]) {
  if (text === "NaN") return "\\text{NaN}";
  const [mantissa, e] = text.includes("inf") ? [text.replace("inf", "\\infty")] : text.split("e");
  return e === undefined ? mantissa : `${mantissa}\\times 10^{${Number(e)}}`;
}

function latexSum([, terms, elided = 0, zero = 0]) {
  let made = latex(terms[0], terms.length === 1 ? BINDS["-"] : BINDS["+"]);
  for (const term of terms.slice(1)) {
    const node = nodeAt(term);
    if (isBareMinus(node)) made += ` - ${latex(node[1], BINDS["*"])}`;
    else made += ` + ${latex(term, isSigned(node) ? BINDS.h : BINDS["-"])}`;
  }
  return elided ? `${made} + [\\ldots, \\text{${moreOf(elided, zero)}}]` : made;
}

function latexProduct([, factors]) {
  let made = latex(factors[0], BINDS.v);
  for (let i = 1; i < factors.length; i += 1) {
    made += (areNumbers(factors[i - 1], factors[i]) ? " \\times " : "\\, ") + latex(factors[i], BINDS.v);
  }
  return made;
}

function latexMatrix([, rows, below, right]) {
  const lines = rows.map((row, i) => {
    const cells = row.map((each) => latexNumber(nodeAt(each)));
    if (right) cells.push(i ? "\\ldots" : `\\ldots\\text{, ${grouped(right)} more}`);
    return cells.join(" & ");
  });
  if (below) lines.push(`\\text{[..., ${grouped(below)} more]}`);
  return `\\begin{pmatrix} ${lines.join(" \\\\ ")} \\end{pmatrix}`;
}

const LATEX = {
  n: latexNumber,
  m: latexMatrix,
  s: latexSymbol,
  "+": latexSum,
  "*": latexProduct,
  i: ([, whole]) => String(whole),
  w: ([, words]) => `\\text{${escaped(words)}}`,
  "?": () => "\\text{---}",
  b: ([, n]) => `\\underline{\\hspace{3em}}_{(${n})}`,
  f: ([, name, argument, prime = ""]) => `${latexName(nodeAt(name), prime)}\\left(${latex(argument)}\\right)`,
  p: ([, top, bottom]) =>
    `\\frac{\\partial ${latexSymbol(nodeAt(top))}}{\\partial ${latexSymbol(nodeAt(bottom))}}`,
  "-": ([, argument]) => `-${latex(argument, inMinus(argument))}`,
  h: ([, left, right, isShown]) => latex(left, BINDS["/"]) + (isShown ? " \\odot " : "\\, ") + latex(right, BINDS["/"]),
  v: ([, left, right, dot]) => latex(left, BINDS.v) + (dot ? " \\cdot " : "\\, ") + latex(right, BINDS.v),
  t: ([, argument]) => {
    const inner = latex(argument);
    return nodeAt(argument)[0] === "m" ? `${inner}^T` : `\\left(${inner}\\right)^T`;
  },
  "/": ([, top, bottom]) => `\\frac{${latex(top)}}{${latex(bottom)}}`,
  "^": ([, argument, exponent]) => `${latex(argument, BINDS.n)}^{${exponent}}`,
  S: ([, index, argument]) => `\\sum_{${index}} ${latex(argument, BINDS["*"])}`,
  "=": ([, [first, ...rest], sign = "="]) =>
    `${latex(first)} ${SIGNS[sign]} ${rest.map((each) => latex(each)).join(" = ")}`,
};

// A relation as LaTeX, without some sides at its end.
export function latexOf(i, leaveOut = 0) {
  const [kind, sides, ...sign] = nodeAt(i);
  return LATEX["="]([kind, sides.slice(0, sides.length - leaveOut), ...sign]);
}

export function latex(i, atLeast = 0) {
  const node = nodeAt(i);
  const made = LATEX[node[0]](node);
  return binding(node) < atLeast ? `\\left(${made}\\right)` : made;
}
