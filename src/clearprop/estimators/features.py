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

from clearprop.data.table import ColumnDecision, TableEncoder
from clearprop.data.table.arrow_source import at_hand
from clearprop.estimators import tables
from clearprop.estimators.arguments import Arguments
from clearprop.masks import refuse_masked

Array = NDArray[Any]


class Features(Arguments):
    """Reads X, and checks it against the one that was fitted."""

    n_features_in_: int
    columns: Any
    table_encoder_: TableEncoder | None

    def _read_X(self, X: Any, *, reset: bool) -> Any:
        """Return X as a dense array or a CSR matrix of floats, its column names checked.

        With `reset`, a table that numbers are to be learned of is `tables.TableRows`.
        """
        X = _as_table(X)
        if not reset and _is_plain(X, self):
            return X
        refuse_masked(X, "X")
        if self.preset == "realmlp-s":
            found = self._read_table(X, reset=reset)
            if found is not None:
                return found
        tables.refuse_text_and_dates(X)
        try:
            return validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=(np.float64, np.float32),
                reset=reset,
            )
        except (ValueError, TypeError) as problem:
            tables.refuse_text_and_dates(X, failed=True)
            if "must be in the same order" not in str(problem):
                raise
            names, known = tables.column_names(X) or [], list(self.feature_names_in_)
            moved = [name for name, there in zip(names, known, strict=True) if name != there]
            raise ValueError(f"{problem}Not in their place: {', '.join(moved)}\n") from None

    def _read_table(self, X: Any, *, reset: bool) -> tables.TableRows | Array | None:
        """Return a table of text, dates or gaps: to be learned, or encoded; None where X is another."""
        names = tables.column_names(X)
        if reset:
            self.table_encoder_ = None
            rows = None if names is None else tables.read(X, self.columns)
            if rows is not None:
                _check_feature_names(self, X, reset=True)
                _check_n_features(self, X, reset=True)
            return rows
        if self.table_encoder_ is None:
            return None
        if names is None:
            raise ValueError(
                "X must be a data frame, as in fit: it has columns that were encoded by their names"
            )
        _check_feature_names(self, X, reset=False)
        _check_n_features(self, X, reset=False)
        return tables.encode(X, self.table_encoder_)

    @property
    def columns_(self) -> tuple[ColumnDecision, ...] | None:
        """What became of every column of X; None where X was plain numbers."""
        encoder = getattr(self, "table_encoder_", None)
        return None if encoder is None else encoder.decisions


def _as_table(X: Any) -> Any:
    """Return a table that the installed scikit-learn knows the column names of; others as they are."""
    X = at_hand(X)
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
        and getattr(estimator, "table_encoder_", None) is None
        and bool(np.isfinite(X).all())
    )
