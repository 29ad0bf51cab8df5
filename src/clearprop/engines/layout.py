"""Where everything of a network lies: the tables of layers and segments, and the workspace."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.architecture import Architecture
from clearprop.engines import codes, neurons, own, products
from clearprop.engines.records import Embedding, Layer, Segment
from clearprop.piecewise_linear import PiecewiseLinear

NO_EMBEDDING = Embedding(
    exists=False, n=0, n_features=0, n_out=0, n_basis=0, n_mapped=0, n_waves=0, shared=False,
    relu=False, appends=False, keeps=False, weight=-1, bias=-1, frequency=-1, phase=-1, vectors=-1,
    x=-1, raw=-1, basis=-1, sines=-1, errors=-1, phases=-1, steepest=0.0, furthest=0.0,
    columns=np.zeros(1, np.int64), first=np.zeros(1, np.int64), bins=np.zeros(1),
    n_vectors=0, n_of_vector=0, one_hot=np.zeros(1, np.int64),
)  # fmt: skip
_ALIGNMENT = 32  # elements; stretches of the workspace start on a cache line of their own


def code_of(function: Activation, dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return an activation's code and its address, which is 0 but for a user's own.

    None where it was not compiled.
    """
    function = function.plain or function
    if ACTIVATIONS.get(function.name) == function:
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
        sizes = architecture.widths
        segments: list[Segment] = []
        # By name, as the kernels see it: a row is a `Layer`.
        kind = np.dtype([(name, np.int64) for name in Layer._fields])
        self.rows: Array = np.full((len(sizes) - 1) * len(Layer._fields), -1).view(kind)
        offsets = {block.name: block.offset for block in architecture.blocks}
        below = self.take(batch * sizes[0])
        slope = delta = -1 if trains else self.take(batch * max(sizes))  # slopes nobody looks at
        if (architecture.input_scale or architecture.embedding is not None) and trains:
            slope, delta = self.take(batch * sizes[0]), self.take(batch * sizes[0])
        self.embedding = self._embedding(architecture, dtype, batch, below, delta)
        bend = -1
        for i, (row, layer) in enumerate(zip(self.rows, architecture.layers, strict=True)):
            row["n_in"], row["n_out"] = sizes[i], layer.size
            row["weights"] = offsets[f"layers.{i}.weight"]
            row["biases"] = offsets.get(f"layers.{i}.bias", -1)
            row["shares"] = offsets.get(f"layers.{i}.share", -1)
            row["scales"] = offsets.get(f"layers.{i}.scale", -1)
            row["below"], row["below_slope"], row["below_delta"] = below, slope, delta
            row["below_bend"] = bend
            row["bend"] = bend = self.take(batch * layer.size) if row["shares"] >= 0 else -1
            row["above"] = below = self.take(batch * layer.size)
            if trains:
                slope, delta = self.take(batch * layer.size), self.take(batch * layer.size)
            row["slope"], row["delta"] = slope, delta
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

    def _embedding(
        self, architecture: Architecture, dtype: np.dtype[Any], batch: int, below: int, delta: int
    ) -> Embedding:
        """Return the record of an embedding, or of none."""
        its, n_features = architecture.embedding, architecture.n_features
        wide = architecture.widths[0]
        if its is None:
            return NO_EMBEDDING._replace(n_features=n_features, n_out=wide, bins=np.zeros(1, dtype))
        trains, n, m = delta >= 0, len(its.columns or ()), its.n_basis
        bins = its.bins if isinstance(its, PiecewiseLinear) else np.zeros((4, 1, 1))
        kept, scaled, of = batch * n * m, architecture.input_scale, its.categories
        offsets = {b.name[10:]: b.offset for b in architecture.blocks if b.kind == "embedding"}
        return Embedding(
            exists=True, n=n, n_features=n_features, n_out=wide, n_basis=m, n_mapped=its.n_mapped,
            n_waves=its.n_waves, shared=its.shared, relu=bool(its.function.kinks),
            appends=its.appends, keeps=trains,
            **{name: offsets.get(name, -1) for name in codes.ARRAYS},
            x=self.take(batch * n_features) if trains else -1,
            raw=self.take(batch * wide) if scaled else below,
            basis=self.take(kept),
            sines=self.take(kept if trains else m) if "phase" in offsets else -1,
            errors=self.take(batch * wide) if scaled and trains else delta,
            phases=self.take(kept) if trains and its.n_waves else -1,
            steepest=float(np.abs(bins[0]).max()), furthest=float(np.abs(bins[1]).max()),
            columns=np.array(its.columns or [0], np.int64), first=its.first,
            bins=np.ascontiguousarray(bins.ravel(), dtype),
            n_vectors=len(of.columns), n_of_vector=of.size,
            one_hot=np.array(of.columns or [0], np.int64),
        )  # fmt: skip

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
    for number, layer in enumerate(architecture.layers, start=1):
        for each in layer.function.parts or (layer.function,):
            if code_of(each, np.dtype(np.float64)) is None:
                return own.why_not(each, number)
    return None
