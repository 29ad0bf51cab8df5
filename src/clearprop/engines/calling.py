"""How kernels are called: what their arrays must be like, and by how many threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop.activations import Array
from clearprop.engines import helpers
from clearprop.engines import intrinsics as low


def flat(array: Array) -> Array:
    """Return an array flat, and as the kernels read it: its elements one after the other."""
    if array.flags.carray:  # at once: one row takes microseconds
        return array.reshape(-1)
    return np.require(array, requirements=["C", "A"]).reshape(-1)


def aligned(n: int, dtype: np.dtype[Any]) -> Array:
    """Return an empty array that begins on a cache line; NumPy's own begin in the middle of one."""
    whole = np.empty(n * dtype.itemsize + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + n * dtype.itemsize].view(dtype)


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
