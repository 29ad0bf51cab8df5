"""Documents as XHTML with MathML Core; every number says which element of which array it is.

A number is an ``mn`` with ``data-ref="delta/2/0,1"``: quantity, weight layer, index (sample first).
"""

from __future__ import annotations

from html import escape

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

_INVISIBLE = "<mo>\u2062</mo>"  # times
_ROOM = 74.0  # digits on a line, beside the left side and the label
_STYLE = Signs(
    plus="<mo>+</mo>",
    minus="<mo>−</mo>",
    times="<mo>×</mo>",
    beside=_INVISIBLE,
    opened='<mo stretchy="false">(</mo>',
    closed='<mo stretchy="false">)</mo>',
    more=lambda words: f"<mtext>[..., {words}]</mtext>",
)
_SUP = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _inert(text: str) -> str:
    """Return text for XML: control characters, which XML has no way to write, are named."""
    return escape("".join(each if each.isprintable() else repr(each)[1:-1] for each in text))


class MathmlPrinter:
    """Prints documents as an XHTML ``article``, and formulas as ``math``.

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
        out = ['<article xmlns="http://www.w3.org/1999/xhtml">', f"<h1>{_inert(document.title)}</h1>"]
        out += [f"<p>{_inert(fact)}.</p>" for fact in document.facts]
        for step in document.steps:
            lines = [line for line in step.lines if wanted(line, form)]
            if step.lines and not lines:
                continue
            out.append(f'<section data-kind="{step.kind}"><h2>{_inert(step.title)}</h2>')
            if said := said_of(step, lines):
                out.append(f"<p>{_inert(said)}</p>")
            for line in lines:
                out.append(f"<p>{self.display(line.formula, line.label)}</p>")
            if step.left_out:
                out.append(f"<p>{_inert(step.left_out)}</p>")
            out.append("</section>")
        if document.answers:
            key = "".join(f"<li>{self.formula(each.answer)}</li>" for each in document.answers)
            out.append(f"<section><h2>Key</h2><ol>{key}</ol></section>")
        notes = "".join(f"<li>{_inert(note)}.</li>" for note in document.footnotes)
        out += [f"<section><h2>Notes</h2><ul>{notes}</ul></section>", "</article>"]
        return "\n".join(out) + "\n"

    def display(self, relation: Relation, label: str = "") -> str:
        """Return a formula as a ``math`` element of several lines, its label at the right."""
        lines = self._breaker.lines(relation, _ROOM, "<mo>=</mo>")
        rows = []
        for i, (signed, text) in enumerate(lines):
            sign = f"<mo>{'=' if i else relation.sign}</mo>" if signed else ""
            cells = ["" if i else self.inline(relation.sides[0]), sign, text]
            if i == 0 and label:
                cells.append(f'<mspace width="2em"/><mtext>{_inert(label)}</mtext>')
            aligned = zip(cells, ("right", "center", "left", "left"), strict=False)
            row = "".join(f'<mtd style="text-align:{at}">{cell}</mtd>' for cell, at in aligned)
            rows.append(f"<mtr>{row}</mtr>")
        xmlns = "http://www.w3.org/1998/Math/MathML"
        return f'<math xmlns="{xmlns}"><mtable displaystyle="true">{"".join(rows)}</mtable></math>'

    def formula(self, node: Expr) -> str:
        """Return a formula as a ``math`` element."""
        xmlns = "http://www.w3.org/1998/Math/MathML"
        return f'<math xmlns="{xmlns}" display="block">{self.inline(node)}</math>'

    def pieces(self, node: Expr) -> list[str]:
        """Return the parts of a formula between which a line may end; joined, they are the formula."""
        return [piece.text for piece in self._breaker.pieces(node)]

    def inline(self, node: Expr, at_least: int = 0) -> str:
        """Return a formula, in parentheses if it binds less than is asked for."""
        text = self._inline(node)
        return _parentheses(text) if binding(node) < at_least else text

    def _inline(self, node: Expr) -> str:
        match node:
            case Num():
                return self.number(node)
            case Mat():
                return self._matrix(node)
            case Int(number):
                return f"<mn>{number}</mn>"
            case Word(text):
                return f"<mtext>{_inert(text)}</mtext>"
            case Missing():
                return "<mtext>—</mtext>"
            case Blank(number):
                return f"<msub><mtext>____</mtext><mtext>({number})</mtext></msub>"
            case Sym():
                return self.symbol(node)
            case Fn(name, arg, prime):
                return f"<mrow>{self._name(name, prime)}{_parentheses(self.inline(arg))}</mrow>"
            case Partial(top, bottom):
                d = "<mo>∂</mo>"
                return (
                    f"<mfrac><mrow>{d}{self.symbol(top)}</mrow>"
                    f"<mrow>{d}{self.symbol(bottom)}</mrow></mfrac>"
                )
            case Neg(arg):
                return f"<mrow><mo>−</mo>{self.inline(arg, in_minus(arg))}</mrow>"
            case Sum():
                return f"<mrow>{self._breaker.sum(node)}</mrow>"
            case Prod(factors):
                return f"<mrow>{self._breaker.product(factors)}</mrow>"
            case Hadamard(left, right, is_shown):
                sign = "<mo>⊙</mo>" if is_shown else _INVISIBLE
                pair = (self.inline(each, BINDS[Frac]) for each in (left, right))
                return f"<mrow>{sign.join(pair)}</mrow>"
            case MatVec(left, right, dot):
                sign = "<mo>·</mo>" if dot else _INVISIBLE
                pair = (self.inline(each, BINDS[MatVec]) for each in (left, right))
                return f"<mrow>{sign.join(pair)}</mrow>"
            case Transpose(arg):
                inner = self.inline(arg)
                base = inner if isinstance(arg, Mat) else _parentheses(inner)
                return f"<msup>{base}<mi>T</mi></msup>"
            case Frac(top, bottom):
                return (
                    f"<mfrac><mrow>{self.inline(top)}</mrow><mrow>{self.inline(bottom)}</mrow></mfrac>"
                )
            case Pow(arg, exponent):
                return f"<msup>{self.inline(arg, ATOM)}<mn>{exponent}</mn></msup>"
            case BigSum(index, arg):
                total = f"<munder><mo>∑</mo><mi>{index}</mi></munder>"
                return f"<mrow>{total}{self.inline(arg, BINDS[Prod])}</mrow>"
            case Relation(sides, sign):
                signs = [sign, *["="] * len(sides)]
                rest = "".join(
                    f"<mo>{each}</mo>{self.inline(side)}"
                    for each, side in zip(signs, sides[1:], strict=False)
                )
                return f"<mrow>{self.inline(sides[0])}{rest}</mrow>"

    def _matrix(self, matrix: Mat) -> str:
        rows, below, right = matrix.shown()
        lines = []
        for i, row in enumerate(rows):
            cells = [self.number(each) for each in row]
            if right:
                cells.append("<mtext>...</mtext>" if i else f"<mtext>..., {right:,} more</mtext>")
            lines.append("".join(f"<mtd>{cell}</mtd>" for cell in cells))
        if below:
            lines.append(f"<mtd><mtext>[..., {below:,} more]</mtext></mtd>")
        table = "".join(f"<mtr>{line}</mtr>" for line in lines)
        return f"<mrow><mo>[</mo><mtable>{table}</mtable><mo>]</mo></mrow>"

    def _name(self, name: Sym, prime: str) -> str:
        if prime == "dot":
            return _scripts(f"<mover><mi>{name.base}</mi><mo>˙</mo></mover>", name)
        symbol = self.symbol(name)
        return f"<msup>{symbol}<mo>′</mo></msup>" if prime else symbol

    def symbol(self, symbol: Sym) -> str:
        """Return a symbol with its superscript and subscripts."""
        letter = f"<mi>{_inert(symbol.base)}</mi>"
        if symbol.vector:
            letter = f"<mover>{letter}<mo>→</mo></mover>"
        return _scripts(letter, symbol)

    def number(self, number: Num) -> str:
        """Return a number as it is shown, with its reference."""
        text = shown(number, self.digits).replace("inf", "∞")
        mantissa, exponent = split(text) if "∞" not in text else (text, None)
        if exponent is not None:
            mantissa += "×10" + exponent.translate(_SUP)
        factor = "" if number.factor == 1 else f' data-factor="{number.factor!r}"'
        return f'<mn data-ref="{number.reference}"{factor}>{mantissa.replace("-", "−")}</mn>'


def _parentheses(text: str) -> str:
    return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"


def _scripts(base: str, symbol: Sym) -> str:
    separator = "" if all(len(each) == 1 for each in symbol.sub) else ","
    below = separator.join(symbol.sub)
    below = f"<mn>{below}</mn>" if below.replace(",", "").isdigit() else f"<mi>{below}</mi>"
    example, comma, layer = symbol.sup.partition(",")
    above = f"<mn>{symbol.sup}</mn>"
    if example.isidentifier():  # any example's
        above = (
            f"<mrow><mi>{example}</mi><mo>,</mo><mn>{layer}</mn></mrow>"
            if comma
            else f"<mi>{example}</mi>"
        )
    if symbol.sup and symbol.sub:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    if symbol.sup:
        return f"<msup>{base}{above}</msup>"
    return f"<msub>{base}{below}</msub>" if symbol.sub else base
