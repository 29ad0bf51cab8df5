"""What an estimator that goes on with a network must not have changed."""

from __future__ import annotations

from typing import Any

from clearprop.activations import Activation
from clearprop.architecture import Layer
from clearprop.estimators import recipe
from clearprop.estimators.options import Options
from clearprop.estimators.tasks import Task
from clearprop.model.embedding import name_of
from clearprop.model.targets import Units
from clearprop.network import Network


def check(options: Options, net: Network, task: Task) -> None:
    """Refuse other layers, costs or scalings than those of the network that is gone on with."""
    _check_same("preset", recipe.kind_of(net), recipe.kind(options))
    _check_same("members", net.model.n_members, options.members)
    if "embedding" in options.given or options.embedding is None:
        _check_same("embedding", name_of(net.architecture.embedding), options.embedding)
    _check_same("hidden_layer_sizes", net.sizes[1:-1], options.sizes)
    wanted = zip(options.sizes, recipe.hidden_activations(options), strict=True)
    _check_same(
        "activation",
        [_shown(layer.function) for layer in net.layers[:-1]],
        [_shown(Layer(size, each).function) for size, each in wanted],
    )
    targets, steps = net.model.targets, net.model.inputs
    cost = task.output(options.loss, targets, options.label_smoothing)[1]
    _check_same("loss", repr(net.architecture.cost), repr(cost))
    scaled = None if steps.scaling is None else "robust" if steps.clips else "standard"
    _check_same("preprocessing", scaled, options.preprocessing)
    if options.dtype != "auto":
        _check_same("dtype", net.dtype, options.dtype)
    if isinstance(targets, Units):
        _check_same("target", "standardize" if targets.standardized else None, options.target)


def _shown(activation: Activation) -> str | list[str]:
    return [part.name for part in activation.parts] or activation.name


def _check_same(name: str, had: Any, wanted: Any) -> None:
    if had != wanted:
        raise ValueError(f"{name} must be what the network has, {had}, to go on with it, got {wanted}")
