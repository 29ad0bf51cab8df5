"""Some consecutive rows of a table, and where the rows that are wanted stand among all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]

_MOST_MARKS = 1 << 16


class Stretch(NamedTuple):
    """Consecutive rows.

    Parameters
    ----------
    begin, end : int
        The first, and the one after the last.
    """

    begin: int
    end: int

    def of(self, first: int, n: int) -> slice:
        """Return which of n rows, of which the first has a number, are in the stretch."""
        return slice(min(max(self.begin - first, 0), n), min(max(self.end - first, 0), n))


WHOLE = Stretch(0, sys.maxsize)


def between(batches: Iterator[Any], stretch: Stretch) -> Iterator[Any]:
    """Give the rows of a stretch; a batch behind it is not asked for."""
    first = 0
    while first < stretch.end and (batch := next(batches, None)) is not None:
        mine = stretch.of(first, batch.num_rows)
        first += batch.num_rows
        if mine.start < mine.stop:
            yield batch.slice(mine.start, mine.stop - mine.start)


class Place(NamedTuple):
    """A row of a table of which some are counted.

    Parameters
    ----------
    kept : int
        Its number among the rows that have a target.
    counted : int
        How many rows before it are counted.
    """

    kept: int
    counted: int


class Marks:
    """The places of rows that are counted: of so many at most, which lie evenly among them.

    Attributes
    ----------
    n : int
        Rows counted so far.
    """

    def __init__(self) -> None:
        self.n, self._step = 0, 1
        self._found = np.empty((2, 0), np.int64)

    def see(self, counted: NDArray[np.bool_], stored: Integers, kept: int) -> None:
        """Note the rows of a batch that are counted.

        Parameters
        ----------
        counted : ndarray of bool, shape (n_rows,)
        stored : ndarray of int, shape (n_rows,)
            The number of each in the whole table.
        kept : int
            The number of the first among those that have a target.
        """
        rows = np.flatnonzero(counted)
        marked = rows[-self.n % self._step :: self._step]
        self._found = np.append(self._found, [stored[marked], kept + marked], axis=1)
        self.n += len(rows)
        while self._found.shape[1] > _MOST_MARKS:
            self._found, self._step = self._found[:, ::2], 2 * self._step

    def around(self, wanted: Stretch) -> tuple[Stretch, Place]:
        """Return a stretch of the table with some counted rows and those behind each, and its begin."""
        if wanted.begin >= self.n > 0:
            return Stretch(0, 0), Place(0, 0)
        (stored, kept), mark = self._found, wanted.begin // self._step
        after = -(-wanted.end // self._step)
        end = int(stored[after]) if after < len(stored) else WHOLE.end
        if wanted.begin == 0:
            return Stretch(0, end), Place(0, 0)
        return Stretch(int(stored[mark]), end), Place(int(kept[mark]), mark * self._step)
