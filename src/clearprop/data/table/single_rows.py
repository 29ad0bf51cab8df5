"""Rows that come one by one, as mappings: encoded as a table of them would be, without making one.

What a cell becomes depends on nothing but the cell and its column. So a cell that was seen before, the
word of a category above all, is looked up, and only the others go through a table, which is that of
`open_table` and of the encoder. A number in a column of plain numbers needs neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import meant, some
from clearprop.data.table import arrow_source
from clearprop.data.table.columns import Column, NumericColumn
from clearprop.data.table.encoder import TableEncoder, column_of
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.source import open_table
from clearprop.data.table.values import NUMBER, BadValue
from clearprop.data.targets import EXACT

Row = Mapping[str, Any]
Key = tuple[type, Any]

MOST_SINGLE = 64  # rows, above which a table of all is faster
_KEPT = 4096  # cells of a column that are known, before they are forgotten
_KEYS = (str, bool, int, type(None))


class _Place(NamedTuple):
    """A column, where its numbers are in a row, and what its cells have become."""

    column: Column
    place: slice
    is_plain: bool
    known: dict[Key, NDArray[np.float64]]


class SingleRows:
    """The numbers of rows that are mappings, by a table's encoder.

    Parameters
    ----------
    encoder : TableEncoder
    options : ReadOptions, optional
        How the table of the training was read.
    """

    def __init__(self, encoder: TableEncoder, options: ReadOptions | None) -> None:
        self._encoder, self._options = encoder, options
        self._types = {each.name: each.type for each in encoder.decisions}
        missing = bool(options and options.missing)
        self._columns = [
            _Place(column, place, _is_plain(column, self._types, missing), {})
            for column, place in zip(encoder.encoded, encoder.places, strict=True)
        ]
        self._needed, self._allowed = frozenset(encoder.columns), frozenset(self._types)

    def encode(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Return the numbers of rows, shape (n_rows, n_features).

        Parameters
        ----------
        rows : sequence of mapping
            Of cells by the names of columns: what data frames and JSON hold. None is missing.

        Raises
        ------
        ValueError, TypeError
            If there are no rows, one lacks a column or has one that the table of the training had not,
            or a cell is not what its column holds; the sentence says where.
        """
        self.check(rows)
        if len(rows) > MOST_SINGLE:
            return self._encoder.encode(self._opened(rows))
        out = np.empty((len(rows), self._columns[-1].place.stop))
        try:
            for row, numbers in zip(rows, out, strict=True):
                self._encode(row, numbers)
        except (ValueError, TypeError):
            return self._encoder.encode(self._opened(rows))  # which knows the row's number
        return out

    def table(self, rows: Sequence[Row]) -> Any:
        """Return the columns of rows that are needed, read as those of the training: pyarrow's table.

        Rows and errors are as in `encode`.
        """
        self.check(rows)
        return self._opened(rows)

    def check(self, rows: Sequence[Row]) -> None:
        """Refuse rows that are none, or whose columns are not those of the training, as `encode`."""
        if not rows:
            raise ValueError("X must have rows, got none")
        for number, row in enumerate(rows):
            self._check_names(row, number)

    def _check_names(self, row: Row, number: int) -> None:
        if not isinstance(row, Mapping):
            raise TypeError(
                f"row {number} of X must be an object with a value for each column, got {row!r:.60}"
            )
        if row.keys() == self._needed:
            return
        if absent := [name for name in self._encoder.columns if name not in row]:
            sentence = f"row {number} of X lacks {some(absent)}: a value that is missing is null (None)"
            raise BadValue(sentence, number, absent[0])
        if unknown := [str(name) for name in row if name not in self._allowed]:
            hint = meant(unknown[0], self._encoder.columns)
            sentence = f"row {number} of X has {some(unknown)}, which the model does not know{hint}"
            raise BadValue(sentence, number, unknown[0])

    def _encode(self, row: Row, out: NDArray[np.float64]) -> None:
        unknown: list[tuple[_Place, Key | None, Any]] = []
        for each in self._columns:
            cell = row[each.column.name]
            if isinstance(cell, np.number | np.bool_ | np.str_):
                cell = cell.item()
            kind = type(cell)
            if each.is_plain and (
                (kind is float and not math.isinf(cell)) or (kind is int and -EXACT < cell < EXACT)
            ):
                assert isinstance(each.column, NumericColumn)
                each.column.encode_numbers(np.array([cell], np.float64), out[None, each.place])
                continue
            key = (kind, cell) if kind in _KEYS else None
            numbers = None if key is None else each.known.get(key)
            if numbers is None:
                unknown.append((each, key, cell))
            else:
                out[each.place] = numbers
        if unknown:
            self._learn(unknown, out)

    def _learn(self, unknown: list[tuple[_Place, Key | None, Any]], out: NDArray[np.float64]) -> None:
        cells = {each.column.name: cell for each, _, cell in unknown}
        table = self._opened([cells], tuple(cells))
        for each, key, _ in unknown:
            each.column.encode(column_of(table, each.column.name), out[None, each.place])
            if key is not None:
                if len(each.known) >= _KEPT:
                    each.known.clear()
                each.known[key] = out[each.place].copy()

    def _opened(self, rows: Sequence[Row], names: tuple[str, ...] | None = None) -> Any:
        import pyarrow as pa

        names = names or self._encoder.columns
        arrays = [arrow_source.array_of([row[name] for row in rows], name) for name in names]
        source = open_table(pa.Table.from_arrays(arrays, names=names), self._options, self._types)
        source.refuse_useless(names)
        return source.table(names)


def _is_plain(column: Column, types: Mapping[str, str], missing: bool) -> bool:
    """Whether the numbers of a column are what they are: nothing stands for a missing one."""
    return isinstance(column, NumericColumn) and types[column.name] == NUMBER and not missing
