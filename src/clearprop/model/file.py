"""A model as tensors and JSON, and back: names are looked up in closed tables only."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import embeddings
from clearprop.activations import Activation
from clearprop.architecture import Architecture, Layer
from clearprop.checkpoint import CheckpointError, description, read_tensors, write_tensors
from clearprop.checkpoint.atomic_file import FilePath
from clearprop.checkpoint.description import FORMAT, is_estimator, is_noted
from clearprop.checkpoint.result_description import RESIDUALS
from clearprop.costs import FACTORIES, Cost
from clearprop.data.scaling import Scaling
from clearprop.model.inputs import Inputs, steps_of
from clearprop.model.model import Model, first_targets
from clearprop.model.stored_parameters import flat_parameters
from clearprop.model.targets import (
    Classes,
    Columns,
    Indicators,
    Targets,
    Units,
    taken_choices,
)
from clearprop.parametric_activations import find
from clearprop.rarer_costs import makes_quantiles

Tensors = Mapping[str, NDArray[Any]]

_FLAGS = ("input_scale", "ntk")
_COUNTS = ("seed", "training_seed", "epochs_trained", "steps_trained")


def describe(model: Model) -> dict[str, Any]:
    """Return everything of a model but its arrays, as JSON-able data."""
    names = model.feature_names
    return {
        "format": FORMAT,
        "architecture": describe_architecture(model.architecture)
        | ({} if model.n_members == 1 else {"members": model.n_members})
        | ({"shares_layers": True} if model.shares_layers else {}),
        "dtype": model.dtype,
        "scaling": _own_scaling(model) is not None,
        "classes": None if model.classes is None else list(model.classes),
        "feature_names": None if names is None else list(names),
        "about": describe_ends(model),
        **{name: getattr(model, name) for name in _COUNTS},
    }


def describe_architecture(made: Architecture) -> dict[str, Any]:
    """Return a network without its parameters, as JSON-able data."""
    cost = made.cost
    return {
        "sizes": list(made.sizes),
        "layers": [
            {"activation": _activation_names(layer.function), "bias": layer.bias}
            for layer in made.layers
        ],
        "cost": {"name": cost.name, "reduction": cost.reduction, **cost.parameters},
        # Only where they are used, so that files without them stay as they were.
        **{name: True for name in _FLAGS if getattr(made, name)},
        **({} if made.embedding is None else {"embedding": made.embedding.describe()}),
    }


def _own_scaling(model: Model) -> Scaling | None:
    return None if model.inputs.outside else model.inputs.scaling


def describe_ends(model: Model) -> dict[str, Any]:
    """Return the notes of a model, and what an estimator, a table or units add to a network."""
    inputs, targets, said = model.inputs, model.targets, dict(model.about)
    if model.estimator is not None:
        units = isinstance(targets, Units)
        labels = targets.each if isinstance(targets, Columns) else [targets]
        known = [_labels(one.labels) for one in labels if not isinstance(one, Units | Columns)]
        kind: dict[str, Any] = {} if units else {"_target_kind": targets.kind}
        if isinstance(targets, Indicators) and targets.sparse:
            kind["_sparse_labels"] = True
        said = {
            "estimator": model.estimator
            | {
                "attributes": model.estimator["attributes"] | kind,
                "classes": known or None,
                "groups": list(targets.sizes) if isinstance(targets, Columns) else [],
                "preprocessing": inputs.describe_steps(),
                "table": None if inputs.encoder is None else inputs.encoder.to_json(),
                "target": _units(targets, "scale") if model.is_standardized else None,
                **({} if inputs.read is None else {"missing": list(inputs.read.missing)}),
                **(targets.describe_choices() if isinstance(targets, Classes) else {}),
            }
        } | said
    if model.column is not None and inputs.read is not None:
        said["table"] = {"target": model.column.to_json(), "read": inputs.read.to_json()}
    if isinstance(targets, Classes) and model.estimator is None:
        said |= targets.describe_choices()
    if model.is_standardized and (model.column or not model.estimator):
        said["target_units"] = _units(targets, "factor")
    return said


def _units(targets: Targets, factor: str) -> dict[str, Any]:
    assert isinstance(targets, Units)
    assert targets.shift is not None
    assert targets.factor is not None
    ends = {"low": targets.low, "high": targets.high}
    bounds = {name: each.tolist() for name, each in ends.items() if each is not None}
    return {"shift": targets.shift.tolist(), factor: targets.factor.tolist()} | bounds


def _labels(labels: NDArray[Any] | None) -> dict[str, Any] | None:
    if labels is None:
        return None
    kind = "object" if labels.dtype == object else labels.dtype.str
    return {"dtype": kind, "values": labels.tolist()}


def _activation_names(activation: Activation) -> str | list[str]:
    return [part.name for part in activation.parts] if activation.parts else activation.name


def tensors_of(model: Model) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model under the names they have in a file; of members as one each.

    Members are along a first axis: layers.0.weight is of shape (n_members, n_out, n_in).

    Raises
    ------
    ValueError
        If a parameter is not finite: the file could not be read again.
    """
    for block in model.architecture.blocks:
        if not np.isfinite(model.parameters[..., block.slice]).all():
            raise ValueError(
                f"parameters to be saved must be finite, got NaN or infinity in {block.name}"
            )
    blocks = model.architecture.blocks
    members = model.parameters.shape[:-1]
    tensors = {
        b.name: np.ascontiguousarray(model.parameters[..., b.slice]).reshape(*members, *b.shape)
        for b in blocks
    }
    return tensors | arrays_of(model)


