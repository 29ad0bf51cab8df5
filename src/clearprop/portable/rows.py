"""Raw rows of a table as exported models take them: the values that `program` says, by columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table.columns import words_of
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.source import open_table
from clearprop.data.table.values import NUMBER
from clearprop.model.model import Model
from clearprop.portable.program import NO_TIME, NUMBERS, TIMES, RawColumn, program_of

Array = NDArray[Any]


def raw_rows(model: Model, what: Any, options: ReadOptions | None = None) -> dict[str, Array]:
    """Return the rows of a table as an exported model takes them.

    Parameters
    ----------
    model : Model
        ``net.model``, of a table or of features with names.
    what : path or table
        As `Inputs.open` takes it: read as the table of the training was, dates and "$1,234" too.
    options : ReadOptions, optional
        Where it is written in another way.

    Returns
    -------
    dict of ndarray of shape (n_rows,)
        float64 with NaN, texts with "" (dtype object), or int64 microseconds with `program.NO_TIME`.

    Raises
    ------
    ValueError
        If its features have no names, or the table lacks a column.
    """
    columns = program_of(model).columns
    if not columns:
        raise ValueError("the model's features have no names: its rows are one array of numbers")
    if model.inputs.encoder is None:
        source = open_table(what, options, {raw.name: NUMBER for raw in columns})
    else:
        source = model.inputs.open(what, options)
    table = source.table([raw.name for raw in columns])
    return {raw.name: _values(table.column(raw.name).combine_chunks(), raw) for raw in columns}


def _values(column: Any, raw: RawColumn) -> Array:
    import pyarrow as pa

    if raw.holds == TIMES:
        found: Array = column.cast(pa.int64()).fill_null(NO_TIME).to_numpy(zero_copy_only=False)
        return found
    if raw.holds == NUMBERS:
        numbers: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return numbers
    return np.array(["" if each is None else each for each in words_of(column).to_pylist()], object)
