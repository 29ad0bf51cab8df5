"""The smallest changes of a row that would turn what it is told to be.

One column is changed at a time, then two, then three; the first number of columns that is enough is
kept to. A category is tried as each other category, a number or a date as the values that the training
had, from its lowest slice to its highest; the nearest that is enough is then sought by halving. So a
change is one that is enough, and of its columns the nearest, and never outside what the training had.
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import meant, some
from clearprop.data.table import TableEncoder, dates
from clearprop.data.table.columns import CategoryColumn, TimeColumn
from clearprop.data.table.dressed import Dress, dress_of
from clearprop.data.table.seen import Seen
from clearprop.data.table.values import text_of
from clearprop.reasons.result import Values

Row = Mapping[str, Any]
Told = tuple[NDArray[np.int64], NDArray[np.float64]]  # the class of every row, its probability

MOST_COLUMNS = 3  # that are changed together
_TOGETHER = 4096  # rows that are asked together
_HALVINGS = 30
_EPOCH, _MICROSECOND = datetime.datetime(1970, 1, 1), datetime.timedelta(microseconds=1)
_DAY, _MINUTE, _SECOND = 86_400_000_000, 60_000_000, 1_000_000  # microseconds
_NEAR = 0.01  # of its range, that a number may be farther away than it has to be, for fewer digits


class Change(NamedTuple):
    """What would turn a decision.

    Parameters
    ----------
    values : dict
        What each changed column holds, and would have to hold: (from, to).
    number : int
        Of the class that would be told then.
    probability : float
        Of that class.
    distance : float
        How far it is: a category counts 1, a number the share of its range.
    """

    values: dict[str, tuple[Any, Any]]
    number: int
    probability: float
    distance: float


@dataclass(frozen=True)
class _Column:
    """What a column may be changed to, and how far that is."""

    name: str
    now: Any
    options: tuple[Any, ...]
    width: float = 0.0  # of the range of numbers
    whole: bool = False
    dress: Dress | None = None  # what numbers wear in the table
    unit: int = 0  # microseconds of one, of a time
    is_clock: bool = False  # a time of day

    @property
    def is_number(self) -> bool:
        return self.width > 0.0 and isinstance(self.now, int | float)

    def distance(self, then: Any) -> float:
        return abs(then - self.now) / self.width if self.is_number else 1.0

    def told(self, value: Any) -> Any:
        if not self.unit or value is None:
            return value
        moment = _EPOCH + value * self.unit * _MICROSECOND
        if self.is_clock:
            return moment.time()
        return moment.date() if self.unit == _DAY else moment

    def written(self, value: Any) -> Any:
        if self.dress is None:
            return self.told(value)
        text = f"{value:.9g}".replace(".", self.dress.decimal)
        return f"{self.dress.before}{text}{self.dress.after}"


def smallest(
    row: Row,
    columns: Sequence[str],
    encoder: TableEncoder,
    ask: Callable[[Sequence[Row]], Told],
    numbers: Row | None = None,
) -> list[Change]:
    """Return the changes that turn the decision of a row, the smallest first; none if there are none.

    Parameters
    ----------
    row : mapping
        What it holds, of every column that is needed.
    columns : sequence of str
        Those that may be changed.
    encoder : TableEncoder
    ask : callable
        What is told of rows: the number of the class, and its probability.
    numbers : mapping, optional
        What `numbers_of` makes of the row; None is what the row itself holds.

    Raises
    ------
    ValueError
        If a column is none that can be changed.
    """
    cells = {**row, **(numbers or {})}
    allowed = [_column(name, cells, encoder) for name in dict.fromkeys(columns)]
    now = int(ask([row])[0][0])
    for n in range(1, min(MOST_COLUMNS, len(allowed)) + 1):
        found: list[Change] = []
        for chosen in itertools.combinations(allowed, n):
            if (best := _nearest(row, chosen, now, ask)) is not None:
                found.append(best)
        if found:
            return sorted(found, key=lambda each: each.distance)
    return []


def _column(name: str, row: Row, encoder: TableEncoder) -> _Column:
    used = dict(zip(encoder.columns, encoder.encoded, strict=True))
    if name not in used:
        raise ValueError(
            f"columns to change must be among those the model learned from, got {name!r}"
            f"{meant(name, encoder.columns)}: {some(encoder.columns)}"
        )
    made, now = used[name], row[name]
    if isinstance(made, CategoryColumn):
        return _Column(name, now, tuple(word for word in made.categories if word != text_of(now)))
    form = next(d.type for d in encoder.decisions if d.name == name).partition(" ")[2]
    seen: Seen | None = dict(zip(encoder.columns, encoder.seen, strict=False)).get(name)
    if seen is None or not seen.edges:
        raise ValueError(
            f"columns to change must have a range in the model's file, {name!r} has none: an earlier "
            "version wrote it"
        )
    if isinstance(made, TimeColumn):
        return _time(name, now, seen, dates.is_time_of_day(form))
    values = sorted({*seen.edges})
    whole = all(float(each).is_integer() for each in (*values, made.median))
    if whole and isinstance(now, float) and now.is_integer():
        now = int(now)
    options = tuple(int(each) if whole else each for each in values if each != now)
    dress = dress_of(form)
    worn = dress if dress is not None and (dress.before or dress.after) else None
    return _Column(name, now, options, max(values[-1] - values[0], 1e-300), whole, worn)


def _time(name: str, now: datetime.datetime | None, seen: Seen, is_clock: bool) -> _Column:
    """Return a column of times in whole days, minutes or seconds, whatever it was written in."""
    at = None if now is None else (now - _EPOCH) // _MICROSECOND
    fits = (all(each % unit == 0 for each in (*seen.edges, at or 0)) for unit in (_DAY, _MINUTE))
    unit = _DAY if next(fits) else _MINUTE if next(fits) else _SECOND
    here = None if at is None else round(at / unit)
    values = sorted({round(each / unit) for each in seen.edges})
    options = tuple(each for each in values if each != here)
    width = max(values[-1] - values[0], 1)
    return _Column(name, here, options, width, whole=True, unit=unit, is_clock=is_clock)


def numbers_of(encoder: TableEncoder, values: Values) -> dict[str, Any]:
    """Return what a row holds as numbers and points in time, by column: of its first row."""
    return {
        each.name: values.cell(0, place)
        for place, each in enumerate(encoder.encoded)
        if not isinstance(each, CategoryColumn)
    }


def _nearest(
    row: Row, chosen: Sequence[_Column], now: int, ask: Callable[[Sequence[Row]], Told]
) -> Change | None:
    """Return the nearest change of all these columns together that turns the decision."""
    best: tuple[float, tuple[Any, ...]] | None = None
    every = itertools.product(*(each.options for each in chosen))
    while options := list(itertools.islice(every, _TOGETHER)):
        told, _ = ask([_changed(row, chosen, values) for values in options])
        for values in itertools.compress(options, told != now):
            far = _distance(chosen, values)
            if best is None or far < best[0]:
                best = far, values
    if best is None:
        return None
    values = best[1]
    for place, column in enumerate(chosen):
        if column.is_number:
            values = _halved(row, chosen, values, place, now, ask)
            if not column.unit:
                values = _rounded(row, chosen, values, place, now, ask)
    ((number,), (probability,)) = ask([_changed(row, chosen, values)])
    pairs = {
        each.name: (each.told(each.now), each.told(value))
        for each, value in zip(chosen, values, strict=True)
    }
    return Change(pairs, int(number), float(probability), _distance(chosen, values))


def _halved(
    row: Row,
    chosen: Sequence[_Column],
    values: tuple[Any, ...],
    place: int,
    now: int,
    ask: Callable[[Sequence[Row]], Told],
) -> tuple[Any, ...]:
    """Return values of which one is as near to the row's as still turns the decision."""
    column = chosen[place]
    keeps, turns = column.now, values[place]
    for _ in range(_HALVINGS):
        middle = (keeps + turns) / 2.0
        if column.whole:
            middle = math.floor(middle) if turns < keeps else math.ceil(middle)
        if middle in (keeps, turns):
            break
        tried = (*values[:place], middle, *values[place + 1 :])
        if ask([_changed(row, chosen, tried)])[0][0] != now:
            turns = middle
        else:
            keeps = middle
    return (*values[:place], turns, *values[place + 1 :])


def _rounded(
    row: Row,
    chosen: Sequence[_Column],
    values: tuple[Any, ...],
    place: int,
    now: int,
    ask: Callable[[Sequence[Row]], Told],
) -> tuple[Any, ...]:
    """Return values of which one has no more digits than it needs, and turns the decision."""
    column, exact = chosen[place], values[place]
    for digits in range(1, 9):
        short = float(f"{exact:.{digits}g}")
        tried = (*values[:place], int(short) if column.whole else short, *values[place + 1 :])
        near = abs(short - exact) <= _NEAR * column.width
        if near and ask([_changed(row, chosen, tried)])[0][0] != now:
            return tried
    return values


def _changed(row: Row, chosen: Sequence[_Column], values: Sequence[Any]) -> Row:
    return {
        **row,
        **{each.name: each.written(value) for each, value in zip(chosen, values, strict=True)},
    }


def _distance(chosen: Sequence[_Column], values: Sequence[Any]) -> float:
    return sum(each.distance(value) for each, value in zip(chosen, values, strict=True))
