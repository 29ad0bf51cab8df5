"""WrittenTimes: in which forms all the words of a column are dates, times of day or time spans."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table import dates, spans
from clearprop.data.table.values import NUMBER, TIME

_TRIED = 10  # words of a batch that are looked at for forms, beside the first of the column
_MOST_FORMS = 12
_HOUR = 3600.0


@dataclass
class _Form:
    """How a form has fitted so far: in how many rows, and where first it did not."""

    n: int = 0
    miss: tuple[int, str] | None = None
    low: float = math.inf  # of time spans, in seconds
    high: float = -math.inf
    years: set[int] = field(default_factory=set)  # of those with two digits


class WrittenTimes:
    """Which forms fit the words of a column, batch by batch.

    A form is a type of `ColumnDecision`: ``time``, ``time %d/%m/%Y``, ``number span``. One that fits
    every word fits the first of them, so what that one may be is all that the column may be.
    """

    def __init__(self) -> None:
        self._forms: dict[str, _Form] = {}
        self._first: tuple[int, str] | None = None
        self._n_any = 0
        self._sure = False  # of a time span, not a number and its unit

    def see(self, cells: Any, words: Any, counts: NDArray[Any], first_row: int) -> None:
        """Take note of a batch of trimmed text; `words` are its different ones."""
        import pyarrow as pa

        before = self._first
        if before is None:
            self._first = _first_of(cells, words, first_row)
            self._add(self._first[1], None)
        left = np.ones(len(words), bool)
        for name in tuple(self._forms):
            self._try(name, cells, words, counts, first_row, left)
        known = len(self._forms)
        if left.any() and known < _MOST_FORMS:
            for word in _like_dates(words.filter(pa.array(left))):
                self._add(word, self._first)
            for name in tuple(self._forms)[known:]:
                self._try(name, cells, words, counts, first_row, left)
        self._n_any += int(counts[~left].sum())
        if not self._sure and any(name.startswith(NUMBER) for name in self._forms):
            self._sure = spans.are_sure(words)

    def see_numbers(self, row: int, number: str) -> None:
        """Take note of plain numbers before all words, the first of which is in `row`."""
        self._first = self._first or (row, number)

    def _add(self, word: str, miss: tuple[int, str] | None) -> None:
        found = [f"{TIME} {form}".rstrip() for form in dates.candidates(word)]
        found += [f"{NUMBER} {form}" for form in spans.candidates(word)]
        for name in found:
            if len(self._forms) < _MOST_FORMS:
                self._forms.setdefault(name, _Form(miss=miss))

    def _try(
        self,
        name: str,
        cells: Any,
        words: Any,
        counts: NDArray[Any],
        first_row: int,
        left: NDArray[Any],
    ) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        found, (kind, _, form) = self._forms[name], name.partition(" ")
        read = spans.parse(words, form) if kind == NUMBER else dates.parse(words, form)
        fits = read.is_valid().to_numpy(zero_copy_only=False)
        left &= ~fits
        found.n += int(counts[fits].sum())
        if found.miss is None and not fits.all():
            found.miss = _first_of(cells, words.filter(pa.array(~fits)), first_row)
        if kind == NUMBER and fits.any():
            ends = pc.min_max(read)
            found.low, found.high = (
                min(found.low, ends["min"].as_py()),
                max(found.high, ends["max"].as_py()),
            )
        elif "%y" in form:
            found.years.update(pc.unique(pc.year(read.drop_null())).to_pylist())

    def take_for_days(self, forms: Iterable[str]) -> None:
        """Learn in which forms numbers are days: `dates.day_forms` of all of them."""
        self._forms = {f"{TIME} {form}": _Form() for form in forms}

    # Concluding

    @property
    def readings(self) -> tuple[str, ...]:
        """The types as which every word can be read; dates before times of day before time spans."""
        fitting = [name for name, each in self._forms.items() if each.miss is None]
        if TIME in fitting:
            return (TIME,)
        times = [name for name in fitting if name.startswith(TIME)]
        found = sorted(times, key=lambda name: dates.is_time_of_day(name.partition(" ")[2]))
        if self._sure:
            order = [f"{NUMBER} {form}" for form in spans.FORMS]
            found += sorted((name for name in fitting if name not in times), key=order.index)
        return self._without_odd_years(tuple(found))

    def _without_odd_years(self, found: tuple[str, ...]) -> tuple[str, ...]:
        """Leave out years of two digits before the day where they are more than the other's years.

        31/12/14 is 2031 to nobody; among many days of few years, 14/12/31 may be.
        """
        years = {name: len(self._forms[name].years) for name in found if "%y" in name}
        others = [n for name, n in years.items() if not name.startswith(f"{TIME} %y")]
        odd = {
            name
            for name, n in years.items()
            if name.startswith(f"{TIME} %y") and others and n >= min(others)
        }
        return tuple(name for name in found if name not in odd)

    def choice(self, name: str) -> str | None:
        """Return what a column called `name` is most likely read as, or None."""
        found = self.readings
        if not found:
            return None
        lengths = [each for each in found if each.startswith(NUMBER)]
        is_clock = found[0].startswith(TIME) and dates.is_time_of_day(found[0].partition(" ")[2])
        if is_clock and lengths and (spans.named(name) or self._forms[lengths[0]].high < _HOUR):
            return lengths[0]
        return found[0]

    def ends(self, reading: str) -> tuple[float, float]:
        """Return the shortest and the longest time span in seconds."""
        return self._forms[reading].low, self._forms[reading].high

    def stray(self, more_than: float) -> tuple[str, int, str] | None:
        """Return what a column mostly holds, and row and value of the first that is written otherwise.

        None where no more than so many rows are dates, times or, for sure, time spans.
        """
        forms = {n: each for n, each in self._forms.items() if self._sure or not n.startswith(NUMBER)}
        if not forms:
            return None
        name = max(forms, key=lambda each: forms[each].n)
        best = forms[name]
        if best.miss is None or max(best.n, self._n_any) <= more_than:
            return None
        kind, _, form = name.partition(" ")
        what = "times of day" if dates.is_time_of_day(form) else "dates"
        return ("time spans" if kind == NUMBER else what), *best.miss


def _first_of(cells: Any, words: Any, first_row: int) -> tuple[int, str]:
    """Return row and text of the first cell that is one of some words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row = pc.index(pc.is_in(cells, words), pa.scalar(True)).as_py()
    return first_row + row, cells[row].as_py()


def _like_dates(words: Any) -> list[str]:
    """Return the first words that are worth a closer look."""
    import pyarrow.compute as pc

    looks = pc.match_substring_regex(words, r"^[-+]?[0-9A-Za-z][^\r\n]{0,46}$")
    digits = pc.match_substring_regex(words, "[0-9][^0-9]|[^0-9][0-9]|^[0-9]{7,8}$")
    found: list[str] = words.filter(pc.and_(looks, digits)).slice(0, _TRIED).to_pylist()
    return found
