"""The compiled forward pass: architectures packed for predictions, once for each dtype."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from clearprop import aligned
from clearprop.activations import ACTIVATIONS, Array
from clearprop.architecture import Architecture
from clearprop.engines import codes, machine_code, own, products
from clearprop.engines import intrinsics as low
from clearprop.engines.calling import flat, how_many_threads, side_by_side
from clearprop.engines.layout import Layout, unsupported_activation
from clearprop.engines.records import Prediction

PREDICTION_WORTH_A_THREAD = 16_000_000  # multiply-adds: more than a step's, since this wakes a thread
_BLOCK = 256  # rows of a prediction at a time


class _Call:
    """What a prediction by so many threads needs; one row takes microseconds, making this as long."""

    def __init__(self, layout: Layout, dtype: np.dtype[Any], columns: Array, n_threads: int) -> None:
        none = np.empty(0)
        self.work = aligned.empty(layout.end * n_threads, dtype)
        self.found = np.zeros(2, np.int64)
        slots = machine_code.slots(
            Prediction(
                parameters=none, X=none, n_rows=0, block=_BLOCK, layers=layout.layers,
                segments=layout.segments, embedding=layout.embedding, work=self.work,
                columns=columns, out=none, z=none,
                panels=none, found=self.found, give_way=low.address_of_yield(), thread=0, n_threads=1,
            )
        )  # fmt: skip
        self.address, self.slots = machine_code.address(slots), memoryview(slots)


_AT = machine_code.places(Prediction)


class _Forward:
    """An architecture packed for predictions in one dtype."""

    def __init__(self, architecture: Architecture, dtype: np.dtype[Any]) -> None:
        self.layout = Layout(architecture, dtype, _BLOCK, trains=False)
        self.keeps_z = self.layout.layers.copy()
        self.layout.rows["z"] = -1
        self.layers = self.layout.layers
        sizes = architecture.widths
        self.n_outputs = sizes[-1]
        self.multiply_adds = architecture.multiply_adds()[0]
        self.laid_out = sum(map(products.laid_out_size, sizes, sizes[1:]))
        self.dtype = dtype
        self.kernel = machine_code.code(dtype).predict
        self.columns = products.every(max(sizes), dtype.itemsize)
        self.spare: dict[int, list[_Call]] = {}  # by the number of threads: those that nobody is using

    def __call__(
        self, parameters: Array, X: Array, n_threads: int | None = None, z: Array | None = None
    ) -> Array:
        """Return the activations of the last layer, and put its weighted inputs into `z`."""
        return self.look_and_pass(parameters, X, n_threads, z)[0]

    def look_and_pass(
        self, parameters: Array, X: Array, n_threads: int | None = None, z: Array | None = None
    ) -> tuple[Array, bool]:
        """Return the activations of the last layer, and whether all inputs are finite."""
        n_rows = X.shape[0]
        X, out = flat(X), np.empty((n_rows, self.n_outputs), self.dtype)
        worth = n_rows * self.multiply_adds // PREDICTION_WORTH_A_THREAD
        threads = 1 if worth < 2 else how_many_threads(n_threads, worth)
        spare = self.spare.setdefault(threads, [])
        try:
            call = spare.pop()
        except IndexError:  # asking first would let another thread in between
            call = _Call(self.layout, self.dtype, self.columns, threads)
        slots, address, found = call.slots, machine_code.address, call.found
        slots[_AT.parameters], slots[_AT.parameters + 1] = address(parameters), parameters.size
        slots[_AT.X], slots[_AT.X + 1], slots[_AT.n_rows] = address(X), X.size, n_rows
        slots[_AT.layers] = address(self.layers if z is None else self.keeps_z)
        slots[_AT.out], slots[_AT.out + 1] = address(out), out.size
        slots[_AT.z], slots[_AT.z + 1] = (0, 0) if z is None else (address(z), z.size)
        rows = -(-n_rows // threads)
        slots[_AT.block] = -(-rows // max(1, -(-rows // _BLOCK)))  # even ones
        slots[_AT.panels] = slots[_AT.panels + 1] = 0
        found[codes.NOT_FINITE] = found[codes.MEETING] = 0
        if n_rows >= products.LARGE:  # not rows: the bits are the same on any number of threads
            panels = aligned.empty(self.laid_out, self.dtype)
            slots[_AT.panels], slots[_AT.panels + 1] = address(panels), panels.size
        side_by_side(self.kernel, call.address, threads)
        finite = not found[codes.NOT_FINITE]
        spare.append(call)
        return out, finite


_FORWARDS: dict[tuple[int, str], _Forward | None] = {}


def forward_of(architecture: Architecture, dtype: np.dtype[Any]) -> _Forward | None:
    """Return what predicts with an architecture, packed once; None where it has no compiled form."""
    key = id(architecture), dtype.char
    if key not in _FORWARDS:
        if not _ready(architecture):
            return None
        supported = unsupported_activation(architecture) is None
        _FORWARDS[key] = _Forward(architecture, dtype) if supported else None
        weakref.finalize(architecture, _FORWARDS.pop, key, None)
    return _FORWARDS[key]


def _ready(architecture: Architecture) -> bool:
    """Return whether nothing of the user's own is still to be compiled."""
    every = [
        part for layer in architecture.layers for part in layer.function.parts or (layer.function,)
    ]
    return all(
        each.plain or ACTIVATIONS.get(each.name) == each or own.is_compiled(each) for each in every
    )
