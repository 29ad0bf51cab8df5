"""Whether these rows are like those of the training, column by column.

A model's file keeps counts of each column's cells (`clearprop.data.table.seen`). The same counts of
these rows are held against them by one test for all kinds of columns, Pearson's chi-squared test of two
samples, with Holm's correction (1979) for the number of columns. Of very many rows every difference is
sure; how large it is says the share of rows that lie elsewhere, half the sum of the differences of all
shares.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from clearprop.data.table.columns import CategoryColumn, NumericColumn
from clearprop.data.table.seen import Seen
from clearprop.reporting.insights import ColumnDrift, Drift
from clearprop.reporting.slices import shown_number_of
from clearprop.reporting.subject import RawColumn, Subject

Array = NDArray[Any]

_SURE = 0.01  # of all columns together, by chance
_MUCH = 0.02  # of the rows elsewhere, below which a sure difference does not matter
_EXPECTED = 5.0  # rows in a cell, below which the test's distribution does not hold


def drift(subject: Subject) -> Drift | None:
    """Return how far each column has moved, the farthest first; None where nothing is known of then."""
    encoder = subject.model.inputs.encoder
    if encoder is None or not encoder.seen:
        return None
    pairs = [
        (column, then, then.of(column.made, column.cells))
        for column, then in zip(subject.columns, encoder.seen, strict=True)
        if column.made is not None
    ]
    chances = holm([chance_of(then.cells, now.cells) for _, then, now in pairs])
    found = [
        _moved(column, then, now, chance)
        for (column, then, now), chance in zip(pairs, chances, strict=True)
    ]
    found.sort(key=lambda each: (not each.drifted, -each.elsewhere))
    n_then = max((sum(then.cells) for _, then, _ in pairs), default=0)
    return Drift(n_then, len(subject), tuple(found))


def chance_of(then: tuple[int, ...], now: tuple[int, ...]) -> float:
    """Return how often two samples of one distribution differ as much in their counts, or more.

    Cells of which fewer than five rows are expected are taken together.
    """
    table = np.array([then, now], np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    few = (expected < _EXPECTED).any(axis=0)
    if few.any():
        table = np.column_stack([table[:, ~few], table[:, few].sum(axis=1)])
    table = table[:, table.any(axis=0)]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chi2.sf(statistic, table.shape[1] - 1))


def holm(chances: list[float]) -> list[float]:
    """Return the chances, each as it counts among so many.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(chances, kind="stable")
    found, largest = np.empty(len(chances)), 0.0
    for place, column in enumerate(order):
        largest = max(largest, min(1.0, chances[column] * (len(chances) - place)))
        found[column] = largest
    return [float(each) for each in found]


def _moved(column: RawColumn, then: Seen, now: Seen, chance: float) -> ColumnDrift:
    p, q = (np.array(each.cells, np.float64) / max(sum(each.cells), 1) for each in (then, now))
    elsewhere = float(np.abs(p - q).sum() / 2.0)
    names = _names(column, then)
    most = int(np.argmax(np.abs(p - q)))
    drifted = chance < _SURE and elsewhere >= _MUCH
    return ColumnDrift(
        column.name, chance, elsewhere, names[most], float(p[most]), float(q[most]), drifted
    )


def _names(column: RawColumn, then: Seen) -> list[str]:
    """Return what each cell of the counts is called."""
    made = column.made
    if isinstance(made, CategoryColumn):
        return [*made.categories, "others", "missing"]
    shown = shown_number_of(column)
    ends = [shown(edge) for edge in then.edges]
    names = ["any number"]
    if ends:
        between = itertools.pairwise(ends)
        names = [f"up to {ends[0]}", *(f"above {a} up to {b}" for a, b in between), f"above {ends[-1]}"]
    words = made.words if isinstance(made, NumericColumn) else ()
    return [*names, *words, "missing"]
