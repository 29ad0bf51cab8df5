"""Documents as LaTeX that needs amsmath alone."""

from __future__ import annotations

from clearprop.explain.document import Document, said_of, wanted
from clearprop.explain.expression import (
    ATOM,
    BINDS,
    BigSum,
    Blank,
    Expr,
    Fn,
    Frac,
    Hadamard,
    Int,
    Mat,
    MatVec,
    Missing,
    Neg,
    Num,
    Partial,
    Pow,
    Prod,
    Relation,
    Sum,
    Sym,
    Transpose,
    Word,
    binding,
)
from clearprop.explain.printers.digits import shown, split
from clearprop.explain.printers.lines import Breaker, Signs
from clearprop.explain.printers.text import in_minus

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}", '"': "''",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi",
    "π": "pi", "ρ": "rho", "ς": "varsigma", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_GREEK |= {  # which LaTeX has no commands for
    greek: rf"mathrm{{{latin}}}"
    for greek, latin in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)
}
_IN_TEXT = {
    "ᵀ": r"$^T$",
    "⊙": r"$\odot$",
    "∂": r"$\partial$",
    "ℓ": r"$\ell$",
    "−": "-",
    "—": "---",
    "′": "'",
}
_SIGNS = {"=": "=", "→": r"\to", ":=": ":="}
_ROOM = 72.0  # digits that fit on a line beside the left side and the label
_STYLE = Signs(
    plus=" + ",
    minus=" - ",
    times=r" \times ",
    beside=r"\, ",
    opened=r"\bigl(",
    closed=r"\bigr)",
    more=lambda words: rf"[\ldots, \text{{{words}}}]",
)


def escaped(text: str) -> str:
    """Return any text so that LaTeX prints it: nothing in it is a command."""
    out = []
    for each in text:
        if each in _SPECIAL:
            out.append(_SPECIAL[each])
        elif each in _IN_TEXT:
            out.append(_IN_TEXT[each])
        elif each in _GREEK:
            out.append(f"$\\{_GREEK[each]}$")
        elif 32 <= ord(each) < 127 or (0xC0 <= ord(each) <= 0xFF and each not in "×÷"):
            out.append(each)
        else:
            out.append(f"[U+{ord(each):04X}]")
    return "".join(out)