def arrays_of(model: Model) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of a model that are no parameters, under the names they have in a file."""
    found: dict[str, NDArray[np.float64]] = {}
    scaling = _own_scaling(model)
    if scaling is not None:
        found |= {"scaling.shift": scaling.shift, "scaling.factor": scaling.factor}
    if isinstance(model.targets, Units) and model.targets.residuals is not None:
        found[RESIDUALS] = model.targets.residuals
    return found


def write(
    path: FilePath, model: Model, tensors: Mapping[str, NDArray[Any]] | None = None, **metadata: Any
) -> Any:
    """Write a model, and what else its file is to hold, atomically.

    Parameters
    ----------
    path : path
    model : Model
    tensors : dict of ndarray, optional
        Their names begin with `TRAINING`.
    **metadata
        As JSON has it.
    """
    return write_tensors(path, tensors_of(model) | dict(tensors or {}), describe(model) | metadata)


class Parts(NamedTuple):
    """What a file held: its model, and what else there was."""

    model: Model
    tensors: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


def read(path: FilePath, custom: Iterable[Activation | Cost] = ()) -> Parts:
    """Return the model in a file, every name, shape and dtype verified. The file is read once.

    Raises
    ------
    CheckpointError
        If the file is damaged, of a newer format, or does not hold what it declares.
    OSError
        If it cannot be read.
    """
    return parts_of(path, *read_described(path), custom)


def parts_of(
    path: FilePath,
    tensors: dict[str, NDArray[Any]],
    metadata: dict[str, Any],
    custom: Iterable[Activation | Cost],
) -> Parts:
    """Return the model in what `read_described` has read from `path`, as `read` does."""
    where, own = os.fsdecode(path), by_name(custom)
    try:
        return Parts(_model(tensors, metadata, own), tensors, metadata)
    except CheckpointError as problem:
        raise CheckpointError(f"{where}: {problem}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise CheckpointError(f"{where} does not describe a network: {problem}"[:500]) from None


def read_described(path: FilePath) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the tensors and the metadata of a model or checkpoint, held against their description.

    Raises
    ------
    CheckpointError
        If the file is damaged, of a newer format, or not as we write it.
    OSError
        If it cannot be read.
    """
    tensors, metadata = read_tensors(path)
    try:
        description.check(metadata, tensors)
    except CheckpointError as problem:
        raise CheckpointError(f"{os.fsdecode(path)}: {problem}") from None
    return tensors, metadata


def by_name(custom: Iterable[Activation | Cost]) -> dict[str, Activation | Cost]:
    """Return a user's own activations and costs by their names."""
    try:
        own = list(custom)
    except TypeError:
        own = [custom]  # type: ignore[list-item]
    for each in own:
        if not isinstance(each, Activation | Cost):
            raise TypeError(f"custom must be a list of Activation and Cost, got {each!r}")
    return {each.name: each for each in own}


def _model(
    tensors: Tensors, metadata: Mapping[str, Any], own: Mapping[str, Activation | Cost]
) -> Model:
    architecture = _architecture(metadata["architecture"], own)
    classes, names = metadata["classes"], metadata["feature_names"]
    model = Model(
        architecture,
        flat_parameters(
            architecture, tensors, metadata["dtype"], metadata["architecture"].get("members", 1)
        ),
        Inputs((_scaling(tensors, architecture.n_features),) if metadata["scaling"] else ()),
        first_targets(architecture),
        feature_names=None if names is None else tuple(names),
        **{key: metadata[key] for key in _COUNTS},
        shares_layers="shares_layers" in metadata["architecture"],
    )
    if classes is not None:
        model.classes = tuple(classes)
    _take_ends(model, dict(metadata["about"]))
    if RESIDUALS in tensors and isinstance(model.targets, Units):
        model.targets = dataclasses.replace(model.targets, residuals=np.array(tensors[RESIDUALS]))
    return model


