"""What the metadata of a file must be: one closed description of every kind of file that we write.

A network, what an estimator adds to it in ``about``, what `clearprop train` notes there, and what a
checkpoint adds. Types, ranges, closed tables, and lengths that agree with each other and with the
tensors; names of activations and costs, which may be a user's, are looked up by who reads the network.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import optimizers, schedules
from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.rules import (
    Rule,
    anything,
    entries,
    flag,
    integer,
    items,
    label,
    maybe,
    number,
    one_of,
    record,
    refuse,
    text,
    unlike,
)
from clearprop.names import trim, unnamed

Tensors = Mapping[str, NDArray[Any]]

FORMAT = 1
# The words of tables, estimators and trainings that a file may hold: theirs, as a test requires.
FEATURES = ("numeric", "boolean", "categorical", "datetime")
LEFT_OUT = ("identifier", "constant", "text", "dropped", "target", "weight", "group", "time")
PARTS = ("year", "month", "day of week", "hour", "minute", "sine of the day", "cosine of the day")
CELLS = ("number", "boolean", "text", "time")
TARGET_KINDS = ("single", "binary", "multiclass", "multilabel-indicator", "multiclass-multioutput")
_LABELS = re.compile(r"object|\|b1|[<>|][iuf][1248]|[<>]U([0-9]{1,9})", re.ASCII)
_LABEL_CHARACTERS = 2**24  # that all labels may take together, beyond what they have
_PART = ("test", "validation", "training")

_seed, _step = integer(0, 2**64 - 1), integer(0, 2**48 - 1)
_real = number()
_positive = number(0.0, what="a finite number of at least 0")
_share = number(0.0, 1.0, "a number from 0 to 1")


def _loss(value: Any, where: str) -> None:
    """Require a number, or one that is not finite by its name: JSON has none."""
    if isinstance(value, dict):
        record({"float": one_of("nan", "inf", "-inf")})(value, where)
    else:
        _real(value, where)


def _optimizer(value: Any, where: str) -> None:
    """Require an optimizer; one of the user's own, or with a schedule of theirs, is only named."""
    part, known, named = value, set(optimizers.KNOWN), True
    while part is not None:
        entries(anything)(part, where)
        text(part.get("name"), f"{where}.name")
        named = named and part["name"] in known
        part, known = part.get("schedule", part.get("learning_rate")), set(schedules.SCHEDULES)
    if not named:
        return
    try:
        optimizers.from_description(value)
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        raise CheckpointError(f"{where} describes no optimizer: {problem}"[:300]) from None


def _dropout(value: Any, where: str) -> None:
    (items(_share) if isinstance(value, list) else _share)(value, where)


def _activation(value: Any, where: str) -> None:
    (items(text) if isinstance(value, list) else text)(value, where)


def _best(value: Any, where: str) -> None:
    if value != "nan":  # as JSON has it
        _real(value, where)


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


_NETWORK: dict[str, Rule] = {
    "format": one_of(FORMAT),
    "architecture": record(
        {
            "sizes": items(integer(1, 2**31 - 1)),
            "layers": items(record({"activation": _activation, "bias": flag})),
            "cost": anything,
        },
        {"input_scale": one_of(True), "ntk": one_of(True)},
    ),
    "dtype": one_of("float32", "float64"),
    "scaling": flag,
    "classes": maybe(items(label)),
    "feature_names": maybe(items(text)),
    "about": entries(anything),
    "seed": _seed,
    "training_seed": _seed,
    "epochs_trained": _step,
    "steps_trained": _step,
}

_TARGET = record({"name": text, "classes": maybe(items(label)), "reason": text})
_ESTIMATOR = record(
    {
        "class": one_of("MLPClassifier", "MLPRegressor"),
        "n_features_in": integer(1),
        "feature_names_in": maybe(items(text)),
        "arguments": entries(anything),
        "given": items(text),
        "classes": maybe(items(record({"dtype": text, "values": items(anything)}))),
        "groups": items(integer(1)),
        "preprocessing": maybe(record({"shift": items(_real), "factor": items(_real), "clip": flag})),
        "target": maybe(record({"shift": items(_real), "scale": items(_positive)})),
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
                }
            )
        ),
        "missing": items(text),
    },
)
_NUMERIC = record({"median": _real, "flagged": flag}, {"words": items(text)})
_CATEGORIES = record({"categories": items(text), "pooled": integer(), "missing": flag})
_TIMES = record({"parts": record({}, dict.fromkeys(PARTS, _real)), "flagged": flag})
_PROGRESS = (text, _step, _step, _real)  # optimizer, updates, first epoch, factor of the rate
_TABLE = record(
    {
        "target": _TARGET,
        "read": record(
            {
                "delimiter": maybe(text),
                "decimal": maybe(text),
                "encoding": text,
                "missing": items(text),
                "names": maybe(items(text)),
            },
            {"skip_lines": maybe(integer()), "comment": maybe(text)},
        ),
    }
)

