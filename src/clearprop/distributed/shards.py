"""How the rows of a table are dealt to shards, and which of them make each batch.

A table of n rows is cut into V shards of neighbouring rows; a process owns neighbouring shards, so it
reads one stretch of the table. An epoch takes one row of every shard in turn: position p of its order
belongs to the shard whose turn is ``p mod V``, and is the next row in the order that (seed, epoch,
shard) give that shard. A batch is a stretch of positions, as it always is, so that of B rows each shard
has B / V, one more or one less. Nothing of this asks how many processes there are.

The turns are those of van der Corput's sequence (bits of the shard's number reversed): a batch smaller
than V takes shards from all over the table, and so from every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clearprop.engines import Plan, first_row

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Dealing:
    """The shards of a table.

    Parameters
    ----------
    n_rows, n_shards : int

    Raises
    ------
    ValueError
        If there are fewer rows than shards.
    """

    n_rows: int
    n_shards: int

    def __post_init__(self) -> None:
        """Check that every shard has a row."""
        if self.n_rows < self.n_shards:
            raise ValueError(
                f"shards must be at most the number of rows to train on, {self.n_rows}, got "
                f"{self.n_shards}; give fewer"
            )

    @cached_property
    def turns(self) -> Integers:
        """The turn of each shard: V numbers below V, in no order."""
        bits = max(1, (self.n_shards - 1).bit_length())
        mirrored = [int(f"{shard:0{bits}b}"[::-1], 2) for shard in range(self.n_shards)]
        turns = np.empty(self.n_shards, np.int64)
        turns[np.argsort(mirrored, kind="stable")] = np.arange(self.n_shards)
        return turns

    @cached_property
    def starts(self) -> Integers:
        """The row at which each shard begins, and the one after the last."""
        return np.append(0, np.cumsum(self.taken(self.n_rows)))

    def taken(self, position: int | Integers) -> Integers:
        """Return how many rows each shard has given before a position: shape (..., n_shards)."""
        return (np.expand_dims(position, -1) - self.turns + self.n_shards - 1) // self.n_shards


def owned(n_shards: int, rank: int, size: int) -> range:
    """Return the shards of a process: neighbours, as many as others have or one more."""
    return range(rank * n_shards // size, (rank + 1) * n_shards // size)


@dataclass(frozen=True)
class Holding:
    """What a process has of a table.

    Parameters
    ----------
    dealing : Dealing
    shards : range
    """

    dealing: Dealing
    shards: range

    @property
    def rows(self) -> tuple[int, int]:
        """The first row, and the one after the last."""
        starts = self.dealing.starts
        return int(starts[self.shards.start]), int(starts[self.shards.stop])

    def taken(self, plan: Plan, first: int, after: int) -> Integers:
        """Return how many rows each of its shards has given before each of some steps of an epoch.

        Shape (after - first + 1, n_shards): also before the step `after`.
        """
        steps = range(first, after + 1)
        begins = [min(first_row(s, plan.batch_size, plan.n_larger), plan.n_samples) for s in steps]
        return self.dealing.taken(np.array(begins, np.int64))[:, self.shards.start : self.shards.stop]

    def cuts(self, plan: Plan, begin: int, first: int, after: int) -> Integers:
        """Return where the rows of each shard lie in the order of an epoch's steps from `begin` on.

        Of the steps `first` to ``after - 1`` a row each, with the end of its last shard.
        """
        taken = self.taken(plan, first, after)
        before = taken[0].sum() - self.taken(plan, begin, begin)[0].sum()
        ends = before + np.cumsum(np.diff(taken, axis=0)).reshape(len(taken) - 1, len(self.shards))
        starts = np.append(before, ends[:, -1])[:-1]
        return np.column_stack([starts, ends])

    def order(
        self, plan: Plan, first: int, after: int, orders: Sequence[Integers], bases: Sequence[int]
    ) -> Integers:
        """Return the rows of some steps, step after step, and in each of them shard after shard.

        Parameters
        ----------
        plan : Plan
        first, after : int
        orders : sequence of arrays
            The order of the rows in each shard that these steps take, from 0.
        bases : sequence of int
            What is added to them.
        """
        taken = self.taken(plan, first, after)
        counts = np.diff(taken, axis=0)
        place = np.append(0, np.cumsum(counts.sum(axis=1)))[:-1]  # of the next shard's rows, by step
        order = np.empty(int(counts.sum()), np.int64)
        for shard, (its, base) in enumerate(zip(orders, bases, strict=True)):
            count, given = counts[:, shard], taken[:-1, shard] - taken[0, shard]
            n = int(count.sum())
            order[np.repeat(place - given, count) + np.arange(n)] = its[:n] + base
            place = place + count
        return order
