"""Formulas on the page: MathML in rows, one side a row."""

from __future__ import annotations

from clearprop.explain.expression import Expr, Relation
from clearprop.explain.forms import Line
from clearprop.explain.printers.mathml import MathmlPrinter
from clearprop.page import Markup, joined, tag


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
        rows = []
        for i, side in enumerate(others or [first]):
            left = self._mathml.inline(first) if i == 0 and others else ""
            sign = (relation.sign if i == 0 else "=") if others else ""
            rows.append(
                f"<mtr><mtd>{left}</mtd><mtd><mo>{sign}</mo></mtd>"
                f"<mtd>{self._mathml.inline(side)}</mtd></mtr>"
            )
        return Markup(f'<math display="block"><mtable>{"".join(rows)}</mtable></math>')

    def inline(self, node: Expr) -> str:
        """Return an expression as MathML without its ``math`` element."""
        return self._mathml.inline(node)