# What `clearprop train` notes, all of them or none: other notes are their user's.
_NOTED = ("data", "task", "target", "n_samples")
_NOTES: dict[str, Rule] = {
    "data": text,
    "task": one_of("classification", "regression"),
    "target": maybe(text),
    "n_samples": integer(1),
    "image_shape": maybe(items(integer(1), 2)),
    "options": entries(anything),
    "best_epoch": maybe(integer(1)),
    "initializer": text,
    "bias-initializer": text,
    "target_units": record({"shift": items(_real), "factor": items(_real)}),
    "result": record(
        {"part": one_of(*_PART), "n_samples": integer(1), "cost": _real},
        {
            "accuracy": _share,
            "mae": _positive,
            "rmse": _positive,
            "r2": number(high=1.0, what="a number of at most 1"),
        },
    ),
}

_WATCH = maybe(record({"best": _best, "best_epoch": _step, "waited": integer()}))
_COUNTERS: dict[str, Rule] = {
    **dict.fromkeys(("step", "updates", "epoch", "epoch_step"), _step),
    "epoch_cost": _real,
}
_TRAINING = record(
    {
        "settings": record(
            {
                "batch_size": maybe(integer(1)),
                "train_metrics": flag,
                "running_window": integer(1),
                "l2": _positive,
                "l1": _positive,
                "label_smoothing": _share,
                "clip_norm": maybe(_positive),
                "optimizer": _optimizer,
                "metrics": items(text),
                "dropout": _dropout,
                "frozen": items(text),
                "early_stopping": maybe(entries(anything)),
            },
            {
                "averaging": _share,
                "running_every": maybe(integer(1)),
                "n_batches": maybe(integer(1)),
                "shuffle": one_of("epoch", "once", False),
                "buffer_rows": maybe(integer(1)),
            },
        ),
        "seed": _seed,
        "engine": text,
        "n_threads": maybe(integer(1)),
        "data": text,
        "state": record(_COUNTERS),
        "first_epoch": _step,
        "epoch_seconds": _positive,
        "history": items(text),
        "stopped": text,
        "early_stopping": _WATCH,
        "plateau": _WATCH,
        "plateau_factor": number(5e-324, 1.0, "a number above 0, at most 1"),
        "versions": entries(text),
    },
    {
        "kept": record(
            {},
            {
                "rate_factor": _positive,
                "follower": record(
                    {
                        "best_loss": maybe(_real),
                        "best_score": maybe(_real),
                        "no_improvement": integer(),
                        "samples_seen": integer(),
                        "iteration": integer(),
                        "losses": items(_real),
                        "scores": items(_real),
                    }
                ),
            },
        )
    },
)


def check(metadata: Mapping[str, Any], tensors: Tensors) -> None:
    """Refuse a file's metadata unless it is of a network, a model or a checkpoint as we write them.

    Raises
    ------
    CheckpointError
        Naming the entry, its rule and its value.
    """
    if "format" not in metadata:
        raise CheckpointError("the file says nothing about a network of this library")
    if metadata["format"] != FORMAT:
        raise CheckpointError(
            f"the file has format {metadata['format']!r:.40}, this version reads {FORMAT}; update "
            "clearprop"
        )
    record(_NETWORK, {"training": _TRAINING})(metadata, "metadata")
    _check_network(metadata)
    about, sizes = metadata["about"], metadata["architecture"]["sizes"]
    if is_noted(about):
        for name, rule in _NOTES.items():
            if name in about:
                rule(about[name], f"about.{name}")
        _check_notes(about, sizes)
    if is_estimator(about):
        _ESTIMATOR(about["estimator"], "estimator")
        _check_estimator(about["estimator"], metadata, tensors)
        if "table" in about:
            _TABLE(about["table"], "about.table")
            _check_target(about, metadata)
    if "training" in metadata:
        _check_training(metadata["training"], metadata, tensors)


