"""read_table: a table of numbers as it is, for whoever wants X and Y and no encoder."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from clearprop.data import files
from clearprop.data.dataset import Dataset, some
from clearprop.data.files import Source, local_path
from clearprop.data.table import arrow_source, values
from clearprop.data.table.read_options import Missing, ReadOptions, with_missing
from clearprop.data.table.source import BATCH_ROWS, TableSource, open_table
from clearprop.data.table.values import BOOLEAN, NUMBER, PLAIN_NUMBER, TEXT, BadCell
from clearprop.data.tables import TargetColumn, check_names, choose_target, table_dataset
from clearprop.data.targets import EXACT, GAPS, MAX_CLASSES, check_task, say_gaps
from clearprop.names import known_name, trim

MISSING = "must have no missing values"
_WHOLE = re.compile(r"[+-]?[0-9]{1,4000}")
_IN_PYTHON = "; in Python options=ReadOptions(decimal=',') reads commas"
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")


def read_table(
    path: Source,
    *,
    target: str | None = None,
    task: str | None = None,
    need_target: bool = True,
    target_gaps: str = "drop",
    missing: Missing = None,
    options: ReadOptions | None = None,
) -> Dataset:
    """Return the data set in a CSV, Parquet or JSON lines file whose features are numbers.

    What `open_table` reads, with stricter rules: nothing is guessed, filled in or left out, but for
    rows without a target, and an index that pandas stored in Parquet without a name. The decimal sign
    is the point. Booleans of Parquet are 0 and 1. In text, a target of numbers written with leading
    zeros (007) is text, and one of true and false is boolean.

    Parameters
    ----------
    path : str or path
        A regular file, or a folder of Parquet or CSV files.
    target : str, optional
        The target's column. Without it, the only one called target, label, y or class.
    task : {"classification", "regression"}, optional
        Without it the target decides: text, booleans and at most 20 different whole numbers are
        classes; anything else is a quantity.
    need_target : bool
        False: the target may be absent; where it has gaps, all rows are there, and none has a target.
    target_gaps : {"drop", "refuse"}
        Whether rows without a target are left out, and counted in a warning, or refused.
    missing : str, number, or a sequence of them, optional
        What stands for a missing value too, in every column: -999 and "-999.0" are one.
    options : ReadOptions, optional
        How a CSV file is written: its delimiter, encoding, lines above its names.

    Returns
    -------
    Dataset
        X and a regression's Y are float64; a class keeps its text, or is an int or a bool.

    Raises
    ------
    OSError
        If `path` is no regular file that can be read.
    TypeError
        If `path` or `target` has the wrong type.
    ValueError
        If it is not such a table: the message has the line (of Parquet the row, counted from 0), the
        column and the value. A feature that is missing (see `targets.MISSING`), no number, or not
        finite is refused.
    """
    check_task(task)
    known_name("target_gaps", target_gaps, GAPS)
    path = local_path(path, "path")
    source = open_table(path, with_missing(options, missing))
    if source.has_nameless_index:
        check_names(("", *source.names[1:]), path)
    target = choose_target(source.names, target, need_target, path)
    _check_types(source, target)
    features = [name for name in source.names if name != target]
    gaps = None if target is None else _Gaps(source, target, target_gaps, need_target)
    X, words = _read(source, features, gaps)
    found = None if gaps is None else gaps.column(words, task)
    return table_dataset(path, features, X, found, task)


def _check_types(source: TableSource, target: str | None) -> None:
    for field in source.stored:
        if arrow_source.kind_of(field.type) not in (NUMBER, BOOLEAN, TEXT):
            is_target = field.name == target
            role = "target" if is_target else "feature"
            rule = "numbers, booleans or text" if is_target else "numbers"
            raise ValueError(
                f"{source.where} must hold {rule} in the {role} {field.name!r}, got "
                f"{some([str(field.type)])}"
            )


def _read(
    source: TableSource, features: Sequence[str], gaps: _Gaps | None
) -> tuple[NDArray[np.float64], list[Any]]:
    """Return the features, and the target as it is stored, batch by batch."""
    row_bytes, n_rows, n_read = 8 * len(source.names), 0, 0
    files.check_size(Path(source.where), row_bytes * (source.n_rows or 0))
    missing, decimal = source.missing, source.options.decimal or "."
    blocks, found = [], []
    for batch in source.stored_batches(source.names, BATCH_ROWS):
        kept = np.arange(n_rows, n_rows + batch.num_rows)
        n_rows += batch.num_rows
        if gaps is not None:
            batch, kept = gaps.leave_out(batch, kept)
        block = np.empty((batch.num_rows, len(features)))
        problems: list[tuple[BadCell, str]] = []
        for at, name in enumerate(features):
            try:
                with arrow_source.readable(source.where):
                    block[:, at] = _numbers(batch.column(name), missing, decimal)
            except BadCell as bad:
                problems.append((bad, name))
        if problems:
            first, name = min(problems, key=lambda problem: problem[0].row)
            _refuse(source, first, kept, f"feature {name!r}")
        n_read += batch.num_rows
        files.check_size(Path(source.where), row_bytes * n_read)
        blocks.append(block)
        if gaps is not None:
            found.append(batch.column(gaps.target))
    if not n_rows:
        raise ValueError(f"{source.where} must have rows, got none")
    return np.concatenate(blocks), found


def _refuse(source: TableSource, bad: BadCell, rows: NDArray[Any], what: str) -> NoReturn:
    comma = source.delimiter not in (None, ",") and _DECIMAL_COMMA.fullmatch(trim(str(bad.value)))
    hint = f" (the decimal sign must be a point{_IN_PYTHON})" if comma else ""
    raise ValueError(
        f"{source.where} {bad}: {source.place(int(rows[bad.row]))}, {what}{hint}"
    ) from None


def _numbers(stored: Any, missing: Any, decimal: str) -> NDArray[np.float64]:
    """Return a column as float64.

    Raises
    ------
    BadCell
        Of the first value that is missing or no number, or that float64 does not keep.
    """
    import pyarrow as pa

    column = arrow_source.plain(stored)
    if pa.types.is_string(column.type):
        try:
            numbers = values.as_numbers(column, missing, decimal)
        except BadCell as bad:
            above = column.slice(0, bad.row)
            _refuse_missing(stored, values.trimmed(above, missing))
            raise
    elif pa.types.is_boolean(column.type):
        numbers = column.cast(pa.uint8()).cast(pa.float64())
    else:
        values.refuse_infinite(column)
        numbers = column
    _refuse_missing(stored, numbers)
    found: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
    if len(found) and max(found.max(), -found.min()) >= EXACT:
        _refuse_inexact(stored)
    return found


def _refuse_missing(stored: Any, found: Any) -> None:
    import pyarrow as pa

    if found.null_count:
        row = found.is_null().index(pa.scalar(True)).as_py()
        raise BadCell(row, stored[row].as_py(), MISSING)


def _refuse_inexact(stored: Any) -> None:
    for row, value in enumerate(stored.to_pylist()):
        value = trim(value) if isinstance(value, str) else value
        is_whole = isinstance(value, int) or (isinstance(value, str) and _WHOLE.fullmatch(value))
        if is_whole and abs(int(value)) >= EXACT and int(float(value)) != int(value):
            raise BadCell(row, value, "must hold numbers that float64 keeps exactly")


class _Gaps:
    """The rows of a table that have a target.

    Parameters
    ----------
    source : TableSource
    target : str
    how : {"drop", "refuse"}
    need_target : bool
        False: all rows are kept, and there are no targets where one has none.
    """

    def __init__(self, source: TableSource, target: str, how: str, need_target: bool) -> None:
        self.source, self.target = source, target
        self._how, self._need_target = how, need_target
        self._words, self._masks = Counter[str](), [np.zeros(0, bool)]

    def leave_out(self, batch: Any, rows: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        """Return the rows of a batch that have a target, and their numbers."""
        stored = batch.column(self.target)
        with arrow_source.readable(self.source.where):
            column = _as_target(stored, self.source.missing)
        self._masks.append(column.is_valid().to_numpy(zero_copy_only=False))
        if not column.null_count:
            return batch, rows
        found = stored.filter(column.is_null()).to_pylist()
        self._words.update(each.strip() if isinstance(each, str) else "" for each in found)
        if not self._need_target:
            return batch, rows
        if self._how == "refuse":
            at = int(np.argmin(self._masks[-1]))
            problem = BadCell(at, stored[at].as_py(), MISSING)
            what = f"target {self.target!r} (target_gaps='drop' leaves such rows out)"
            _refuse(self.source, problem, rows, what)
        return batch.filter(column.is_valid()), rows[self._masks[-1]]

    def column(self, batches: list[Any], task: str | None) -> TargetColumn | None:
        """Return the target of the rows that are kept."""
        if not self._words:
            return _target_column(self.source, self.target, batches, task, None)
        if not self._need_target:
            return None
        mask = np.concatenate(self._masks)
        say_gaps(self.source.where, self.target, self._words, len(mask))
        return _target_column(self.source, self.target, batches, task, mask)


def _as_target(stored: Any, missing: Any) -> Any:
    """Return a target's column with nulls for what is missing."""
    import pyarrow as pa

    if pa.types.is_dictionary(stored.type):
        stored = stored.cast(stored.type.value_type)
    column = stored if pa.types.is_integer(stored.type) else arrow_source.plain(stored)
    text = pa.types.is_string(column.type)
    return values.trimmed(column, missing) if text else column


