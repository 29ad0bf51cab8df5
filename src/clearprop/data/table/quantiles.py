"""Quantiles of numbers that come in batches, and need not be kept."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness

Numbers = NDArray[np.float64]

KEPT = 8192  # numbers on each level: ranks are wrong by less than 0.1 % of a billion numbers


class Quantiles:
    """Keeps every number, or every one up to a limit and a sample of the whole beyond it.

    The compactors of Karnin, Lang and Liberty ("Optimal quantile approximation in streams", 2016) with
    levels of equal size: a full level is sorted, and every second number of it goes to the next one,
    where it stands for twice as many. Which second ones is drawn, the same ones in every run.

    Parameters
    ----------
    exact : int, optional
        As long as there are no more numbers than this, or twice `KEPT`, quantiles are exact; always,
        if none is given.

    Examples
    --------
    >>> sketch = Quantiles(exact=0)
    >>> for first in range(0, 1_000_000, 10_000):
    ...     sketch.add(np.arange(first, first + 10_000.0))
    >>> abs(sketch.quantile(0.25) - 250_000) < 1000
    True
    """

    def __init__(self, exact: int | None = None) -> None:
        self._capacity = math.inf if exact is None else max(exact, 2 * KEPT)  # of the lowest level
        self._levels: list[list[Numbers]] = [[]]
        self._drawn = 0

    def add(self, values: Numbers) -> None:
        """Take note of numbers, none of them NaN."""
        self._levels[0].append(np.array(values, np.float64))
        level = 0
        while level < len(self._levels):
            kept = self._levels[level]
            if sum(map(len, kept)) > (self._capacity if level == 0 else 2 * KEPT):
                self._compact(level)
            level += 1

    def _compact(self, level: int) -> None:
        if level + 1 == len(self._levels):
            self._levels.append([])
        values = np.sort(np.concatenate(self._levels[level]))
        odd = values[len(values) // 2 * 2 :]  # waits for another: weights stay whole
        start = int(randomness.uniform(0, 1, purpose=randomness.CHECK, first=self._drawn)[0] < 0.5)
        self._drawn += 1
        self._levels[level] = [odd]
        self._levels[level + 1].append(values[start : len(values) // 2 * 2 : 2])
        self._capacity = 2 * KEPT  # once it is more than a list, a short one is as good

    def quantile(self, share: float) -> float:
        """Return the number that `share` of all are below, by linear interpolation; NaN of none."""
        values, weights = self._weighted()
        if not len(values):
            return float("nan")
        if len(self._levels) == 1:
            return float(np.quantile(values, share))
        order = np.argsort(values, kind="stable")
        middles = np.cumsum(weights[order]) - weights[order] / 2.0
        return float(np.interp(share * weights.sum(), middles, values[order]))

    def slices(self, n: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Return about n slices of all numbers: where each but the last ends, and how many are in each.

        A slice holds the numbers up to its end, and fewer slices hold numbers of which there are many.
        """
        values, weights = self._weighted()
        if not len(values):
            return (), (0,)
        order = np.argsort(values, kind="stable")
        values, below = values[order], np.cumsum(weights[order])
        wanted = below[-1] * np.arange(1, n) / n
        edges = np.unique(values[np.searchsorted(below, wanted)])
        edges = edges[edges < values[-1]]
        ends = np.append(below[np.searchsorted(values, edges, side="right") - 1], below[-1])
        counts = np.diff(ends, prepend=0.0)
        return tuple(edges.tolist()), tuple(int(each) for each in counts)

    def _weighted(self) -> tuple[Numbers, Numbers]:
        """Return the numbers that are kept, and how many each stands for."""
        parts = [np.concatenate(kept) if kept else np.zeros(0) for kept in self._levels]
        weights = [np.full(len(part), 2.0**i) for i, part in enumerate(parts)]
        return np.concatenate(parts), np.concatenate(weights)
