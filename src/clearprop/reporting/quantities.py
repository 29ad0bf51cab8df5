"""What is particular to quantities: predicted against true, residuals, and whether intervals hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.evaluation import wilson_interval
from clearprop.model import conformal
from clearprop.model.targets import Units
from clearprop.reporting.slices import Slice, by_quantiles, slices
from clearprop.reporting.subject import RawColumn, Subject
from clearprop.reporting.tree import Coverage, Fit, Group, Over
from clearprop.reporting.value import LEVEL, Value

Array = NDArray[Any]

_POINTS = 800  # of predicted against true
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LEVELS = (0.5, 0.8, 0.9, 0.95)
_NORMAL = 1.959963984540054  # 97.5 % of a normal distribution lie below
_GROUPS, _WORDS = 10, 12  # of a number's quantiles, and categories, that residuals are shown over


def fit(subject: Subject, strong: tuple[RawColumn, ...]) -> Fit:
    """Return predicted against true, and residuals over the prediction and some columns."""
    assert subject.y is not None
    predicted, true = subject.predicted, subject.y.astype(np.float64)
    residual = true - predicted
    rows = subject.sample(_POINTS, 1)
    quantiles = np.quantile(residual, _QUANTILES)
    over = [_over("the prediction", by_quantiles(predicted, _GROUPS), residual)]
    over += [_over(each.name, slices(each, _GROUPS, _WORDS), residual) for each in strong]
    return Fit(
        rows=len(rows),
        predicted=tuple(predicted[rows].tolist()),
        true=tuple(true[rows].tolist()),
        quantiles={
            f"{100 * share:g} %": float(value)
            for share, value in zip(_QUANTILES, quantiles, strict=True)
        },
        over=tuple(each for each in over if len(each.groups) > 1),
    )


def _over(column: str, found: Sequence[Slice], residual: Array) -> Over:
    """Return true less predicted in slices of the rows."""
    groups = tuple(
        Group(
            each.name,
            len(each.rows),
            each.middle,
            mean_of(residual[each.rows]),
            float(np.sqrt(np.mean(residual[each.rows] ** 2))),
        )
        for each in found
    )
    is_number = all(each.kind == "number" for each in found)
    return Over(column, "numeric" if is_number else "categorical", groups)


def mean_of(values: Array) -> Value:
    """Return a mean, with the interval of a normal distribution; without one of a single row."""
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Value(mean)
    half = _NORMAL * float(values.std(ddof=1)) / n**0.5
    return Value(mean, mean - half, mean + half)


def coverage(subject: Subject) -> tuple[tuple[Coverage, ...], str]:
    """Return how many rows intervals hold, at several levels; or why there are none."""
    units, y = subject.model.targets, subject.y
    assert isinstance(units, Units)
    assert y is not None
    found, reason = [], ""
    for level in _LEVELS:
        try:
            exact = conformal.check_level(level)
            bounds = units.bounds(subject.outputs, exact)[:, 0].astype(np.float64)
        except ValueError as problem:
            reason = str(problem)
            continue
        held = int(((bounds[:, 0] <= y) & (y <= bounds[:, 1])).sum())
        share = Value(held / len(y), *wilson_interval(held / len(y), len(y), LEVEL))
        width = float(np.median(bounds[:, 1] - bounds[:, 0]))
        found.append(Coverage(level, share, width))
    return tuple(found), reason
