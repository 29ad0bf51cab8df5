"""Whether the rows of X and Y belong together: a test of independence against rows put in any order.

The statistic is the Hilbert-Schmidt independence criterion (Gretton et al. 2008, A kernel statistical
test of independence): rows that are alike in X should be alike in Y. Alike is meant twice, by the
products of the features and by their distances, so that neither a plane nor islands are missed. Mean
and variance over all orders of the rows are exact, of doubly centred matrices (Kazi-Aoual et al.
1995).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array

Matrix = NDArray[np.float64]
_FEWEST = 5  # rows, below which the variance is not defined
_SHIFTS = (-1, 1)
_MOST = 1000  # rows: two matrices of as many rows and columns are made


class Association(NamedTuple):
    """How far X and Y go together.

    Attributes
    ----------
    score : float
        Standard deviations above what rows in any order give on average; NaN if it was not measured.
    shift : int
        By how many rows Y is to be moved to go with X better: -1, 0 or 1.
    shifted_score : float
        The score then.
    """

    score: float = float("nan")
    shift: int = 0
    shifted_score: float = float("nan")


def association(X: Array, Y: Array, rows: NDArray[np.int64]) -> Association:
    """Return how far some rows of X and Y go together, and with Y moved by a row.

    Parameters
    ----------
    X, Y : ndarray of shape (n_samples, n_features) and (n_samples, n_outputs)
        In the order in which they were given.
    rows : ndarray of int
        Those that are looked at; of very many, some.
    """
    if len(rows) > _MOST:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST).astype(int)]

    def moved(shift: int) -> float:
        there = rows[(rows + shift >= 0) & (rows + shift < len(Y))]
        return score(X[there], Y[there + shift])

    shifted = {shift: moved(shift) for shift in _SHIFTS}
    best = max(shifted, key=lambda shift: shifted[shift])
    return Association(score(X[rows], Y[rows]), best, shifted[best])


@np.errstate(all="ignore")
def score(X: Array, Y: Array) -> float:
    """Return how far X and Y go together, in standard deviations of chance; NaN of too few rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 4))
    >>> Y = X[:, :1] + rng.normal(size=(100, 1))
    >>> score(X, Y) > 10, score(X, rng.permutation(Y)) < 3
    (True, True)
    """
    if len(X) < _FEWEST:
        return float("nan")
    x, y = _standardized(X), np.asarray(Y, np.float64)
    L = _products(_standardized(Y) if not ((y == 0) | (y == 1)).all() else y - y.mean(axis=0))
    if not x.shape[1] or not L.any():
        return 0.0
    return max(_score(_centred(kernel(x)), L) for kernel in KERNELS)


def _standardized(X: Array) -> Matrix:
    wide = X.astype(np.float64)
    wide = wide - wide.mean(axis=0)
    deviation = np.sqrt(np.square(wide).mean(axis=0))
    varies = deviation > 0
    return wide[:, varies] / deviation[varies]


def _products(x: Matrix) -> Matrix:
    return x @ x.T


def _nearness(x: Matrix) -> Matrix:
    """Return exp(-d^2 / m) of all pairs of rows, m the median of the squared distances d^2."""
    norms = np.square(x).sum(axis=1)
    squares = np.maximum(norms[:, None] + norms - 2 * (x @ x.T), 0.0)
    median = float(np.median(squares[np.triu_indices(len(x), 1)]))
    return np.exp(-squares / (median or 1.0))


KERNELS: tuple[Callable[[Matrix], Matrix], ...] = (_products, _nearness)


def _centred(K: Matrix) -> Matrix:
    means = K.mean(axis=0)
    return K - means - means[:, None] + means.mean()


def _score(K: Matrix, L: Matrix) -> float:
    """Return (tr KL - its mean) / its deviation, over all orders of the rows of L."""
    n = len(K)
    mean = np.trace(K) * np.trace(L) / (n - 1)
    variance = _variance(K, L)
    return float(((K * L).sum() - mean) / np.sqrt(variance)) if variance > 0 else 0.0


def _variance(K: Matrix, L: Matrix) -> float:
    n = len(K)

    def parts(A: Matrix) -> tuple[float, float]:
        trace, squares, diagonal = np.trace(A), (A * A).sum(), np.square(np.diag(A)).sum()
        spread = (n - 1) * squares - trace**2
        return spread, n * (n + 1) * diagonal - (n - 1) * (trace**2 + 2 * squares)

    (a, c), (b, d) = parts(K), parts(L)
    first = 2 * a * b / ((n - 1) ** 2 * (n + 1) * (n - 2))
    return float(first + c * d / ((n + 1) * n * (n - 1) * (n - 2) * (n - 3)))
