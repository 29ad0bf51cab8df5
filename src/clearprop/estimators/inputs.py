"""X as rows of the network's dtype: dense, or sparse and made dense batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.model.inputs import Inputs, narrowed
from clearprop.user_warning import warn

Array = NDArray[Any]

DENSE_BYTES = 2**28  # a sparse X that would be larger than this stays sparse, batch by batch
_SUSPICIOUS = 1e3  # times the usual scale of a feature, from which a warning names it


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
        return self._then(dense) if self._then else dense


def as_rows(X: Any, dtype: str, then: Inputs | None = None) -> Any:
    """Return X as a dense C-contiguous array of `dtype`, or as `SparseRows` where it is too large.

    With `then`, it is what the network sees of X.
    """
    if hasattr(X, "tocsr"):
        if X.shape[0] * X.shape[1] * np.dtype(dtype).itemsize > DENSE_BYTES:
            return SparseRows(X.tocsr(), dtype, then)
        X = X.toarray()
    dense = narrowed(X, dtype)
    return np.ascontiguousarray(then(dense)) if then else dense


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
