"""How numbers are said."""

from __future__ import annotations

import math
from typing import Any

_SYMBOLS = {
    "delta": "δ",
    "dC/d": "∂C/∂",
    "grad C": "∇C",
    "eta": "η",
    "^T": "ᵀ",
    " * ": " ⊙ ",
    "<-": "←",
}


def symbols(equation: str) -> str:
    """Return an equation of a finding with the symbols that ASCII does not have."""
    for written, symbol in _SYMBOLS.items():
        equation = equation.replace(written, symbol)
    return equation


def graded(value: float, warning: float, error: float) -> str | None:
    """Return "error", "warning" or None for a value that is worse the larger it is."""
    if math.isnan(value):
        return None
    return "error" if value >= error else "warning" if value >= warning else None


def graded_below(value: float, warning: float, error: float) -> str | None:
    """Return "error", "warning" or None for a value that is worse the smaller it is."""
    if math.isnan(value):
        return None
    return "error" if value < error else "warning" if value < warning else None


def number(value: float) -> str:
    """Return a number with three digits."""
    if value and math.isfinite(value) and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage; what is nearly nothing or nearly all is not rounded to it."""
    value = 100.0 * share
    if 0 < value < 1 or 99 < value < 100:
        return f"{value:.2g} %" if value < 1 else f"{math.floor(value * 10) / 10:g} %"
    return f"{value:.0f} %"


def of(some: Any, many: int, noun: str) -> str:
    """Return "3 of 10 units", or "the only unit"."""
    if some == many:
        return f"the only {noun}" if many == 1 else f"all {many:,} {noun}s"
    return f"{int(some):,} of {many:,} {noun}s"


def named(some: int, noun: str, many: str = "") -> str:
    """Return "1 group" or "3 groups"."""
    return f"{some:,} {noun if some == 1 else many or noun + 's'}"


def times(value: float) -> str:
    """Return "40 times"."""
    return f"{number(value)} times"
