"""The piecewise-linear embedding: how much of each bin of an input lies below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.input_embedding import Delta, Embedding, Parameters, Start

NARROWEST = 1e-30  # a bin; beyond it one over its width leaves float32


@dataclass(frozen=True)
class PiecewiseLinear(Embedding):
    """As `embeddings.piecewise_linear` makes it; ``edges`` are those of each embedded input's bins."""

    kind = "piecewise_linear"

    edges: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        made = tuple(tuple(map(float, each)) for each in self.edges)
        for each in made:
            narrow = np.diff(each) < NARROWEST
            if len(each) < 2 or not np.isfinite(each).all() or narrow.any():
                raise ValueError(
                    "edges of an input's bins must be at least 2 finite numbers, in rising order, "
                    f"got {list(each)[:9]}"
                )
        object.__setattr__(self, "edges", made)

    def of(self, n_features: int) -> Embedding:
        """Return the embedding of a network's inputs, for each of which there are edges."""
        made = super().of(n_features)
        if len(self.edges) != len(made.columns or ()):
            raise ValueError(
                f"edges must be given for each of the {len(made.columns or ())} inputs that are "
                f"embedded, got {len(self.edges)}"
            )
        return made

    @property
    def n_basis(self) -> int:  # type: ignore[override]
        """The input, and the most bins that one has; those with fewer have zeros there."""
        return max(map(len, self.edges))

    @cached_property
    def bins(self) -> NDArray[np.float64]:
        """Return slope, shift, least and most of every e = slope x + shift, shape (4, f, T)."""
        made = np.zeros((4, len(self.edges), self.n_basis - 1))
        for slopes, shifts, least, most, each in zip(*made, self.edges, strict=True):
            left, n = np.array(each[:-1]), len(each) - 1
            slopes[:n] = 1.0 / np.diff(each)
            shifts[:n] = -left * slopes[:n]
            least[0], most[: n - 1], most[n - 1] = (
                -np.inf,
                1.0,
                np.inf,
            )  # outside, the first and the last
        return made

    def basis(self, parameters: Parameters, x: Array) -> Array:
        """Return x, and of each bin the share that lies below x."""
        slopes, shifts, least, most = self.bins.astype(x.real.dtype)
        e = x[:, :, None] * slopes + shifts
        e = np.where(e.real < least, least, np.where(e.real > most, most, e))
        return np.concatenate([x[:, :, None], e], axis=2)

    def slope_error(self, back: Delta) -> Array:
        """Return dC/dx: by the line, and by the bin that x lies in."""
        x, error = back.embedded.x, back.basis
        slopes, shifts, least, most = self.bins.astype(x.dtype)
        e = x[:, :, None] * slopes + shifts
        inside = (e >= least) & (e <= most)
        made: Array = error[:, :, 0] + (error[:, :, 1:] * slopes * inside).sum(axis=2)
        return made

    def starts(self) -> dict[str, Start]:
        """Return V and b: the line of x is drawn, the bins begin at 0."""
        weight, bias = super().starts().values()
        bound = self.size**-0.5
        return {
            "weight": weight._replace(distribution="first", scale=bound),
            "bias": bias._replace(scale=bound),
        }

    def describe(self) -> dict[str, Any]:
        """Return what a file holds of it."""
        return super().describe() | {"edges": [list(each) for each in self.edges]}


def from_quantiles(
    quantiles: NDArray[np.float64], size: int = 16, columns: Sequence[int] | None = None
) -> PiecewiseLinear:
    """Return the piecewise-linear embedding with these quantiles, shape (bins + 1, f), as edges.

    Where they are equal, they are one edge; an input that is the same in all rows gets one bin.
    """
    edges = []
    for each in quantiles.T:
        least = max(NARROWEST, 1e-6 * float(each[-1] - each[0]))  # float32 is to tell them apart
        kept = [float(each[0]), *_apart(each, least)]
        edges.append(tuple(kept) if len(kept) > 1 else (kept[0], kept[0] + max(1.0, abs(kept[0]))))
    return PiecewiseLinear(size, None if columns is None else tuple(columns), None, tuple(edges))


def _apart(each: NDArray[np.float64], least: float) -> Iterator[float]:
    """Yield the edges after the first that are so far from the one before."""
    last = float(each[0])
    for edge in map(float, each[1:]):
        if edge - last >= least:
            last = edge
            yield edge