def _take_ends(model: Model, said: dict[str, Any]) -> None:
    """Give a model what `describe_ends` returned."""
    ours = is_noted(said) or is_estimator(said)  # other notes are their user's
    units, model.about = said.pop("target_units", None) if ours else None, said
    choices = taken_choices(said) if is_noted(said) and not is_estimator(said) else {}
    if is_estimator(said):
        from clearprop.data.table import ReadOptions, TableEncoder, TargetEncoder

        rest, table = dict(said.pop("estimator")), said.pop("table", None)
        classes, groups, steps, encoder, target = (
            rest.pop(name, None) for name in ("classes", "groups", "preprocessing", "table", "target")
        )
        model.estimator = rest
        model.inputs = Inputs(
            steps_of(steps), None if encoder is None else TableEncoder.from_json(encoder), outside=True
        )
        known = [np.array(each["values"], dtype=each["dtype"]) for each in classes or ()]
        kind = rest["attributes"].get("_target_kind")
        if groups:
            each = zip(groups, known, strict=True)
            model.targets = Columns(tuple(Classes(n, labels) for n, labels in each))
        elif kind == "multilabel-indicator":
            sparse = bool(rest["attributes"].get("_sparse_labels"))
            model.targets = Indicators(model.architecture.sizes[-1], sparse)
        else:
            n_outputs = model.architecture.sizes[-1]
            model.targets = Classes(n_outputs, known[0], **taken_choices(rest)) if known else Units()
        if target is not None:
            units = units or {"factor": target["scale"]} | target
        if (missing := rest.pop("missing", None)) is not None:
            read = ReadOptions(missing=tuple(missing))
            model.inputs = dataclasses.replace(model.inputs, read=read)
        if table is not None:
            model.column = TargetEncoder.from_json(table["target"])
            model.inputs = dataclasses.replace(model.inputs, read=ReadOptions.from_json(table["read"]))
    elif said.get("task") in ("classification", "regression") and model.classes is None:
        n_outputs = model.architecture.sizes[-1]  # as their user notes, whatever the network is
        model.targets = Classes(n_outputs) if said["task"] == "classification" else Units()
    if choices and isinstance(model.targets, Classes):
        model.targets = dataclasses.replace(model.targets, **choices)
    if units is not None:
        names = [name for name in ("shift", "factor", "low", "high") if name in units]
        ends: dict[str, Any] = {name: np.array(units[name], np.float64) for name in names}
        model.targets = Units(**ends)
    if isinstance(model.targets, Units) and model.estimator is not None:
        several = makes_quantiles(model.architecture.cost)
        model.targets = dataclasses.replace(model.targets, quantiles=several)


def _architecture(data: dict[str, Any], own: Mapping[str, Activation | Cost]) -> Architecture:
    n_features, *sizes = data["sizes"]
    layers = tuple(
        Layer(size, _activation(layer["activation"], own), layer["bias"])
        for size, layer in zip(sizes, data["layers"], strict=True)
    )
    parameters = dict(data["cost"])
    name, reduction = parameters.pop("name"), parameters.pop("reduction")
    return Architecture(
        Layer(n_features).size,
        layers,
        _cost(name, reduction, parameters, own),
        **{flag: flag in data for flag in _FLAGS},
        embedding=embeddings.from_description(data["embedding"], n_features)
        if "embedding" in data
        else None,
    )


def _activation(
    names: str | list[str], own: Mapping[str, Activation | Cost]
) -> Activation | list[Activation]:
    if isinstance(names, list):
        return [_one_activation(name, own) for name in names]
    return _one_activation(names, own)


def _one_activation(name: str, own: Mapping[str, Activation | Cost]) -> Activation:
    found = own.get(name, find(name))
    if not isinstance(found, Activation):
        raise CheckpointError(f"activation {name[:80]!r} is not known here; give it in custom=")
    return found


def _cost(
    name: str, reduction: str, parameters: dict[str, Any], own: Mapping[str, Activation | Cost]
) -> Cost:
    found = own.get(name)
    if isinstance(found, Cost):
        if found.reduction != reduction:
            raise CheckpointError(
                f"cost {name!r} had reduction {reduction!r}, the one in custom= has {found.reduction!r}"
            )
        return found
    if name not in FACTORIES:
        raise CheckpointError(f"cost {name[:80]!r} is not known here; give it in custom=")
    return FACTORIES[name](reduction=reduction, **parameters)


def _scaling(tensors: Tensors, n_features: int) -> Scaling:
    found = []
    for name in ("scaling.shift", "scaling.factor"):
        if name not in tensors:
            raise CheckpointError(f"tensor {name} is missing")
        tensor = tensors[name]
        if tensor.shape not in ((1,), (n_features,)) or tensor.dtype != np.float64:
            raise CheckpointError(
                f"tensor {name} must be float64 of shape ({n_features},) or (1,), got {tensor.dtype} "
                f"of shape {tensor.shape}"
            )
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"tensor {name} must be finite")
        found.append(tensor)
    return Scaling(*found)
