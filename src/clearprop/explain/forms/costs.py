"""How each cost is written: the terms of one sample, and dC/da."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from clearprop.activations import Array
from clearprop.explain.expression import Expr, Fn, Frac, Int, Neg, Pow, Prod, Sum, Sym
from clearprop.explain.forms.line import TERMS, chosen, difference, product_of, summed
from clearprop.explain.glyphs import Glyphs

_ONE, _HALF = Int(1), Frac(Int(1), Int(2))


@dataclass(frozen=True)
class Output:
    """One output of one sample: its symbols, and what the engine has for them."""

    glyphs: Glyphs
    j: int
    row: int

    @property
    def a(self) -> Sym:
        """The activation."""
        return self.glyphs.a(self.glyphs.last, self.j, self.row)

    @property
    def y(self) -> Sym:
        """The target."""
        return self.glyphs.y(self.j, self.row)

    @property
    def off(self) -> float:
        """What a - y is."""
        here = self.glyphs.at(self.glyphs.last).a[self.row, self.j]
        with np.errstate(all="ignore"):
            return float(here - self.glyphs.trace.Y[self.row, self.j])

    def parameter(self, name: str) -> Sym:
        """Return a parameter of the cost."""
        return self.glyphs.cost_parameter(name)

    def given(self, name: str) -> float:
        """Return the value of a parameter."""
        return float(self.glyphs.trace.architecture.cost.parameters[name])

    def difference(self) -> Expr:
        """Return a - y, or y - a where delta has the other sign."""
        return difference(self.glyphs, self.j, self.row)

    def less(self, plus: Expr | None, minus: Expr | None) -> Expr:
        """Return plus - minus, or its negative where delta has the other sign."""
        if self.glyphs.notation.delta_sign == -1:
            plus, minus = minus, plus
        terms = [*([plus] if plus else []), *([Neg(minus)] if minus else [])]
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def group(self) -> list[Output]:
        """Return the outputs that share its softmax."""
        ends = list(accumulate(self.glyphs.trace.architecture.cost.groups, initial=0))
        at = bisect(ends, self.j)
        return [Output(self.glyphs, i, self.row) for i in range(ends[at - 1], ends[at])]


def _off(glyphs: Glyphs, row: int) -> Array:
    with np.errstate(all="ignore"):
        off: Array = glyphs.at(glyphs.last).a[row] - glyphs.trace.Y[row]
    return off


def _delta(glyphs: Glyphs, row: int) -> Array:
    return glyphs.at(glyphs.last).delta[row]


@dataclass(frozen=True)
class Written:
    """How a cost is written.

    `term` is what one output costs, before the notation's 1/2 (`scaled`) or a minus (`negative`);
    `slope` its dC/da, likewise. The largest terms by `size` are shown; with `by_target`, those whose
    target is not 0. `said` is what the terms do not say of other outputs.
    """

    term: Callable[[Output], Expr]
    slope: Callable[[Output], Expr]
    size: Callable[[Glyphs, int], Array] = _off
    scaled: bool = False
    negative: bool = False
    by_target: bool = False
    said: str = ""


def _ln(arg: Expr) -> Fn:
    return Fn(Sym("ln"), arg)


def _abs(x: Output) -> Fn:
    return Fn(Sym("abs"), Sum((x.a, Neg(x.y))))


def _sign(x: Output) -> Fn:
    return Fn(Sym("sign"), x.difference())


def _huber(x: Output) -> Expr:
    if abs(x.off) <= x.given("delta"):
        return Prod((_HALF, Pow(Sum((x.a, Neg(x.y))), 2)))
    delta = x.parameter("delta")
    return Prod((delta, Sum((_abs(x), Neg(Frac(delta, Int(2)))))))


def _huber_slope(x: Output) -> Expr:
    if abs(x.off) <= x.given("delta"):
        return x.difference()
    return Prod((x.parameter("delta"), _sign(x)))


def _quantile(x: Output) -> Expr:
    q = x.parameter("q")
    if x.off <= 0:
        return Prod((q, Sum((x.y, Neg(x.a)))))
    return Prod((Sum((_ONE, Neg(q))), Sum((x.a, Neg(x.y)))))


def _quantile_slope(x: Output) -> Expr:
    q = x.parameter("q")
    return x.less(None, q) if x.off < 0 else x.less(_ONE, q) if x.off > 0 else Int(0)


def _q(x: Output) -> Expr:
    """Return which quantile an output is to be."""
    n, level = x.glyphs.sizes[-1], x.parameter("level")
    steps = 2 * x.j - (n - 1)  # of half the distance between two
    if not steps:
        return _HALF
    away = Prod((Frac(Int(abs(steps)), Int(2 * (n - 1))), level))
    return Sum((_HALF, away if steps > 0 else Neg(away)))


def _quantiles(x: Output) -> Expr:
    if x.off <= 0:
        return Prod((_q(x), Sum((x.y, Neg(x.a)))))
    return Prod((Sum((_ONE, Neg(_q(x)))), Sum((x.a, Neg(x.y)))))


def _quantiles_slope(x: Output) -> Expr:
    return x.less(None, _q(x)) if x.off < 0 else x.less(_ONE, _q(x)) if x.off > 0 else Int(0)


def _share(x: Output) -> Frac:
    """Return the softmax of an output's group."""
    of_group = [Fn(Sym("exp"), each.a) for each in x.group()]
    at = [each.j for each in x.group()].index(x.j)
    a = x.glyphs.at(x.glyphs.last).a[x.row, [each.j for each in x.group()]]
    return Frac(of_group[at], summed([of_group[i] for i in chosen(np.exp(a - a.max()), TERMS)], len(a)))


