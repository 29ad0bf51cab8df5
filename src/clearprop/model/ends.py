"""Both ends of a model as data, for what computes without Python: a page, an exported program.

`inputs_of` describes what raw rows go through, `rows_of` has the cells of a raw table as that takes
them, and `targets_of` says what outputs stand for. ``engines/javascript/inputs.js`` evaluates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearprop.data.scaling import BOUND, Scaling
from clearprop.data.table.columns import (
    CategoryColumn,
    Column,
    NumericColumn,
    numbers_of,
    words_of,
)
from clearprop.model.inputs import Inputs, Step
from clearprop.model.targets import Classes, Targets, Units

Cell = float | str | None


def inputs_of(inputs: Inputs, names: Sequence[str], dtype: str) -> dict[str, Any]:
    """Return what raw rows go through before layer 1.

    Parameters
    ----------
    inputs : Inputs
    names : sequence of str
        Of the numbers of a row, where it takes no raw table.
    dtype : str
        Of the network, in which it computes.

    Returns
    -------
    dict
        ``{"dtype", "columns": [{"name", "kind", ...}], "steps": [...]}``; a column is what its file
        says of it, a step ``{"shift", "factor"}`` or ``{"bound"}``.
    """
    encoder = inputs.encoder
    columns: Sequence[Column] = (
        [NumericColumn(name, 0.0, False) for name in names] if encoder is None else encoder.encoded
    )
    return {
        "dtype": dtype,
        "columns": [{"name": each.name, "kind": each.kind, **each.fields()} for each in columns],
        "steps": [_step(each) for each in inputs.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    if isinstance(step, Scaling):
        return {"shift": step.shift.tolist(), "factor": step.factor.tolist()}
    return {"bound": BOUND}


def rows_of(inputs: Inputs, batch: Any) -> list[list[Cell]]:
    """Return the cells of a batch of a raw table that `Inputs.open` has read, row by row.

    Parameters
    ----------
    inputs : Inputs
        With an encoder.
    batch : pyarrow.RecordBatch or Table

    Returns
    -------
    list of list
        Numbers, texts, and None where a value is missing; a point in time as 2024-01-31T15:30:00.
    """
    assert inputs.encoder is not None
    columns = [_cells(each, batch.column(each.name)) for each in inputs.encoder.encoded]
    return [list(row) for row in zip(*columns, strict=True)]


def _cells(made: Column, column: Any) -> list[Cell]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(made, CategoryColumn):
        words: list[Cell] = words_of(column).to_pylist()
        return words
    if not isinstance(made, NumericColumn):
        times = pc.strftime(column, "%Y-%m-%dT%H:%M:%S").to_pylist()
        return [None if time is None else time.removesuffix(".000000") for time in times]
    numbers: list[Cell] = [None if x != x else x for x in numbers_of(column).tolist()]
    if not pa.types.is_struct(column.type):
        return numbers
    named = pc.struct_field(column, "word").to_pylist()
    return [number if word is None else word for number, word in zip(numbers, named, strict=True)]


def targets_of(targets: Targets) -> dict[str, Any] | None:
    """Return what outputs stand for: ``{"classes"}`` or ``{"shift", "factor", "low", "high"}``.

    None where there is nothing to say: several labels at a time, or quantities as they are learned.
    """
    if isinstance(targets, Classes):
        names = targets.names
        return None if names is None else {"classes": [str(name) for name in names]}
    if not isinstance(targets, Units):
        return None
    ends = {name: getattr(targets, name) for name in ("shift", "factor", "low", "high")}
    found = {name: each.tolist() for name, each in ends.items() if each is not None}
    return found or None
