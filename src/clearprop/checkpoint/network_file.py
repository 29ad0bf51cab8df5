"""A network as tensors and JSON, and back: names are looked up in closed tables only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import ACTIVATIONS, Activation
from clearprop.architecture import Architecture, Layer, Scaling
from clearprop.checkpoint import description
from clearprop.checkpoint.atomic_file import FilePath
from clearprop.checkpoint.description import FORMAT
from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.tensor_file import read_tensors
from clearprop.costs import FACTORIES, Cost

_FLAGS = ("input_scale", "ntk")
TRAINING, SCALING = "training.", "scaling."  # how the names of other tensors begin


class NetworkLike(Protocol):
    """What of a network goes into a file."""

    architecture: Architecture
    scaling: Scaling | None
    classes: tuple[Any, ...] | None
    feature_names: tuple[str, ...] | None
    about: dict[str, Any]
    seed: int
    training_seed: int
    epochs_trained: int
    steps_trained: int

    @property
    def parameters(self) -> NDArray[Any]:
        """The flat vector."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkParts:
    """What a file held, verified: enough to make the network again, and what else there was."""

    tensors: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, Any]

    architecture: Architecture
    parameters: NDArray[Any]
    scaling: Scaling | None
    classes: tuple[Any, ...] | None
    feature_names: tuple[str, ...] | None
    about: dict[str, Any]
    seed: int
    training_seed: int
    epochs_trained: int
    steps_trained: int


def describe_network(net: NetworkLike) -> dict[str, Any]:
    """Return everything of a network but its arrays, as JSON-able data."""
    cost = net.architecture.cost
    return {
        "format": FORMAT,
        "architecture": {
            "sizes": list(net.architecture.sizes),
            "layers": [
                {"activation": _activation_names(layer.function), "bias": layer.bias}
                for layer in net.architecture.layers
            ],
            "cost": {"name": cost.name, "reduction": cost.reduction, **cost.parameters},
            # Only where they are used, so that files without them stay as they were.
            **{name: True for name in _FLAGS if getattr(net.architecture, name)},
        },
        "dtype": str(net.parameters.dtype),
        "scaling": net.scaling is not None,
        "classes": None if net.classes is None else list(net.classes),
        "feature_names": None if net.feature_names is None else list(net.feature_names),
        "about": net.about,
        "seed": net.seed,
        "training_seed": net.training_seed,
        "epochs_trained": net.epochs_trained,
        "steps_trained": net.steps_trained,
    }


def _activation_names(activation: Activation) -> str | list[str]:
    return [part.name for part in activation.parts] if activation.parts else activation.name


def network_tensors(net: NetworkLike) -> dict[str, NDArray[Any]]:
    """Return the arrays of a network under the names they have in a file.

    Raises
    ------
    ValueError
        If a parameter is not finite: the file could not be read again.
    """
    for block in net.architecture.blocks:
        if not np.isfinite(net.parameters[block.slice]).all():
            raise ValueError(
                f"parameters to be saved must be finite, got NaN or infinity in {block.name}"
            )
    tensors = {b.name: net.parameters[b.slice].reshape(b.shape) for b in net.architecture.blocks}
    if net.scaling is not None:
        tensors |= {"scaling.shift": net.scaling.shift, "scaling.factor": net.scaling.factor}
    return tensors


def read_file(path: FilePath) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
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


def read_network(path: Path, custom: Iterable[Activation | Cost] = ()) -> NetworkParts:
    """Return the network in a file, every name, shape and dtype verified. The file is read once.

    Raises
    ------
    CheckpointError
        If the file is damaged, of a newer format, or does not hold what it declares.
    OSError
        If it cannot be read.
    """
    return network_parts(path, *read_file(path), custom)


def network_parts(
    path: Path,
    tensors: dict[str, NDArray[Any]],
    metadata: dict[str, Any],
    custom: Iterable[Activation | Cost],
) -> NetworkParts:
    """Return the network in what `read_file` has read from `path`, as `read_network` does."""
    own = _by_name(custom)
    try:
        return _parts(tensors, metadata, own)
    except CheckpointError as problem:
        raise CheckpointError(f"{path}: {problem}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise CheckpointError(f"{path} does not describe a network: {problem}"[:500]) from None


def _by_name(custom: Iterable[Activation | Cost]) -> dict[str, Activation | Cost]:
    try:
        own = list(custom)
    except TypeError:
        own = [custom]  # type: ignore[list-item]
    for each in own:
        if not isinstance(each, Activation | Cost):
            raise TypeError(f"custom must be a list of Activation and Cost, got {each!r}")
    return {each.name: each for each in own}


def _parts(
    tensors: dict[str, NDArray[Any]], metadata: dict[str, Any], own: Mapping[str, Activation | Cost]
) -> NetworkParts:
    architecture = _architecture(metadata["architecture"], own)
    classes, names = metadata["classes"], metadata["feature_names"]
    return NetworkParts(
        tensors,
        metadata,
        architecture,
        flat_parameters(architecture, tensors, metadata["dtype"]),
        _scaling(tensors, architecture.n_features) if metadata["scaling"] else None,
        None if classes is None else tuple(classes),
        None if names is None else tuple(names),
        metadata["about"],
        *(metadata[key] for key in ("seed", "training_seed", "epochs_trained", "steps_trained")),
    )


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
    )


def _activation(
    names: str | list[str], own: Mapping[str, Activation | Cost]
) -> Activation | list[Activation]:
    if isinstance(names, list):
        return [_one_activation(name, own) for name in names]
    return _one_activation(names, own)


def _one_activation(name: str, own: Mapping[str, Activation | Cost]) -> Activation:
    found = own.get(name, ACTIVATIONS.get(name))
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


def _scaling(tensors: dict[str, NDArray[Any]], n_features: int) -> Scaling:
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


def flat_parameters(
    architecture: Architecture, tensors: Mapping[str, NDArray[Any]], dtype: str
) -> NDArray[Any]:
    """Return the flat vector from its tensors, every name, shape and dtype verified.

    Raises
    ------
    CheckpointError
        If one is missing, unknown, of another shape or dtype, or not finite.
    """
    expected = {block.name for block in architecture.blocks}
    found = {name for name in tensors if not name.startswith((TRAINING, SCALING))}
    if expected != found:
        missing, extra = sorted(expected - found)[:9], sorted(found - expected)[:9]
        raise CheckpointError(
            f"the tensors do not fit the sizes {architecture.sizes[:9]}: missing {missing}, unknown "
            f"{extra}"
        )
    for block in architecture.blocks:  # before there is memory for sizes that the file only claims
        tensor = tensors[block.name]
        if tensor.shape != block.shape or tensor.dtype != dtype:
            raise CheckpointError(
                f"tensor {block.name} must be {dtype} of shape {block.shape}, got {tensor.dtype} of "
                f"shape {tensor.shape}"
            )
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"tensor {block.name} must be finite, it holds NaN or infinity")
    flat = np.empty(architecture.n_parameters, dtype)
    for block in architecture.blocks:
        flat[block.slice] = tensors[block.name].ravel()
    return flat
