"""Slices: the rows of a column, put together by what they hold.

A slice of a number is called by the least and the largest number that are in it, so that there is no
question to which side a boundary belongs.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table import seen
from clearprop.data.table.columns import CategoryColumn, TimeColumn, words_of
from clearprop.data.table.values import shown_number
from clearprop.reporting.subject import RawColumn

Array = NDArray[Any]

_DIGITS = 4  # of a number in a slice's name, where more would not tell two slices apart


@dataclass(frozen=True, eq=False)
class Slice:
    """Some rows.

    Parameters
    ----------
    name : str
    rows : ndarray of int
        Not empty.
    middle : float
        The median of the number; of other slices their place among all.
    kind : {"number", "word", "missing"}
    """

    name: str
    rows: NDArray[np.int64]
    middle: float
    kind: str = "number"


def slices(column: RawColumn, n_quantiles: int, most_words: int) -> list[Slice]:
    """Return a column's rows in slices: quantiles of a number, categories, and where it is missing.

    Parameters
    ----------
    column : RawColumn
    n_quantiles : int
        Into which numbers are cut, fewer where many rows hold one number.
    most_words : int
        Categories that are slices of their own; the others are one together.
    """
    numbers, words = raw_numbers(column), None
    if numbers is None:
        words = words_of(column.cells)
    elif _is_worded(column):
        import pyarrow.compute as pc

        words = pc.struct_field(column.cells, "word")
    found = []
    gaps = np.flatnonzero(column.cells.is_null().to_numpy(zero_copy_only=False))
    if numbers is not None:
        there = np.flatnonzero(~np.isnan(numbers))
        found += [
            Slice(each.name, there[each.rows], each.middle)
            for each in by_quantiles(numbers[there], n_quantiles, shown_number_of(column))
        ]
    if words is not None:
        found += _by_words(words, most_words, len(found))
    if len(gaps):
        found.append(Slice("missing", gaps, float(len(found)), "missing"))
    return found


def raw_numbers(column: RawColumn) -> Array | None:
    """Return what a column holds as float64, NaN where it is missing or a word; None of categories.

    A point in time is microseconds since 1970.
    """
    made = column.made
    return (
        None
        if made is None or isinstance(made, CategoryColumn)
        else seen.raw_numbers(made, column.cells)
    )


def shown_number_of(column: RawColumn) -> Callable[[float], str]:
    """Return what writes the numbers of `raw_numbers`."""
    return _shown_time if isinstance(column.made, TimeColumn) else shown_short


def _is_worded(column: RawColumn) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(column.cells.type))


def _by_words(words: Any, most: int, first: int) -> list[Slice]:
    """Return the rows of each category, the most frequent first, the rare ones together."""
    encoded = words.dictionary_encode()
    names = [str(each) for each in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    own = order if len(order) <= most + 1 else order[:most]
    found = [
        Slice(names[code], np.flatnonzero(codes == code), float(first + place), "word")
        for place, code in enumerate(own)
    ]
    if len(own) < len(order):
        rest = np.flatnonzero(np.isin(codes, order[len(own) :]))
        place = float(first + len(own))
        found.append(Slice(f"{len(order) - len(own):,} others", rest, place, "word"))
    return found


def by_quantiles(numbers: Array, n: int, shown: Callable[[float], str] | None = None) -> list[Slice]:
    """Return places of numbers between their quantiles; few different numbers are a slice each.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows,)
        Finite.
    n : int
        Slices, at most.
    shown : callable, optional
        How a number is written.
    """
    if not len(numbers):
        return []
    shown = shown or shown_short
    codes = codes_between(numbers, edges_of(numbers, n))
    found = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        low, high = float(numbers[rows].min()), float(numbers[rows].max())
        ends = list(dict.fromkeys((shown(low), shown(high))))
        found.append(Slice(" to ".join(ends), rows, float(np.median(numbers[rows]))))
    return found


def edges_of(numbers: Array, n: int) -> Array:
    """Return the numbers at or below which slices end, but for the last one."""
    different = np.unique(numbers)
    if len(different) <= n:
        return different[:-1]
    shares = np.arange(1, n) / n
    return np.unique(np.quantile(numbers, shares, method="inverted_cdf"))


def codes_between(numbers: Array, edges: Array) -> NDArray[np.int64]:
    """Return in which slice each number lies."""
    return np.searchsorted(edges, numbers, side="left")


def shown_short(value: float) -> str:
    """Return a number with as many digits as a reader wants."""
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}" if abs(value) >= 1e4 else str(int(value))
    return shown_number(float(f"{value:.{_DIGITS}g}"))


def _shown_time(microseconds: float) -> str:
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=microseconds)
    if moment.date() == datetime.date(1970, 1, 1):  # which a time of day has
        return moment.strftime("%H:%M")
    return moment.strftime("%Y-%m-%d" if moment.time() == datetime.time() else "%Y-%m-%d %H:%M")
