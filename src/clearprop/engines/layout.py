"""Where everything of a network lies: the tables of layers and segments, and the workspace."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.architecture import Architecture
from clearprop.engines import codes, neurons, own, products
from clearprop.engines.records import Layer, Segment

_ALIGNMENT = 32  # elements; stretches of the workspace start on a cache line of their own


def code_of(function: Activation, dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return an activation's code and its address, which is 0 but for a user's own.

    None where it was not compiled.
    """
    if ACTIVATIONS.get(function.name) is function:
        return neurons.ACTIVATION_CODES[function.name], 0
    address = own.address_of(function, dtype)
    return None if address is None else (codes.OWN, address)


def _segments(function: Activation, dtype: np.dtype[Any]) -> list[Segment]:
    """Return the stretches of a layer with one activation each."""
    found: list[Segment] = []
    for j, part in enumerate(function.parts):
        code, address = code_of(part, dtype) or (0, 0)
        if found and found[-1][2:] == (code, address):
            found[-1] = found[-1]._replace(last=j + 1)
        else:
            found.append(Segment(j, j + 1, code, address))
    return found


class Layout:
    """Where the activations, slopes and deltas of a batch lie in the workspace."""

    def __init__(
        self,
        architecture: Architecture,
        dtype: np.dtype[Any],
        batch: int,
        n_threads: int = 1,
        *,
        trains: bool = True,
    ) -> None:
        self.end = 0
        sizes = architecture.sizes
        segments: list[Segment] = []
        # By name, as the kernels see it: a row is a `Layer`.
        kind = np.dtype([(name, np.int64) for name in Layer._fields])
        self.rows: Array = np.full((len(sizes) - 1) * len(Layer._fields), -1).view(kind)
        offsets = {block.name: block.offset for block in architecture.blocks}
        below = self.take(batch * sizes[0])
        slope = delta = -1 if trains else self.take(batch * max(sizes))  # slopes nobody looks at
        if architecture.input_scale and trains:
            slope, delta = self.take(batch * sizes[0]), self.take(batch * sizes[0])
        for i, (row, layer) in enumerate(zip(self.rows, architecture.layers, strict=True)):
            row["n_in"], row["n_out"] = sizes[i], layer.size
            row["weights"] = offsets[f"layers.{i}.weight"]
            row["biases"] = offsets.get(f"layers.{i}.bias", -1)
            row["scales"] = offsets.get(f"layers.{i}.scale", -1)
            row["below"], row["below_slope"], row["below_delta"] = below, slope, delta
            row["above"] = below = self.take(batch * layer.size)
            if trains:
                slope, delta = self.take(batch * layer.size), self.take(batch * layer.size)
            row["slope"], row["delta"] = slope, delta
            row["drop"] = 0
            if layer.function.parts:
                row["code"] = codes.MIXED
                row["first_segment"] = len(segments)
                segments += _segments(layer.function, dtype)
                row["last_segment"] = len(segments)
            else:
                row["code"], row["address"] = code_of(layer.function, dtype) or (0, 0)
        last = self.rows[-1]
        last["z"] = self.take(batch * sizes[-1])
        if architecture.cost.groups:
            last["first_segment"], ends = len(segments), np.cumsum([0, *architecture.cost.groups])
            segments += [Segment(a, b, 0, 0) for a, b in itertools.pairwise(ends)]
            last["last_segment"] = len(segments)
        self.segments = np.array(segments or [Segment(0, 0, 0, 0)], np.int64)
        self.rows["log_sums"] = self.take(batch)
        self.rows["copied"] = copied = products.spare(batch, max(sizes))
        self.rows["copies"] = self.take(copied * n_threads)

    @property
    def layers(self) -> Array:
        """The table of layers, shape (n_layers, n_columns); it shares `rows`."""
        return self.rows.view(np.int64).reshape(len(self.rows), -1)

    def take(self, n: int) -> int:
        """Return the start of a new stretch of n elements."""
        start = self.end
        self.end += -(-n // _ALIGNMENT) * _ALIGNMENT
        return start


def unsupported_activation(architecture: Architecture) -> str | None:
    """Return None, or which part of the network has no compiled form, and why."""
    if architecture.embedding is not None:
        return "embeddings have no compiled form yet"
    for number, layer in enumerate(architecture.layers, start=1):
        for each in layer.function.parts or (layer.function,):
            if code_of(each, np.dtype(np.float64)) is None:
                return own.why_not(each, number)
    return None
