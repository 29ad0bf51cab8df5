"""Arrow: tables in memory that speak it, and columns of its many types as those of a few."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeGuard

import numpy as np

from clearprop.data.dataset import some
from clearprop.data.table import dates, spans
from clearprop.data.table.values import BOOLEAN, NUMBER, TEXT, TIME, BadCell, missing_values, text_of
from clearprop.data.targets import EXACT
from clearprop.typing import ArrowDataset

_WORDS_AND_NUMBERS = {"str", "int", "float", "int64", "float64"}
MOST_TEXT = 1 << 30  # bytes that the words of a batch may take


@contextlib.contextmanager
def readable(where: str, what: str = "a table") -> Iterator[None]:
    """Turn whatever pyarrow raises into a sentence on the file that it disliked."""
    try:
        yield
    except (GeneratorExit, BadCell):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith(where):
            raise
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(f"{where} could not be read as {what}: {reason}") from None


def as_table(what: object) -> Any:
    """Return a pyarrow Table of anything that speaks Arrow: pandas, polars, duckdb, pyarrow.

    Raises
    ------
    TypeError
        If it does not.
    """
    import pyarrow as pa

    if isinstance(what, pa.Table):
        return what
    if isinstance(what, pa.RecordBatch):
        return pa.Table.from_batches([what])
    if hasattr(what, "iloc") and hasattr(what, "columns"):
        return _from_pandas(what)
    if hasattr(what, "__arrow_c_stream__"):
        _refuse_unknown(what)
        with readable("X", "an Arrow table"):
            return pa.table(what)
    if _is_dataset(what):  # of pyarrow, or its Scanner
        with readable("X", "an Arrow table"):
            return what.to_table()
    raise TypeError(
        "a table must be a file, a pandas or polars data frame, or another object that speaks Arrow, "
        f"got {type(what).__name__}"
    )


def _refuse_unknown(frame: Any) -> None:
    """Refuse a data frame of polars with a column that Arrow has no type for."""
    import pyarrow as pa

    if not hasattr(frame, "get_columns"):
        return
    for column in frame.get_columns():
        try:
            pa.chunked_array(column[:0])
        except pa.ArrowException:
            raise ValueError(
                f"X holds {column.dtype} in column {column.name!r}, which Arrow has no type for: cast "
                "it to Int64, Float64 or String"
            ) from None


def at_hand(X: object) -> Any:
    """Return a table that can be read once, or is read when asked, in memory; others as they are.

    Readers of record batches, pyarrow's Dataset and Scanner, relations of duckdb: what has a stream of
    Arrow, and no rows to choose from.

    Raises
    ------
    TypeError
        If it is a query of polars, which nothing was asked of yet.
    """
    if hasattr(X, "lazy") and hasattr(X, "collect"):
        raise TypeError(f"X must be a data frame, got {type(X).__name__}: collect() it first")
    streams = hasattr(X, "__arrow_c_stream__") or _is_dataset(X)
    has_rows = hasattr(X, "iloc") or hasattr(X, "get_columns")  # pandas, polars
    return as_table(X) if streams and not has_rows else X


def _is_dataset(what: object) -> TypeGuard[ArrowDataset]:
    return hasattr(what, "to_table") and hasattr(what, "count_rows")


def _from_pandas(frame: Any) -> Any:
    import pyarrow as pa

    names = [str(name) for name in frame.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"X must have columns of different names, got {some(twice)} more than once")
    arrays = [array_of(frame.iloc[:, position], name) for position, name in enumerate(names)]
    return pa.Table.from_arrays(arrays, names=names) if arrays else pa.table({})


def array_of(column: Any, name: str) -> Any:
    """Return the cells of one column, a Series or a list, as an Arrow array.

    Raises
    ------
    ValueError
        If they are of types that have none in common.
    """
    import pyarrow as pa

    try:
        return pa.array(column, from_pandas=True)
    except OverflowError:  # whole numbers that no type holds are names, not quantities
        return pa.array([None if v is None or v != v else str(v) for v in column], pa.string())
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError):
        return _mixed(column, name)


def _mixed(column: Any, name: str) -> Any:
    import pyarrow as pa

    kinds = sorted({type(value).__name__ for value in column if value is not None and value == value})
    try:
        cells = [None if v is None or v != v else v for v in column]
        if "str" in kinds and set(kinds) <= _WORDS_AND_NUMBERS:  # as a file has them
            return pa.array([None if v is None else text_of(v) for v in cells], pa.string())
        return pa.array([None if v is None else float(v) for v in cells], pa.float64())
    except (TypeError, ValueError):
        rule = "values of one type" if len(kinds) > 1 else "numbers, words or dates"
        raise ValueError(
            f"column {name!r} of X must hold {rule}, got {' and '.join(kinds)[:200]}"
        ) from None


def kind_of(arrow_type: Any) -> str | None:
    """Return what a column of an Arrow type holds, or None where we have no use for it."""
    import pyarrow.types as types

    value = arrow_type.value_type if types.is_dictionary(arrow_type) else arrow_type
    if types.is_boolean(value):
        return BOOLEAN
    if types.is_integer(value) or types.is_floating(value) or types.is_decimal(value):
        return NUMBER
    if types.is_null(value) or types.is_duration(value):
        return NUMBER
    if types.is_string(value) or types.is_large_string(value) or types.is_string_view(value):
        return TEXT
    if types.is_timestamp(value) or types.is_date(value) or types.is_time(value):
        return TIME
    return None


def form_of(arrow_type: Any) -> str:
    """Return the form of times of day and of time spans: what else a type holds has none."""
    import pyarrow.types as types

    value = value_type(arrow_type)
    if types.is_duration(value):
        return spans.SPAN
    return dates.TIME_OF_DAY if types.is_time(value) else ""


def value_type(arrow_type: Any) -> Any:
    """Return what a type of categories stands for, and any other type itself."""
    return arrow_type.value_type if is_category(arrow_type) else arrow_type


def is_category(arrow_type: Any) -> bool:
    """Return whether a column says itself that it holds categories."""
    import pyarrow.types as types

    return bool(types.is_dictionary(arrow_type))


def plain(array: Any) -> Any:
    """Return an Arrow array as float64, bool, string or timestamp[us]; a NaN is a null.

    Raises
    ------
    ValueError
        If a number is infinite.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    if types.is_dictionary(array.type):
        array = _decoded(array)
    kind = array.type
    if kind_of(kind) == TEXT:
        return array if types.is_string(kind) else array.cast(pa.string())
    if types.is_null(kind):
        return pa.nulls(len(array), pa.float64())
    if types.is_time(kind):
        return (
            array.cast(pa.time64("us") if types.is_time64(kind) else kind)
            .cast(pa.time64("us"))
            .cast(pa.int64())
            .cast(pa.timestamp("us"))
        )
    if types.is_timestamp(kind) or types.is_date(kind):
        cut = types.is_timestamp(kind) and kind.unit == "ns"
        return _local(array).cast(pa.timestamp("us"), safe=not cut)
    if types.is_duration(kind):
        return _seconds(array)
    if types.is_boolean(kind):
        return array
    numbers = array.cast(pa.float64(), safe=False)
    nan = pc.is_nan(numbers)
    if pc.any(nan).as_py():
        numbers = pc.if_else(nan, pa.scalar(None, pa.float64()), numbers)
    return numbers


