"""Where the model is worse than elsewhere: rows by what they hold in one column.

A segment is compared with all other rows. Of a hundred segments five would seem worse by chance, and
small ones most of all: the intervals hold together (Bonferroni), and segments are in the order of how
far they fall behind at least, by the lower end of theirs, so that a small one does not shout.

A difference of shares has the interval of Agresti and Caffo (2000), which adds two rows to each part,
one right and one wrong; a difference of means Welch's (1947).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from clearprop.data.table.columns import CategoryColumn, words_of
from clearprop.reporting.classes import share_of
from clearprop.reporting.insights import Segment, Segments
from clearprop.reporting.quantities import mean_of
from clearprop.reporting.slices import Slice, slices
from clearprop.reporting.subject import RawColumn, Subject
from clearprop.reporting.value import LEVEL, Value

Array = NDArray[Any]

_QUANTILES, _WORDS = 4, 20
_MOST_COLUMNS = 100


def segments(subject: Subject) -> Segments:
    """Return how good the model is on each segment, those that surely fall behind first."""
    assert subject.y is not None
    known = np.flatnonzero(subject.known)
    is_known = subject.known
    if subject.classes:
        errors = (subject.predicted != subject.y).astype(np.float64)
    else:
        errors = np.abs(subject.predicted - subject.y)
    found, empty, constant = [], [], []
    for column in subject.columns[:_MOST_COLUMNS]:
        for each in slices(column, _QUANTILES, _WORDS):
            rows = each.rows[is_known[each.rows]]
            if 0 < len(rows) < len(known):
                found.append((column, each, rows))
            elif len(each.rows) == len(subject) > 1:
                constant.append(column.name)
        empty += _empty(column)
    total = float(errors[known].sum()), float((errors[known] ** 2).sum()), len(known)
    level = 1.0 - (1.0 - LEVEL) / max(1, len(found))
    made = [_segment(subject, *each, errors, total, level) for each in found]
    made.sort(key=lambda one: -(one.behind.low if one.behind.low is not None else -np.inf))
    measure = "accuracy" if subject.classes else "mae"
    value = total[0] / total[2]
    value = 1.0 - value if subject.classes else value
    return Segments(measure, value, tuple(made), tuple(empty), tuple(constant))


def _empty(column: RawColumn) -> list[str]:
    """Return the categories of the training that no row here has."""
    made = column.made
    if not isinstance(made, CategoryColumn):
        return []
    there = set(words_of(column.cells).unique().to_pylist())
    return [f"{column.name}: {word}" for word in made.categories if word not in there]


def _segment(
    subject: Subject,
    column: RawColumn,
    each: Slice,
    rows: Array,
    errors: Array,
    total: tuple[float, float, int],
    level: float,
) -> Segment:
    mine = errors[rows]
    n = len(mine)
    score = share_of(n, n - int(mine.sum())) if subject.classes else mean_of(mine)
    sums = float(mine.sum()), float((mine**2).sum()), n
    others = total[0] - sums[0], total[1] - sums[1], total[2] - n
    behind = (_of_shares if subject.classes else _of_means)(sums, others, level)
    return Segment(column.name, each.name, n, score, behind)


_Sums = tuple[float, float, int]  # of errors, of their squares, and how many


def _of_shares(mine: _Sums, others: _Sums, level: float) -> Value:
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    p, q = ((wrong + 1.0) / (n + 2.0) for wrong, _, n in (mine, others))
    half = z * float(np.sqrt(p * (1 - p) / (mine[2] + 2) + q * (1 - q) / (others[2] + 2)))
    return Value(mine[0] / mine[2] - others[0] / others[2], p - q - half, p - q + half)


def _of_means(mine: _Sums, others: _Sums, level: float) -> Value:
    difference = mine[0] / mine[2] - others[0] / others[2]
    if min(mine[2], others[2]) < 2:
        return Value(difference)
    parts = [max(squares - total**2 / n, 0.0) / (n - 1) / n for total, squares, n in (mine, others)]
    variance = sum(parts)
    if variance == 0:
        return Value(difference, difference, difference)
    freedom = variance**2 / (parts[0] ** 2 / (mine[2] - 1) + parts[1] ** 2 / (others[2] - 1))
    half = float(t.ppf((1.0 + level) / 2.0, freedom)) * variance**0.5
    return Value(difference, difference - half, difference + half)
