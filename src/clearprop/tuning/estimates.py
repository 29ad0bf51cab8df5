"""The mean of a metric over folds, and how far another choice of folds and rows could move it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A metric over folds.

    Attributes
    ----------
    mean : float
        Over the folds in which it has a value: the area under the curve of a single class has none.
    low, high : float
        The interval, NaN where fewer than two folds have a value.
    values : tuple of float
        Of every fold, in their order.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        ratio: float,
        level: float = 0.95,
        bounds: tuple[float, float] = (-math.inf, math.inf),
    ) -> Estimate:
        """Return the mean of folds with Nadeau and Bengio's corrected interval.

        Folds share most of the rows that they learn from, so that the variance of their mean is larger
        than that of J independent values, s^2 / J. Nadeau and Bengio (2003, Inference for the
        generalization error, Machine Learning 52, section 5.1, "corrected resampled t-test") put the
        ratio n_held / n_train in for their correlation::

            mean +- t(J - 1, (1 + level) / 2) * s * sqrt(1 / J + n_held / n_train)

        It is made for random splits, and rough for those in time order, whose training parts grow.

        Parameters
        ----------
        values : sequence of float
            Of J folds, of all repeats.
        ratio : float
            n_held / n_train; of folds that differ, the mean.
        level : float
            In (0, 1): how often such an interval is to hold the value that is meant.
        bounds : (float, float)
            Of the metric: an interval does not leave them.

        Examples
        --------
        >>> found = Estimate.of([0.7, 0.8, 0.9], ratio=0.5)
        >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
        (0.8, 0.407, 1.193)
        """
        finite = [value for value in values if math.isfinite(value)]
        n, nan = len(finite), float("nan")
        mean = float(np.mean(finite)) if finite else nan
        if n < 2:
            return cls(mean, nan, nan, tuple(values))
        from scipy.special import stdtrit

        spread = float(np.std(finite, ddof=1)) * math.sqrt(1.0 / n + ratio)
        half = float(stdtrit(n - 1, (1.0 + level) / 2.0)) * spread
        return cls(mean, max(mean - half, bounds[0]), min(mean + half, bounds[1]), tuple(values))
