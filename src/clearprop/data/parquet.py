"""Numeric Parquet, read by pyarrow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Dataset, some
from clearprop.data.files import Source, check_size, local_path, read_all
from clearprop.data.tables import TargetColumn, check_names, choose_target, table_dataset
from clearprop.data.targets import check_task

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read_parquet(
    path: Source, *, target: str | None = None, task: str | None = None, need_target: bool = True
) -> Dataset:
    """Return the data set in a Parquet file whose features are numbers.

    Integers, floats, decimals and booleans become float64, dictionaries what they stand for; an
    index that pandas stored without a name is left out.

    Parameters
    ----------
    path, target, task, need_target
        As in `read_csv`.

    Returns
    -------
    Dataset
        As from `read_csv`.

    Raises
    ------
    OSError
        If `path` is no regular file that can be read.
    TypeError
        If `path` or `target` has the wrong type.
    ValueError
        If it is not such a table: the message has the column, its type, or the row (counted from 0)
        and the value. Rows times columns are checked against `files.MAX_BYTES` before any is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_task(task)
    path = local_path(path, "path")
    data = read_all(path)
    with _readable(path):
        file = pq.ParquetFile(pa.BufferReader(data))
        n_rows, schema = file.metadata.num_rows, file.schema_arrow
        names = [name for name in schema.names if not _PANDAS_INDEX.fullmatch(name)]
    check_names(names, path)
    check_size(path, 8 * n_rows * len(names))
    if n_rows < 1:
        raise ValueError(f"{path} must have rows, got {n_rows} rows of {len(names)} columns")
    target = choose_target(names, target, need_target, path)
    for name in names:
        _check_type(name, schema.field(name).type, name == target, path)
    with _readable(path):
        table = file.read(columns=names)
    if table.num_rows != n_rows:
        raise ValueError(f"{path} declares {n_rows} rows, got {table.num_rows}")
    features = [name for name in names if name != target]
    X = np.empty((n_rows, len(features)))
    for index, name in enumerate(features):
        X[:, index] = _numbers(table.column(name), name, path)
    found = None if target is None else _target_column(table.column(target), target, path)
    return table_dataset(path, features, X, found, task)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever pyarrow raises, the file is what it disliked
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(f"{path} could not be read as Parquet: {reason}") from None


def _check_type(name: str, kind: Any, is_target: bool, path: Path) -> None:
    import pyarrow.types as types

    value = kind.value_type if types.is_dictionary(kind) else kind
    number = (
        types.is_integer(value)
        or types.is_floating(value)
        or types.is_decimal(value)
        or types.is_boolean(value)
        or types.is_null(value)  # refused for its missing values, which says more
    )
    text = types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)
    if not (number or (is_target and text)):
        role = "target" if is_target else "feature"
        rule = "numbers, booleans or text" if is_target else "numbers"
        raise ValueError(f"{path} must hold {rule} in the {role} {name!r}, got {some([str(kind)])}")


def _present(column: Any, name: str, path: Path) -> Any:
    """Return the column without its dictionary; refuse one with missing values."""
    import pyarrow as pa

    with _readable(path):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if column.null_count:
            row = column.is_null().index(pa.scalar(True)).as_py()
            raise ValueError(f"no value in row {row}, column {name!r}")
    return column


def _numbers(column: Any, name: str, path: Path) -> NDArray[np.float64]:
    import pyarrow as pa

    column = _present(column, name, path)
    with _readable(path):
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        try:
            values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            raise ValueError(
                f"column {name!r} holds numbers that float64 cannot keep exactly"
            ) from None
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(
            f"{path} must hold finite numbers, got {values[wrong[0]]}: row {wrong[0]}, column {name!r}"
        )
    return values


def _target_column(column: Any, name: str, path: Path) -> TargetColumn:
    import pyarrow as pa

    column = _present(column, name, path)
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        distinct, codes = np.unique(_numbers(column, name, path), return_inverse=True)
        return TargetColumn(name, distinct.tolist(), codes)
    with _readable(path):
        encoded = column.combine_chunks().dictionary_encode()
        return TargetColumn(name, encoded.dictionary.to_pylist(), encoded.indices.to_numpy())
