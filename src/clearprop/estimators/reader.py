"""X as a fit takes it: tables by their column names, text and gaps to be encoded, sparse rows kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _get_feature_names,
    validate_data,
)

from clearprop.data.dataset import some
from clearprop.data.table.arrow_source import at_hand
from clearprop.data.table.read_options import ReadOptions, with_missing
from clearprop.estimators import tables
from clearprop.estimators.arguments import Arguments
from clearprop.masks import refuse_masked
from clearprop.model.inputs import Inputs

Array = NDArray[Any]


def learn_X(estimator: Arguments, X: Any) -> Any:
    """Return X as a dense array, a CSR matrix of floats, or `tables.TableRows` that are to be encoded.

    The estimator gets scikit-learn's ``n_features_in_`` and ``feature_names_in_``.
    """
    refuse_masked(X, "X")
    X = _as_table(X)
    if estimator.preset != "sklearn":
        options = read_options(estimator)
        if estimator.decimal is not None:  # which the columns keep, each for itself
            options = replace(options or ReadOptions(), decimal=estimator.decimal)
        rows = None if tables.column_names(X) is None else tables.read(X, estimator.columns, options)
        if rows is not None:
            _check_feature_names(estimator, X, reset=True)
            _check_n_features(estimator, X, reset=True)
            return rows
    return _validated(estimator, X, reset=True)


def read_X(estimator: Arguments, X: Any) -> Any:
    """Return X as numbers, a dense array or a CSR matrix, held against the one that was fitted.

    Raises
    ------
    ValueError, TypeError
        If it has other columns, or values that are none of theirs.
    """
    inputs = estimator.network_.model.inputs
    row = _single_row(X, estimator)
    if inputs.encoder is None:
        return open_X(estimator, X) if row is None else _numbers(row, estimator)
    return (
        inputs.encoder.encode(open_X(estimator, X)) if row is None else inputs.single_rows.encode([row])
    )


def open_X(estimator: Arguments, X: Any) -> Any:
    """Return X as `read_X` does, but a raw table as its columns, pyarrow's, before they are encoded."""
    refuse_masked(X, "X")
    inputs = estimator.network_.model.inputs
    if _is_mapping(X):
        return _numbers(X, estimator) if inputs.encoder is None else inputs.single_rows.table([X])
    X = _as_table(X)
    if hasattr(estimator, "feature_names_in_") and tables.column_names(X) is not None:
        X = tables.renamed(X, list(map(str, estimator.feature_names_in_)))
    if inputs.encoder is not None:
        return _opened(estimator, X, inputs)
    return X if _is_plain(X, estimator) else _validated(estimator, X, reset=False)


def read_options(estimator: Arguments) -> ReadOptions | None:
    """Return what stands for a missing value in X; None where nothing was said of it."""
    return None if estimator.missing is None else with_missing(None, estimator.missing)


def _is_mapping(X: Any) -> bool:
    return isinstance(X, Mapping) and not issparse(X)  # SciPy's dictionaries of keys are both


def _single_row(X: Any, estimator: Arguments) -> Mapping[str, Any] | None:
    """Return X as a mapping, if it is one or a single row of pandas with the columns of the fit."""
    if _is_mapping(X):
        return X
    known = getattr(estimator, "feature_names_in_", None)
    if estimator.network_.model.inputs.encoder is None or known is None:
        return None  # numbers, which are read as they are
    if not hasattr(X, "iloc") or not hasattr(X, "columns") or len(X) != 1:
        return None
    names = X.columns.tolist()
    if names != known.tolist():
        return None
    return dict(zip(names, X.to_numpy(dtype=object)[0].tolist(), strict=True))


def _numbers(row: Mapping[str, Any], estimator: Arguments) -> Array:
    """Return a row of numbers that is a mapping, shape (1, n_features)."""
    if not hasattr(estimator, "feature_names_in_"):
        raise TypeError("X must be an array, as in fit, whose columns had no names; got a mapping")
    names = estimator.feature_names_in_.tolist()
    if absent := [name for name in names if name not in row]:
        raise ValueError(f"X lacks {some(absent)}")
    if unknown := [name for name in row if name not in names]:
        raise ValueError(f"X has {some(unknown)}, which the model does not know")
    for name in names:
        if not isinstance(row[name], Real) or not math.isfinite(row[name]):
            raise ValueError(f"X must hold finite numbers, got {row[name]!r:.60} in column {name!r}")
    return np.array([[float(row[name]) for name in names]])


def _opened(estimator: Arguments, X: Any, inputs: Inputs) -> Any:
    if tables.column_names(X) is None:
        raise ValueError(
            "X must be a data frame, as in fit: it has columns that were encoded by their names"
        )
    _check_feature_names(estimator, X, reset=False)
    _check_n_features(estimator, X, reset=False)
    assert inputs.encoder is not None
    return tables.opened(X, inputs.encoder, inputs.read)


def _validated(estimator: Arguments, X: Any, *, reset: bool) -> Any:
    tables.refuse_text_and_dates(X)
    try:
        return validate_data(
            estimator, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=reset
        )
    except (ValueError, TypeError) as problem:
        tables.refuse_text_and_dates(X, failed=True)
        if "must be in the same order" not in str(problem):
            raise
        names, known = tables.column_names(X) or [], list(estimator.feature_names_in_)
        moved = [name for name, there in zip(names, known, strict=True) if name != there]
        raise ValueError(f"{problem}Not in their place: {', '.join(moved)}\n") from None


def _as_table(X: Any) -> Any:
    """Return a table that the installed scikit-learn knows the column names of; others as they are."""
    X = at_hand(X)
    names = tables.column_names(X)
    if names is not None and len(set(names)) != len(names):
        raise ValueError(f"X must have columns of different names, got {names}")
    if names is not None and not hasattr(X, "iloc") and hasattr(X, "to_pandas"):
        return X if _get_feature_names(X) is not None else X.to_pandas()
    return X


def _is_plain(X: Any, estimator: Arguments) -> bool:
    """Whether X is an array that needs no conversion: a row is predicted faster than it is checked."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == estimator.n_features_in_
        and X.shape[0] > 0
        and X.dtype in (np.float32, np.float64)
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(X).all())
    )
