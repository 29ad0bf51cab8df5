"""A formula in one of its forms, and what is shown of long ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clearprop.explain.expression import (
    Expr,
    Frac,
    Int,
    Mat,
    Missing,
    Neg,
    Num,
    Prod,
    Relation,
    Sum,
    has_symbols,
    shown_of,
    substituted,
)
from clearprop.explain.glyphs import Glyphs

FORMS = ("matrix", "component", "numbers", "chain", "path")
NEURONS, TERMS, INPUTS, PATHS = 3, 4, 2, 4  # that are shown of more


@dataclass(frozen=True)
class Line:
    """One formula in one form.

    `label` is the equation's name in its book. `form` is one of `FORMS`, or "numbers" for one that
    shows symbols, substituted numbers, and result.
    """

    formula: Relation
    form: str
    label: str = ""


def chosen(sizes: Iterable[float], limit: int) -> list[int]:
    """Return the indices of the largest |values| in ascending order; NaN counts as largest."""
    values = np.abs(np.asarray(list(sizes), np.float64))
    n = shown_of(len(values), limit)
    if n == len(values):
        return list(range(n))
    order = np.argsort(-np.where(np.isnan(values), np.inf, values), kind="stable")
    return sorted(int(each) for each in order[:n])


def neurons(glyphs: Glyphs, layer: int, row: int = 0) -> list[int]:
    """Return the neurons of a layer that are shown: all of a small one, else those that matter most."""
    return chosen(glyphs.at(layer).delta[row], NEURONS)


def stands_for(lhs: Expr) -> Expr:
    """Return the number or matrix that a symbol stands for, or that it was not computed."""
    value = getattr(lhs, "value", None)
    return value if isinstance(value, Num | Mat) else Missing()


def lines_of(
    lhs: Expr,
    *sides: Expr,
    label: str = "",
    matrix: bool = False,
    sign: str = "=",
    result: Expr | None = None,
) -> list[Line]:
    """Return a formula's lines: symbols alone, and symbols, numbers, result."""
    end = stands_for(lhs) if result is None else result
    in_numbers = substituted(sides[-1])
    number = in_numbers.arg if isinstance(in_numbers, Neg) else in_numbers
    alone = isinstance(number, Num | Mat)  # δ = 0.1 = 0.1 says it twice
    middle = () if has_symbols(in_numbers) or alone else (in_numbers,)
    if matrix:
        return [
            Line(Relation((lhs, *sides), sign), "matrix", label),
            Line(Relation((lhs, *middle, end), sign), "matrix"),
        ]
    return [
        Line(Relation((lhs, *sides), sign), "component", label),
        Line(Relation((lhs, *sides, *middle, end), sign), "numbers", label),
    ]


def product_of(*factors: Expr) -> Expr:
    """Return the product of factors without those that are 1."""
    kept = tuple(each for each in factors if each != Int(1))
    return kept[0] if len(kept) == 1 else Prod(kept)


def summed(terms: list[Expr], n: int, zero: bool = False) -> Expr:
    """Return the sum of n terms of which some are shown; `zero` says that the others are all 0."""
    left_out = n - len(terms)
    return terms[0] if n == 1 else Sum(tuple(terms), left_out, zero and left_out > 0)


def batch_scale(glyphs: Glyphs) -> Expr:
    """Return the 1/m that stands in delta, or nothing."""
    n = glyphs.n_samples
    return Frac(Int(1), Int(n)) if n > 1 and glyphs.notation.reduction_in == "delta" else Int(1)


def difference(glyphs: Glyphs, j: int | None, row: int | None) -> Expr:
    """Return a - y, or y - a where delta has the other sign."""
    a, y = glyphs.a(glyphs.last, j, row), glyphs.y(j, row)
    return Sum((a, Neg(y))) if glyphs.notation.delta_sign == 1 else Sum((y, Neg(a)))
