"""A pass over a table that several processes share: each learns some of the columns, from all rows.

A column is learned by one process, by what one process alone would learn it with, and told to the
others: so all have to the bit what one would have, and each reads its own columns of a Parquet file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

Learned = TypeVar("Learned")


class Pass(Protocol):
    """Who learns which column."""

    def mine(self, names: Sequence[str]) -> list[str]:
        """Return the columns that this process learns."""
        ...

    def of_all(self, mine: Mapping[str, Learned]) -> dict[str, Learned]:
        """Return what all processes have learned, each of its own columns. Collective."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Raise in all processes what is raised inside in one. Collective."""
        ...


class Alone:
    """One process learns all."""

    def mine(self, names: Sequence[str]) -> list[str]:
        """As in `Pass`."""
        return list(names)

    def of_all(self, mine: Mapping[str, Learned]) -> dict[str, Learned]:
        """As in `Pass`."""
        return dict(mine)

    def together(self) -> AbstractContextManager[None]:
        """As in `Pass`."""
        return nullcontext()
