"""What the answers do as one column changes and everything else stays as it is.

Partial dependence (Friedman 2001) is the mean over rows; the curves of single rows (Goldstein et al.
2015) show what a mean hides. Combinations are asked about that there may not be: a house with ten rooms
on 20 square metres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.model.targets import Units
from clearprop.reporting.insights import Dependence
from clearprop.reporting.slices import edges_of, raw_numbers, shown_number_of, slices
from clearprop.reporting.subject import RawColumn, Subject

Array = NDArray[Any]

_ROWS, _CURVES = 500, 24
_POINTS, _WORDS = 16, 12  # values of a number, and categories, that are tried
_ENDS = (0.01, 0.99)  # quantiles between which numbers are tried
_CLASSES = 4  # the most frequent ones


def dependence(subject: Subject, column: RawColumn) -> Dependence:
    """Return the mean answer, and those of some rows, over the values of a column.

    Values are those of rows that are there: a cell is put into all other rows as it is.
    """
    assert column.made is not None
    givers, names, x = _values(column)
    rows = subject.sample(_ROWS, 4)
    numbers = np.tile(subject.numbers[rows], (len(givers), 1))
    cells = column.cells.take(givers)
    made = np.empty((len(givers), len(column.made.feature_names)))
    column.made.encode(cells, made)
    numbers[:, column.features] = np.repeat(made, len(rows), axis=0)
    answers = _answers(subject, subject.ask(numbers)).reshape(len(givers), len(rows), -1)
    shown = _shown_answers(subject)
    means = answers.mean(axis=1)
    return Dependence(
        column=column.name,
        kind="numeric" if x else "categorical",
        names=tuple(names),
        x=tuple(x) if x else tuple(map(float, range(len(givers)))),
        of=tuple(name for name, _ in shown),
        means=tuple(tuple(means[:, j].tolist()) for _, j in shown),
        curves=tuple(tuple(each) for each in answers[:, :_CURVES, shown[0][1]].T.tolist()),
        rows=len(rows),
    )


def _values(column: RawColumn) -> tuple[list[int], list[str], list[float]]:
    """Return rows whose cells are tried, what they hold, and as numbers, if they are."""
    numbers = raw_numbers(column)
    if numbers is None:
        found = [each for each in slices(column, 1, _WORDS) if " others" not in each.name]
        return [int(each.rows[0]) for each in found], [each.name for each in found], []
    there = np.flatnonzero(~np.isnan(numbers))
    low, high = np.quantile(numbers[there], _ENDS, method="inverted_cdf")
    inner = np.unique(numbers[there][(low <= numbers[there]) & (numbers[there] <= high)])
    tried = inner if len(inner) <= _POINTS else np.unique([low, *edges_of(inner, _POINTS), high])
    order = np.argsort(numbers[there], kind="stable")
    givers = there[order[np.searchsorted(numbers[there][order], tried)]]
    shown = shown_number_of(column)
    return givers.tolist(), [shown(float(value)) for value in tried], tried.tolist()


def _answers(subject: Subject, a: Array) -> Array:
    if subject.classes:
        return subject.probabilities_of(a)
    targets = subject.model.targets
    assert isinstance(targets, Units)
    return targets.decode(a)[:, :1].astype(np.float64)


def _shown_answers(subject: Subject) -> list[tuple[str, int]]:
    """Return what is drawn: a quantity, the second of two classes, or the most frequent ones."""
    if not subject.classes:
        return [(subject.model.schema.target or "prediction", 0)]
    if len(subject.classes) == 2:
        return [(subject.classes[1], 1)]
    counts = np.bincount(subject.predicted, minlength=len(subject.classes))
    order = np.argsort(-counts, kind="stable")[:_CLASSES]
    return [(subject.classes[j], int(j)) for j in order]
