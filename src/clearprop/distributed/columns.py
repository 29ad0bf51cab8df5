"""Columns of a table that processes learn for each other."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np

from clearprop.data.table.stretches import Stretch
from clearprop.distributed.team import Team

Learned = TypeVar("Learned")
Told = TypeVar("Told")


class SharedPass:
    """Each process learns every so many-th column, as `clearprop.data.table.passes.Pass` has it.

    Parameters
    ----------
    team : Team
    """

    is_alone = False

    def __init__(self, team: Team) -> None:
        self._team = team

    def mine(self, names: Sequence[str]) -> list[str]:
        """As in `Pass`."""
        return list(names[self._team.rank :: self._team.size])

    def share(self, n_rows: int) -> Stretch:
        """As in `Pass`."""
        rank, size = self._team.rank, self._team.size
        return Stretch(rank * n_rows // size, (rank + 1) * n_rows // size)

    def of_all(self, mine: Mapping[str, Learned]) -> dict[str, Learned]:
        """As in `Pass`."""
        return {name: its for each in self.of_each(dict(mine)) for name, its in each.items()}

    def of_each(self, mine: Told) -> list[Told]:
        """As in `Pass`; pickled, as these are this program's own objects, sent by its own processes."""
        packed = np.frombuffer(pickle.dumps(mine), np.uint8)
        return [pickle.loads(each.tobytes()) for each in self._team.communicator.everywhere(packed)]

    def together(self) -> AbstractContextManager[None]:
        """As in `Pass`."""
        return self._team.sharing_problems()
