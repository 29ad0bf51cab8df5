"""How the cells of a column were spread in training, in a few counts: what drift is held against.

A model's file keeps no rows of the training. Of a number it keeps how many lay in each of about ten
slices, of categories how many rows had each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table.columns import (
    CategoryColumn,
    Column,
    NumericColumn,
    TimeColumn,
    numbers_of,
    words_of,
)

SLICES = 10  # of a number


@dataclass(frozen=True)
class Seen:
    """Counts of a column's cells.

    Parameters
    ----------
    edges : tuple of float
        Numbers at or below which slices end, but for the last one; empty of categories. Points in time
        are microseconds since 1970.
    counts : tuple of int
        Rows in each slice; of each category, as its column has them, and of all others together.
    missing : int
    words : tuple of int
        Of a column of numbers: rows with each of its words.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    words: tuple[int, ...] = ()

    @property
    def cells(self) -> tuple[int, ...]:
        """All counts, one after the other."""
        return (*self.counts, *self.words, self.missing)

    def of(self, made: Column, column: Any) -> Seen:
        """Return the same counts of other cells.

        Parameters
        ----------
        made : NumericColumn, CategoryColumn or TimeColumn
        column : pyarrow.Array
        """
        missing = int(column.null_count)
        if isinstance(made, CategoryColumn):
            return Seen((), _of_categories(made, column), missing)
        numbers = raw_numbers(made, column)
        there = numbers[~np.isnan(numbers)]
        codes = np.searchsorted(np.array(self.edges), there, side="left")
        counts = np.bincount(codes, minlength=len(self.counts))
        return Seen(self.edges, tuple(counts.tolist()), missing, _of_words(made, column))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        found = {"edges": list(self.edges), "counts": list(self.counts), "missing": self.missing}
        return found | ({"words": list(self.words)} if self.words else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Seen:
        """Return what `to_json` gave."""
        edges = tuple(map(float, data["edges"]))
        counts, words = (tuple(map(int, data.get(name, ()))) for name in ("counts", "words"))
        return cls(edges, counts, int(data["missing"]), words)


def raw_numbers(made: Column, column: Any) -> NDArray[np.float64]:
    """Return what a column of numbers or times holds, NaN where it is missing or a word."""
    return times_of(column) if isinstance(made, TimeColumn) else numbers_of(column)


def times_of(column: Any) -> NDArray[np.float64]:
    """Return points in time as microseconds since 1970, NaN where they are missing."""
    import pyarrow as pa

    found: NDArray[np.float64] = (
        column.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    )
    return found


def of_categories(counts: Mapping[str, int], categories: Sequence[str], n: int) -> tuple[int, ...]:
    """Return how many of n rows have each category, and how many another one."""
    own = [int(counts.get(word, 0)) for word in categories]
    return (*own, n - sum(own))


def _of_categories(made: CategoryColumn, column: Any) -> tuple[int, ...]:
    import pyarrow.compute as pc

    counted = pc.value_counts(pc.drop_null(words_of(column)))
    words, counts = counted.field(0).to_pylist(), counted.field(1).to_pylist()
    found = dict(zip(words, counts, strict=True))
    return of_categories(found, made.categories, sum(counts))


def _of_words(made: Column, column: Any) -> tuple[int, ...]:
    import pyarrow.compute as pc

    words = made.words if isinstance(made, NumericColumn) else ()
    if not words:
        return ()
    found = pc.struct_field(column, "word").to_pylist()
    return tuple(found.count(word) for word in words)
