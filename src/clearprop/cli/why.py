"""The reasons of one row, as ``clearprop explain`` gives them: in the language of its table.

In: a model, DATA and the number of a row. Out: which columns moved its answer, from what to what, and
which changes would turn it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from clearprop.cli import model_data, row_blocks, standard_input
from clearprop.cli.model import Answering
from clearprop.cli.table_options import names as listed
from clearprop.data.table import TableSource
from clearprop.data.table.values import text_of
from clearprop.model.targets import Classes, Units
from clearprop.network import Network
from clearprop.reasons import changes, telling
from clearprop.reasons.asking import Asked, Rows, rows_of_numbers, rows_of_table
from clearprop.reasons.result import shown


class Question(NamedTuple):
    """What is asked of a row.

    Parameters
    ----------
    data : str
    row : int
    part : str
    change : str, optional
        Columns that may be changed, with commas between them.
    baseline : str, optional
        Data whose rows are the baselines; None is the median row.
    """

    data: str
    row: int
    part: str
    change: str | None = None
    baseline: str | None = None


class _Row(NamedTuple):
    """A row of data: as it is asked, as it was written, what of it is numbers, and its key."""

    asked: Rows
    cells: Mapping[str, Any]
    numbers: Mapping[str, Any]
    key: Mapping[str, str]
    where: str


def text(net: Answering, question: Question) -> str:
    """Return why a row is answered as it is, in words."""
    row, found, answers = _answered(net, question)
    key = ", ".join(f"{name} {value}" for name, value in row.key.items())
    lines = [f"row {question.row} of {row.where}" + (f": {key}" if key else "")]
    lines += [f"{name}: {shown(value)}" for name, value in answers.items()]
    cell = _cell(net)
    said = "\n".join(lines) + "\n\n" + telling.text(found, 0, cell)
    if question.change is None:
        return said
    turned = _changes(net, row, question.change)
    labels = net.model.schema.classes or ()
    if not turned:
        return said + "\nNo change of these columns turns the prediction.\n"
    return said + "\nWhat would turn the prediction:\n" + telling.changes_text(turned, labels, cell)


def as_json(net: Answering, question: Question) -> str:
    """Return the same as one JSON object."""
    row, found, answers = _answered(net, question)
    told = {"row": question.row, "data": row.where, "key": dict(row.key), **answers}
    told |= telling.json_of(found, 0)
    if question.change is not None:
        labels = net.model.schema.classes or ()
        told["turned_by"] = telling.json_of_changes(_changes(net, row, question.change), labels)
    return json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n"


def _asked(net: Answering) -> Asked:
    return Asked([net.model]) if isinstance(net, Network) else Asked(net.members, net.weights)


def _answered(net: Answering, question: Question) -> tuple[_Row, Any, dict[str, Any]]:
    read = _of_table if net.model.is_of_table else _of_array
    row = read(net, question)
    base = None if question.baseline is None else _baseline(net, question.baseline)
    asked = _asked(net)
    found = asked.reasons(row.asked, base)
    number, probability = asked.told(row.asked.inputs)
    targets, labels = net.model.targets, net.model.schema.classes
    if isinstance(targets, Classes) and labels is not None:
        return row, found, {"prediction": labels[number[0]], "probability": float(probability[0])}
    answer = found.answer[0]
    if isinstance(targets, Units) and targets.low is not None and targets.high is not None:
        answer = np.clip(answer, targets.low[0], targets.high[0])  # as it is answered
    return row, found, {"prediction": float(answer)}


def _of_table(net: Answering, question: Question) -> _Row:
    inputs = net.model.inputs
    assert inputs.encoder is not None
    table = inputs.open(question.data)
    typed = _slice(table.batches(inputs.columns), table, question.row)
    keys = row_blocks.identifiers(net, table)
    stored = _slice(table.stored_batches([*inputs.columns, *keys], 1 << 16), table, question.row)
    asked = rows_of_table(net.model, typed)
    cells = {name: stored.column(name)[0].as_py() for name in inputs.columns}
    numbers = changes.numbers_of(inputs.encoder, asked.values)
    key = {name: text_of(stored.column(name)[0].as_py() or "") for name in keys}
    return _Row(asked, cells, numbers, key, standard_input.said(table.where))


def _slice(batches: Any, table: TableSource, row: int) -> Any:
    import pyarrow as pa

    first = 0
    for batch in batches:
        if first <= row < first + batch.num_rows:
            return pa.Table.from_batches([batch.slice(row - first, 1)])
        first += batch.num_rows
    raise _no_row(row, first, table.where)


def _no_row(row: int, n: int, where: str) -> ValueError:
    return ValueError(f"--row must be in 0..{n - 1}, got {row}: {where} has {n:,} rows")


def _of_array(net: Answering, question: Question) -> _Row:
    dataset = model_data.load_data(net, question.data, need_target=False, part=question.part)
    X = dataset.inputs(question.part)
    if not 0 <= question.row < len(X):
        raise _no_row(question.row, len(X), dataset.source)
    asked = rows_of_numbers(net.model, np.asarray(X[question.row : question.row + 1]))
    return _Row(asked, {}, {}, {}, dataset.source)


def _baseline(net: Answering, source: str) -> Rows:
    if net.model.is_of_table:
        table = net.model.inputs.open(source)
        return rows_of_table(net.model, table.table(net.model.inputs.columns))
    X = model_data.load_data(net, source, need_target=False, part="train").inputs("train")
    return rows_of_numbers(net.model, np.asarray(X))


def _changes(net: Answering, row: _Row, columns: str) -> list[changes.Change]:
    targets = net.model.targets
    if not isinstance(targets, Classes):
        raise ValueError("--change is for classes: a quantity is no decision that could be turned")
    if net.model.inputs.encoder is None:
        raise ValueError("--change is for models of tables, whose file keeps what columns held")
    asked, inputs = _asked(net), net.model.inputs
    return changes.smallest(
        row.cells,
        listed([columns]),
        net.model.inputs.encoder,
        lambda rows: asked.told(inputs.of_rows(rows, net.model.dtype)),
        row.numbers,
    )


def _cell(net: Answering) -> telling.Showing:
    encoder = net.model.inputs.encoder
    types = {} if encoder is None else {each.name: each.type for each in encoder.decisions}
    return telling.units(types)
