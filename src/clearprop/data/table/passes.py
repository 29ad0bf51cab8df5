"""A pass over a table that several processes share: each learns some of the columns, from all rows.

A column is learned by one process, by what one process alone would learn it with, and told to the
others: so all have to the bit what one would have, and each reads its own columns of a Parquet file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from clearprop.data.table.stretches import Stretch

Learned = TypeVar("Learned")
Told = TypeVar("Told")


class Pass(Protocol):
    """Who learns which column.

    Attributes
    ----------
    is_alone : bool
        Whether one process does everything.
    """

    is_alone: bool

    def mine(self, names: Sequence[str]) -> list[str]:
        """Return the columns that this process learns."""
        ...

    def share(self, n_rows: int) -> Stretch:
        """Return which of some rows this process takes: as many as another, or one more."""
        ...

    def of_all(self, mine: Mapping[str, Learned]) -> dict[str, Learned]:
        """Return what all processes have learned, each of its own columns. Collective."""
        ...

    def of_each(self, mine: Told) -> list[Told]:
        """Return what each process tells, in the order of their rows. Collective."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Raise in all processes what is raised inside in one. Collective."""
        ...


class Alone:
    """One process learns all."""

    is_alone = True

    def mine(self, names: Sequence[str]) -> list[str]:
        """As in `Pass`."""
        return list(names)

    def share(self, n_rows: int) -> Stretch:
        """As in `Pass`."""
        return Stretch(0, n_rows)

    def of_all(self, mine: Mapping[str, Learned]) -> dict[str, Learned]:
        """As in `Pass`."""
        return dict(mine)

    def of_each(self, mine: Told) -> list[Told]:
        """As in `Pass`."""
        return [mine]

    def together(self) -> AbstractContextManager[None]:
        """As in `Pass`."""
        return nullcontext()
