"""What a file may say of an estimator: its arguments, labels and columns, and how it was scaled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.result_description import CALIBRATION
from clearprop.checkpoint.rules import (
    agree,
    anything,
    entries,
    flag,
    integer,
    items,
    label,
    maybe,
    one_of,
    positive,
    real,
    record,
    refuse,
    share,
    step,
    text,
    unlike,
)
from clearprop.names import trim, unnamed

# The words of tables, estimators and trainings that a file may hold: theirs, as a test requires.
FEATURES = ("numeric", "boolean", "categorical", "datetime")
LEFT_OUT = ("identifier", "constant", "text", "dropped", "target", "weight", "group", "time")
PARTS = ("year", "month", "day of week", "hour", "minute", "sine of the day", "cosine of the day")
CELLS = ("number", "boolean", "text", "time")
TARGET_KINDS = ("single", "binary", "multiclass", "multilabel-indicator", "multiclass-multioutput")
_LABELS = re.compile(r"object|\|b1|[<>|][iuf][1248]|[<>]U([0-9]{1,9})", re.ASCII)
_LABEL_CHARACTERS = 2**24  # that all labels may take together, beyond what they have


def _loss(value: Any, where: str) -> None:
    """Require a number, or one that is not finite by its name: JSON has none."""
    if isinstance(value, dict):
        record({"float": one_of("nan", "inf", "-inf")})(value, where)
    else:
        real(value, where)


_DRESS = record(
    {},
    {
        **dict.fromkeys(("before", "after"), text),
        "decimal": one_of(".", ","),
        **dict.fromkeys(("thousands", "negatives"), text),
        **dict.fromkeys(("magnitudes", "words"), items(text)),
    },
)


def _cell_type(value: Any, where: str) -> None:
    text(value, where)
    cells, _, form = value.partition(" ")
    one_of(*CELLS)(cells, where)
    if cells == "number" and form:
        try:
            dress = json.loads(form)
        except (ValueError, RecursionError):
            raise refuse(where, "a number and how it is written, as JSON", value) from None
        _DRESS(dress, where)


_SEEN = record(
    {"edges": items(real), "counts": items(integer()), "missing": integer()},
    {"words": items(integer())},
)
_ESTIMATOR = record(
    {
        "class": one_of("MLPClassifier", "MLPRegressor"),
        "n_features_in": integer(1),
        "feature_names_in": maybe(items(text)),
        "arguments": entries(anything),
        "given": items(text),
        "classes": maybe(items(record({"dtype": text, "values": items(anything)}))),
        "groups": items(integer(1)),
        "preprocessing": maybe(record({"shift": items(real), "factor": items(real), "clip": flag})),
        "target": maybe(
            record(
                {"shift": items(real), "scale": items(positive)},
                {"low": items(real), "high": items(real)},
            )
        ),
        "attributes": record(
            {},
            {
                "n_iter_": integer(),
                "t_": integer(),
                "loss_": _loss,
                "best_loss_": maybe(_loss),
                "loss_curve_": items(_loss),
                "validation_scores_": maybe(items(_loss)),
                "best_validation_score_": maybe(_loss),
                "_target_kind": one_of(*TARGET_KINDS),
                "_sparse_labels": flag,
                "_no_improvement_count": integer(),
            },
        ),
        "going_on": maybe(items(anything, 4)),
        "history": entries(items(_loss)),
        "out_activation": text,
    },
    {
        "table": maybe(
            record(
                {
                    "decisions": items(
                        record(
                            {
                                "name": text,
                                "kind": one_of(*FEATURES, *LEFT_OUT),
                                "reason": text,
                                "type": _cell_type,
                            }
                        )
                    ),
                    "columns": items(entries(anything)),
                },
                {"seen": items(_SEEN)},
            )
        ),
        "missing": items(text),
        "calibration": CALIBRATION,
        "threshold": share,
    },
)
_NUMERIC = record({"median": real, "flagged": flag}, {"words": items(text)})
_CATEGORIES = record({"categories": items(text), "pooled": integer(), "missing": flag}, {"usual": text})
_TIMES = record({"parts": record({}, dict.fromkeys(PARTS, real)), "flagged": flag})
_PROGRESS = (text, step, step, real)  # optimizer, updates, first epoch, factor of the rate


def check_estimator(data: Mapping[str, Any], n_features: int, n_outputs: int) -> None:
    """Refuse what is said of an estimator unless it is as we write it, for a network of such sizes.

    Raises
    ------
    CheckpointError
        Naming the entry, its rule and its value.
    """
    _ESTIMATOR(data, "estimator")
    if data["feature_names_in"] is not None:
        items(text, data["n_features_in"])(data["feature_names_in"], "estimator.feature_names_in")
    if data.get("table") is None:
        agree("estimator.n_features_in", data["n_features_in"], "features", n_features)
    else:
        _check_columns(data["table"], data["feature_names_in"] or [], n_features)
    for name, keys, n in (
        ("preprocessing", ("shift", "factor"), n_features),
        ("target", ("shift", "scale", "low", "high"), n_outputs),
    ):
        for key in [key for key in keys if key in (data[name] or ())]:
            items(anything, n)(data[name][key], f"estimator.{name}.{key}")
    if data["class"] == "MLPClassifier":
        _check_labels(data, n_outputs)
        if data["target"] is not None:
            raise CheckpointError("estimator.target must be null in a classifier")
    elif data["classes"] is not None or data["groups"] or "_target_kind" in data["attributes"]:
        raise CheckpointError("estimator.classes must be null in a regressor")
    if len({len(column) for column in data["history"].values()}) > 1:
        raise CheckpointError("the columns of estimator.history must be of one length")
    if data["history"]:
        items(integer())(data["history"].get("epoch"), "estimator.history.epoch")
    if data["going_on"] is not None:
        for index, (rule, value) in enumerate(zip(_PROGRESS, data["going_on"], strict=True)):
            rule(value, f"estimator.going_on[{index}]")


def _check_columns(table: Mapping[str, Any], names: list[str], n_features: int) -> None:
    unlike([each["name"] for each in table["decisions"]], "the names in estimator.table.decisions")
    used = [each for each in table["decisions"] if each["kind"] in FEATURES]
    plain = [trim(name) for name in names]  # a frame's have blanks, a table's have not
    known = {name or unnamed(plain) for name in plain}
    if absent := [each["name"] for each in used if trim(each["name"]) not in known]:
        raise refuse("estimator.feature_names_in", f"with the column {absent[0][:80]!r}", names)
    kinds = [each["kind"] for each in used]
    items(anything, len(kinds))(table["columns"], "estimator.table.columns")
    made = 0
    for index, (kind, column) in enumerate(zip(kinds, table["columns"], strict=True)):
        where = f"estimator.table.columns[{index}]"
        if kind == "numeric":
            _NUMERIC(column, where)
            unlike(column.get("words", []), f"{where}.words")
            made += 1 + column["flagged"] + len(column.get("words", []))
        elif kind == "datetime":
            _TIMES(column, where)
            made += len(column["parts"]) + column["flagged"]
        else:
            _CATEGORIES(column, where)
            unlike(column["categories"], f"{where}.categories")
            if column.get("usual", "") not in ("", *column["categories"]):
                raise refuse(f"{where}.usual", "one of the categories", column["usual"])
            n = len(column["categories"])
            pair = n == 2 and not column["pooled"] and not column["missing"]
            made += 1 if pair else n + bool(column["pooled"]) + column["missing"]
    agree("the columns of estimator.table make features, which", made, "features", n_features)
    if "seen" in table:
        _check_seen(table["seen"], kinds, table["columns"])


def _check_seen(seen: list[Any], kinds: list[str], columns: list[Any]) -> None:
    items(anything, len(kinds))(seen, "estimator.table.seen")
    for index, (each, kind, column) in enumerate(zip(seen, kinds, columns, strict=True)):
        where, edges = f"estimator.table.seen[{index}]", each["edges"]
        numbers = kind in ("numeric", "datetime")
        if edges != sorted(set(edges)) or (edges and not numbers):
            raise refuse(f"{where}.edges", "rising numbers, and none of categories", edges)
        n = len(edges) if numbers else len(column["categories"])
        items(anything, n + 1)(each["counts"], f"{where}.counts")
        words = column.get("words", []) if kind == "numeric" else []
        items(anything, len(words))(each.get("words", []), f"{where}.words")


def _check_labels(data: Mapping[str, Any], n_outputs: int) -> None:
    kind, classes, groups = data["attributes"].get("_target_kind"), data["classes"], data["groups"]
    one_of(*TARGET_KINDS)(kind, "estimator.attributes._target_kind")
    several = kind == "multiclass-multioutput"
    if data["attributes"].get("_sparse_labels") and kind != "multilabel-indicator":
        raise refuse("estimator.attributes._sparse_labels", "false but of several labels", True)
    items(anything, len(groups) if several else 1)(classes, "estimator.classes")
    for index, each in enumerate(classes):
        where, values = f"estimator.classes[{index}]", each["values"]
        _check_array(each["dtype"], values, where)
        if several:
            agree(f"{where}.values", len(values), f"of groups[{index}]", groups[index])
    if bool(groups) != several:
        raise refuse("estimator.groups", "empty but of several columns of labels", groups)
    if "threshold" in data and kind != "binary":
        raise refuse("estimator.threshold", "left out but of two classes", data["threshold"])
    n = len(classes[0]["values"])
    fits = {
        "single": n == 1 == n_outputs,
        "binary": n == 2 and n_outputs in (1, 2),
        "multiclass": n > 2 and n == n_outputs,
        "multilabel-indicator": n == n_outputs,
        "multiclass-multioutput": sum(groups) == n_outputs,
    }
    if not fits[kind]:
        raise CheckpointError(f"{n} classes do not fit {n_outputs} outputs of the kind {kind!r}")


def _check_array(dtype: str, values: list[Any], where: str) -> None:
    """Require labels that are an array of this dtype, and no more of them than it can hold."""
    match = _LABELS.fullmatch(dtype)
    if match is None:
        raise refuse(f"{where}.dtype", "that of labels", dtype)
    items(_any_label)(values, f"{where}.values")
    if match[1] and len(values) * int(match[1]) > _LABEL_CHARACTERS + sum(map(len, map(str, values))):
        raise refuse(f"{where}.dtype", "as long as its labels", dtype)
    try:
        found = np.array(values, dtype).tolist()
        held = found == values and [*map(type, found)] == [*map(type, values)]  # False is no 0
    except (ValueError, TypeError, OverflowError):
        held = False
    if not held:
        raise refuse(f"{where}.values", f"labels of dtype {dtype!r}", values)
    unlike(values, f"{where}.values")


def _any_label(value: Any, where: str) -> None:
    if not isinstance(value, float):
        label(value, where)
