"""Gradients of several small batches at once, summed along a binary tree.

The rows of a step may be cut into parts that are always the same, its leaves, so that their sum has
the same bits wherever each of them was computed. A power of two of neighbouring leaves is summed where
they are computed, as a binary counter counts: after leaf 5 = 101b the sum of leaves 0 to 3 is whole at
level 2, that of 4 and 5 at level 1. So of 2**k leaves no more than k + 1 gradients are held, and each
is added while it is in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop.engines.interface import Course, Data, Plan, State
from clearprop.optimizers import Flat, Optimizer

TOGETHER = (
    512  # rows of neighbouring leaves that go forwards and backwards at once: a layer is read once
)


@dataclass(frozen=True)
class TreeSum(Optimizer):
    """Makes no step: its moments are the levels of the tree, one more than leaves are doubled."""

    moments = ("level",)
    learning_rate: float = 1.0

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: Flat | float,
        t: int,
        decay: Flat | float = 1.0,
    ) -> tuple[Flat, Flat]:
        """Return the parameters as they are, and the levels after leaf number ``t - 1``."""
        leaf, level = t - 1, 0
        while leaf % 2 == 1:
            gradient = moments[level] + gradient
            leaf, level = leaf // 2, level + 1
        moments[level] = gradient
        return parameters, moments


class Leaves(NamedTuple):
    """What was found of some leaves; their gradients' sum is in the last level of the state."""

    costs: NDArray[np.float64]  # of each leaf the sum of its samples' weighted costs
    correct: NDArray[np.bool_] | None  # of each sample, leaf after leaf
    bad: bool  # a cost is not finite


class SumsLeaves(Protocol):
    """An engine that can."""

    name: str

    def sum_leaves(
        self,
        plan: Plan,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        cuts: NDArray[np.int64],
        course: Course | None,
    ) -> Leaves:
        """Leave the sum of some leaves' gradients, without penalties, in the moments of a state.

        Parameters
        ----------
        plan : Plan
            With `TreeSum` as its optimizer, its cost's reduction the sum, and at least as large a batch
            as any leaf. Leaves of so many rows may go forwards and backwards at once.
        state : State
            Of parameters, and as many levels as there are; its `step` keys the dropout of the first
            leaf, the next number that of the next.
        data, course
            As in `Engine.run`; the course is that of one step.
        order : ndarray of int
            The rows of `data` in the leaves.
        cuts : ndarray of int
            Where the rows of each leaf begin in `order`, and where the last ends. Leaves may be empty.
        """
        ...
