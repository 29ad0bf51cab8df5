"""Split conformal intervals: around a prediction, as wide as held-out rows were wrong.

Let r_1 <= ... <= r_n be the absolute errors on n rows that neither trained the network nor chose
anything. The error of one more such row is as likely to fall in any of the n + 1 places between them,
so that it is at most r_k with probability k / (n + 1) or more. The smallest k that is enough for a
level is ceil((n + 1) level) (Vovk, Gammerman and Shafer 2005; Lei, G'Sell, Rinaldo, Tibshirani and
Wasserman 2018). That holds for any network and any distribution, if the rows come from the same one; it
is a promise about all rows together, not about each kind of them.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 10_000  # errors that are kept: of more rows, as many at equal distances


def residuals(predicted: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """Return the absolute errors of rows, each column sorted, shape (at most `MOST`, n_outputs)."""
    n = len(true)
    rows = np.arange(n) if n <= MOST else np.arange(MOST) * n // MOST
    wide = np.abs(predicted[rows].astype(np.float64) - true[rows])
    return np.sort(wide, axis=0)


def beyond(quantiles: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far rows lie outside their lowest and highest quantile, sorted, shape (n, 1).

    ``E = max(low - y, y - high)``, below 0 inside: (6) of Romano, Patterson and Candes (2019),
    conformalized quantile regression. What is said above of errors holds of E as well, so that bounds
    moved outwards by its k-th (or inwards, where that is below 0) hold as many rows as were asked.

    Parameters
    ----------
    quantiles, true : ndarray of shape (n, n_quantiles)
        In any order: those of a row are sorted. `true` has one quantity in all columns of a row.
    """
    low, high = quantiles.min(axis=1, keepdims=True), quantiles.max(axis=1, keepdims=True)
    n, y = len(true), true[:, :1]
    rows = np.arange(n) if n <= MOST else np.arange(MOST) * n // MOST
    return np.sort(np.maximum(low - y, y - high)[rows].astype(np.float64), axis=0)


def around(quantiles: NDArray[np.float64], away: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bounds of rows, shape (n, 1, 2): their outer quantiles, moved outwards by `away`.

    An interval that would be empty is its middle.
    """
    low, high = quantiles.min(axis=1) - away, quantiles.max(axis=1) + away
    middle = (low + high) / 2
    return np.stack([np.minimum(low, middle), np.maximum(high, middle)], axis=1)[:, None]


def check_level(level: object) -> Fraction:
    """Return the share of rows that an interval is to hold, exactly as it is written.

    Raises
    ------
    TypeError, ValueError
        If it is not a number above 0 and below 1.
    """
    if isinstance(level, bool) or not isinstance(level, Real):
        raise TypeError(f"interval must be a number above 0 and below 1, got {level!r}")
    if not 0 < float(level) < 1:
        raise ValueError(f"interval must be above 0 and below 1, got {level}")
    return Fraction(str(float(level)))


def rank(n: int, level: Fraction) -> int:
    """Return which of n sorted errors is large enough, counted from 1.

    Raises
    ------
    ValueError
        If even the largest is not: of few rows.

    Examples
    --------
    >>> rank(9, Fraction("0.9")), rank(100, Fraction("0.9"))
    (9, 91)
    """
    k = math.ceil((n + 1) * level)
    if k > n:
        needed = math.ceil(level / (1 - level))
        raise ValueError(
            f"an interval for {float(100 * level):g} % of the rows needs {needed:,} held-out rows that "
            f"chose nothing, the model has {n:,}, enough for {100 * n / (n + 1):.3g} %"
        )
    return k


def half_width(errors: NDArray[np.float64], level: Fraction) -> NDArray[np.float64]:
    """Return how far an interval goes to each side of a prediction, shape (n_outputs,).

    Parameters
    ----------
    errors : ndarray of shape (n, n_outputs)
        Of `residuals`.
    level : Fraction
        Of `check_level`.
    """
    found: NDArray[np.float64] = errors[rank(len(errors), level) - 1]
    return found
