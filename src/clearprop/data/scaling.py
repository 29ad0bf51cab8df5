"""What numbers go through before layer 1: a shift and a factor for each feature, and a smooth clip.

`Scaling` and `SmoothClip` are the steps; the functions learn a `Scaling` from rows, weights or moments.
A constant feature becomes 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.masks import refuse_masked

Array = NDArray[Any]

_BLOCK_VALUES = 1 << 20  # X may be 16 times smaller as bytes than its float64 copy: one block at a time
BOUND = 3.0  # RealMLP's: nothing that is clipped smoothly is as large as this


@dataclass(frozen=True, eq=False)
class Scaling:
    """A shift and a factor for every input: ``scaling(X)`` is ``(X - shift) * factor``.

    Parameters
    ----------
    shift, factor : ndarray of shape (n_features,) or (1,)
        float64; shape (1,) stands for every feature alike.
    """

    shift: NDArray[np.float64]
    factor: NDArray[np.float64]

    def __call__(self, X: Array) -> Array:
        """Return the scaled X, in its own dtype."""
        scaled: Array = X - self.shift.astype(X.dtype)
        scaled *= self.factor.astype(X.dtype)  # in place: X may be most of the memory
        return scaled

    def slope(self, X: Array) -> Array:
        """Return the derivative of every scaled value by its raw value, the shape of X."""
        return np.broadcast_to(self.factor.astype(X.dtype), X.shape)


@dataclass(frozen=True)
class SmoothClip:
    """``x / sqrt(1 + (x / 3)^2)``: RealMLP's clip, which leaves small values and bounds large ones."""

    def __call__(self, X: Array) -> Array:
        """Return the clipped X, in its own dtype."""
        clipped: Array = X / np.sqrt(1.0 + (X / BOUND) ** 2)
        return clipped

    def slope(self, X: Array) -> Array:
        """Return the derivative of every clipped value by what it was, the shape of X."""
        slope: Array = (1.0 + (X / BOUND) ** 2) ** -1.5
        return slope


def divide_by(value: float) -> Scaling:
    """Return the scaling ``X / value``.

    Parameters
    ----------
    value : float
        Finite and not 0, such as 255 for images of bytes.

    Returns
    -------
    Scaling
        With a shift of 0 and a factor of ``1 / value``, each of shape (1,).

    Raises
    ------
    ValueError
        If `value` is 0 or not finite.

    Examples
    --------
    >>> divide_by(2.0)(np.array([[1.0, 4.0]]))
    array([[0.5, 2. ]])
    """
    if not np.isfinite(value) or value == 0:
        raise ValueError(f"value must be finite and not 0, got {value}")
    return Scaling(np.zeros(1), np.array([1.0 / value]))


def standardize(X: ArrayLike) -> Scaling:
    """Return the scaling that gives each column of X mean 0 and standard deviation 1.

    The deviation is the population's (divided by n). A column that is constant, or varies by no
    more than rounding or than float32 can hold, gets the factor 0: it is 0 in every row.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite numbers; the training rows alone. It is not changed.

    Returns
    -------
    Scaling
        Of shape (n_features,).

    Raises
    ------
    TypeError
        If X does not hold real numbers.
    ValueError
        If X is not two-dimensional, has no rows or columns, or holds NaN or infinity.

    Examples
    --------
    >>> standardize(np.array([[1.0, 5.0], [3.0, 5.0]])).shift
    array([2., 5.])
    >>> standardize(np.array([[1.0, 5.0], [3.0, 5.0]]))(np.array([[3.0, 5.0]]))
    array([[1., 0.]])
    """
    refuse_masked(X, "X")
    X = np.asarray(X)
    if X.dtype.kind not in "buif":
        raise TypeError(f"X must hold real numbers, got dtype {X.dtype}")
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have shape (n_samples, n_features), both at least 1, got {X.shape}")
    low, high = _range(X)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("X must be finite, got NaN or infinity")
    largest = np.maximum(np.abs(low), np.abs(high))
    # in these units no square overflows, and a constant column is exactly 1
    unit = np.where(largest > 0, largest, 1.0)
    shift = sum(np.sum(block / unit, axis=0) for block in _blocks(X)) / len(X)
    variance = sum(np.sum((block / unit - shift) ** 2, axis=0) for block in _blocks(X)) / len(X)
    deviation = np.sqrt(variance)
    lost = deviation <= 8 * np.finfo(np.float64).eps
    constant = lost | (deviation * unit < np.finfo(np.float32).tiny)
    return Scaling(shift * unit, _inverse(deviation * unit, ~constant))


def _inverse(width: Array, real: Array) -> Array:
    """Return one over the widths that are real ones, 0 for the others: a constant feature is 0."""
    return np.where(real, 1.0 / np.where(real, width, 1.0), 0.0)


def _blocks(X: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _BLOCK_VALUES // X.shape[1])
    return (X[i : i + rows].astype(np.float64) for i in range(0, len(X), rows))


def _range(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)


def standard_of(mean: Array, variance: Array) -> Scaling:
    """Return the scaling to mean 0 and standard deviation 1 by moments that are known."""
    spread = np.sqrt(variance)
    # Rounding gives a constant feature a spread of about its size times 1e-16.
    return Scaling(mean, _inverse(spread, spread > 1e-12 * np.maximum(np.abs(mean), 1e-300)))


def robust_of(least: Array, low: Array, middle: Array, high: Array, most: Array) -> Scaling:
    """Return RealMLP's scaling by the ends and quartiles of every feature.

    The factor is 1 / (q75 - q25); where the quartiles are equal, 2 / (max - min) (Holzmueller et al.
    2024, appendix A).
    """
    width = np.where(high > low, high - low, (most - least) / 2.0)
    return Scaling(middle, _inverse(width, width > 1e-300))  # one over less is not finite


def check_scaling(scaling: Scaling | None, n_features: int) -> None:
    """Refuse what is no scaling of so many features; None scales nothing.

    Raises
    ------
    TypeError, ValueError
    """
    if scaling is None:
        return
    if not isinstance(scaling, Scaling):
        raise TypeError(f"scaling must be a Scaling, got {scaling!r}")
    for name in ("shift", "factor"):
        shape = getattr(scaling, name).shape
        if shape not in ((1,), (n_features,)):
            raise ValueError(f"scaling's {name} must have shape ({n_features},) or (1,), got {shape}")
