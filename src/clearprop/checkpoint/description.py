"""What the metadata of a file must be: one closed description of every kind of file that we write.

A network, what an estimator adds to it in ``about`` (`estimator_description`), what `clearprop train`
notes there, and what a checkpoint adds. Types, ranges, closed tables, and lengths that agree with each
other and with the tensors; names of activations and costs, which may be a user's, are looked up by who
reads the network.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import embeddings
from clearprop.checkpoint import schedule_rules
from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.estimator_description import check_estimator
from clearprop.checkpoint.result_description import CALIBRATION, RESIDUALS, check_residuals, result
from clearprop.checkpoint.rules import (
    Rule,
    agree,
    anything,
    entries,
    flag,
    integer,
    items,
    label,
    maybe,
    number,
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
from clearprop.input_embedding import Embedding
from clearprop.parametric_activations import is_parametric

Tensors = Mapping[str, NDArray[Any]]

FORMAT = 1

_seed = integer(0, 2**64 - 1)


def _activation(value: Any, where: str) -> None:
    (items(text) if isinstance(value, list) else text)(value, where)


def _best(value: Any, where: str) -> None:
    if value != "nan":  # as JSON has it
        real(value, where)


def _counters_of_member(value: Any, where: str) -> None:
    items(anything, 2)(value, where)
    step(value[0], f"{where}[0]")
    real(value[1], f"{where}[1]")


_NETWORK: dict[str, Rule] = {
    "format": one_of(FORMAT),
    "architecture": record(
        {
            "sizes": items(integer(1, 2**31 - 1)),
            "layers": items(record({"activation": _activation, "bias": flag})),
            "cost": anything,
        },
        {
            "input_scale": one_of(True),
            "ntk": one_of(True),
            "embedding": entries(anything),
            "members": integer(2),
            "shares_layers": one_of(True),
        },
    ),
    "dtype": one_of("float32", "float64"),
    "scaling": flag,
    "classes": maybe(items(label)),
    "feature_names": maybe(items(text)),
    "about": entries(anything),
    "seed": _seed,
    "training_seed": _seed,
    "epochs_trained": step,
    "steps_trained": step,
}

_TARGET = record({"name": text, "classes": maybe(items(label)), "reason": text})
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
_BOUNDS: dict[str, Rule] = {"low": items(real), "high": items(real)}
_NOTES: dict[str, Rule] = {
    "data": text,
    "task": one_of("classification", "regression"),
    "target": maybe(text),
    "n_samples": integer(1),
    "image_shape": maybe(items(integer(1), 2)),
    "options": entries(anything),
    "planned_epochs": integer(1),
    "best_epoch": maybe(integer(1)),
    "stopped": text,
    "initializer": text,
    "bias-initializer": text,
    "target_units": record({"shift": items(real), "factor": items(real)}, _BOUNDS),
    "result": result,
    "calibration": CALIBRATION,
    "threshold": share,
}

_WATCH = maybe(record({"best": _best, "best_epoch": step, "waited": integer()}))
_COUNTERS: dict[str, Rule] = {
    **dict.fromkeys(("step", "updates", "epoch", "epoch_step"), step),
    "epoch_cost": real,
}
_TRAINING = record(
    {
        "settings": record(
            {
                "batch_size": maybe(integer(1)),
                "train_metrics": flag,
                "running_window": integer(1),
                "l2": positive,
                "l1": positive,
                "label_smoothing": schedule_rules.shares,
                "clip_norm": maybe(positive),
                "optimizer": schedule_rules.optimizer,
                "metrics": items(text),
                "dropout": schedule_rules.shares,
                "frozen": items(text),
                "early_stopping": maybe(entries(anything)),
            },
            {
                "averaging": share,
                "running_every": maybe(integer(1)),
                "n_batches": maybe(integer(1)),
                "shuffle": one_of("epoch", "once", False),
                "buffer_rows": maybe(integer(1)),
                "shards": maybe(integer(1)),
                "fast_sum": flag,
                "augment": maybe(entries(anything)),
            },
        ),
        "seed": _seed,
        "engine": text,
        "n_threads": maybe(integer(1)),
        "data": text,
        "state": record(_COUNTERS),
        "first_epoch": step,
        "epoch_seconds": positive,
        "history": items(text),
        "stopped": text,
        "early_stopping": _WATCH,
        "plateau": _WATCH,
        "plateau_factor": number(5e-324, 1.0, "a number above 0, at most 1"),
        "versions": entries(text),
    },
    {
        "members": items(_counters_of_member),
        "kept": record(
            {},
            {
                "rate_factor": positive,
                "follower": record(
                    {
                        "best_loss": maybe(real),
                        "best_score": maybe(real),
                        "no_improvement": integer(),
                        "samples_seen": integer(),
                        "iteration": integer(),
                        "losses": items(real),
                        "scores": items(real),
                    }
                ),
            },
        ),
    },
)


def check(metadata: Mapping[str, Any], tensors: Tensors) -> None:
    """Refuse a file's metadata unless it is of a network, a model or a checkpoint as we write them.

    Raises
    ------
    CheckpointError
        Naming the entry, its rule and its value.
    """
    if "ensemble" in metadata:
        raise CheckpointError("the file holds an ensemble of networks, which clearprop.load reads")
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
        check_estimator(about["estimator"], sizes[0], sizes[-1])
        # The network alone, read and saved again, has no moments.
        if about["estimator"]["going_on"] is not None and "training.moments" in tensors:
            _check_moments(metadata["architecture"], metadata["dtype"], tensors)
        if "table" in about:
            _TABLE(about["table"], "about.table")
            _check_target(about, metadata)
    if "target_units" in about and (is_noted(about) or is_estimator(about)):
        _check_units(about, sizes[-1])
    if RESIDUALS in tensors:
        quantiles = is_estimator(about) and "level" in metadata["architecture"]["cost"]
        shape_and_least = (1, -math.inf) if quantiles else (sizes[-1], 0.0)
        check_residuals(tensors[RESIDUALS], *shape_and_least)
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
    _embedding(architecture)
    cost = architecture["cost"]
    parameters = cost.keys() - {"name", "reduction"} if isinstance(cost, dict) else ()
    record({"name": text, "reduction": one_of("mean", "sum"), **dict.fromkeys(parameters, anything)})(
        cost, "architecture.cost"
    )
    if cost["name"] == "grouped_cross_entropy":
        items(integer(1))(cost.get("groups"), "architecture.cost.groups")
        agree("architecture.cost.groups", sum(cost["groups"]), "outputs", sizes[-1])
    if (classes := metadata["classes"]) is not None:
        _check_classes(classes, max(sizes[-1], 2), "classes")
    if metadata["feature_names"] is not None:
        items(text, sizes[0])(metadata["feature_names"], "feature_names")


def _embedding(architecture: Mapping[str, Any]) -> Embedding | None:
    """Return the embedding that is described; None where there is none."""
    if "embedding" not in architecture:
        return None
    try:
        return embeddings.from_description(architecture["embedding"], architecture["sizes"][0])
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        raise CheckpointError(f"architecture.embedding describes none: {problem}"[:300]) from None


def _check_classes(classes: list[Any], n: int, where: str) -> None:
    items(label, n)(classes, where)
    unlike(classes, where)
    if len({type(each) for each in classes}) > 1:
        raise refuse(where, "different texts or integers", classes)


def _check_notes(about: Mapping[str, Any], sizes: list[int]) -> None:
    if "threshold" in about and sizes[-1] > 2:
        raise refuse("about.threshold", "left out but of two classes", about["threshold"])
    if (shape := about.get("image_shape")) is not None:
        agree("about.image_shape", shape[0] * shape[1], "features", sizes[0])


def _check_units(about: Mapping[str, Any], n_outputs: int) -> None:
    _NOTES["target_units"](about["target_units"], "about.target_units")
    for name, each in about["target_units"].items():
        agree(f"about.target_units.{name}", len(each), "outputs", n_outputs)
    if is_estimator(about) and about["estimator"]["class"] == "MLPClassifier":
        raise CheckpointError("about.target_units must be left out of a classifier")


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
    embedding, layers = _embedding(architecture), architecture["layers"]
    inputs, *others = architecture["sizes"]
    sizes = [inputs if embedding is None else embedding.n_outputs, *others]
    made = sum(
        (before + layer["bias"] + is_parametric(layer["activation"])) * after
        for before, after, layer in zip(sizes, sizes[1:], layers, strict=False)
    )
    if embedding is not None:
        made += sum(math.prod(start.shape) for start in embedding.arrays().values())
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
    most = data["settings"]["running_window"] * architecture.get("members", 1)
    if window is None or window.ndim != 1 or window.dtype != bool or len(window) > most:
        raise CheckpointError(f"tensor training.window must be BOOL, of at most {most}")
    for name in ("training.best_parameters", "training.averaged"):
        held, n = tensors.get(name), n_parameters(architecture)
        shape = (architecture["members"], n) if "members" in architecture else (n,)
        if held is None:
            continue
        if held.shape != shape or held.dtype != dtype or not np.isfinite(held).all():
            raise CheckpointError(f"tensor {name} must be finite {dtype} of shape {shape}")
    if {"rate_factor", "follower"} - (kept := data.get("kept", {})).keys() and kept:
        raise CheckpointError("training.kept must be empty, or hold rate_factor and follower")
