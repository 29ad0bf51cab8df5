"""A model as JavaScript: the live page's engine with a model's numbers, as a module and as a form."""

from __future__ import annotations

import importlib.resources
from typing import Any

import numpy as np

from clearprop.data.table.columns import CategoryColumn, NumericColumn, TimeColumn
from clearprop.engines import javascript
from clearprop.model.ends import inputs_of
from clearprop.model.file import describe_architecture
from clearprop.model.model import Model
from clearprop.page import Markup, document, joined, json_text, tag
from clearprop.portable.program import (
    CLASSES,
    QUANTITIES,
    Answer,
    Program,
    RawColumn,
    program_of,
)

_COST = {"name": "quadratic", "reduction": "mean"}  # which predicting does not ask for
MOST_FIELDS = 200  # of a form that somebody fills in


def module_of(model: Model, written_by: str) -> str:
    """Return a model as an ES module that exports ``predict(row)``.

    Parameters
    ----------
    model : Model
    written_by : str
        The line that the module begins with.
    """
    return "\n".join(
        [
            f"// {written_by}: predict(row) at the end is the model.\n",
            f"{_engine()}",
            f"const model = {json_text(_described(model))};\n",
            "export const predict = predictor(model);\n",
        ]
    )


def form_of(model: Model, title: str, written_by: str) -> str:
    """Return a standalone page with a form for raw values, which predicts as they are typed.

    Parameters
    ----------
    model : Model
        Of at most `MOST_FIELDS` values.
    title : str
    written_by : str
    """
    fields = [_field(raw, k) for k, raw in enumerate(_columns(program_of(model)))]
    form = tag("form", joined(["", *fields, ""], "\n"))
    answer = tag("table", tag("tbody", "", id="answer"), aria_live="polite", class_="answer")
    body = joined([tag("h1", title), form, tag("p", "", id="said", role="status"), answer], "\n")
    script = f"{_engine()}\n{_read('form.js')}"
    return document(
        title,
        body,
        style=_read("form.css"),
        script=script,
        data=_described(model),
        description=written_by,
    )


def n_fields(program: Program) -> int:
    """Return the values of a row."""
    return len(program.columns) or program.n_features


def _engine() -> str:
    return f"{javascript.script()}\n{_read('answer.js')}"


def _read(name: str) -> str:
    return importlib.resources.files(__name__.rpartition(".")[0]).joinpath(name).read_text("utf-8")


def _columns(program: Program) -> tuple[RawColumn, ...]:
    if program.columns:
        return program.columns
    numbers = range(program.n_features)
    return tuple(RawColumn(NumericColumn(f"x{k}", np.nan, False), "numbers") for k in numbers)


def _described(model: Model) -> dict[str, Any]:
    raw, program = model.in_raw_units(), program_of(model)
    several = raw.parameters if raw.parameters.ndim == 2 else raw.parameters[None]
    columns = _columns(program)
    return {
        "named": bool(program.columns),
        "columns": [
            {"name": each.name, "kind": each.column.kind, "required": _is_required(each)}
            for each in columns
        ],
        "inputs": inputs_of(raw.inputs, [each.name for each in columns], program.dtype),
        "architecture": describe_architecture(raw.architecture) | {"cost": _COST},
        "members": several.astype(np.float64).tolist(),
        "answer": _answer(program.answer, program.dtype),
    }


def _is_required(raw: RawColumn) -> bool:
    return isinstance(raw.column, NumericColumn) and bool(np.isnan(raw.column.median))


def _answer(answer: Answer, dtype: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": answer.kind, "labels": answer.labels, "names": answer.names}
    if answer.kind == QUANTITIES and answer.low is not None and answer.high is not None:
        found |= {"low": answer.low.tolist(), "high": answer.high.tolist()}
    if answer.middle:
        found["middle"] = True
    if answer.kind == CLASSES:
        found |= {
            "temperature": answer.temperature,
            "smoothing": answer.smoothing,
            "takenBack": answer.taken_back,
            "threshold": answer.threshold,
            "eps": float(np.finfo(dtype).eps),
        }
    return found | ({"sizes": answer.sizes} if answer.sizes else {})


def _field(raw: RawColumn, number: int) -> Markup:
    """Return the label and the control of a column."""
    column, name = raw.column, f"c{number}"
    if isinstance(column, CategoryColumn):
        missing = tag("option", "(missing)", value="")
        other = tag("option", "(another)", value="\ufffd")
        known = [tag("option", word, value=word) for word in column.categories]
        control = tag("select", joined([*known, other, missing]), name=name, id=name)
    elif isinstance(column, TimeColumn):
        control = tag("input", type="datetime-local", name=name, id=name)
    elif column.words:
        control = tag("input", type="text", name=name, id=name)
    else:
        first = 0 if np.isnan(column.median) else column.median
        control = tag("input", type="number", step="any", name=name, id=name, value=repr(first))
    return tag("p", joined([tag("label", column.name, for_=name), control], " "))
