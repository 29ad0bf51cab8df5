"""Parquet files, one or more, as batches in their order and columns of one type each."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from clearprop.data import files
from clearprop.data.files import Place
from clearprop.data.remote import Remote
from clearprop.data.table.arrow_source import readable, value_type
from clearprop.data.table.stretches import WHOLE, Stretch, between
from clearprop.data.tables import check_columns, check_names, column_names, parts_below

_PANDAS_INDEX = "__index_level_"
_AT_ONCE = 1 << 25  # bytes of a file up to which a column of a row group is read at once
_BUFFER_BYTES = 1 << 20  # of each column: a row group, which may hold everything, is not read at once


class _Bounded:
    """A file of which no more is read than there is: a page that lies about its size costs nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, files.size(file)
        self.seek, self.tell, self.close, self.closed = file.seek, file.tell, lambda: None, False

    def read(self, n: int) -> bytes:
        return self._file.read(min(n, max(self._size - self._file.tell(), 0)))


class ParquetFiles:
    """Parquet files as one table.

    ``key=value`` in the name of a folder inside is a column of text. A column may be of whole numbers
    in one file, of floats in another and of nothing but nulls in a third.

    Parameters
    ----------
    paths : sequence of Path or Remote
    folder : str
        In which they all are, absolute.

    Raises
    ------
    OSError, ValueError
        If one is no Parquet file, or has other columns than the first.
    """

    def __init__(self, paths: Sequence[Place], folder: str | PurePath) -> None:
        import pyarrow as pa

        self.paths, self._folder = paths, folder
        self.schema, self._rows_of_files = pa.schema([]), list[int]()
        for number, each in enumerate(self.paths):
            with self._file(each) as file:
                schema = self._schema(each, file)
                self._rows_of_files.append(int(file.metadata.num_rows))
            if number == 0:
                self.schema = schema
                check_names(schema.names, each)
            else:
                self._join(each, schema)
        self.n_rows = sum(self._rows_of_files)
        if self.n_rows < 1:
            where = paths[0] if len(paths) == 1 else folder
            raise ValueError(
                f"{where} must have rows, got {self.n_rows} rows of {len(self.schema.names)} columns"
            )

    def _join(self, path: Place, schema: Any) -> None:
        """Bring the types of the columns so far and of another file together."""
        import pyarrow as pa

        first = self.paths[0]
        check_columns(path, schema.names, first, self.schema.names)
        fields = []
        for field in self.schema:
            here, there = field.type, schema.field(field.name).type
            pair = [pa.schema([(field.name, value_type(each))]) for each in (here, there)]
            try:
                both = pa.unify_schemas(pair, promote_options="permissive").field(0)
            except pa.ArrowException:
                raise ValueError(
                    f"{path} must have the columns of {first}, has {there} in column {field.name!r} "
                    f"instead of {here}"
                ) from None
            fields.append(field if here == there else both)
        self.schema = pa.schema(fields)

    @contextlib.contextmanager
    def _file(self, path: Place) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with files.open_regular(path) as opened, readable(str(path), "Parquet"):
            small = files.size(opened) <= _AT_ONCE
            buffered, ahead = 0 if small else _BUFFER_BYTES, False
            source: Any = pa.PythonFile(_Bounded(opened), "r") if small else path
            if isinstance(path, Remote):  # each request takes long: few of them, or some at a time
                source, buffered, ahead = cast(Any, opened).raw, 4 * buffered, small
            with pq.ParquetFile(source, pre_buffer=ahead, buffer_size=buffered) as file:
                yield file

    def _keys(self, path: Place) -> dict[str, str]:
        folders = parts_below(path, self._folder)[:-1]
        return dict(part.split("=", 1) for part in folders if "=" in part)

    def _schema(self, path: Place, file: Any) -> Any:
        import pyarrow as pa

        schema = file.schema_arrow
        kept = [field for field in schema if not field.name.startswith(_PANDAS_INDEX)]
        names = column_names([field.name for field in kept])
        named = [field.with_name(name) for field, name in zip(kept, names, strict=True)]
        return pa.schema([*named, *(pa.field(key, pa.string()) for key in self._keys(path))])

    def batches(
        self, columns: Sequence[str], batch_rows: int, stretch: Stretch = WHOLE
    ) -> Iterator[Any]:
        """Give the columns of some rows, in order; files and row groups without any are not read."""
        first = 0
        for path, n_rows in zip(self.paths, self._rows_of_files, strict=True):
            mine = stretch.of(first, n_rows)
            first += n_rows
            if mine.start < mine.stop:
                yield from self._of_file(path, columns, batch_rows, Stretch(mine.start, mine.stop))

    def _of_file(
        self, path: Place, columns: Sequence[str], batch_rows: int, stretch: Stretch
    ) -> Iterator[Any]:
        import pyarrow as pa

        types = [self.schema.field(name).type for name in columns]
        keys = self._keys(path)
        with self._file(path) as file:
            names = [n for n in file.schema_arrow.names if not n.startswith(_PANDAS_INDEX)]
            in_file = dict(zip(column_names(names), names, strict=True))
            stored = [in_file[name] for name in columns if name not in keys]
            groups, inside = _row_groups(path, file.metadata, stretch)
            found = file.iter_batches(batch_rows, groups, stored, use_threads=False)
            n_rows = 0
            for batch in between(found, inside):
                n_rows += batch.num_rows
                batch.validate(full=True)  # text that is no UTF-8, codes of no word
                arrays = [
                    pa.array([keys[name]] * batch.num_rows)
                    if name in keys
                    else batch.column(in_file[name])
                    for name in columns
                ]
                with readable(str(path), "Parquet"):
                    arrays = [
                        each if each.type == kind else each.cast(kind)
                        for each, kind in zip(arrays, types, strict=True)
                    ]
                yield pa.record_batch(arrays, names=list(columns))
            if n_rows != inside.end - inside.begin:
                raise ValueError(f"{path} declares {file.metadata.num_rows} rows, got fewer")


def _row_groups(path: Place, metadata: Any, stretch: Stretch) -> tuple[list[int], Stretch]:
    """Return the row groups that some rows of a file are in, and where they are in those."""
    counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    firsts = list(itertools.accumulate(counts, initial=0))
    if firsts[-1] != metadata.num_rows:
        raise ValueError(f"{path} declares {metadata.num_rows} rows, its row groups have {firsts[-1]}")
    parts = [stretch.of(*each) for each in zip(firsts, counts, strict=False)]
    groups = [i for i, part in enumerate(parts) if part.start < part.stop]
    before = firsts[groups[0]] if groups else 0
    return groups, Stretch(stretch.begin - before, stretch.end - before)
