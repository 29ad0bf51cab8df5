"""Columns that look like leaks: one alone tells the target, as if it had been written after it.

Each column is cut into slices, and what half of the rows say of each slice is held against the other
half; of a quantity also what the nearest rows of the other half say. A column may be right to tell so
much; so it is asked about, not judged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.reporting.insights import Leak, Leaks
from clearprop.reporting.slices import raw_numbers, slices
from clearprop.reporting.subject import RawColumn, Subject

Array = NDArray[Any]

_QUANTILES, _WORDS = 64, 256
_ROWS = 20_000
_FEWEST = 100  # rows below which chance may do it
# Of the rows, and of a majority's mistakes, a leak is wrong about so many at most.
_WRONG, _LEFT = 0.02, 0.2
_UNEXPLAINED = 0.02  # of a quantity's variance that a leak leaves
_SHOWN = 5


def leaks(subject: Subject) -> Leaks | None:
    """Return what the best columns tell alone, and which of them look like leaks; None of few rows."""
    assert subject.y is not None
    rows = subject.sample(_ROWS, 5, np.flatnonzero(subject.known))
    if len(rows) < _FEWEST:
        return None
    y = subject.y[rows].astype(np.float64)
    now = _wrong_share(np.zeros(len(rows), np.int64), y, subject)
    found = []
    for column in subject.columns:
        left = _wrong_share(_codes(column, rows), y, subject)
        numbers = None if subject.classes else raw_numbers(column)
        if numbers is not None:
            left = min(left, _left_between(numbers[rows], y))
        told = 1.0 - left
        suspect = left <= (min(_WRONG, _LEFT * now) if subject.classes else _UNEXPLAINED)
        found.append(Leak(column.name, told, bool(suspect)))
    found.sort(key=lambda each: -each.told)
    shown = [each for at, each in enumerate(found) if at < _SHOWN or each.suspect]
    measure = "accuracy" if subject.classes else "r2"
    return Leaks(measure, 1.0 - now, len(rows), tuple(shown))


def _left_between(numbers: Array, y: Array) -> float:
    """Return the unexplained variance of a quantity that is told by the nearest rows of the other half.

    Slices are too wide for what is exact: between the next number below and above y is a line.
    """
    there = np.flatnonzero(~np.isnan(numbers))
    order = there[np.argsort(numbers[there], kind="stable")]
    wrong = np.full(len(y), y.var())
    for learned, held in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        if not len(learned) or not len(held):
            return 1.0
        different, place = np.unique(numbers[learned], return_inverse=True)
        means = np.bincount(place, y[learned]) / np.bincount(place)
        wrong[held] = (np.interp(numbers[held], different, means) - y[held]) ** 2
    return float(wrong.mean() / y.var()) if y.var() > 0 else 1.0


def _codes(column: RawColumn, rows: Array) -> NDArray[np.int64]:
    """Return in which slice of a column each row is."""
    codes = np.zeros(len(column.cells), np.int64)
    for code, each in enumerate(slices(column, _QUANTILES, _WORDS)):
        codes[each.rows] = code
    return codes[rows]


def _wrong_share(codes: Array, y: Array, subject: Subject) -> float:
    """Return how much is wrong, or unexplained, of what slices say of the other half of the rows."""
    half = np.arange(len(y)) % 2 == 0
    wrong = np.zeros(len(y))
    for learned in (half, ~half):
        held = ~learned
        if subject.classes:
            counts = np.zeros((codes.max() + 1, len(subject.classes)))
            np.add.at(counts, (codes[learned], y[learned].astype(np.int64)), 1.0)
            said = (counts + 1e-3 * counts.sum(axis=0) / counts.sum()).argmax(axis=1)
            wrong[held] = said[codes[held]] != y[held]
        else:
            mean = y[learned].mean()
            sums = np.bincount(codes[learned], y[learned] - mean, minlength=codes.max() + 1)
            counts = np.bincount(codes[learned], minlength=codes.max() + 1)
            said = mean + sums / np.maximum(counts, 1)
            wrong[held] = (said[codes[held]] - y[held]) ** 2
    if subject.classes:
        return float(wrong.mean())
    spread = float(y.var())
    return float(wrong.mean()) / spread if spread > 0 else 1.0
