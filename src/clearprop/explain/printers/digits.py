"""A number as it is shown: rounded to so many significant digits, or exactly if that is shorter."""

from __future__ import annotations

import math

import numpy as np

from clearprop.explain.expression import Num


def shown(number: Num, digits: int) -> str:
    """Return a number in ASCII, always with a point or an exponent, or as NaN, inf, -inf.

    0.05 is shown as it is, where four digits of it would be 0.05000: it is 0.05 in the array's dtype.
    """
    value = number.value + 0.0  # the sign of -0.0 says nothing here
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    rounded = f"{value:.{digits}g}"
    kind = number.array.dtype.type
    with np.errstate(all="ignore"):
        exact = kind(float(rounded)) == kind(value)
    if exact:
        return rounded if set(rounded) & {".", "e"} else rounded + ".0"
    return f"{value:#.{digits}g}"


def split(text: str) -> tuple[str, str | None]:
    """Return mantissa and exponent of a shown number."""
    mantissa, e, exponent = text.partition("e")
    return mantissa, str(int(exponent)) if e else None
