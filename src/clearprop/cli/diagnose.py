"""``clearprop diagnose``: why a model learns slowly, in words."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop import checkpoint, optimizers
from clearprop.activations import ACTIVATIONS
from clearprop.checkpoint.description import notes
from clearprop.cli import files, model, model_data, terminal
from clearprop.cli.arguments import (
    DataArgument,
    GapsOption,
    JsonOption,
    MemberOption,
    ModelArgument,
    Part,
    PartOption,
    TargetOption,
    option,
)
from clearprop.model.file import Parts
from clearprop.model.targets import Classes
from clearprop.training.progress import history_columns


class Format(enum.StrEnum):
    """What the findings are written in."""

    text = "text"
    html = "html"
    json = "json"


def diagnose(
    model_file: ModelArgument,
    data: DataArgument,
    format: Annotated[
        Format, option(metavar="NAME", text="text, html or json", default="text")
    ] = Format.text,
    output: Annotated[
        str | None, option(metavar="FILE", text="Where it is written", default="standard output")
    ] = None,
    part: PartOption = Part.test,
    target: TargetOption = None,
    member: MemberOption = None,
    target_gaps: GapsOption = "drop",
    as_json: JsonOption = False,
) -> None:
    """Say what makes MODEL learn slowly, seen on DATA: what, where, how we know, what to try.

    Of a checkpoint, its history, optimizer and batch size are looked at as well.

    Example: clearprop diagnose digits.safetensors digits --part train
    """
    if as_json and format is Format.html:
        raise ValueError("--json and --format html must not be given together")
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    files.refuse_terminal(format is Format.html, output)
    net, parts = model.read_member(model_file, member)
    dataset = model_data.load_data(net, data, target, part=part, gaps=target_gaps)
    X, Y = dataset.part(part)
    net, encode = in_learned_units(net, Y)
    found = cp.diagnose(net, X, encode(Y), **_training(model_file, parts))
    if dataset.with_target is not None:
        found = found.only(each.in_rows(dataset.rows) for each in found)
    if as_json or format is Format.json:
        if output is None:
            terminal.print_json(found.to_dict())
            return
        import json

        text = json.dumps(found.to_dict(), indent=2) + "\n"
    elif format is Format.html:
        text = found.to_html()
    else:
        text = found.to_text(ascii=output is None and not terminal.is_wide(terminal.console()))
    files.print_or_write(text, output)


Encode = Callable[[NDArray[Any]], NDArray[Any]]


def in_learned_units(net: cp.Network, Y: NDArray[Any]) -> tuple[cp.Network, Encode]:
    """Return a network in the units in which `train` learned, standardized ones, and what encodes Y.

    A saved model predicts raw quantities; its gradients would be those of another cost.
    """
    encode = net.model.encode_numbers
    targets = encode(Y)
    trained_here = "data" in net.about and net.architecture.output == ACTIVATIONS["identity"]
    bias = net.biases[-1]
    if isinstance(net.model.targets, Classes) or not trained_here or bias is None:
        return net, encode
    shift, deviation = targets.mean(axis=0), targets.std(axis=0)
    factor = np.where(deviation > 0, deviation, 1.0)
    net = net.copy()
    net.weights[-1][:] = net.weights[-1] / factor[:, None]
    bias = net.biases[-1]
    assert bias is not None
    bias[:] = (bias - shift) / factor
    return net, lambda Y: (encode(Y) - shift) / factor


def _training(model_file: str, parts: Parts) -> dict[str, Any]:
    """Return what a checkpoint says of its training, as arguments of `cp.diagnose`; {} for a model."""
    training = parts.metadata.get("training")
    if training is None:
        return {}
    history = cp.History()
    history.columns = history_columns(parts.tensors, training["history"])
    settings = training["settings"]
    optimizer = settings["optimizer"]
    rates = [rate for rate in history.columns.get("learning_rate", []) if rate > 0]
    made = None  # where no step was taken, or none that goes along one gradient
    try:
        if rates and optimizer["name"] != "lbfgs":  # the last one that is a rate: schedules end at 0
            now = {"learning_rate": {"name": "constant", "rate": rates[-1]}}
            made = optimizers.from_description(optimizer | now)
    except (TypeError, ValueError) as problem:
        raise checkpoint.CheckpointError(f"{model_file} has an unknown optimizer: {problem}") from None
    return {
        "history": history,
        "optimizer": made,
        "batch_size": _batch_size(settings, notes(parts.metadata["about"]).get("n_samples")),
        "l2": float(settings["l2"]),
    }


def _batch_size(settings: dict[str, Any], n_samples: int | None) -> int | None:
    """Return the size of the largest batch; None where it follows from a number that is not known."""
    n_batches = settings.get("n_batches")
    if n_batches is None:
        size: int | None = settings["batch_size"]
        return size
    return None if n_samples is None else -(-n_samples // n_batches)
