"""What is said about dates with two readings, and what is made of the answer."""

from __future__ import annotations

from typing import Protocol

from clearprop.data.dataset import some
from clearprop.data.table import dates, spans
from clearprop.data.table.profiles import ColumnProfile
from clearprop.data.table.values import NUMBER, TIME

_NOON = 43_200.0  # seconds
ORDERS = ("day-first", "month-first", "year-first")


class Settled(Protocol):
    """A table whose columns can be read in another of the ways that fit."""

    @property
    def where(self) -> str:
        """What messages call it."""

    def settle(self, name: str, reading: str) -> None:
        """Read a column as one of its `WrittenTimes.readings`."""


def question(found: ColumnProfile) -> str:
    """Return what is to be said about a column whose dates have several readings."""
    orders = list(dict.fromkeys(dates.order_of(form) for form in found.ambiguous))
    options = " or ".join(f"--{order}" for order in orders)
    kinds = " or ".join(map(repr, orders))
    return (
        f"dates such as {some([found.example])} can be read in {len(found.ambiguous)} ways "
        f"({', '.join(found.ambiguous)}): {options} says which (in Python the kind {kinds})"
    )


def answer(source: Settled, found: ColumnProfile, asked: str) -> bool:
    """Read a column as it was asked for; return whether it is settled by that.

    Parameters
    ----------
    source : TableSource
    found : ColumnProfile
    asked : str
        One of `ORDERS`, or a kind: numeric takes times of day for time spans, datetime spans for times.

    Raises
    ------
    ValueError
        If no reading of the column is what was asked for, or dates are still undecided.
    """
    readings = found.times.readings if found.type.split(" ")[0] in (NUMBER, TIME) else ()
    times = [each for each in readings if each.startswith(TIME)]
    forms = {each: each.partition(" ")[2] for each in times}
    if asked in ORDERS:
        fitting = [
            each
            for each, form in forms.items()
            if not dates.is_time_of_day(form) and dates.order_of(form) == asked
        ]
        if not fitting:
            held = f"dates such as {dates.example_of(forms[times[0]])}" if times else found.type
            raise ValueError(
                f"column {found.name!r} of {source.where} cannot be {asked}: it holds {held}"
            )
    elif asked == "numeric":
        clocks = times and all(map(dates.is_time_of_day, forms.values()))
        fitting = [each for each in readings if each not in times] if clocks else []
    else:
        if asked == "datetime" and found.ambiguous:
            raise ValueError(f"column {found.name!r} of {source.where} is undecided: {question(found)}")
        fitting = times if asked == "datetime" else []
    if fitting:
        source.settle(found.name, fitting[0])
    return asked in ORDERS


def told_spans(found: ColumnProfile) -> str:
    """Return what is said about a column of time spans."""
    form = found.type.partition(" ")[2]
    how = {
        spans.HOURS: ", read as hours and minutes",
        spans.MINUTES: ", 12:30 read as minutes and seconds",
    }
    return f"time spans{how.get(form, '')}: "


def told_times(found: ColumnProfile) -> str:
    """Return what is said about a column of points in time or times of day."""
    form = found.type.partition(" ")[2]
    if form and dates.is_time_of_day(form):
        told = "times of day: hour, minute, sine and cosine of the day, as far as they vary"
        lengths = [each for each in found.times.readings if each.startswith(NUMBER)]
        before_noon = lengths and found.times.ends(lengths[0])[1] < _NOON
        return told + "; none after noon: if they are time spans, --numeric" * bool(before_noon)
    day = "day of the week, hour, " if dates.has_day(form) else ""
    how = "" if form == dates.ISO else f" written {form}"
    return f"points in time{how}: year, month, {day}as far as they vary"