def _grouped_slope(x: Output) -> Expr:
    ys: list[Expr] = [each.y for each in x.group()]
    total = x.glyphs.trace.Y[x.row, [each.j for each in x.group()]].sum()
    share: Expr = _share(x)
    if total != 1:
        share = Prod((share, summed(ys, len(ys))))
    return x.less(share, x.y)


_SQUARES = Written(lambda x: Pow(Sum((x.a, Neg(x.y))), 2), Output.difference, scaled=True)
_LOGISTIC = Written(
    lambda x: Sum(
        (
            Prod((x.y, _ln(x.a))),
            Prod((Sum((_ONE, Neg(x.y))), _ln(Sum((_ONE, Neg(x.a)))))),
        )
    ),
    lambda x: x.less(Frac(Sum((_ONE, Neg(x.y))), Sum((_ONE, Neg(x.a)))), Frac(x.y, x.a)),
    size=_delta,
    negative=True,
)
# By name and output activation; "" for those that are written alike for all.
_WRITTEN = {
    ("quadratic", ""): _SQUARES,
    ("squared_error", ""): _SQUARES,
    ("cross_entropy", "softmax"): Written(
        lambda x: Prod((x.y, _ln(x.a))),
        lambda x: x.less(None, Frac(x.y, x.a)),
        negative=True,
        by_target=True,
    ),
    ("cross_entropy", ""): _LOGISTIC,
    ("binary_cross_entropy", ""): _LOGISTIC,
    ("mean_absolute_error", ""): Written(_abs, _sign),
    ("huber", ""): Written(
        _huber,
        _huber_slope,
        said="An output costs (a − y)²/2 where abs(a − y) is at most delta, and beyond it "
        "delta (abs(a − y) − delta/2): each is written as it is here.",
    ),
    ("quantile", ""): Written(
        _quantile,
        _quantile_slope,
        said="An output below its target costs q (y − a), one above it (1 − q) (a − y): each is "
        "written as it is here.",
    ),
    ("quantiles", ""): Written(
        _quantiles,
        _quantiles_slope,
        said="An output below its target costs q (y − a), one above it (1 − q) (a − y), each with a q "
        "of its own: each is written as it is here.",
    ),
    ("poisson", ""): Written(
        lambda x: Sum((x.a, Neg(Prod((x.y, _ln(x.a)))))),
        lambda x: x.less(_ONE, Frac(x.y, x.a)),
        size=_delta,
    ),
    ("grouped_cross_entropy", ""): Written(
        lambda x: Prod((x.y, _ln(_share(x)))), _grouped_slope, negative=True, by_target=True
    ),
}


def written(glyphs: Glyphs) -> Written | None:
    """Return how the cost of a trace is written; None of one that is not our own."""
    architecture = glyphs.trace.architecture
    name = architecture.cost.name
    return _WRITTEN.get((name, architecture.output.name), _WRITTEN.get((name, "")))


def of_sample(glyphs: Glyphs, how: Written, row: int) -> Expr:
    """Return the cost of one sample."""
    n = glyphs.sizes[-1]
    if how.by_target:
        targets = glyphs.trace.Y[row]
        terms = int((targets != 0).sum()) or n  # the others are 0 ln a = 0
        shown = [j for j in chosen(targets, TERMS) if targets[j] != 0 or terms == n]
    else:
        terms, shown = n, chosen(how.size(glyphs, row), TERMS)
    total = summed([how.term(Output(glyphs, j, row)) for j in shown], terms)
    if how.negative:
        return Neg(total)
    half = _HALF if how.scaled and glyphs.notation.cost_scale == 0.5 else _ONE
    return product_of(half, total)


def two(glyphs: Glyphs, how: Written) -> Expr:
    """Return the 2 that stands in dC/da of a square without the half, or nothing."""
    return Int(2) if how.scaled and glyphs.notation.cost_scale == 1.0 else _ONE
