"""open_table: a CSV file, Parquet, or anything that speaks Arrow, as one thing to read in batches."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data import files
from clearprop.data.dataset import some
from clearprop.data.files import Source
from clearprop.data.table import arrow_source, values
from clearprop.data.table.conversion import Conversion, field_of, noted_type
from clearprop.data.table.csv_folder import CsvFolder
from clearprop.data.table.csv_text import CsvText
from clearprop.data.table.decimal_sign import decimal_sign
from clearprop.data.table.json_lines import JsonLines
from clearprop.data.table.passes import Alone, Pass
from clearprop.data.table.profiles import ColumnProfile
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.reader import reader, stored_batches
from clearprop.data.table.stretches import WHOLE, Stretch
from clearprop.data.table.values import TEXT, BadCell, BadValue
from clearprop.data.tables import are_files, check_names, column_names, sources
from clearprop.data.targets import GAPS, refused_gaps, say_gaps
from clearprop.names import known_name, trim
from clearprop.typing import Table

BATCH_ROWS = 1 << 16
MAX_COLUMNS = 20_000
_CSV = (CsvText, CsvFolder)


class TableSource:
    """A table that is read in batches, in its order, as often as wanted.

    Every column has one type, told by all of its rows and never by the first of them: numbers are
    float64, points in time timestamp[us], the rest bool and string; null is a missing value. A column
    of lists, structures or bytes is null throughout, and named in `refused`.

    Parameters
    ----------
    where : str
        What messages call it.
    raw : CsvText, CsvFolder, ParquetFiles, JsonLines or pyarrow.Table
    options : ReadOptions
    types : dict of str, optional
        What each column holds, where that is known: the `types` of another source. Columns that are
        not in it are read as text.
    """

    def __init__(
        self, where: str, raw: Any, options: ReadOptions, types: Mapping[str, str] | None
    ) -> None:
        import pyarrow as pa

        self.where, self.options, self._raw = where, options, raw
        self.name = Path(where).name.split(".")[0] or where
        text = isinstance(raw, _CSV)
        self.stored = schema = pa.schema([(n, pa.string()) for n in raw.names]) if text else raw.schema
        self.names: tuple[str, ...] = tuple(schema.names)
        if len(self.names) > MAX_COLUMNS:
            raise ValueError(f"{where} must have at most {MAX_COLUMNS} columns, got {len(self.names)}")
        self.refused = getattr(raw, "refused", None) or {  # JSON lines say the line
            field.name: str(field.type)
            for field in schema
            if arrow_source.kind_of(field.type) is None and noted_type(field) is None
        }
        self._given = None if types is None else dict(types)
        self._profile: dict[str, ColumnProfile] | None = None
        self.shared: Pass = Alone()  # the pass that tells the types
        self._n_rows: int | None = None if text else int(getattr(raw, "num_rows", 0) or raw.n_rows)
        self._missing = values.missing_words(options.missing)
        # Of text that is all plain numbers; in other tables, commas are told by a column's dress.
        self._decimal = options.decimal or "." if text else "."
        self._target: str | None = None
        self._may_have_gaps, self._gaps_are_said = True, False

    # What is in it

    @property
    def profile(self) -> dict[str, ColumnProfile]:
        """What each column holds: one pass over everything, the first time."""
        self._profile = self._profile or self._profiled()
        return self._profile

    def _profiled(self) -> dict[str, ColumnProfile]:
        told_commas = not isinstance(self._raw, _CSV) and self.options.decimal == ","
        found = {
            field.name: ColumnProfile(
                field.name,
                arrow_source.kind_of(field.type),
                arrow_source.is_category(field.type),
                arrow_source.form_of(field.type),
                told_commas,
            )
            for field in self.stored
        }
        comma, names, row = self._may_have_commas, self.shared.mine(self.names), 0
        with self.shared.together():
            for batch in self.stored_batches(names or self.names[:1], BATCH_ROWS):
                for name in names:
                    with arrow_source.readable(f"{self.where}, column {name!r},"):
                        found[name].see(batch.column(name), row, self._missing, comma)
                row += batch.num_rows
        self._n_rows = row
        learned = self.shared.of_all({name: found[name] for name in names})
        found = {name: learned[name] for name in self.names}
        if comma:
            told = self.options.decimal == ","
            self._decimal = "," if told else decimal_sign(self.where, found)
        for each in found.values():
            each.finish(self._decimal, self.options.decimal or {",": ","}.get(self._decimal))
        return found

    @property
    def _may_have_commas(self) -> bool:
        return self.delimiter not in (None, ",") and self.options.decimal != "."

    @property
    def missing(self) -> Any:
        """The words that stand for a missing value, as an Arrow array."""
        return self._missing

    @property
    def decimal(self) -> str:
        """The decimal sign of a CSV file."""
        return self._decimal

    @property
    def delimiter(self) -> str | None:
        """What is between the fields of a CSV file; None of another table."""
        return self._raw.delimiter if isinstance(self._raw, _CSV) else None

    @property
    def has_nameless_index(self) -> bool:
        """Whether the first column of a CSV file was named by us, for want of a name."""
        return isinstance(self._raw, _CSV) and self._raw.has_nameless_index

    @property
    def read_options(self) -> ReadOptions:
        """The options with what the file has told: another one like it is read alike."""
        _ = self.types
        return dataclasses.replace(self.options, decimal=self._decimal)

    @cached_property
    def types(self) -> dict[str, str]:
        """What each column holds: number, boolean, text, or time and its format."""
        if self._given is not None:
            return {name: self._given.get(name, TEXT) for name in self.names}
        return {name: each.type for name, each in self.profile.items()}

    def settle(self, name: str, reading: str) -> None:
        """Read a column of text as one of the types that fit all of it: `WrittenTimes.readings`."""
        self.profile[name].settle(reading)
        self.types[name] = reading
        self.__dict__.pop("schema", None)

    @cached_property
    def schema(self) -> Any:
        """Names and types of the columns that `batches` gives."""
        import pyarrow as pa

        return pa.schema(field_of(name, self.types[name]) for name in self.names)

    def read_as(self, name: str, kind: str) -> None:
        """Read a column as another type than its values told."""
        if self.types[name] != kind:
            self.types[name] = kind
            self.__dict__.pop("schema", None)

    @property
    def n_rows(self) -> int | None:
        """Rows, once they are known: of a CSV file after `schema` was asked for."""
        return self._n_rows

    def refuse_useless(self, columns: Sequence[str]) -> None:
        """Refuse columns of lists, structures or bytes where others were learned from.

        Raises
        ------
        ValueError
        """
        for name in columns:
            if name in self.refused:
                raise ValueError(
                    f"{self.where} must hold numbers, words or dates in column {name!r}, got "
                    f"{self.refused[name]}"
                )

    # What flows out

    def batches(
        self,
        columns: Sequence[str] | None = None,
        batch_rows: int = BATCH_ROWS,
        stretch: Stretch = WHOLE,
    ) -> Iterator[Any]:
        """Give some columns (default: all) of some rows, as record batches of `schema`'s types.

        Raises
        ------
        ValueError
            If a value is not what its column holds; the sentence has row, column and value.
        """
        return (batch for batch, _ in self.numbered(columns, batch_rows, stretch))

    def numbered(
        self, columns: Sequence[str] | None, batch_rows: int, stretch: Stretch
    ) -> Iterator[tuple[Any, NDArray[np.int64]]]:
        """Give what `batches` does, and the number of each row in the whole table."""
        import pyarrow as pa

        wanted = list(self.names if columns is None else columns)
        if absent := [name for name in wanted if name not in self.names]:
            raise ValueError(f"{self.where} lacks {some(absent)}")
        if self._given is not None and self.options.decimal is None and self._may_have_commas:
            _ = self.profile  # nothing else tells its decimal sign
        read = list(dict.fromkeys([*wanted, *([] if self._target is None else [self._target])]))
        schema = pa.schema([self.schema.field(name) for name in read])
        first, gaps = stretch.begin, Counter[str]()
        for batch in self.stored_batches(read, batch_rows, stretch):
            typed = [self._typed(batch.column(i), field, first) for i, field in enumerate(schema)]
            made, rows = pa.record_batch(typed, schema=schema), np.arange(first, first + batch.num_rows)
            if self._target is not None and made.column(self._target).null_count:
                has = self._labelled(made, batch.column(self._target), first, gaps)
                made, rows = made.filter(pa.array(has)), rows[has]
            first += batch.num_rows
            if made.num_rows:
                yield made.select(wanted), rows
        if stretch != WHOLE:
            return
        if first == 0:
            raise ValueError(f"{self.where} must have rows, got none")
        self._n_rows = first - sum(gaps.values())
        if gaps and not self._gaps_are_said:
            self._gaps_are_said = True
            say_gaps(self.where, str(self._target), gaps, first)

    def with_target(self, name: str, gaps: str = "drop") -> TableSource:
        """Return the rows of the table that have a value in the column `name`.

        Rows without one are left out of all that flows out, and a warning counts them after the first
        pass; `place` still says where a row is in the whole table.

        Parameters
        ----------
        name : str
            The target.
        gaps : {"drop", "refuse"}
            "refuse": a row without a target is a ValueError.
        """
        labelled = copy.copy(self)
        name = trim(name)
        labelled._target = name
        labelled._may_have_gaps = known_name("target_gaps", gaps, GAPS) == "drop"
        if self._n_rows is not None:
            known = self._profile
            labelled._n_rows = None if known is None else self._n_rows - known[name].n_missing
        return labelled

    def rows_with_target(self) -> NDArray[np.bool_]:
        """Return which rows of the whole table `with_target` has kept."""
        whole = copy.copy(self)
        whole._target = None
        masks = [batch.column(0).is_valid().to_numpy(zero_copy_only=False)
                 for batch in whole.batches([str(self._target)])]  # fmt: skip
        return np.concatenate(masks)

    def _labelled(self, made: Any, stored: Any, first: int, gaps: Counter[str]) -> NDArray[np.bool_]:
        """Return which rows of a batch have a target; count the words of the others in `gaps`."""
        column = made.column(str(self._target))
        has: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
        if not self._may_have_gaps:
            row = first + int(np.argmin(has))
            raise ValueError(refused_gaps(self.where, str(self._target), "one", self._place(row)))
        words = stored.filter(column.is_null()).to_pylist()
        gaps.update(word.strip() if isinstance(word, str) else "" for word in words)
        return has

    def table(self, columns: Sequence[str] | None = None) -> Any:
        """Return some columns (default: all) as one Arrow table.

        Raises
        ------
        ValueError
            If it would need more memory than `clearprop.data.files.MAX_BYTES`.
        """
        import pyarrow as pa

        wanted = list(self.names if columns is None else columns)
        schema = pa.schema([self.schema.field(name) for name in wanted])
        files.check_size(self.where, 8 * (self.n_rows or 0) * len(wanted))
        return pa.Table.from_batches(self.batches(wanted), schema)

    def place(self, row: int) -> str:
        """Return where a row (counted from 0) is, for messages: a CSV file has lines."""
        if self._target is not None:
            row = int(np.flatnonzero(self.rows_with_target())[row])
        return self._place(row)

    def _place(self, row: int) -> str:
        line = self._raw.line_of(row) if isinstance(self._raw, (*_CSV, JsonLines)) else None
        return f"row {row}" if line is None else f"line {line}"

    def stored_batches(
        self, columns: Sequence[str], batch_rows: int, stretch: Stretch = WHOLE
    ) -> Iterator[Any]:
        """Give some columns of a stretch of the rows as they are stored: text, if it is a CSV file."""
        for batch in stored_batches(self._raw, columns, batch_rows, stretch):
            if self.options.missing and not isinstance(self._raw, _CSV):
                batch = self._without_missing(batch)
            yield batch

    def _without_missing(self, batch: Any) -> Any:
        import pyarrow as pa

        arrays = []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            with arrow_source.readable(f"{self.where}, column {name!r},"):
                arrays.append(arrow_source.without(column, self._missing))
        return pa.record_batch(arrays, names=batch.schema.names)

    def _typed(self, column: Any, wanted: Any, first: int) -> Any:
        """Return a column of a batch as a field of `schema`; its first row is `first` of the table."""
        import pyarrow as pa

        name = wanted.name
        if name in self.refused:
            return pa.nulls(len(column), wanted.type)
        how = Conversion(self._missing, self._decimal, self._given is not None)
        try:
            with arrow_source.readable(self.where):
                stored = self.stored.field(name)
                return how.convert(column, self.types[name], stored, wanted).cast(wanted.type)
        except BadCell as bad:
            row = first + bad.row
            sentence = f"{self.where} {bad}: {self._place(row)}, column {name!r}"
            raise BadValue(sentence, row, name) from None


def open_table(
    what: Source | Sequence[Source] | Table,
    options: ReadOptions | None = None,
    types: Mapping[str, str] | None = None,
) -> TableSource:
    """Return a table to read in batches.

    Parameters
    ----------
    what : path or sequence of them, or pandas, polars, pyarrow, duckdb or another that speaks Arrow
        A ``.parquet`` file, a text file whose fields a delimiter separates (``.csv``, plain or gzip,
        whatever its name says), a folder of either, several of either, a pattern such as
        ``part-*.parquet``, or ``.jsonl``: a JSON object a line; also at a URL, ``s3://bucket/folder``.
    options : ReadOptions, optional
        How a CSV file is written.
    types : dict of str, optional
        What each column holds; without it one pass over everything tells. Give a model's, to read
        other data as those it was trained on.

    Returns
    -------
    TableSource

    Raises
    ------
    OSError
        If it does not exist, is no regular file, or cannot be read.
    TypeError
        If it is no table.
    ValueError
        If the content is not what it should be; the message names the file and the place.

    Examples
    --------
    >>> import pyarrow as pa
    >>> source = open_table(pa.table({"size": ["1.5", " ", "3"], "colour": ["red", "blue", None]}))
    >>> source.types
    {'size': 'number', 'colour': 'text'}
    >>> next(source.batches())["size"].to_pylist()
    [1.5, None, 3.0]
    """
    options = options or ReadOptions()
    if are_files(what):
        paths = sources(what)
        more = "" if len(paths) == 1 else f" and {len(paths) - 1:,} more"
        return TableSource(f"{paths[0]}{more}", reader(paths, options), options, types)
    table = arrow_source.as_table(what)
    table = table.rename_columns(list(column_names(table.schema.names)))
    check_names(table.schema.names, Path("X"))
    if table.num_rows < 1:
        raise ValueError(f"X must have rows, got 0 rows of {table.num_columns} columns")
    return TableSource("X", table, options, types)
