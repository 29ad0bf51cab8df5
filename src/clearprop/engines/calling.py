"""How kernels are called: what their arrays must be like, and by how many threads."""

from __future__ import annotations

import numpy as np

from clearprop.activations import Array
from clearprop.engines import helpers
from clearprop.engines import intrinsics as low


def flat(array: Array) -> Array:
    """Return an array flat, and as the kernels read it: its elements one after the other."""
    if array.flags.carray:  # at once: one row takes microseconds
        return array.reshape(-1)
    return np.require(array, requirements=["C", "A"]).reshape(-1)


def how_many_threads(asked: int | None, worth: int) -> int:
    """Return how many threads to use that meet, where the work is worth so many."""
    if not low.address_of_yield():
        return 1
    return max(1, min(helpers.how_many(asked), worth))


def side_by_side(kernel: helpers.Kernel, address: int, n_threads: int, aside: bool = False) -> None:
    """Call a kernel once for each thread, with the address of its slots."""
    if n_threads == 1 and not aside:
        kernel(address, 0, 1)
    else:
        helpers.side_by_side(kernel, address, n_threads, aside)