def is_noted(about: Mapping[str, Any]) -> bool:
    """Return whether `clearprop train` has written a network's notes; others are their user's."""
    return set(_NOTED) <= about.keys() and ("image_shape" in about or "table" in about)


def is_estimator(about: Mapping[str, Any]) -> bool:
    """Return whether a network's notes describe an estimator of ours; others are their user's."""
    estimator = about.get("estimator")
    return isinstance(estimator, dict) and {"class", "arguments", "attributes"} <= estimator.keys()


def notes(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes that are as `clearprop train` writes them, whoever has written them."""
    found = {}
    for name, rule in _NOTES.items():
        with contextlib.suppress(CheckpointError):
            if name in about:
                rule(about[name], name)
                found[name] = about[name]
    return found


def _check_network(metadata: Mapping[str, Any]) -> None:
    architecture = metadata["architecture"]
    sizes, layers = architecture["sizes"], architecture["layers"]
    if len(sizes) != len(layers) + 1 or not layers:
        raise CheckpointError(f"{len(layers)} layers for {len(sizes)} sizes")
    for number_, (layer, size) in enumerate(zip(layers, sizes[1:], strict=True)):
        if isinstance(layer["activation"], list):
            items(text, size)(layer["activation"], f"layers[{number_}].activation")
    cost = architecture["cost"]
    parameters = cost.keys() - {"name", "reduction"} if isinstance(cost, dict) else ()
    record({"name": text, "reduction": one_of("mean", "sum"), **dict.fromkeys(parameters, anything)})(
        cost, "architecture.cost"
    )
    if cost["name"] == "grouped_cross_entropy":
        items(integer(1))(cost.get("groups"), "architecture.cost.groups")
        _agree("architecture.cost.groups", sum(cost["groups"]), "outputs", sizes[-1])
    if (classes := metadata["classes"]) is not None:
        _check_classes(classes, max(sizes[-1], 2), "classes")
    if metadata["feature_names"] is not None:
        items(text, sizes[0])(metadata["feature_names"], "feature_names")


def _check_classes(classes: list[Any], n: int, where: str) -> None:
    items(label, n)(classes, where)
    unlike(classes, where)
    if len({type(each) for each in classes}) > 1:
        raise refuse(where, "different texts or integers", classes)


def _agree(what: str, n: int, other: str, m: int) -> None:
    if n != m:
        raise CheckpointError(f"{what} must agree with the {m} {other}, got {n}")


def _check_notes(about: Mapping[str, Any], sizes: list[int]) -> None:
    if "target_units" in about:
        for name in ("shift", "factor"):
            _agree(f"about.target_units.{name}", len(about["target_units"][name]), "outputs", sizes[-1])
    if (shape := about.get("image_shape")) is not None:
        _agree("about.image_shape", shape[0] * shape[1], "features", sizes[0])
    measured = about.get("result", {"accuracy": 1.0}).keys()
    if "accuracy" not in measured and not {"mae", "rmse", "r2"} <= measured:
        raise CheckpointError("about.result must hold an accuracy, or mae, rmse and r2")


def _check_estimator(data: Mapping[str, Any], metadata: Mapping[str, Any], tensors: Tensors) -> None:
    architecture = metadata["architecture"]
    n_features, n_outputs = architecture["sizes"][0], architecture["sizes"][-1]
    if data["feature_names_in"] is not None:
        items(text, data["n_features_in"])(data["feature_names_in"], "estimator.feature_names_in")
    if data.get("table") is None:
        _agree("estimator.n_features_in", data["n_features_in"], "features", n_features)
    else:
        _check_columns(data["table"], data["feature_names_in"] or [], n_features)
    for name, keys, n in (
        ("preprocessing", ("shift", "factor"), n_features),
        ("target", ("shift", "scale"), n_outputs),
    ):
        for key in keys if data[name] is not None else ():
            items(anything, n)(data[name][key], f"estimator.{name}.{key}")
    if data["class"] == "MLPClassifier":
        _check_labels(data, n_outputs)
    elif data["classes"] is not None or data["groups"] or "_target_kind" in data["attributes"]:
        raise CheckpointError("estimator.classes must be null in a regressor")
    if len({len(column) for column in data["history"].values()}) > 1:
        raise CheckpointError("the columns of estimator.history must be of one length")
    if data["history"]:
        items(integer())(data["history"].get("epoch"), "estimator.history.epoch")
    if data["going_on"] is not None:
        for index, (rule, value) in enumerate(zip(_PROGRESS, data["going_on"], strict=True)):
            rule(value, f"estimator.going_on[{index}]")
        if "training.moments" in tensors:  # the network alone, read and saved again, has none
            _check_moments(architecture, metadata["dtype"], tensors)


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
            n = len(column["categories"])
            pair = n == 2 and not column["pooled"] and not column["missing"]
            made += 1 if pair else n + bool(column["pooled"]) + column["missing"]
    _agree("the columns of estimator.table make features, which", made, "features", n_features)


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
            _agree(f"{where}.values", len(values), f"of groups[{index}]", groups[index])
    if bool(groups) != several:
        raise refuse("estimator.groups", "empty but of several columns of labels", groups)
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


def _check_target(about: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    classes, n_outputs = about["table"]["target"]["classes"], metadata["architecture"]["sizes"][-1]
    if (classes is None) != (about["estimator"]["class"] == "MLPRegressor"):
        raise refuse("about.table.target.classes", "those of the estimator", classes)
    if classes is not None:
        _check_classes(classes, max(n_outputs, 2), "about.table.target.classes")


def _check_moments(architecture: Mapping[str, Any], dtype: str, tensors: Tensors) -> None:
    moments, n = tensors.get("training.moments"), n_parameters(architecture)
    if moments is None:
        raise CheckpointError("tensor training.moments is missing")
    if moments.ndim != 2 or moments.shape[1] != n or moments.dtype != dtype:
        raise CheckpointError(
            f"tensor training.moments must be {dtype} of shape (moments, {n}), got {moments.dtype} of "
            f"shape {moments.shape}"
        )


def n_parameters(architecture: Mapping[str, Any]) -> int:
    """Return how many parameters a network has that is described so."""
    sizes, layers = architecture["sizes"], architecture["layers"]
    made = sum(
        (before + layer["bias"]) * after
        for before, after, layer in zip(sizes, sizes[1:], layers, strict=False)
    )
    return made + (sizes[0] if architecture.get("input_scale") else 0)


def _check_training(data: Mapping[str, Any], metadata: Mapping[str, Any], tensors: Tensors) -> None:
    architecture, dtype, state = metadata["architecture"], metadata["dtype"], data["state"]
    if not data["first_epoch"] <= state["epoch"]:
        raise refuse(
            "training.first_epoch", f"at most the epoch, {state['epoch']}", data["first_epoch"]
        )
    unlike(data["history"], "training.history")
    if data["history"] and "epoch" not in data["history"]:
        raise refuse("training.history", "with the column 'epoch'", data["history"])
    running = [tensors[name] for name in tensors if name.startswith("training.running.")]
    if len({each.shape for each in running}) > 1 or any(each.ndim != 1 for each in running):
        raise CheckpointError("the columns of the running accuracy must be of one length")
    if len(running) not in (0, 3):
        raise CheckpointError("the running accuracy must have three columns, or none")
    lengths = set()
    for index, name in enumerate(data["history"]):
        column, kinds = tensors.get(f"training.history.{index}"), (np.int64, np.float64)
        if column is None or column.ndim != 1 or column.dtype not in kinds[: 1 + (name != "epoch")]:
            raise CheckpointError(f"tensor training.history.{index} must be a column of the history")
        lengths.add(len(column))
    if len(lengths) > 1:
        raise CheckpointError("the columns of the history must be of one length")
    _check_moments(architecture, dtype, tensors)
    window = tensors.get("training.window")
    most = data["settings"]["running_window"]
    if window is None or window.ndim != 1 or window.dtype != bool or len(window) > most:
        raise CheckpointError(f"tensor training.window must be BOOL, of at most {most}")
    for name in ("training.best_parameters", "training.averaged"):
        held, n = tensors.get(name), n_parameters(architecture)
        if held is None:
            continue
        if held.shape != (n,) or held.dtype != dtype or not np.isfinite(held).all():
            raise CheckpointError(f"tensor {name} must be finite {dtype} of shape ({n},)")
    if {"rate_factor", "follower"} - (kept := data.get("kept", {})).keys() and kept:
        raise CheckpointError("training.kept must be empty, or hold rate_factor and follower")
