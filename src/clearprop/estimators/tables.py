"""X as a table: its columns by name, what is decided about them, and what is learned of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table import (
    ColumnDecision,
    ReadOptions,
    TableEncoder,
    TableSource,
    decide,
    open_table,
)
from clearprop.data.table.kinds import undecided
from clearprop.data.table.values import NUMBER
from clearprop.names import trim
from clearprop.user_warning import warn

Array = NDArray[Any]

_NO_NUMBERS = {"U": "text", "S": "bytes", "M": "dates", "m": "time spans"}


def column_names(X: Any) -> list[str] | None:
    """Return the names of a pandas, polars (`columns`) or pyarrow (`column_names`) table, or None."""
    names = getattr(X, "column_names", None)
    if names is None:
        names = getattr(X, "columns", None)
    return None if names is None or not hasattr(X, "__getitem__") else [str(name) for name in names]


def refuse_text_and_dates(X: Any, *, failed: bool = False) -> None:
    """Refuse texts and dates in X, which scikit-learn takes for numbers where it can.

    Parameters
    ----------
    X : array-like or table
    failed : bool
        Whether something in a table is known not to be a number: every column is looked at then.

    Raises
    ------
    ValueError
        Naming the columns.
    """
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if kind in _NO_NUMBERS:
        raise ValueError(f"X must hold numbers, got {_NO_NUMBERS[kind]} (dtype {X.dtype})")
    names = column_names(X)
    if names is None or not (failed or any(map(_may_be_dates, getattr(X, "dtypes", ())))):
        return
    columns = (X.iloc[:, j] if hasattr(X, "iloc") else X[name] for j, name in enumerate(names))
    strange = [
        f"{what} in column {name!r}"
        for name, column in zip(names, columns, strict=True)
        if (what := _no_numbers(column))
    ]
    if strange:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise ValueError(
            f"X must hold numbers, got {', '.join(strange[:3])}{more}; preset='realmlp-s' takes them, "
            "or encode them first"
        )


def _may_be_dates(dtype: Any) -> bool:
    return any(word in str(dtype).lower() for word in ("date", "time", "duration"))


def _no_numbers(column: Any) -> str:
    """Return what a column holds instead of numbers; nothing where it holds numbers."""
    values = np.asarray(column)
    if values.dtype.kind in _NO_NUMBERS:
        return _NO_NUMBERS[values.dtype.kind]
    try:
        values.astype(np.float64)
    except (TypeError, ValueError):
        return next((f"the text {each!r}" for each in values if isinstance(each, str)), "")
    return ""


class TableRows:
    """The rows of a table whose columns are decided, before its numbers are learned.

    Parameters
    ----------
    source : TableSource
    decisions : sequence of ColumnDecision
    """

    dtype = np.dtype(np.float64)

    def __init__(self, source: TableSource, decisions: Sequence[ColumnDecision]) -> None:
        self.decisions = tuple(decisions)
        self.table = source.table([each.name for each in self.decisions if each.used])
        self.shape = (int(self.table.num_rows), len(self.decisions))

    def __len__(self) -> int:
        return self.shape[0]

    def learn(self, rows: Array | None) -> TableEncoder:
        """Return the encoder of some rows: those that are trained on."""
        part = self.table if rows is None else self.table.take(rows)
        return TableEncoder.learn([part], self.decisions)


def renamed(X: Any, names: Sequence[str]) -> Any:
    """Return a table whose columns are called as others are that differ in the blanks around them."""
    here = column_names(X) or []
    known = {trim(name): name for name in names}
    wanted = [known.get(trim(name), name) for name in here]
    if wanted == here or len(known) < len(names) or len(set(wanted)) < len(wanted):
        return X
    if hasattr(X, "set_axis"):
        return X.set_axis(wanted, axis=1)
    if hasattr(X, "rename_columns"):
        return X.rename_columns(wanted)
    return X.rename(dict(zip(here, wanted, strict=True))) if hasattr(X, "rename") else X


def read(X: Any, columns: Any, options: ReadOptions | None = None) -> TableRows | None:
    """Return a table with what is decided about its columns; None where it is plain numbers.

    Parameters
    ----------
    X : table
    columns : dict of str, sequence of ColumnDecision, or None
        The kinds of some columns, or all decisions.
    options : ReadOptions, optional
        What stands for a missing value, and the decimal sign of text.
    """
    if columns is not None and not isinstance(columns, Mapping):
        return TableRows(open_table(X, options, types_of(columns)), columns)
    source = open_table(X, options)
    decisions = list(decide(source, kinds=columns))
    for sentence in undecided(source, decisions):
        warn(sentence)
    said = columns or (options is not None and options.missing)
    if not said and all(_is_plain(source, each) for each in decisions):
        return None
    return TableRows(source, decisions)


def _is_plain(source: TableSource, decision: ColumnDecision) -> bool:
    found = source.profile[decision.name]
    return decision.kind == "numeric" and found.type == found.stored == NUMBER and not found.n_missing


def types_of(decisions: Sequence[ColumnDecision]) -> dict[str, str]:
    """Return how each column is read, for `open_table`."""
    return {each.name: each.type for each in decisions}


def opened(X: Any, encoder: TableEncoder, options: ReadOptions | None = None) -> Any:
    """Return the columns of another table that are needed, read as the one that was learned from.

    Parameters
    ----------
    X : table
    encoder : TableEncoder
    options : ReadOptions, optional
        What stands for a missing value.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError
        If a value is not what its column held; the sentence has row, column and value.
    """
    source = open_table(X, options, types_of(encoder.decisions))
    source.refuse_useless(encoder.columns)
    return source.table(encoder.columns)
