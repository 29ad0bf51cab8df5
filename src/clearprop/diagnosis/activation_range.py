"""What an activation can do at most: its steepest slope, its range, and where it goes flat."""

from __future__ import annotations

import enum
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Activation

# Dense around 0, where slopes are steep and kinks lie; the ends stand for infinity.
_GRID = np.concatenate([np.linspace(-8.0, 8.0, 3201), [-1e-9, 1e-9]])
_FAR = 30.0


class Kind(enum.IntEnum):
    """Where a unit's slope goes to zero."""

    never = 0  # identity; exp has no steepest slope
    both_ends = 1  # sigmoid, tanh: saturates
    below = 2  # elu, gelu, softplus: nearly zero on one side
    dead_below = 3  # relu: exactly zero on one side


class Range(NamedTuple):
    """Of each unit of a layer; arrays of shape (n_out,)."""

    steepest: NDArray[np.float64]  # max |f'|; infinity where there is none
    kind: NDArray[np.int64]
    low: NDArray[np.float64]  # infimum and supremum of f
    high: NDArray[np.float64]


# As long as the activation lives: a user's own may hold anything.
_FOUND: WeakKeyDictionary[Activation, tuple[float, Kind, float, float]] = WeakKeyDictionary()


def _of_one(function: Activation) -> tuple[float, Kind, float, float]:
    found = _FOUND.get(function)
    if found is None:
        found = _FOUND[function] = _look_at(function)
    return found


def _look_at(function: Activation) -> tuple[float, Kind, float, float]:
    with np.errstate(all="ignore"):
        slope = np.abs(function.slope(_GRID))
        steepest = float(slope.max())
        flat = function.slope(np.array([-_FAR, _FAR, -1.0]))
        ends = function(np.array([-_FAR, _FAR, -1e4, 1e4]))
        far = np.abs(function.slope(np.array([1e2, 2e2])))
    below, above, near = np.abs(flat)
    unbounded = float(far[1]) > 2.0 * steepest or not np.isfinite(far).all()
    values = function(_GRID)
    low = min(float(values.min()), float(ends[0])) if abs(ends[2] - ends[0]) < 1e-9 else -np.inf
    high = max(float(values.max()), float(ends[1])) if abs(ends[3] - ends[1]) < 1e-9 else np.inf
    if unbounded:
        return np.inf, Kind.never, low, high
    small = 0.04 * steepest
    if below < small and above < small:
        return steepest, Kind.both_ends, low, high
    if below < small:
        return steepest, Kind.dead_below if below == near == 0.0 else Kind.below, low, high
    return steepest, Kind.never, low, high


def of_layer(function: Activation, size: int) -> Range:
    """Return what each of a layer's units can do; a softmax unit is like a sigmoid one.

    Examples
    --------
    >>> from clearprop.activations import resolve
    >>> found = of_layer(resolve("sigmoid"), 1)
    >>> found.kind.tolist(), found.low.tolist(), found.high.tolist()
    ([1], [0.0], [1.0])
    """
    if not function.elementwise:
        return Range(
            np.full(size, 0.25), np.full(size, int(Kind.both_ends)), np.zeros(size), np.ones(size)
        )
    found = [_of_one(part) for part in (function.parts or (function,) * size)]
    steepest, kind, low, high = zip(*found, strict=True)
    rounded = (np.round(np.array(each, float), 9) + 0.0 for each in (low, high))
    return Range(np.array(steepest), np.array([int(k) for k in kind]), *rounded)