def _target_column(
    source: TableSource,
    name: str,
    batches: list[Any],
    task: str | None,
    with_target: NDArray[np.bool_] | None,
) -> TargetColumn:
    import pyarrow as pa

    try:
        with arrow_source.readable(source.where):
            column = pa.concat_arrays([_as_target(batch, source.missing) for batch in batches])
            is_text = pa.types.is_string(column.type)
            encoded = column.dictionary_encode()
            distinct = encoded.dictionary.to_pylist()
            if is_text:
                _check_words(column, distinct, task)
                distinct = _typed(distinct, task)
            elif pa.types.is_floating(column.type):
                values.refuse_infinite(column)
    except BadCell as bad:
        rows = np.arange(len(column)) if with_target is None else np.flatnonzero(with_target)
        _refuse(source, bad, rows, f"target {name!r}")
    return TargetColumn(name, distinct, encoded.indices.to_numpy(), with_target)


def _check_words(column: Any, distinct: Sequence[str], task: str | None) -> None:
    """Refuse words that are on two lines, and those among numbers that are quantities."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values.refuse_split(column)
    numbers = [word for word in distinct if PLAIN_NUMBER.fullmatch(word)]
    mixed = len(numbers) < len(distinct)
    # one stray word among a thousand different numbers does not make them classes
    quantity = task == "regression" or (
        len(distinct) > MAX_CLASSES and 2 * len(numbers) > len(distinct)
    )
    if mixed and not quantity:
        return
    infinite = [word for word in numbers if not math.isfinite(float(word))]
    strange = sorted(set(distinct).difference(numbers)) + infinite
    if strange:
        row = pc.index(pc.is_in(column, pa.array(strange)), pa.scalar(True)).as_py()
        word = column[row].as_py()
        rule = "must hold finite numbers" if word in infinite else "must hold numbers"
        raise BadCell(row, word, rule)


def _typed(words: list[str], task: str | None) -> list[Any]:
    """Return a column's different words as Python values of one type, told by all of them."""
    if all(map(_WHOLE.fullmatch, words)):
        names = any(re.match(values.LEADING_ZERO, word) for word in words)
        return words if names and task != "regression" else [int(word) for word in words]
    if all(map(PLAIN_NUMBER.fullmatch, words)):
        return [float(word) for word in words]
    if all(word.lower() in ("true", "false") for word in words):
        return [word.lower() == "true" for word in words]
    return words
