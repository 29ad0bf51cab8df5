"""Single steps of one row each, with parameters and moments that stay where they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines import codes, machine_code
from clearprop.engines.interface import Data, State
from clearprop.engines.records import Run

if TYPE_CHECKING:
    from clearprop.engines.compiled import _Prepared

_MORE = 1.001  # than the root of a sum of squares in float32: rounding may have lost so much


class RowStep:
    """Makes steps of a plan whose batches are one row: everything is prepared but the row and the rate.

    Parameters
    ----------
    prepared : _Prepared
        By one thread, and without a cost of the user's own.
    architecture : Architecture
    state : State
        Changed in place.
    """

    def __init__(self, prepared: _Prepared, architecture: Architecture, state: State) -> None:
        dtype, self._state = state.parameters.dtype, state
        self._x, self._y = (
            np.zeros(n, dtype) for n in (architecture.n_features, architecture.sizes[-1])
        )
        data = Data(self._x[None], self._y[None], None)
        rates, order = np.zeros(1), np.zeros(1, np.int64)
        run = prepared.record(state, data, order, rates, 0, prepared.course, 0.0)
        slots = machine_code.slots(run)
        self._kernel = machine_code.code(dtype).train
        self._address = machine_code.address(slots)
        # Memoryviews: an element takes half the time that NumPy takes.
        self._whole, self._real = slots.data, slots.view(np.float64).data
        self._rate: Any = rates.data
        self._counts: Any = run.counts.data
        self._cost: Any = run.epoch_cost.data
        self._kept = run, slots

    def __call__(self, x: Array, y: Array, rate: float) -> float | None:
        """Make a step and return its row's cost; None, and no step, where finite numbers are in doubt.

        Parameters
        ----------
        x : ndarray of shape (n_features,) or (1, n_features)
        y : ndarray of shape (n_outputs,) or (1, n_outputs)
            Of the dtype of the parameters, but not looked at: what is not finite is in doubt.
        rate : float
        """
        state, counts = self._state, self._counts
        self._x[...], self._y[...] = x, y
        self._rate[0], self._cost[0], counts[codes.UPDATES] = rate, 0.0, state.updates
        counts[codes.MADE] = 0
        self._real[_AT.largest] = math.sqrt(self._x.dot(self._x)) * _MORE
        self._whole[_AT.step] = state.step
        try:
            self._kernel(self._address, 0, 1)
        finally:  # the step is made, also where a signal's handler raises now
            state.step += counts[codes.MADE]
            state.updates = counts[codes.UPDATES]
        cost: float = self._cost[0]
        return cost if counts[codes.MADE] else None


_AT = machine_code.places(Run)
