"""Columns of a table that processes learn for each other."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np

from clearprop.distributed.team import Team

Learned = TypeVar("Learned")


class SharedPass:
    """Each process learns every so many-th column, as `clearprop.data.table.passes.Pass` has it.

    Parameters
    ----------
    team : Team
    """

    def __init__(self, team: Team) -> None:
        self._team = team

    def mine(self, names: Sequence[str]) -> list[str]:
        """As in `Pass`."""
        return list(names[self._team.rank :: self._team.size])

    def of_all(self, mine: Mapping[str, Learned]) -> dict[str, Learned]:
        """As in `Pass`; pickled, as these are this program's own objects, sent by its own processes."""
        packed = np.frombuffer(pickle.dumps(dict(mine)), np.uint8)
        found: dict[str, Learned] = {}
        for each in self._team.communicator.everywhere(packed):
            found |= pickle.loads(each.tobytes())
        return found

    def together(self) -> AbstractContextManager[None]:
        """As in `Pass`."""
        return self._team.sharing_problems()
