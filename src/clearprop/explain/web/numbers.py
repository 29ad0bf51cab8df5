"""Numbers as the page shows them: rounded, with the reference of what they are."""

from __future__ import annotations

import math

from clearprop.explain.expression import Expr, Num
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.printers.digits import shown, split
from clearprop.page import Markup, tag

_SUP = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def written(text: str) -> str:
    """Return a shown number as a page writes it: 1.2e-05 as 1.2×10⁻⁵, with a minus sign."""
    text = text.replace("inf", "∞")
    mantissa, exponent = split(text) if "∞" not in text else (text, None)
    if exponent is not None:
        mantissa += "×10" + exponent.translate(_SUP)
    return mantissa.replace("-", "−")


class Numbers:
    """Writes numbers, and keeps the value of each, for the script to write them in other notations.

    Parameters
    ----------
    glyphs : Glyphs
    digits : int
        Significant digits.
    """

    def __init__(self, glyphs: Glyphs, digits: int) -> None:
        self.glyphs, self.digits = glyphs, digits
        self.values: dict[str, float | str] = {}

    def text(self, number: Num, digits: int | None = None) -> str:
        """Return a number as it is shown."""
        return written(shown(number, self.digits if digits is None else digits))

    def keep(self, number: Num) -> str:
        """Keep the engine's value of a number, and return its reference."""
        value = float(number.array[number.index])
        finite: float | str = value if math.isfinite(value) else _name(value)
        self.values[number.reference] = finite
        return number.reference

    def of(
        self, symbol: Expr, name: str = "span", digits: int | None = None, **attributes: object
    ) -> Markup:
        """Return an element with the number that a symbol stands for, or a dash.

        `digits` are those of this number, where there is no room for the page's.
        """
        number = symbol if isinstance(symbol, Num) else getattr(symbol, "value", None)
        if not isinstance(number, Num):
            return tag(name, "—", **attributes)
        return tag(
            name,
            self.text(number, digits),
            data_ref=self.keep(number),
            data_factor=None if number.factor == 1 else repr(number.factor),
            data_digits=digits,
            **attributes,
        )


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
