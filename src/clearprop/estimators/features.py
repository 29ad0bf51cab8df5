"""X as the network takes it: tables by their column names, text and gaps encoded, sparse rows kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _get_feature_names,
    validate_data,
)

from clearprop.estimators import tables
from clearprop.estimators.arguments import Arguments

Array = NDArray[Any]


class Features(Arguments):
    """Reads X, and checks it against the one that was fitted."""

    n_features_in_: int

    def _read_X(self, X: Any, *, reset: bool) -> Any:
        """Return X as a dense array or a CSR matrix of floats, its column names checked."""
        X = _as_table(X)
        if not reset and _is_plain(X, self):
            return X
        if self.preset == "realmlp-s":
            encoded = self._encode_table(X, reset=reset)
            if encoded is not None:
                return encoded
        try:
            return validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=(np.float64, np.float32),
                reset=reset,
            )
        except ValueError as problem:
            if "must be in the same order" not in str(problem):
                raise
            names, known = tables.column_names(X) or [], list(self.feature_names_in_)
            moved = [name for name, there in zip(names, known, strict=True) if name != there]
            raise ValueError(f"{problem}Not in their place: {', '.join(moved)}\n") from None

    def _encode_table(self, X: Any, *, reset: bool) -> Array | None:
        """Return a data frame of text and missing values as numbers, or None where X is another."""
        names = tables.column_names(X)
        if reset:
            self._table_encoder: tables.TableEncoder | None = None
            if names is not None and tables.needs_encoding(X):
                self._table_encoder = tables.TableEncoder.learn(X)
        if self._table_encoder is None:
            return None
        if names is None:
            raise ValueError(
                "X must be a data frame, as in fit: it has columns of text or missing values"
            )
        _check_feature_names(self, X, reset=reset)
        _check_n_features(self, X, reset=reset)
        return self._table_encoder(X)


def _as_table(X: Any) -> Any:
    """Return a table that the installed scikit-learn knows the column names of; others as they are."""
    names = tables.column_names(X)
    if names is not None and len(set(names)) != len(names):
        raise ValueError(f"X must have columns of different names, got {names}")
    if names is not None and not hasattr(X, "iloc") and hasattr(X, "to_pandas"):
        return X if _get_feature_names(X) is not None else X.to_pandas()
    return X


def _is_plain(X: Any, estimator: Features) -> bool:
    """Whether X is an array that needs no conversion: a row is predicted faster than it is checked."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == estimator.n_features_in_
        and X.shape[0] > 0
        and X.dtype in (np.float32, np.float64)
        and not hasattr(estimator, "feature_names_in_")
        and getattr(estimator, "_table_encoder", None) is None
        and bool(np.isfinite(X).all())
    )
