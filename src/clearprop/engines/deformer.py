"""The compiled deformation of images, called: its arguments, and by how many threads."""

from __future__ import annotations

import numpy as np

from clearprop.activations import Array
from clearprop.engines import helpers, machine_code
from clearprop.engines.calling import flat, side_by_side
from clearprop.engines.deforming import Deforming


class Deformer:
    """Deforms images of one shape; `Deform` has what is the same for all.

    Parameters
    ----------
    down, across : ndarray
        What smooths displacements in either direction, the first times alpha; empty for none.
    shape : (height, width)
    n_threads : int, optional
    """

    def __init__(
        self, down: Array, across: Array, shape: tuple[int, int], n_threads: int | None
    ) -> None:
        self._smooth, self._shape = (flat(down), flat(across)), shape
        self._n_threads = helpers.how_many(n_threads)
        height, width = shape
        size = (2 * height * width + 7) // 8 * 8 + 64  # a cache line between two threads
        self._work = np.empty(3 * size * self._n_threads, down.dtype)
        self._kernel = machine_code.code(down.dtype).deform_rows

    def __call__(
        self, X: Array, rows: Array, out: Array, places: Array, seed: int, epoch: int, first: int
    ) -> None:
        """Put rows of X, deformed, into `out`; the first of them stands at `first` in the epoch."""
        run = Deforming(
            flat(X), rows, out.reshape(-1), flat(places), *self._smooth, *self._shape,
            int(np.uint64(seed).astype(np.int64)), epoch, first, self._work, 0, 1,
        )  # fmt: skip
        slots = machine_code.slots(run)
        side_by_side(self._kernel, machine_code.address(slots), min(self._n_threads, len(rows)))
