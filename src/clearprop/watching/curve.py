"""A column of a history in bounded memory, however many epochs there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 150  # that are kept when there are too many; there may be twice as many
_SPANS = MOST_POINTS // 2 - 1


class Curve:
    """The points of a column: all while they are few, then the lowest and highest of equal spans.

    A swing of one epoch among a million is seen, and so are the first and the last one.

    Examples
    --------
    >>> curve = Curve()
    >>> curve.extend([1, 2, 3], [0.5, float("nan"), 0.25])
    >>> curve.points
    [(1.0, 0.5), (3.0, 0.25)]
    """

    def __init__(self) -> None:
        self._at: NDArray[np.float64] = np.zeros(0)
        self._values: NDArray[np.float64] = np.zeros(0)
        self.points: list[tuple[float, float]] = []

    def extend(self, epochs: Sequence[float], values: Sequence[float]) -> None:
        """Add points, whose epochs are larger than those before; what is not finite is left out."""
        at, new = np.asarray(epochs, np.float64), np.asarray(values, np.float64)
        known = np.isfinite(new)
        self._at = np.concatenate([self._at, at[known]])
        self._values = np.concatenate([self._values, new[known]])
        if len(self._at) > 2 * MOST_POINTS:
            self._thin()
        shown = (float(f"{value:.6g}") for value in self._values.tolist())
        self.points = list(zip(self._at.tolist(), shown, strict=True))

    def _thin(self) -> None:
        first, last = self._at[0], self._at[-1]
        span = ((self._at - first) * (_SPANS / (last - first))).astype(np.int64)
        order = np.lexsort((self._values, span))
        changes = np.flatnonzero(np.diff(span[order]))
        lowest, highest = order[np.append(0, changes + 1)], order[np.append(changes, len(order) - 1)]
        kept = np.unique(np.concatenate([[0], lowest, highest, [len(span) - 1]]))
        self._at, self._values = self._at[kept], self._values[kept]
