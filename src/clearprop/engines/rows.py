"""Single rows with parameters that stay where they are: everything is prepared but the row itself.

A call takes microseconds. Any number of threads may make one at a time, each with memory of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from clearprop import aligned
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines import codes, machine_code, outputs, products
from clearprop.engines.calling import flat
from clearprop.engines.layout import Layout
from clearprop.engines.records import Prediction, Pull

_MOST = 2**20  # elements of a layer's part of the Jacobian that are worth keeping room for


class _Call(NamedTuple):
    """One call's memory, and the kernel's arguments in it."""

    x: Array
    out: Array
    cost: Any  # memoryviews: an element takes half the time that NumPy takes
    found: Any
    slots: Any
    address: int
    kept: Any  # what the arguments have addresses of


class _Calls:
    """Calls of one kernel, each kept for the next that asks."""

    def __init__(self) -> None:
        self._spare: list[_Call] = [self._made()]

    def _made(self) -> _Call:
        raise NotImplementedError

    def _take(self) -> _Call:
        try:
            return self._spare.pop()
        except IndexError:  # asking first would let another thread in between
            return self._made()

    def _give_back(self, call: _Call) -> bool:
        """Let others have a call; return whether all its inputs were finite."""
        finite = not call.found[codes.NOT_FINITE]
        if not finite:
            call.found[codes.NOT_FINITE] = 0
        self._spare.append(call)
        return finite


class RowPrediction(_Calls):
    """The activations of the last layer for one row.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
        Changes in it are seen.
    """

    def __init__(self, architecture: Architecture, parameters: Array) -> None:
        self._architecture, self._parameters = architecture, parameters
        self._kernel = machine_code.code(parameters.dtype).predict
        super().__init__()

    def _made(self) -> _Call:
        made, P = self._architecture, self._parameters
        layout = Layout(made, P.dtype, 1, trains=False)
        layout.rows["z"] = -1
        x, out = np.empty(made.n_features, P.dtype), np.empty(made.sizes[-1], P.dtype)
        none, found = np.empty(0), np.zeros(2, np.int64)
        run = Prediction(
            parameters=P, X=x, n_rows=1, block=1, layers=layout.layers, segments=layout.segments,
            embedding=layout.embedding, work=aligned.empty(layout.end, P.dtype),
            columns=products.every(max(made.widths), P.itemsize), out=out, z=none, panels=none,
            found=found, give_way=0, thread=0, n_threads=1,
        )  # fmt: skip
        slots = machine_code.slots(run)
        return _Call(x, out[None], None, found.data, slots, machine_code.address(slots), run)

    def __call__(self, X: Array) -> Array | None:
        """Return outputs of shape (1, n_outputs), or (n_outputs,); None where an input is not finite.

        Parameters
        ----------
        X : ndarray of shape (1, n_features) or (n_features,)
            Of the dtype of the parameters.
        """
        try:
            call = self._spare.pop()
        except IndexError:
            call = self._made()
        x, found = call.x, call.found
        x[...] = X
        self._kernel(call.address, 0, 1)
        out: Array | None = (call.out if X.ndim == 2 else call.out[0]).copy()
        if found[0]:  # NOT_FINITE
            found[0], out = 0, None
        self._spare.append(call)
        return out


class RowPull(_Calls):
    """What comes back from the outputs of few rows: their cost, a gradient, or Jacobians.

    Parameters
    ----------
    architecture : Architecture
        One that `pulls`.
    parameters : ndarray of shape (n_parameters,)
        Changes in it are seen.
    wanted : int
        COST, GRADIENT (of one row), INPUT_GRADIENT or JACOBIAN, of `codes`.
    """

    def __init__(self, architecture: Architecture, parameters: Array, wanted: int) -> None:
        self._architecture, self._parameters, self._wanted = architecture, parameters, wanted
        self._kernel, self._n = machine_code.code(parameters.dtype).pull_back, architecture.n_features
        super().__init__()

    def _made(self) -> _Call:
        made, P, wanted = self._architecture, self._parameters, self._wanted
        layout = Layout(made, P.dtype, made.sizes[-1] if wanted == codes.JACOBIAN else 1)
        none, found, cost = np.empty(0), np.zeros(1, np.int64), np.zeros(1)
        key, parameter = outputs.row_of(made), 0.0
        if key is not None and (name := outputs.COSTS[key].parameter):
            parameter = float(made.cost.parameters[name])
        run = Pull(
            parameters=P, X=none, Y=none, n_rows=1, wanted=wanted,
            cost=0 if key is None else outputs.COST_CODES[key], cost_parameter=parameter,
            layers=layout.layers, segments=layout.segments, work=aligned.empty(layout.end, P.dtype),
            columns=products.every(max(made.widths), P.itemsize), out=none, cost_sum=cost,
            found=found, thread=0, n_threads=1,
        )  # fmt: skip
        slots = machine_code.slots(run)
        views = cost.data, found.data, slots.data
        return _Call(none, none, *views, machine_code.address(slots), (run, slots))

    def __call__(self, X: Array, Y: Array | None, out: Array) -> float | None:
        """Put what is wanted into `out`; return the sum of the costs, None where X is not finite.

        Parameters
        ----------
        X, Y : ndarray
            As `Engine.run` takes them; no Y where a Jacobian is wanted.
        out : ndarray
            C-contiguous: of X's shape for INPUT_GRADIENT, (n_rows, n_outputs, n_features) for JACOBIAN,
            of the parameters' for GRADIENT; of any for COST.
        """
        call, address, X = self._take(), machine_code.address, flat(X)
        slots = call.slots
        slots[_AT.X], slots[_AT.X + 1], slots[_AT.n_rows] = address(X), X.size, X.size // self._n
        slots[_AT.Y] = 0 if Y is None else address(Y := flat(Y))
        slots[_AT.out], slots[_AT.out + 1] = address(out), out.size
        self._kernel(call.address, 0, 1)
        cost: float = call.cost[0]
        return cost if self._give_back(call) else None


_AT = machine_code.places(Pull)


def pulls(architecture: Architecture, wanted: int) -> bool:
    """Return whether `RowPull` finds what is wanted for an architecture that has a compiled form."""
    made = architecture
    if made.embedding is not None:
        return False
    if wanted == codes.JACOBIAN:
        return made.sizes[-1] * max(made.sizes) <= _MOST
    kinds = {block.kind for block in made.blocks}
    known = wanted != codes.GRADIENT or kinds <= {"weights", "biases"}
    return known and outputs.row_of(made) is not None
