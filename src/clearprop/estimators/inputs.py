"""What X goes through before the network sees it: scaling, clipping, and sparse rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.estimators.user_warning import warn

Array = NDArray[Any]

DENSE_BYTES = 2**28  # a sparse X that would be larger than this stays sparse, batch by batch
_CLIP = 3.0  # RealMLP's: nothing that is clipped smoothly is as large as this
_SUSPICIOUS = 1e3  # times the usual scale of a feature, from which a warning names it


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """``(x - shift) * factor``, then with `clip` the smooth clip ``x / sqrt(1 + (x / 3)^2)``.

    Parameters
    ----------
    shift, factor : ndarray of shape (n_features,)
        float64.
    clip : bool
    """

    shift: NDArray[np.float64]
    factor: NDArray[np.float64]
    clip: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"shift": self.shift.tolist(), "factor": self.factor.tolist(), "clip": self.clip}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Return what `to_json` gave."""
        shift, factor = (np.array(data[name], np.float64) for name in ("shift", "factor"))
        return cls(shift, factor, bool(data["clip"]))

    def __call__(self, X: Array) -> Array:
        """Return X scaled (and clipped), in its own dtype."""
        scaled = (X - self.shift.astype(X.dtype)) * self.factor.astype(X.dtype)
        return scaled / np.sqrt(1.0 + (scaled / _CLIP) ** 2) if self.clip else scaled

    def slope(self, X: Array) -> Array:
        """Return the derivative of every scaled value by its raw value, the shape of X."""
        factor = self.factor.astype(X.dtype)
        if not self.clip:
            return np.broadcast_to(factor, X.shape)
        scaled = (X - self.shift.astype(X.dtype)) * factor
        return factor * (1.0 + (scaled / _CLIP) ** 2) ** -1.5


def standard(X: Any, weight: Array | None) -> Preprocessing:
    """Return what gives every feature mean 0 and standard deviation 1; a constant one becomes 0."""
    if hasattr(X, "tocsr"):
        share = np.full(X.shape[0], 1.0 / X.shape[0]) if weight is None else weight / weight.sum()
        mean = np.asarray(X.T @ share, np.float64).ravel()
        variance = np.maximum(np.asarray(X.multiply(X).T @ share).ravel() - mean**2, 0.0)
    else:
        wide = X.astype(np.float64)
        mean = np.average(wide, axis=0, weights=weight)
        variance = np.average((wide - mean) ** 2, axis=0, weights=weight)
    return standard_of(mean, variance)


def standard_of(mean: Array, variance: Array) -> Preprocessing:
    """Return the scaling by means and variances that are known."""
    spread = np.sqrt(variance)
    # Rounding gives a constant feature a spread of about its size times 1e-16.
    real = spread > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    return Preprocessing(mean, np.where(real, 1.0 / np.where(real, spread, 1.0), 0.0))


def robust(X: Any, weight: Array | None) -> Preprocessing:
    """Return RealMLP's scaling: median and quartiles, then the smooth clip.

    The factor is 1 / (q75 - q25); where the quartiles are equal, 2 / (max - min); of a constant
    feature 0 (Holzmueller et al. 2024, appendix A).

    Raises
    ------
    ValueError
        If X is sparse: its quartiles would fill it.
    """
    if hasattr(X, "tocsr"):
        raise ValueError("preprocessing='robust' needs a dense X, got a sparse one; use 'standard'")
    wide = X.astype(np.float64)
    if weight is not None:
        wide = wide[weight > 0]
    quartiles = _quantiles(wide, None if weight is None else weight[weight > 0])
    low, middle, high = quartiles
    return robust_of(wide.min(axis=0), low, middle, high, wide.max(axis=0))


def robust_of(least: Array, low: Array, middle: Array, high: Array, most: Array) -> Preprocessing:
    """Return RealMLP's scaling by the ends and quartiles of every feature."""
    width = np.where(high > low, high - low, (most - least) / 2.0)
    real = width > 1e-300  # one over less is not finite
    factor = np.where(real, 1.0 / np.where(real, width, 1.0), 0.0)
    return Preprocessing(middle, factor, clip=True)


def _quantiles(X: Array, weight: Array | None) -> Array:
    shares = np.array([0.25, 0.5, 0.75])
    if weight is None:
        return np.quantile(X, shares, axis=0)
    # The quantile of repeated rows: positions between order statistics, as np.quantile has them.
    found = np.empty((3, X.shape[1]))
    for j in range(X.shape[1]):
        order = np.argsort(X[:, j], kind="stable")
        values, ends = X[order, j], np.cumsum(weight[order])
        at = shares * (ends[-1] - 1.0) if ends[-1] > 1.0 else np.zeros(3)
        low = np.minimum(np.searchsorted(ends, np.floor(at), side="right"), len(values) - 1)
        high = np.minimum(np.searchsorted(ends, np.ceil(at), side="right"), len(values) - 1)
        found[:, j] = values[low] + (values[high] - values[low]) * (at - np.floor(at))
    return found


PREPROCESSING: dict[str, Callable[[Any, Array | None], Preprocessing]] = {
    "standard": standard,
    "robust": robust,
}


class SparseRows:
    """A sparse X that becomes dense a batch at a time, for engines that index rows.

    Parameters
    ----------
    X : scipy sparse matrix or array in CSR format
    then : callable, optional
        Applied to the dense rows.
    """

    def __init__(self, X: Any, dtype: str, then: Callable[[Array], Array] | None = None) -> None:
        self._X, self._dtype, self._then = X, dtype, then
        self.shape = X.shape

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> Array:
        dense = self._X[rows].toarray().astype(self._dtype, copy=False)
        return dense if self._then is None else self._then(dense)


def as_rows(X: Any, dtype: str, then: Preprocessing | None) -> Any:
    """Return X as a dense C-contiguous array of `dtype`, or as `SparseRows` where it is too large."""
    if hasattr(X, "tocsr"):
        if X.shape[0] * X.shape[1] * np.dtype(dtype).itemsize > DENSE_BYTES:
            return SparseRows(X.tocsr(), dtype, then)
        X = X.toarray()
    with np.errstate(over="ignore"):  # what overflows is found below
        dense = np.ascontiguousarray(X, dtype=dtype)
    if dense.dtype != X.dtype and not np.isfinite(dense).all():
        row, column = np.unravel_index(int(np.argmin(np.isfinite(dense))), dense.shape)
        raise ValueError(
            f"X must fit in {dtype}, got {X[row, column]} in row {row}, column {column}; scale it, or "
            "use dtype='float64'"
        )
    return dense if then is None else np.ascontiguousarray(then(dense))


def warn_of_scales(X: Any, names: NDArray[Any] | None) -> None:
    """Warn of features that are a thousand times larger than the others, by name."""
    if hasattr(X, "tocsr") or X.shape[1] < 2 or X.shape[0] < 2:
        return
    with np.errstate(all="ignore"):
        spread = X[:: max(1, len(X) // 2000)].astype(np.float64).std(axis=0)
    varying = np.sort(spread[spread > 0])
    if not varying.size:
        return
    usual = varying[(varying.size - 1) // 2]
    large = np.flatnonzero(spread > _SUSPICIOUS * usual)
    if large.size:
        shown = [str(names[j]) if names is not None else str(j) for j in large[:5]]
        more = f" and {large.size - 5} more" if large.size > 5 else ""
        warn(
            f"feature {', '.join(shown)}{more} of X is over {_SUSPICIOUS:.0f} times larger than the "
            "others, which hides them from the network; use preprocessing='standard'"
        )