def _seconds(array: Any) -> Any:
    """Return time spans as the float64 that their text would be read as."""
    import pyarrow as pa

    unit = "ns" if array.type.unit == "ns" else "us"
    per_second = 10**9 if unit == "ns" else 10**6
    whole = array.cast(pa.duration(unit), safe=False).cast(pa.int64()).fill_null(0)
    seconds, rest = np.divmod(whole.to_numpy(zero_copy_only=False), per_second)
    found = spans.in_seconds(seconds, rest * (10**9 // per_second))
    return pa.array(found, mask=array.is_null().to_numpy(zero_copy_only=False))


def without(array: Any, missing: Any) -> Any:
    """Return a stored array, null where it stands for a missing value; text is left to its reader."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind_of(array.type) in (TEXT, None):
        return array
    if is_category(array.type):
        array = _decoded(array)
    seen = array if pa.types.is_integer(array.type) else plain(array)
    known = missing_values(seen.type, missing)
    if not len(known):
        return array
    return pc.if_else(pc.is_in(seen, known), pa.scalar(None, array.type), array)


def _decoded(array: Any) -> Any:
    """Return the values that codes stand for; text as string, since views cannot be chosen from."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = array.dictionary
    if kind_of(values.type) == TEXT:
        values = values.cast(pa.string())
        # A few codes of a long word are a small file, and a large memory.
        n_bytes = pc.sum(pc.binary_length(values).take(array.indices).cast(pa.int64())).as_py() or 0
        if n_bytes > MOST_TEXT:
            raise ValueError(
                f"{len(array):,} rows must hold text of at most {MOST_TEXT:,} bytes, got {n_bytes:,}"
            )
    return values.take(array.indices)


def _local(array: Any) -> Any:
    import pyarrow.compute as pc
    import pyarrow.types as types

    zoned = types.is_timestamp(array.type) and array.type.tz is not None
    return pc.local_timestamp(array) if zoned else array


def loses_digits(array: Any) -> bool:
    """Return whether whole numbers are too long for float64."""
    import pyarrow.compute as pc
    import pyarrow.types as types

    if not types.is_integer(array.type) or array.type.bit_width < 64:
        return False
    ends = pc.min_max(array)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    return low is not None and (low <= -EXACT or high >= EXACT)
