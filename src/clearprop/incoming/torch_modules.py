"""A network from a PyTorch module: ``nn.Sequential`` of linear layers and activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.costs import Cost
from clearprop.incoming.weights import ForeignLayer, network_of
from clearprop.network import Network

if TYPE_CHECKING:
    from torch import nn

_SKIPPED = ("Identity", "Dropout", "Flatten")
_ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "ELU": ("elu", {"alpha": 1.0}),
    "GELU": ("gelu", {"approximate": "none"}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "Mish": ("mish", {}),
    "ReLU": ("relu", {}),
    "SELU": ("selu", {}),
    "SiLU": ("silu", {}),
    "Sigmoid": ("sigmoid", {}),
    "Softmax": ("softmax", {}),
    "Softplus": ("softplus", {"beta": 1.0}),
    "Tanh": ("tanh", {}),
}


def from_torch(module: nn.Sequential, *, cost: str | Cost | None = None) -> Network:
    """Return the network that a PyTorch module is.

    Parameters
    ----------
    module : torch.nn.Sequential
        Of Linear layers, each followed by one activation or none; Dropout, Flatten and Identity are
        left out. It is not changed. One that ends in logits gets Softmax(dim=1) or Sigmoid() behind
        it; without, its outputs are quantities.
    cost : str or Cost, optional
        To train on with. None is what goes with the outputs: cross-entropy with probabilities,
        otherwise quadratic.

    Raises
    ------
    ValueError, TypeError
        If it is another module; the sentence names the first that cannot come in.
    """
    if type(module).__name__ != "Sequential" or not hasattr(module, "named_children"):
        raise TypeError(f"module must be a torch.nn.Sequential, got {type(module).__name__}")
    layers: list[ForeignLayer] = []
    for name, each in _flat(module, ""):
        kind = type(each).__name__
        if kind == "Linear":
            layers.append(_linear(each, name, layers))
        elif kind not in _SKIPPED:
            _activate(layers, _activation(each, name), f"module {name!r} ({kind})")
    if not layers:
        raise ValueError("module must have a Linear layer, has none")
    return network_of(layers, cost)


def _flat(module: Any, before: str) -> Iterator[tuple[str, Any]]:
    for name, each in module.named_children():
        if type(each).__name__ == "Sequential":
            yield from _flat(each, f"{before}{name}.")
        else:
            yield f"{before}{name}", each


def _linear(module: Any, name: str, layers: list[ForeignLayer]) -> ForeignLayer:
    def numbers(tensor: Any) -> Any:
        made = tensor.detach().cpu()
        found = (made if made.element_size() >= 4 else made.float()).numpy().copy()
        if not np.isfinite(found).all():
            raise ValueError(f"module {name!r} must have finite parameters, has NaN or infinity")
        return found

    W = numbers(module.weight)
    if layers and len(layers[-1].weights) != W.shape[1]:
        raise ValueError(
            f"module {name!r} must take the {len(layers[-1].weights)} numbers of the layer before it, "
            f"takes {W.shape[1]}"
        )
    return ForeignLayer(W, None if module.bias is None else numbers(module.bias), "identity")


def _activation(module: Any, name: str) -> str:
    kind = type(module).__name__
    if kind not in _ACTIVATIONS:
        known = ", ".join(sorted(_ACTIVATIONS))
        raise ValueError(f"module {name!r} ({kind}) cannot come in: Linear can, and {known}")
    found, wanted = _ACTIVATIONS[kind]
    for attribute, value in wanted.items():
        got = getattr(module, attribute)
        same = got == value if isinstance(value, str) else math.isclose(got, value, rel_tol=1e-6)
        if not same:
            raise ValueError(f"module {name!r} ({kind}) must have {attribute}={value!r}, got {got!r}")
    if kind == "Softmax" and module.dim not in (1, -1):
        raise ValueError(f"module {name!r} (Softmax) must have dim=1, got {module.dim!r}")
    return found


def _activate(layers: list[ForeignLayer], name: str, what: str) -> None:
    if not layers or layers[-1].activation != "identity":
        raise ValueError(f"{what} must come behind a Linear layer, and be its only activation")
    layers[-1] = layers[-1]._replace(activation=name)
