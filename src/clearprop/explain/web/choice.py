"""What of a network is drawn: all of a small layer, of a large one the units that matter most here."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from clearprop.trace import Trace

WIDE = 16  # units of a layer that are all drawn
OF_WIDE = 8  # of a wider one
WEIGHTS = 400  # that are drawn before every layer of more than OF_WIDE counts as wide
DEEP = 10  # layers of weights that can be drawn


class Choice(NamedTuple):
    """The units that are drawn, by layer from the input on, in ascending order."""

    units: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    @property
    def drawn(self) -> bool:
        """Whether the network is drawn at all."""
        return len(self.sizes) - 1 <= DEEP

    def left_out(self, layer: int) -> int:
        """Return how many units of a layer are not drawn."""
        return self.sizes[layer] - len(self.units[layer])

    def weights(self, layer: int) -> list[tuple[int, int]]:
        """Return the weights of a weight layer 1..L between units that are drawn: (to, from)."""
        return [(j, k) for j in self.units[layer] for k in self.units[layer - 1]]


def choose(trace: Trace) -> Choice:
    """Return the units to draw: of a wide layer those whose weights have the largest gradients."""
    sizes = trace.architecture.widths
    limit = WIDE
    drawn = [n if n <= WIDE else OF_WIDE for n in sizes]
    if sum(a * b for a, b in itertools.pairwise(drawn)) > WEIGHTS:
        limit = OF_WIDE
    units = []
    for layer, n in enumerate(sizes):
        if n <= limit:
            units.append(tuple(range(n)))
            continue
        order = np.argsort(-_weight_of(trace, layer), kind="stable")[:OF_WIDE]
        units.append(tuple(sorted(int(each) for each in order)))
    return Choice(tuple(units), sizes)


def _weight_of(trace: Trace, layer: int) -> np.ndarray:
    """Return how much each unit matters: its share of the gradient before or behind it."""
    with np.errstate(all="ignore"):
        if layer == 0:
            # What it adds to z of the first layer, in absolute values: an input of 0 adds nothing.
            W = np.abs(trace.layers[0].weight_gradient.astype(np.float64))
            sizes = W.sum(axis=0)
        else:
            sizes = np.abs(trace.layers[layer - 1].delta[0].astype(np.float64))
    return np.where(np.isnan(sizes), math.inf, sizes)
