"""X as a table: its columns by name, what is decided about them, and what is learned of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table import ColumnDecision, TableEncoder, TableSource, decide, open_table
from clearprop.data.table.values import NUMBER

Array = NDArray[Any]


def column_names(X: Any) -> list[str] | None:
    """Return the names of a pandas, polars (`columns`) or pyarrow (`column_names`) table, or None."""
    names = getattr(X, "column_names", None)
    if names is None:
        names = getattr(X, "columns", None)
    return None if names is None or not hasattr(X, "__getitem__") else [str(name) for name in names]


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


def read(X: Any, columns: Any) -> TableRows | None:
    """Return a table with what is decided about its columns; None where it is plain numbers.

    Parameters
    ----------
    X : table
    columns : dict of str, sequence of ColumnDecision, or None
        The kinds of some columns, or all decisions.
    """
    if columns is not None and not isinstance(columns, Mapping):
        return TableRows(open_table(X, types=types_of(columns)), columns)
    source = open_table(X)
    decisions = list(decide(source, kinds=columns))
    if not columns and all(_is_plain(source, each) for each in decisions):
        return None
    return TableRows(source, decisions)


def _is_plain(source: TableSource, decision: ColumnDecision) -> bool:
    found = source.profile[decision.name]
    return decision.kind == "numeric" and found.stored == NUMBER and not found.n_missing


def types_of(decisions: Sequence[ColumnDecision]) -> dict[str, str]:
    """Return how each column is read, for `open_table`."""
    return {each.name: each.type for each in decisions}


def encode(X: Any, encoder: TableEncoder) -> Array:
    """Return the numbers of another table, read as the one that was learned from.

    Raises
    ------
    ValueError
        If a value is not what its column held; the sentence has row, column and value.
    """
    source = open_table(X, types=types_of(encoder.decisions))
    return encoder.encode(source.table(encoder.columns))
