"""Formulas on the page: MathML in rows, one side a row."""

from __future__ import annotations

from clearprop.explain.expression import Expr, Neg, Prod, Relation, Sum, children
from clearprop.explain.forms import Line
from clearprop.explain.printers.mathml import MathmlPrinter
from clearprop.page import Markup, joined, tag

ROOM = 7  # numbers or symbols on a line of a long sum


def _leaves(node: Expr) -> int:
    return sum(map(_leaves, children(node))) or 1


def _sum_in(node: Expr) -> Sum | None:
    """Return the sum that a formula is, or around which it is written."""
    match node:
        case Sum() | Neg(Sum()):
            return node if isinstance(node, Sum) else node.arg  # type: ignore[return-value]
        case Prod(factors):
            sums = [factor for factor in factors if isinstance(factor, Sum)]
            return sums[0] if len(sums) == 1 else None
    return None


class Formulas:
    """Writes formulas as the script does; a test compares the two.

    Parameters
    ----------
    digits : int
        Significant digits.
    """

    def __init__(self, digits: int) -> None:
        self._mathml = MathmlPrinter(digits)

    def line(self, line: Line) -> Markup:
        """Return a line: the formula, and the name of its equation."""
        parts = [tag("div", self.math(line.formula), class_="math")]
        if line.label:
            parts.append(tag("span", line.label, class_="equation"))
        return tag("div", joined(parts), class_="formula", data_form=line.form)

    def math(self, relation: Relation) -> Markup:
        """Return a relation as a ``math`` element: its first side, then a row for each other side."""
        first, *others = relation.sides
        left, sign = (self._mathml.inline(first), relation.sign) if others else ("", "")
        rows = []
        for side in others or [first]:
            for line in self._lines(side):
                rows.append(
                    f"<mtr><mtd>{left}</mtd><mtd><mo>{sign}</mo></mtd><mtd>{line}</mtd></mtr>"
                    if sign
                    else f"<mtr><mtd></mtd><mtd></mtd><mtd>{line}</mtd></mtr>"
                )
                left = sign = ""
            sign = "="
        return Markup(f'<math display="block"><mtable>{"".join(rows)}</mtable></math>')

    def _lines(self, side: Expr) -> list[str]:
        """Return a side in lines: a long sum is broken before its terms."""
        total = _sum_in(side)
        if total is None or sum(map(_leaves, total.terms)) <= ROOM:
            return [self._mathml.inline(side)]
        lines: list[str] = []
        taken = 0
        for i, piece in enumerate(self._mathml.pieces(side)):
            wide = _leaves(total.terms[i]) if i < len(total.terms) else 2
            if not lines or taken + wide > ROOM:
                lines.append("")
                taken = 0
            lines[-1] += piece
            taken += wide
        return [f"<mrow>{line}</mrow>" for line in lines]

    def inline(self, node: Expr) -> str:
        """Return an expression as MathML without its ``math`` element."""
        return self._mathml.inline(node)
