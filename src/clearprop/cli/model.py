"""A model from its file, as the commands take it: answering in raw units, reading files as asked.

In: a model's file. Out: a network that predicts raw quantities, and what else the file holds.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import clearprop as cp
from clearprop import checkpoint
from clearprop.model import ensemble
from clearprop.model.ensemble import Averaged, EnsembleParts
from clearprop.model.file import Parts
from clearprop.model.targets import Classes

Answering = cp.Network | Averaged  # what takes rows and answers


def load_member(path: str, member: int | None) -> cp.Network:
    """Return what `read_member` does, without the rest of the file."""
    return read_member(path, member)[0]


def read_member(path: str, member: int | None) -> tuple[cp.Network, Parts]:
    """Return what `load_model` does, and what else the file holds: of a single network, or a member.

    The members of an ensemble count from 0, too.

    Raises
    ------
    ValueError
        If there are members and none is named, or not this one.
    """
    read = ensemble.read(expanded(path))
    each = [(net, parts) for parts in read.members for net in _in_raw_units(path, parts).members]
    n = len(each)
    if member is None and n > 1:
        raise ValueError(f"--member must name one of the {n} members of {path}, 0 to {n - 1}")
    if member is not None and not 0 <= member < n:
        has = f"{n} members" if n > 1 else "one network"
        raise ValueError(f"--member must be in 0..{n - 1}, got {member}: {path} has {has}")
    return each[member or 0]


def load_model(path: str) -> cp.Network:
    """Return the network of a model file or checkpoint, predicting raw quantities.

    Raises
    ------
    CheckpointError, OSError
        As `clearprop.load`; or if an estimator learned several targets from a data frame, or the file
        holds an ensemble.
    """
    return _in_raw_units(path, _only(path, ensemble.read(expanded(path))))


def read_network(path: str) -> tuple[cp.Network, Parts]:
    """Return `network_of` a file that holds one, and what else it holds."""
    parts = _only(path, ensemble.read(expanded(path)))
    return network_of(parts), parts


def _only(path: str, read: EnsembleParts) -> Parts:
    if read.weights is None:
        return read.members[0]
    raise checkpoint.CheckpointError(
        f"{path} holds an ensemble of {len(read.members)} networks, this command is for one"
    )


def load_answering(path: str) -> Answering:
    """Return what `load_model` does, or what the networks of an ensemble answer together."""
    return read_answering(path)[0]


def read_answering(path: str) -> tuple[Answering, EnsembleParts]:
    """Return what `load_answering` does, and what else the file holds."""
    read = ensemble.read(expanded(path))
    return _answering(path, read), read


def _answering(path: str, read: EnsembleParts) -> Answering:
    nets = [_in_raw_units(path, parts) for parts in read.members]
    if read.weights is None:
        return nets[0]
    return Averaged(tuple(net.model for net in nets), read.weights)


def _in_raw_units(path: str, parts: Parts) -> cp.Network:
    model = network_of(parts).model
    if model.inputs.encoder is None:  # a file's rows are raw numbers, those of an estimator too
        model.inputs = dataclasses.replace(model.inputs, outside=False)
    elif model.inputs.steps and not model.is_of_table:
        assert model.estimator is not None
        name = model.estimator["class"]
        raise checkpoint.CheckpointError(
            f"{path} holds the network of an {name} with several answers for a row of a table; "
            f"load it in Python, with {name}.load"
        )
    try:
        return cp.Network.of(model.in_raw_units())
    except ValueError as problem:
        raise checkpoint.CheckpointError(f"{path}: {problem}") from None


def network_of(parts: Parts) -> cp.Network:
    """Return the network of a file; one that an estimator fitted to a data frame takes files like it.

    Such a file does not say how a CSV is written, so that the CSV itself tells; nor what the target is
    called, where y was an array.
    """
    model, targets = parts.model, parts.model.targets
    one_answer = isinstance(targets, Classes) or model.architecture.sizes[-1] == 1
    if model.inputs.encoder is not None and model.column is None and one_answer:
        from clearprop.data.table import TargetEncoder

        model.column = TargetEncoder(model.schema.target or "target", model.classes)
    return cp.Network.of(model)


def is_own_model(path: str) -> bool:
    """Return whether a file is a clearprop model that a new one may replace; checkpoints are not."""
    try:
        _, metadata = checkpoint.read_tensors(path)
    except (checkpoint.CheckpointError, OSError):
        return False
    return bool({"architecture", "ensemble"} & metadata.keys()) and "training" not in metadata


def expanded(path: str) -> str:
    """Return a path with ``~`` expanded."""
    return os.path.expanduser(path)


def read_otherwise(net: Answering, data: str, **options: str | int | None) -> None:
    """Let a model of raw tables read DATA as it is written, where that is not as in its training.

    Raises
    ------
    ValueError
        If an option is wrong, or the model takes no raw tables.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if not given:
        return
    model = net.model
    if not model.is_of_table:
        option = "--" + next(iter(given)).replace("_", "-")
        raise ValueError(f"{option} is for models of tables (CSV, Parquet), got {data}")
    from clearprop.data.table import ReadOptions

    if "delimiter" in given:
        given["delimiter"] = separator(str(given["delimiter"]))
    read = dataclasses.replace(model.inputs.read or ReadOptions(), **given)
    model.inputs = dataclasses.replace(model.inputs, read=read)


def separator(given: str) -> str:
    """Return the character between two fields that an option names."""
    return {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}.get(given, given)
