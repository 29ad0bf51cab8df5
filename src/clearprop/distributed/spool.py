"""Encoded rows on the disks of several processes, each of which has those of its shards.

What is learned of all rows before a training (scales, moments, weights) is learned by all processes in
step: each asks for the same rows in the same order, and whoever has some gives them to all. A training
reads the rows of its own shards, and asks nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.row_stream import chunks
from clearprop.data.spool import Spool
from clearprop.distributed.shards import Dealing, Holding
from clearprop.distributed.team import Team

Array = NDArray[Any]
_ROWS = 1 << 16  # read together for the fingerprint


class SharedSpool(Spool):
    """Encoded rows, of which this process keeps those of its shards.

    Parameters
    ----------
    team : Team
    n_shards : int
    *arguments, **how
        As in `Spool`.

    Attributes
    ----------
    collective : bool
        Whether all processes ask for the same rows; else each for its own.
    """

    def __init__(self, team: Team, n_shards: int, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        self._team, self._n_shards, self.collective = team, n_shards, True
        self._mine, self._total, self._known = (0, 0), 0, ""

    def expect(self, n_rows: int) -> tuple[int, int]:
        """As in `Spool`: those of this process's shards."""
        dealing = Dealing(n_rows, self._n_shards)
        self._total = n_rows
        self._mine = Holding(dealing, self._team.shards(self._n_shards)).rows
        return self._mine

    @property
    def n_rows(self) -> int:
        """Rows of all processes."""
        return self._total

    def check_space(self, n_rows: int) -> None:
        """As in `Spool`, for this process's share."""
        super().check_space(-(-n_rows // self._team.size))

    def X(self, first: int, last: int) -> Array:
        """As in `Rows`."""
        return self._of_all(super().X, first, last)

    def Y(self, first: int, last: int) -> Array:
        """As in `Rows`."""
        return self._of_all(super().Y, first, last)

    def weight(self, first: int, last: int) -> Array | None:
        """As in `Rows`."""
        if self._weight is None:
            return None
        return self._of_all(self._weight.read, first, last)

    def _of_all(self, read: Callable[[int, int], Any], first: int, last: int) -> Array:
        begin, end = self._mine
        a, b = max(first, begin), min(last, end)
        mine: Array = read(a - begin, b - begin) if a < b else read(0, 0)
        if not self.collective:
            assert (a, b) == (first, last)
            return mine
        return np.concatenate(self._team.gathered(mine))

    def transform(self, X: Callable[[Array], Array], Y: Callable[[Array], Array] | None = None) -> None:
        """As in `Spool`: each process its own rows."""
        for first, last in chunks(self._n_rows):
            self._X.write(first, X(self._X.read(first, last)))
            if Y is not None:
                self._Y.write(first, Y(self._Y.read(first, last)))

    def finish(self) -> None:
        """As in `Spool`: the fingerprint is that of one process with all rows."""
        reads = [self.X, self.Y, *([] if self._weight is None else [self.weight])]
        digests = []
        for column, read in zip(self._columns, reads, strict=True):
            digest = hashlib.sha256(column.head)
            for each in chunks(self.n_rows, rows=_ROWS):
                digest.update(np.ascontiguousarray(read(*each)).data)
            digests.append(digest.hexdigest())
        self._known = hashlib.sha256("".join(digests).encode()).hexdigest()

    def fingerprint(self) -> str:
        """As in `Spool`."""
        return self._known
