"""What turns raw features into what a network is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.architecture import Scaling
from clearprop.masks import refuse_masked

_BLOCK_VALUES = 1 << 20  # X may be 16 times smaller as bytes than its float64 copy: one block at a time


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
    more than rounding or than float32 can hold, keeps its factor at 1: it becomes 0, never NaN.

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
    return Scaling(shift * unit, 1.0 / np.where(constant, 1.0, deviation * unit))


def _blocks(X: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _BLOCK_VALUES // X.shape[1])
    return (X[i : i + rows].astype(np.float64) for i in range(0, len(X), rows))


def _range(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)


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
