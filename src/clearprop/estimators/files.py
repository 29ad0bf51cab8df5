"""Fitted estimators as safetensors files: numbers and JSON, nothing that could be executed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clearprop import costs, optimizers, schedules
from clearprop.activations import Activation
from clearprop.checkpoint import CheckpointError
from clearprop.costs import Cost
from clearprop.data.deformation import Deform
from clearprop.estimators import presets
from clearprop.estimators.arguments import Arguments
from clearprop.estimators.options import Options
from clearprop.estimators.training import GoingOn
from clearprop.initializers import INITIALIZERS, Initializer
from clearprop.model import file as model_file
from clearprop.model.model import Model
from clearprop.network import Network
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule
from clearprop.training import History
from clearprop.training.history import TIMES

_ATTRIBUTES = [
    "n_iter_",
    "t_",
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "_no_improvement_count",
]
_LEFT_OUT = (
    "callbacks",
    "communicator",
    "stall_timeout",
    "fast_sum",
)  # of this process: functions; a scorer of one's own is one too


def model_of(estimator: Arguments) -> Model:
    """Return the model of `estimator`, with what its file says of the estimator."""
    return dataclasses.replace(estimator.network_.model, estimator=describe(estimator))


def save(estimator: Arguments, path: str | os.PathLike[str]) -> None:
    """Write `estimator` to `path`, atomically."""
    model = model_of(estimator)
    going_on = estimator._going_on
    moments = {} if going_on is None else {"training.moments": going_on.moments}
    model_file.write(Path(os.path.expanduser(os.fspath(path))), model, moments)


def load(cls: type[Any], path: str | os.PathLike[str], custom: Iterable[Activation | Cost]) -> Any:
    """Return the estimator of class `cls` in the file.

    Raises
    ------
    CheckpointError
        If the file is damaged, or holds something else.
    """
    own = list(custom)
    where = Path(os.path.expanduser(os.fspath(path)))
    return made_of(cls, where, model_file.read(where, own), own)


def made_of(
    cls: type[Any], where: Path, parts: model_file.Parts, own: Sequence[Activation | Cost] = ()
) -> Any:
    """Return the estimator of class `cls` around a model that was read, as `load`."""
    data = parts.model.estimator
    if data is None:
        raise CheckpointError(f"{where} holds a network, not an estimator; read it with clearprop.load")
    if data["class"] != cls.__name__:
        raise CheckpointError(f"{where} holds a {data['class']}, not a {cls.__name__}")
    try:
        made = _restore(cls, data, parts, {each.name: each for each in own})
        Options.of(made)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise CheckpointError(f"{where} does not describe an estimator: {problem}"[:500]) from None
    return made


def describe(estimator: Arguments) -> dict[str, Any]:
    """Return what a model's file says of its estimator: arguments and attributes, as JSON has them."""
    going_on = estimator._going_on
    names = getattr(estimator, "feature_names_in_", None)
    arguments = {
        name: _plain(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _LEFT_OUT
        and not (name in ("scoring", "random_state") and not _is_plain(value))
        and not (name == "augment" and not isinstance(value, Deform | None))  # a function
        and not (name == "columns" and isinstance(value, list | tuple))  # those of the table
        and not (name == "n_threads" and estimator.shards)  # whose bits are those of any number
    }
    return {
        "class": type(estimator).__name__,
        "n_features_in": int(estimator.n_features_in_),
        "feature_names_in": None if names is None else list(map(str, names)),
        "arguments": arguments,
        "given": sorted(presets.remembered(estimator)),
        "attributes": {
            name: _finite(getattr(estimator, name)) for name in _ATTRIBUTES if hasattr(estimator, name)
        },
        "going_on": None
        if going_on is None
        else [going_on.optimizer, going_on.updates, going_on.first_epoch, going_on.rate_factor],
        # Of equal data, arguments and seed the file is the same to the byte: nothing is of the clock.
        "history": {
            name: _finite(values)
            for name, values in estimator.history_.columns.items()
            if name not in TIMES
        },
        "out_activation": estimator.out_activation_,
    }


def _finite(value: Any) -> Any:
    """Return floats as strict JSON can hold them: what is not finite becomes text."""
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return value if not isinstance(value, float) or np.isfinite(value) else {"float": str(value)}


def _back(value: Any) -> Any:
    if isinstance(value, list):
        return [_back(each) for each in value]
    return float(value["float"]) if isinstance(value, dict) and set(value) == {"float"} else value


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(_finite(value))
    except TypeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Return an argument as JSON-able data; tuples, dicts and our own objects say what they are."""
    if isinstance(value, Schedule):
        return {"schedule": schedules.describe(value)}
    if isinstance(value, Optimizer):
        return {"optimizer": optimizers.describe(value)}
    if isinstance(value, Cost):
        return {"cost": [value.name, value.reduction, dict(value.parameters)]}
    if isinstance(value, Deform):
        return {"deform": [_plain(each) for each in vars(value).values()]}
    if isinstance(value, Initializer):
        return {"initializer": [value.name, dict(value.parameters)]}
    if isinstance(value, Activation):
        return {"activation": [part.name for part in value.parts] or value.name}
    if isinstance(value, tuple):
        return {"tuple": [_plain(each) for each in value]}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {"dict": [[_plain(key), _plain(each)] for key, each in value.items()]}
    if isinstance(value, np.ndarray):
        return {"tuple": value.tolist()}
    return _finite(value)


def _argument(data: Any, own: dict[str, Any]) -> Any:
    if isinstance(data, list):
        return [_argument(each, own) for each in data]
    if not isinstance(data, dict):
        return data
    ((kind, value),) = data.items()
    if kind == "schedule":
        return schedules.from_description(value)
    if kind == "optimizer":
        return optimizers.from_description(value)
    if kind == "cost":
        name, reduction, parameters = value
        return own[name] if name in own else costs.FACTORIES[name](reduction=reduction, **parameters)
    if kind == "initializer":
        return INITIALIZERS[value[0]](**value[1])
    if kind == "deform":
        return Deform(*(_argument(each, own) for each in value))
    if kind == "activation":
        names = value if isinstance(value, list) else [value]
        found = [own.get(name, name) for name in names]
        return found if isinstance(value, list) else found[0]
    if kind == "tuple":
        return tuple(_argument(each, own) for each in value)
    if kind == "dict":
        return {_argument(key, own): _argument(each, own) for key, each in value}
    if kind != "float":
        raise ValueError(f"an argument must be of a kind that is known, got {kind[:80]!r}")
    return float(value)


def _restore(cls: type[Any], data: dict[str, Any], parts: model_file.Parts, own: dict[str, Any]) -> Any:
    made = cls(**{name: _argument(value, own) for name, value in data["arguments"].items()})
    presets.set_given(made, frozenset(data["given"]))
    net = made.network_ = Network.of(parts.model)
    made.n_features_in_ = int(data["n_features_in"])
    if data["feature_names_in"] is not None:
        made.feature_names_in_ = np.array(data["feature_names_in"], dtype=object)
    encoder = parts.model.inputs.encoder
    if encoder is not None and "columns" not in data["arguments"]:
        made.columns = encoder.decisions
    for name, value in data["attributes"].items():
        if name in _ATTRIBUTES:
            setattr(made, name, _back(value))
    made.n_layers_, made.n_outputs_ = len(net.sizes), net.sizes[-1]
    made.out_activation_ = data["out_activation"]
    made.history_ = History()
    made.history_.columns = {name: _back(values) for name, values in data["history"].items()}
    made._going_on = None
    if data["going_on"] is not None and "training.moments" in parts.tensors:
        name, updates, first_epoch, factor = data["going_on"]
        moments = np.array(parts.tensors["training.moments"])
        made._going_on = GoingOn(str(name), moments, int(updates), int(first_epoch), float(factor))
    return made