class LatexPrinter:
    """Prints documents as a whole LaTeX file, and formulas on their own.

    Parameters
    ----------
    digits : int
        Significant digits.
    """

    def __init__(self, digits: int = 4) -> None:
        self.digits = digits
        self._breaker = Breaker(_STYLE, self.inline, digits)

    def document(self, document: Document, form: str | None = None) -> str:
        """Return the whole document."""
        out = [
            r"\documentclass{article}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage{amsmath}",
            r"\allowdisplaybreaks",
            r"\setlength{\textwidth}{17cm} \setlength{\oddsidemargin}{-5mm}",
            r"\setlength{\textheight}{24cm} \setlength{\topmargin}{-15mm}",
            r"\begin{document}",
            rf"\section*{{{escaped(document.title)}}}",
            r"\noindent " + " \\\\\n".join(escaped(fact) for fact in document.facts),
        ]
        for step in document.steps:
            lines = [line for line in step.lines if wanted(line, form)]
            if step.lines and not lines:
                continue
            out.append(rf"\subsection*{{{escaped(step.title)}}}")
            if said := said_of(step, lines):
                out.append(escaped(said))
            if lines:
                rows = [row for line in lines for row in self.rows(line.formula, line.label)]
                out += [r"\begin{align*}", " \\\\[2pt]\n".join(rows), r"\end{align*}"]
            if step.left_out:
                out.append(escaped(step.left_out))
        if document.answers:
            out.append(r"\subsection*{Key}")
            out += [rf"({each.number}) ${self.inline(each.answer)}$\quad" for each in document.answers]
        out += [r"\subsection*{Notes}", r"\begin{itemize}"]
        out += [rf"\item {escaped(note)}." for note in document.footnotes]
        out += [r"\end{itemize}", r"\end{document}"]
        return "\n".join(out) + "\n"

    def rows(self, relation: Relation, label: str = "") -> list[str]:
        """Return a formula as rows of an align environment."""
        sign = _SIGNS[relation.sign]
        tag = rf" \tag*{{{escaped(label)}}}" if label else ""
        left = self.inline(relation.sides[0])
        if len(relation.sides) == 1:
            return [left + tag]
        rows = []
        for i, (signed, text) in enumerate(self._breaker.lines(relation, _ROOM, " = ")):
            if not signed:
                rows.append(rf"&\qquad {{}}{text.lstrip()}")
            else:
                rows.append(f"&= {text}" if i else f"{left} &{sign} {text}")
        return [rows[0] + tag, *rows[1:]]

    def inline(self, node: Expr, at_least: int = 0) -> str:
        """Return a formula, in parentheses if it binds less than is asked for."""
        text = self._inline(node)
        return rf"\left({text}\right)" if binding(node) < at_least else text

    def _inline(self, node: Expr) -> str:
        match node:
            case Num():
                return self.number(node)
            case Mat():
                return self._matrix(node)
            case Int(number):
                return str(number)
            case Word(text):
                return rf"\text{{{escaped(text)}}}"
            case Missing():
                return r"\text{---}"
            case Blank(number):
                return rf"\underline{{\hspace{{3em}}}}_{{({number})}}"
            case Sym():
                return self.symbol(node)
            case Fn(name, arg, prime):
                return self._function_name(name, prime) + rf"\left({self.inline(arg)}\right)"
            case Partial(top, bottom):
                return rf"\frac{{\partial {self.symbol(top)}}}{{\partial {self.symbol(bottom)}}}"
            case Neg(arg):
                return "-" + self.inline(arg, in_minus(arg))
            case Sum():
                return self._breaker.sum(node)
            case Prod(factors):
                return self._breaker.product(factors)
            case Hadamard(left, right, is_shown):
                sign = r" \odot " if is_shown else r"\, "
                return self.inline(left, BINDS[Frac]) + sign + self.inline(right, BINDS[Frac])
            case MatVec(left, right, dot):
                return (
                    self.inline(left, BINDS[MatVec])
                    + (r" \cdot " if dot else r"\, ")
                    + self.inline(right, BINDS[MatVec])
                )
            case Transpose(arg):
                text = self.inline(arg)
                return f"{text}^T" if isinstance(arg, Mat) else rf"\left({text}\right)^T"
            case Frac(top, bottom):
                return rf"\frac{{{self.inline(top)}}}{{{self.inline(bottom)}}}"
            case Pow(arg, exponent):
                return f"{self.inline(arg, ATOM)}^{{{exponent}}}"
            case BigSum(index, arg):
                return rf"\sum_{{{index}}} {self.inline(arg, BINDS[Prod])}"
            case Relation(sides, sign):
                first = self.inline(sides[0]) + f" {_SIGNS[sign]} "
                return first + " = ".join(self.inline(side) for side in sides[1:])

    def _matrix(self, matrix: Mat) -> str:
        rows, below, right = matrix.shown()
        lines = []
        for i, row in enumerate(rows):
            cells = [self.number(each) for each in row]
            if right:
                cells.append(rf"\ldots\text{{, {right:,} more}}" if i == 0 else r"\ldots")
            lines.append(" & ".join(cells))
        if below:
            lines.append(rf"\text{{[..., {below:,} more]}}")
        return r"\begin{pmatrix} " + r" \\ ".join(lines) + r" \end{pmatrix}"

    def _function_name(self, name: Sym, prime: str) -> str:
        if prime == "dot":
            return rf"\dot{{{_letter(name.base)}}}" + _scripts(name)
        return self.symbol(name) + ("'" if prime else "")

    def symbol(self, symbol: Sym) -> str:
        """Return a symbol with its superscript and subscripts."""
        letter = _letter(symbol.base)
        return (rf"\vec{{{letter}}}" if symbol.vector else letter) + _scripts(symbol)

    def number(self, number: Num) -> str:
        """Return a number as it is shown."""
        text = shown(number, self.digits)
        if text == "NaN":
            return r"\text{NaN}"
        mantissa, exponent = split(text.replace("inf", r"\infty"))
        return mantissa if exponent is None else rf"{mantissa}\times 10^{{{exponent}}}"


def _letter(base: str) -> str:
    if base in _GREEK:
        return "\\" + _GREEK[base]
    if base in ("exp", "ln"):
        return "\\" + base
    return base if len(base) == 1 and base.isascii() else rf"\operatorname{{{escaped(base)}}}"


def _scripts(symbol: Sym) -> str:
    sup = f"^{{{symbol.sup}}}" if symbol.sup else ""
    separator = "" if all(len(each) == 1 for each in symbol.sub) else ","
    sub = f"_{{{separator.join(symbol.sub)}}}" if symbol.sub else ""
    return sup + sub
