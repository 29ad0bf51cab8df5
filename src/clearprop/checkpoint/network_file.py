"""A network as tensors and JSON, and back: names are looked up in closed tables only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import ACTIVATIONS, Activation
from clearprop.architecture import Architecture, Layer, Scaling
from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.tensor_file import read_tensors
from clearprop.costs import FACTORIES, Cost

FORMAT = 1
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
    """What a file held, verified: enough to make the network again."""

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


def read_network(path: Path, custom: Iterable[Activation | Cost] = ()) -> NetworkParts:
    """Return the network in a file, every name, shape and dtype verified.

    Raises
    ------
    CheckpointError
        If the file is damaged, of a newer format, or does not hold what it declares.
    OSError
        If it cannot be read.
    """
    tensors, metadata = read_tensors(path)
    own = _by_name(custom)
    try:
        return _parts(tensors, metadata, own)
    except CheckpointError as problem:
        raise CheckpointError(f"{path}: {problem}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise CheckpointError(f"{path} does not describe a network: {_text(problem)}") from None


def _by_name(custom: Iterable[Activation | Cost]) -> dict[str, Activation | Cost]:
    try:
        own = list(custom)
    except TypeError:
        own = [custom]  # type: ignore[list-item]
    for each in own:
        if not isinstance(each, Activation | Cost):
            raise TypeError(f"custom must be a list of Activation and Cost, got {each!r}")
    return {each.name: each for each in own}


def _text(problem: BaseException) -> str:
    return f"{problem.args[0]} is missing" if isinstance(problem, KeyError) else str(problem)


def _parts(
    tensors: dict[str, NDArray[Any]], metadata: dict[str, Any], own: Mapping[str, Activation | Cost]
) -> NetworkParts:
    if "format" not in metadata:
        raise CheckpointError("the file says nothing about a network of this library")
    if metadata["format"] != FORMAT:
        raise CheckpointError(
            f"the file has format {metadata['format']!r}, this version reads {FORMAT}; update clearprop"
        )
    architecture = _architecture(metadata["architecture"], own)
    dtype = metadata["dtype"]
    if dtype not in ("float32", "float64"):
        raise CheckpointError(f"dtype must be float32 or float64, got {dtype!r}")
    scaling = (
        _scaling(tensors, architecture.n_features) if _flag(metadata["scaling"], "scaling") else None
    )
    parameters = flat_parameters(architecture, tensors, dtype)
    classes, names = metadata["classes"], metadata["feature_names"]
    if names is not None and len(names) != architecture.n_features:
        raise CheckpointError(f"{len(names)} feature names for {architecture.n_features} features")
    if classes is not None:
        _check_classes(classes, max(architecture.sizes[-1], 2))
    return NetworkParts(
        architecture,
        parameters,
        scaling,
        None if classes is None else tuple(classes),
        None if names is None else tuple(map(str, names)),
        dict(metadata["about"]),
        *(
            _count(metadata[key])
            for key in ("seed", "training_seed", "epochs_trained", "steps_trained")
        ),
    )


def _check_classes(classes: Any, n_classes: int) -> None:
    if not isinstance(classes, list) or len(classes) != n_classes:
        raise CheckpointError(f"classes must be a list of {n_classes}, got {classes!r}"[:200])
    kinds = {type(label) for label in classes}
    if len(kinds) != 1 or not kinds <= {str, int, bool} or len(set(classes)) != len(classes):
        raise CheckpointError(f"classes must be different texts or integers, got {classes!r}"[:200])


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise CheckpointError(f"{name} must be true or false, got {value!r}"[:200])
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise CheckpointError(f"seeds and counts must be integers of at least 0, got {value!r}")
    return value


def _architecture(data: dict[str, Any], own: Mapping[str, Activation | Cost]) -> Architecture:
    n_features, *sizes = data["sizes"]
    if len(sizes) != len(data["layers"]) or not sizes:
        raise CheckpointError(f"{len(data['layers'])} layers for sizes {data['sizes']}")
    layers = tuple(
        Layer(size, _activation(layer["activation"], own), _flag(layer["bias"], "bias"))
        for size, layer in zip(sizes, data["layers"], strict=True)
    )
    parameters = dict(data["cost"])
    name, reduction = parameters.pop("name"), parameters.pop("reduction")
    return Architecture(
        Layer(n_features).size,
        layers,
        _cost(str(name), str(reduction), parameters, own),
        **{flag: data.get(flag) is True for flag in _FLAGS},
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
        raise CheckpointError(f"activation {name!r} is not known here; give it in custom=")
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
        raise CheckpointError(f"cost {name!r} is not known here; give it in custom=")
    return FACTORIES[name](reduction=reduction, **parameters)


def _scaling(tensors: dict[str, NDArray[Any]], n_features: int) -> Scaling:
    found = []
    for name in ("scaling.shift", "scaling.factor"):
        if name not in tensors:
            raise CheckpointError(f"tensor {name} is missing")
        tensor = tensors.pop(name)
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
        missing, extra = sorted(expected - found), sorted(found - expected)
        raise CheckpointError(
            f"the tensors do not fit the sizes {architecture.sizes}: missing {missing}, unknown {extra}"
        )
    flat = np.empty(architecture.n_parameters, dtype)
    for block in architecture.blocks:
        tensor = tensors[block.name]
        if tensor.shape != block.shape or tensor.dtype != flat.dtype:
            raise CheckpointError(
                f"tensor {block.name} must be {dtype} of shape {block.shape}, got {tensor.dtype} of "
                f"shape {tensor.shape}"
            )
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"tensor {block.name} must be finite, it holds NaN or infinity")
        flat[block.slice] = tensor.ravel()
    return flat
