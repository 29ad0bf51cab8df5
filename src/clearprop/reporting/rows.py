"""The rows that the model is most wrong about, as they are written, with what moved it."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table.values import text_of
from clearprop.reasons.asking import Asked, Rows
from clearprop.reasons.result import Values
from clearprop.reporting.importance import losses, metric_of
from clearprop.reporting.insights import Reason, WorstRow, WorstRows
from clearprop.reporting.subject import RawColumn, Subject

Array = NDArray[Any]

_SHOWN, _REASONS = 10, 5
_BASELINES = 64  # rows of these, where the model keeps no median row
_MEDIAN, _THESE = "the median row of the training", "rows of these data"


def worst(subject: Subject) -> WorstRows:
    """Return the rows with the largest losses, the worst first, with what moved their answers."""
    assert subject.y is not None
    known = np.flatnonzero(subject.known)
    lost = losses(subject, subject.outputs[known], subject.y[known])
    order = known[np.argsort(-lost, kind="stable")[:_SHOWN]]
    by_row = dict(zip(known.tolist(), lost.tolist(), strict=True))
    why, baseline = _reasons(subject, order)
    columns = (*subject.others, *subject.columns)
    rows = tuple(
        WorstRow(
            row=int(subject.rows[at]),
            cells=tuple(cell_text(each, int(at)) for each in columns),
            true=_answer(subject, subject.y[at]),
            predicted=_answer(subject, subject.predicted[at]),
            said=_said(subject, int(at)),
            loss=by_row[int(at)] ** 0.5 if metric_of(subject) == "rmse" else by_row[int(at)],
            of=of,
            reasons=given,
        )
        for at, (of, given) in zip(order, why, strict=True)
    )
    return WorstRows(tuple(each.name for each in columns), rows, baseline)


def _reasons(subject: Subject, rows: Array) -> tuple[list[tuple[str, tuple[Reason, ...]]], str]:
    """Return what the answer of each row is and what moved it most; and from what."""
    averaged = subject.averaged
    asked = Asked((subject.model,)) if averaged is None else Asked(averaged.members, averaged.weights)
    seen = _seen(subject, rows)
    try:
        found, baseline = asked.reasons(seen), _MEDIAN
    except ValueError:  # the model keeps no median row, or tells one class
        if len(subject.classes) == 1:
            return [("", ())] * len(rows), ""
        found = asked.reasons(seen, _seen(subject, subject.sample(_BASELINES, 6)))
        baseline = _THESE
    by_name = {each.name: each for each in subject.columns}
    told = [
        (
            found.of[place],
            tuple(
                Reason(one.column, cell_text(by_name[one.column], int(row)), one.part)
                for one in found.top(place, _REASONS)
            ),
        )
        for place, row in enumerate(rows)
    ]
    return told, baseline


def _seen(subject: Subject, rows: Array) -> Rows:
    """Return rows as reasons take them."""
    names = tuple(each.name for each in subject.columns)
    values = Values(names, [each.cells.take(rows) for each in subject.columns])
    return Rows(subject.inputs(subject.numbers[rows]).astype(np.float64), values)


def _answer(subject: Subject, value: Any) -> str | float:
    return subject.classes[int(value)] if subject.classes else float(value)


def _said(subject: Subject, at: int) -> float | None:
    """Return the probability that a row was of its class."""
    if not subject.classes or not subject.is_probable:
        return None
    assert subject.y is not None
    return float(subject.probabilities[at, int(subject.y[at])])


def cell_text(column: RawColumn, row: int) -> str:
    """Return what a cell of a column holds, as a reader would write it."""
    value = column.cells[row].as_py()
    if isinstance(value, dict):  # a number with words among the column
        value = value["number"] if value["word"] is None else value["word"]
    if value is None:
        return "missing"
    if isinstance(value, datetime.datetime):
        if value.date() == datetime.date(1970, 1, 1):
            return value.strftime("%H:%M:%S")
        return value.strftime("%Y-%m-%d" if value.time() == datetime.time() else "%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.15g}"
    return text_of(value)
