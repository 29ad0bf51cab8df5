"""JSON lines as a table: an object in each line, whose names are the columns."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clearprop.data import files
from clearprop.data.dataset import some
from clearprop.data.files import Place
from clearprop.data.table.csv_bytes import CHUNK, Lines, Utf8Text
from clearprop.data.table.values import text_of
from clearprop.data.tables import check_names, column_names

_ROWS = 1 << 13  # as Python's objects at a time
_WORDS = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
_INT64 = range(-(2**63), 2**63)


class JsonLines:
    """A file with one JSON object a line, read as a pyarrow Table would be.

    The columns are those of all lines: what one lacks is missing, as null is. A column with a text in
    it is of text. One pass over everything tells names and types.

    Parameters
    ----------
    path : Path or Remote

    Attributes
    ----------
    schema : pyarrow.Schema
    num_rows : int
    refused : dict of str
        What columns hold that cannot be used, and where: arrays and objects.

    Raises
    ------
    OSError, ValueError
        If it is no regular file, or a line no object; the sentence has the line.
    """

    def __init__(self, path: Place) -> None:
        import pyarrow as pa

        self.path, self.num_rows = path, 0
        self.refused: dict[str, str] = {}
        types: dict[str, set[type]] = {}
        for line, row in self._rows():
            self.num_rows += 1
            for name, cell in row.items():
                kind = type(cell)
                if kind is int and cell not in _INT64:
                    kind = str
                types.setdefault(name, set()).add(kind)
                if kind in (dict, list):
                    self.refused.setdefault(name, f"{_WORDS[kind]} in line {line}")
        if not types:
            raise ValueError(f"{path} must have rows, an object in each line, got none")
        self._keys = list(types)
        names = column_names(self._keys)
        check_names(names, path)
        self.refused = {names[self._keys.index(key)]: what for key, what in self.refused.items()}
        self.schema = pa.schema(zip(names, map(_arrow_type, types.values()), strict=True))

    def to_batches(self, max_chunksize: int) -> Iterator[Any]:
        """Give every row, as record batches of `schema`, in the file's order."""
        import pyarrow as pa

        rows = (row for _, row in self._rows())
        while some_rows := list(itertools.islice(rows, min(_ROWS, max_chunksize))):
            arrays = [
                _column([row.get(key) for row in some_rows], field.type)
                for key, field in zip(self._keys, self.schema, strict=True)
            ]
            yield pa.record_batch(arrays, schema=self.schema)

    def line_of(self, row: int) -> int | None:
        """Return the number of the line on which a row (counted from 0) stands."""
        return next((line for at, (line, _) in enumerate(self._rows()) if at == row), None)

    def _rows(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Give the number of each line that is not blank, and its object."""
        with files.open_regular(self.path) as file:
            packed = files.is_gzip(file)
            limit = max(files.RATIO_FREE, files.MAX_RATIO * files.size(file)) if packed else None
            with files.content(file, self.path) as unpacked:
                text = Utf8Text(unpacked, self.path, "utf-8", limit)
                lines, number = Lines(iter(lambda: text.read(CHUNK), b"")), 0
                try:
                    for number, line in enumerate(lines, start=1):
                        lines.record = 0
                        if line.strip():
                            yield number, self._object(line, number)
                except csv.Error:  # of a line that would fill the memory
                    raise ValueError(
                        f"{self.path} must have an object in each line, line {number + 1} is too long"
                    ) from None

    def _object(self, line: str, number: int) -> Mapping[str, Any]:
        try:
            found = _decoder.decode(line)
        except _Twice as twice:
            raise ValueError(
                f"{self.path} must name every column once, has {some([str(twice)])} twice in line "
                f"{number}"
            ) from None
        except RecursionError:
            found = []
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise ValueError(
                f"{self.path} must have a JSON object in each line, could not read line {number}: "
                f"{reason}"
            ) from None
        if not isinstance(found, dict):
            raise ValueError(
                f"{self.path} must have a JSON object in each line, got "
                f"{_WORDS.get(type(found), 'a number')} in line {number}"
            )
        return found


class _Twice(Exception):
    """A name that stands twice in an object."""


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


_decoder = json.JSONDecoder(object_pairs_hook=_once)


def _arrow_type(kinds: set[type]) -> Any:
    import pyarrow as pa

    kinds = kinds - {type(None)}
    if kinds & {dict, list}:
        return pa.list_(pa.null())
    if str in kinds:
        return pa.string()
    if kinds <= {bool}:
        return pa.bool_() if kinds else pa.null()
    return pa.int64() if kinds == {int} else pa.float64()


def _column(cells: list[Any], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return pa.nulls(len(cells), kind)
    if pa.types.is_string(kind):
        cells = [each if each is None or type(each) is str else text_of(each) for each in cells]
    elif pa.types.is_floating(kind):
        cells = [None if each is None else float(each) for each in cells]
    return pa.array(cells, kind)
