"""Numbers that look as if they stood for a missing value: -999, far from all others, and often."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table.values import shown_number

if TYPE_CHECKING:
    from clearprop.data.table.profiles import ColumnProfile

_OFTEN = 0.005  # of the numbers, that it is, and
_TIMES = 5  # rows at least
_CODE = re.compile(r"([1-9])\1{2,}|([789])\2")  # 999, and what surveys have: 77, 88, 99


class Ends:
    """The two smallest and the two largest numbers of a column, and how often each is there."""

    def __init__(self) -> None:
        self._low: dict[float, int] = {}
        self._high: dict[float, int] = {}

    def see(self, numbers: NDArray[np.float64]) -> None:
        """Take note of numbers, none of them NaN."""
        for kept, sign in ((self._low, 1.0), (self._high, -1.0)):
            left = numbers * sign
            for _ in range(2):
                if not len(left):
                    break
                end = left.min()
                rest = left[left > end]
                _add(kept, sign * float(end), len(left) - len(rest))
                left = rest
            _keep_two(kept, sign)

    def see_counts(self, counts: Mapping[Any, int]) -> None:
        """Take note of how often each number is there."""
        for value, count in counts.items():
            number = float(value.replace(",", ".")) if isinstance(value, str) else float(value)
            _add(self._low, number, count)
        self._high = dict(self._low)
        _keep_two(self._low, 1.0)
        _keep_two(self._high, -1.0)

    def lowest(self) -> tuple[float, int]:
        """Return the smallest number, and how often it is there; NaN of none."""
        return min(self._low.items(), default=(math.nan, 0))

    def sentinel(self, n: int) -> tuple[float, int] | None:
        """Return the number that stands apart, and how often it is there, of a column of `n`.

        It is whole and negative, or above all others a digit three times or more, or 77, 88 or 99; it
        is further from the next than all the others are from each other; and it is there at least five
        times, and in one of 200 rows.
        """
        if len(self._low) < 2 or len(self._high) < 2:
            return None
        (lowest, n_low), (low, _) = sorted(self._low.items())
        (high, _), (highest, n_high) = sorted(self._high.items())
        often = max(_TIMES, _OFTEN * n)
        if n_low >= often and lowest < 0 and lowest.is_integer() and low - lowest > highest - low > 0:
            return lowest, n_low
        looks = highest.is_integer() and _CODE.fullmatch(str(int(highest)))
        if n_high >= often and looks and highest - high > high - lowest > 0:
            return highest, n_high
        return None


def pointed_out(columns: Sequence[tuple[ColumnProfile, str]]) -> list[str]:
    """Return what is to be said, of each column and its kind, on numbers that look missing.

    What looks so in one column is pointed out in all whose smallest number it is: files have one.
    """
    looks = [found.sentinel for found, _ in columns]
    marks = {
        each[0]: found.name
        for each, (found, _) in reversed([*zip(looks, columns, strict=True)])
        if each
    }
    told = []
    for each, (found, kind) in zip(looks, columns, strict=True):
        value, n = each or found.lowest
        shown, rows = shown_number(value), f"{n:,} row{'s' * (n != 1)}"
        if kind not in ("numeric", "boolean", "target") or (each is None and value not in marks):
            told.append("")
        elif each is not None:
            told.append(
                f"; {shown} in {rows} is far from all others: if it means missing, --missing={shown}"
            )
        else:
            told.append(f"; {shown} in {rows}, as in {marks[value]!r}: missing there?" * (value < 0))
    return told


def _add(kept: dict[float, int], value: float, count: int) -> None:
    kept[value] = kept.get(value, 0) + count


def _keep_two(kept: dict[float, int], sign: float) -> None:
    for value in sorted(kept, key=lambda value: sign * value)[2:]:
        del kept[value]
