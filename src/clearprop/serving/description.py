"""What a served model takes and says: as JSON schema, as OpenAPI, and as a page."""

from __future__ import annotations

import json
from typing import Any

from clearprop.data.table.columns import CategoryColumn, Column, NumericColumn
from clearprop.data.table.dressed import dress_of
from clearprop.model.inputs import Inputs
from clearprop.model.model import Model
from clearprop.model.targets import Classes
from clearprop.page.markup import joined, table, tag
from clearprop.page.shell import document
from clearprop.serving.limits import MOST_BYTES, MOST_ROWS

Schema = dict[str, Any]

_SHOWN = 12  # categories of a column that the page names


def schema(model: Model) -> Schema:
    """Return the JSON schema of what /predict takes: a row, or an array of rows."""
    row = _row(model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One row, or an array of rows",
        "anyOf": [
            {"$ref": "#/$defs/row"},
            _several({"$ref": "#/$defs/row"}),
        ],
        "$defs": {"row": row},
    }


def _row(model: Model) -> Schema:
    encoder, n = model.inputs.encoder, model.architecture.n_features
    if encoder is None:
        numbers = {"type": "array", "items": {"type": "number"}, "minItems": n, "maxItems": n}
        if model.feature_names is None:
            return numbers
        return {"anyOf": [_object({name: {"type": "number"} for name in model.feature_names}), numbers]}
    fields = {each.name: _field(model.inputs, each) for each in encoder.encoded}
    ignored = {
        each.name: {"description": f"not used ({each.kind})"}
        for each in encoder.decisions
        if not each.used
    }
    return _object(fields) | {"properties": fields | ignored}


def _object(fields: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _field(inputs: Inputs, column: Column) -> Schema:
    """Return the schema of a cell, which may be missing; a number may be written as text."""
    assert inputs.encoder is not None
    decision = next(each for each in inputs.encoder.decisions if each.name == column.name)
    said: Schema = {"description": decision.reason}
    if isinstance(column, CategoryColumn):
        return {
            "type": ["string", "number", "boolean", "null"],
            **said,
            "examples": list(column.categories),
        }
    if not isinstance(column, NumericColumn):
        return {"type": ["string", "null"], **said}
    dress = dress_of(decision.type.partition(" ")[2])
    examples = [column.median, *column.words] if dress is None else [dress.sample, *column.words]
    return {"type": ["number", "string", "null"], **said, "examples": examples}


def _answer(model: Model) -> Schema:
    """Return the schema of what is said of a row."""
    labels = model.schema.classes
    if isinstance(model.targets, Classes) and labels is not None:
        kind = "probabilities" if model.architecture.output.probabilities else "outputs"
        shares = {str(label): {"type": "number"} for label in labels}
        return _object({"prediction": {"enum": list(labels)}, kind: _object(shares)})
    number: Schema = {"type": "number"}
    several = model.target_names
    return _object({"prediction": _object(dict.fromkeys(several, number)) if several else number})


def openapi(model: Model, about: dict[str, Any]) -> Schema:
    """Return the OpenAPI 3.1 description of everything that may be asked.

    Parameters
    ----------
    model : Model
    about : dict
        What /health says of it.
    """
    row, said, wrong = ({"$ref": f"#/components/schemas/{name}"} for name in ("row", "answer", "error"))
    taken = {"anyOf": [row, _several(row)]}
    told = {"anyOf": [said, _several(said)]}
    error = _object({"error": {"type": "string"}})
    error["properties"] |= {"row": {"type": "integer"}, "field": {"type": "string"}}
    refused = {"description": "What is wrong, in a sentence", "content": _json(wrong)}
    answered = {"description": "Of each row, in their order", "content": _json(told)}
    predict = {
        "summary": "Predict a row, or an array of rows",
        "requestBody": {"required": True, "content": _json(taken)},
        "responses": {
            "200": answered,
            **dict.fromkeys(("400", "403", "408", "413", "415", "422", "503"), refused),
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Predictions of {_target(model)}", "version": about["clearprop"]},
        "paths": {
            "/predict": {"post": predict},
            "/schema": {"get": _found("What /predict takes, as JSON schema")},
            "/health": {"get": _found("Whether it answers, and with which model")},
        },
        "components": {"schemas": {"row": _row(model), "answer": _answer(model), "error": error}},
    }


def _several(one: Schema) -> Schema:
    return {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_ROWS}


def _found(summary: str) -> Schema:
    found = {"description": "As JSON", "content": _json({"type": "object"})}
    return {"summary": summary, "responses": {"200": found}}


def _json(content: Schema) -> Schema:
    return {"application/json": {"schema": content}}


def _target(model: Model) -> str:
    return model.schema.target or "a model"


def example(model: Model) -> dict[str, Any] | list[float]:
    """Return a row that the model takes: the median row, as far as it is known."""
    encoder, n = model.inputs.encoder, model.architecture.n_features
    if encoder is None:
        names = model.feature_names
        return [0.0] * n if names is None else dict.fromkeys(names, 0.0)
    found: dict[str, Any] = {}
    for each in encoder.encoded:
        given = _field(model.inputs, each).get("examples")
        found[each.name] = given[0] if given else None
        if isinstance(each, CategoryColumn) and each.usual is not None:
            found[each.name] = each.usual
    return found


def page(model: Model, about: dict[str, Any]) -> str:
    """Return a page that says what may be asked, with an example; it needs no script."""
    encoder = model.inputs.encoder
    fields: list[tuple[object, ...]] = []
    if encoder is not None:
        for each in encoder.encoded:
            field = _field(model.inputs, each)
            words = field.get("examples", []) if isinstance(each, CategoryColumn) else []
            more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
            kind = next(d.kind for d in encoder.decisions if d.name == each.name)
            fields.append((each.name, kind, ", ".join(words[:_SHOWN]) + more or field["description"]))
    else:
        names = model.feature_names or [str(k) for k in range(model.architecture.n_features)]
        fields = [(name, "numeric", "a number") for name in names]
    row = json.dumps(example(model), ensure_ascii=False)
    command = (
        f"curl -H 'Content-Type: application/json' -d '{row}' http://127.0.0.1:PORT/predict".replace(
            "PORT", str(about.get("port", 8000))
        )
    )
    paths = [
        (
            "POST /predict",
            f"a row as an object, or an array of at most {MOST_ROWS:,}; {MOST_BYTES >> 20} MiB",
        ),
        ("GET /schema", "what that takes, as JSON schema"),
        ("GET /openapi.json", "all of this, as OpenAPI 3.1"),
        ("GET /health", "whether it answers, and with which model"),
    ]
    title = f"Predictions of {_target(model)}"
    body = joined(
        [
            tag("h1", title),
            tag("p", f"Model {about['model']}, clearprop {about['clearprop']}.", class_="quiet"),
            table("What may be asked", ["request", "what it is"], paths),
            tag("h2", "For example"),
            tag("pre", command, tabindex="0"),
            table(
                "What a row has", ["field", "kind", "what it holds"], fields, note="null is missing."
            ),
        ],
        "\n",
    )
    return document(title, tag("main", body), style=_STYLE, served=True)


_STYLE = """
pre { overflow-x: auto; white-space: pre-wrap; padding: 0.8rem; background: var(--wash); }
h2 { margin-top: 1.6rem; }
td, thead th { text-align: left; }
"""
