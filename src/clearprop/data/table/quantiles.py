"""Quantiles of numbers that come in batches."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class Quantiles(Protocol):
    """What is shown numbers and asked for a quantile."""

    def add(self, values: Numbers) -> None:
        """Take note of numbers, none of them NaN."""

    def quantile(self, share: float) -> float:
        """Return the number that `share` of all are below, by linear interpolation; NaN of none."""


class ExactQuantiles:
    """Keeps every number."""

    def __init__(self) -> None:
        self._parts: list[Numbers] = []

    def add(self, values: Numbers) -> None:
        """Take note of numbers, none of them NaN."""
        self._parts.append(np.array(values, np.float64))

    def quantile(self, share: float) -> float:
        """Return the number that `share` of all are below, by linear interpolation; NaN of none."""
        values = np.concatenate(self._parts) if self._parts else np.zeros(0)
        self._parts = [values]
        return float(np.quantile(values, share)) if len(values) else float("nan")
