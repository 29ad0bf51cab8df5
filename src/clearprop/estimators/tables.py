"""Data frames with text and missing values as numbers: one-hot, medians and flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def column_names(X: Any) -> list[str] | None:
    """Return the names of a pandas, polars (`columns`) or pyarrow (`column_names`) table, or None."""
    names = getattr(X, "column_names", None)
    if names is None:
        names = getattr(X, "columns", None)
    return None if names is None or not hasattr(X, "__getitem__") else [str(name) for name in names]


def _columns(X: Any) -> list[Array]:
    """Return every column as float64 with NaN where it is missing, or as objects with None."""
    names = getattr(X, "column_names", None)
    return [_column(X[name]) for name in (X.columns if names is None else names)]


def _column(column: Any) -> Array:
    values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    plain = [None if _is_missing(value) else value for value in values]
    if all(value is None or isinstance(value, int | float | np.number | np.bool_) for value in plain):
        return np.array([np.nan if value is None else float(value) for value in plain])
    texts = np.empty(len(plain), object)
    texts[:] = [None if value is None else str(value) for value in plain]
    return texts


def _is_missing(value: Any) -> bool:
    return value is None or value != value or str(value) in ("<NA>", "NaT")


def needs_encoding(X: Any) -> bool:
    """Return whether a column of the table is text, or has missing values."""
    return any(each.dtype == object or np.isnan(each).any() for each in _columns(X))


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """Numbers for every column of a table, learned from one.

    A column of numbers keeps them, the median where one is missing; with a column of 0 and 1 beside it
    that says where, if it had missing values. One of text becomes a column of 0 and 1 for each of its
    categories; of two categories, one column of -1 and 1. What is missing or new is 0 in all of them.

    Parameters
    ----------
    medians : list of float or None
        None for a column of text.
    flagged : list of bool
    categories : list of tuple of str
    """

    medians: list[float | None]
    flagged: list[bool]
    categories: list[tuple[str, ...]]

    @classmethod
    def learn(cls, X: Any) -> TableEncoder:
        """Return the encoder that belongs to a table."""
        medians: list[float | None] = []
        flagged, categories = [], []
        for column in _columns(X):
            if column.dtype == object:
                medians.append(None)
                flagged.append(False)
                categories.append(tuple(sorted({text for text in column if text is not None})))
            else:
                there = column[~np.isnan(column)]
                medians.append(float(np.median(there)) if there.size else 0.0)
                flagged.append(bool(there.size < column.size))
                categories.append(())
        return cls(medians, flagged, categories)

    def __call__(self, X: Any) -> Array:
        """Return a table's numbers, shape (n_rows, n_columns), float64.

        Raises
        ------
        ValueError
            If a column that held numbers holds text, or an infinity.
        """
        parts: list[Array] = []
        names = column_names(X) or []
        described = zip(_columns(X), names, self.medians, self.flagged, self.categories, strict=True)
        for column, name, median, flag, known in described:
            if median is None:
                parts.append(_one_hot(column, known))
                continue
            if column.dtype == object:
                raise ValueError(f"column {name} of X must hold numbers, as in fit, got text")
            if np.isinf(column).any():
                raise ValueError(f"column {name} of X must be finite, got infinity")
            missing = np.isnan(column)
            parts.append(np.where(missing, median, column)[:, None])
            if flag:
                parts.append(missing[:, None].astype(np.float64))
        return np.concatenate(parts, axis=1)


def _one_hot(column: Array, known: tuple[str, ...]) -> Array:
    texts = [
        None if value is None or value != value else str(value)
        for value in (column.tolist() if column.dtype == object else column)
    ]
    table = np.array([[float(text == each) for each in known] for text in texts])
    table = table.reshape(len(texts), len(known))
    return table[:, 1:] - table[:, :1] if len(known) == 2 else table
