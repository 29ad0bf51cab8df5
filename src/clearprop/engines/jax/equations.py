"""The reference's equations for JAX's arrays: `backprop` itself, run on what JAX traces.

``backprop.forward`` and ``backward`` ask an architecture for its activations, its cost and its
embedding, and parameters for their views. Here is an architecture that answers with JAX's: functions
through `retargeting`, and parameters as a dict of arrays by the names of their blocks. So BP1 and BP2
are the reference's lines; BP3 and BP4, which are written into a flat vector there, stand in `gradient`.
Nothing is differentiated by JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from clearprop.activations import Activation, Array
from clearprop.architecture import Architecture
from clearprop.backprop import Backward, Forward
from clearprop.category_embedding import Categories
from clearprop.costs import Canonical, Cost
from clearprop.engines.jax.retargeting import for_jax
from clearprop.input_embedding import Delta, Embedded, Embedding

Parameters = dict[str, jax.Array]  # by the names of the blocks, each of its block's shape


class OnDevice(Architecture):
    """An architecture whose functions are JAX's, and whose parameters are a dict."""

    def _found(self, flat: Any) -> Any:
        return flat


def on_device(architecture: Architecture) -> OnDevice:
    """Return the architecture by which `backprop` computes with JAX."""
    made = object.__new__(OnDevice)  # it was checked, and its embedding is known
    layers = tuple(
        replace(layer, activation=activation(layer.function)) for layer in architecture.layers
    )
    embedding = architecture.embedding and _EmbeddingOnDevice(architecture.embedding)
    cost = _cost(architecture.cost, architecture.output, layers[-1].function)
    fields = vars(architecture) | {"layers": layers, "cost": cost, "embedding": embedding}
    vars(made).update(fields)
    return made


def activation(function: Activation) -> Activation:
    """Return an activation whose function and derivative are JAX's."""
    if function.plain is not None:  # `with_share` makes the rest of it
        return replace(function, plain=activation(function.plain), built_in=True)
    if function.parts:
        value, slope = (_by_column(function.parts, what) for what in ("__call__", "slope"))
    else:
        value, slope = for_jax(function.function), for_jax(function.derivative)
    return replace(function, function=value, derivative=slope, built_in=True)


def _by_column(parts: tuple[Activation, ...], what: str) -> Callable[[Any], Any]:
    """Return what each neuron's activation makes of its column."""
    kinds = list(dict.fromkeys(parts))
    columns = [np.array([j for j, part in enumerate(parts) if part == kind]) for kind in kinds]
    functions = [getattr(activation(kind), what) for kind in kinds]
    back = np.argsort(np.concatenate(columns))

    def function(z: jax.Array) -> jax.Array:
        each = [f(z[..., mine]) for f, mine in zip(functions, columns, strict=True)]
        return jnp.concatenate(each, axis=-1)[..., back]

    return function


def _cost(cost: Cost, output: Activation, on_device: Activation) -> Cost:
    """Return a cost whose one form is JAX's: that of the output, or BP1."""
    form = cost.form(output)
    if form is not None:
        functions = for_jax(form.value), for_jax(form.derivative), form.targets, for_jax(form.delta)
        return replace(cost, canonical={output.name: Canonical(*functions)}, built_in=True)
    value, slope = for_jax(cost.value), for_jax(cost.derivative)

    def derivative(a: Any, y: Any) -> Any:
        return slope(a, y).astype(a.dtype)

    made = Canonical(
        value=lambda z, y: value(on_device(z), y),
        derivative=derivative,
        delta=lambda z, a, y: on_device.backward(z, derivative(a, y)),
    )
    return replace(cost, canonical={output.name: made}, built_in=True)


class _CategoriesOnDevice:
    """Categories whose vectors are JAX's."""

    def __init__(self, its: Categories) -> None:
        self._its = its

    def __getattr__(self, name: str) -> Any:
        return getattr(self._its, name)

    def forward(self, Q: Any, u: Any) -> Any:
        """As in `Categories`."""
        return jnp.stack([u[:, rows] @ Q[rows] for rows in self._its.rows], axis=1)

    def gradient(self, u: Any, error: Any) -> Any:
        """As in `Categories`."""
        return for_jax(Categories.gradient)(self._its, u, error)


class _EmbeddingOnDevice:
    """An embedding whose basis is JAX's."""

    def __init__(self, its: Embedding) -> None:
        self._its, self._kind = its, type(its)
        self.function = activation(its.function)
        self.categories = _CategoriesOnDevice(its.categories)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._its, name)

    def phase_error(self, passed: Embedded, error: Any) -> Any:
        """As in `Embedding`."""
        return for_jax(self._kind.phase_error)(self._its, passed, error)

    @cached_property
    def _order(self) -> Any:
        """Where each number that layer 1 sees stands among X, what is mapped, and the vectors."""
        its, n = self._its, self._its.n_features or 0
        mapped, vectors = its.places[:, : its.n_mapped], its.vectors
        found = np.empty(its.n_outputs, np.int64)
        found[its.first] = np.arange(n)
        found[mapped] = n + np.arange(mapped.size).reshape(mapped.shape)
        if its.appends:
            found[its.places[:, -1]] = its.columns or ()
        if its.categories.groups:
            found[vectors] = n + mapped.size + np.arange(vectors.size).reshape(vectors.shape)
        return found

    def forward(self, parameters: Any, X: Any) -> Embedded:
        """As in `Embedding`; what layer 1 sees is gathered, where NumPy writes it in place."""
        its, n = self._its, len(X)
        if not its.numeric:  # the map of no number is nothing
            none = {"weight": jnp.empty((0, 0, 1), X.dtype), "bias": jnp.empty((0, 1), X.dtype)}
            parameters = none | parameters
        x, one_hot = X[:, list(its.columns or ())], X[:, list(its.categories.columns)]
        basis = for_jax(self._kind.basis)(its, parameters, x)
        h = (basis.swapaxes(0, 1) @ parameters["weight"]).swapaxes(0, 1) + parameters["bias"]
        parts = [X, self.function(h).reshape(n, -1)]
        if its.categories.groups:
            parts.append(self.categories.forward(parameters["vectors"], one_hot).reshape(n, -1))
        out = jnp.concatenate(parts, axis=1)[:, self._order]
        made: Any = self  # which answers as the embedding does
        return Embedded(made, parameters, x, basis, h, out, one_hot)


def gradient(architecture: Architecture, passed: Forward, back: Backward, scale: Any) -> Parameters:
    """Return the gradient of the cost over a batch, by the names of the blocks.

    Parameters
    ----------
    architecture : Architecture
    passed, back
        What the passes of `backprop` left.
    scale : scalar
        What each sample's gradient is multiplied by: 1 / n_samples, or 1 for a sum.
    """
    found: dict[str, Any] = {}
    for number, (delta, a_previous) in enumerate(zip(back.delta, passed.a, strict=False)):
        found[f"layers.{number}.bias"] = delta.sum(axis=0)  # BP3
        found[f"layers.{number}.weight"] = delta.T @ a_previous  # BP4
    for number, its in enumerate(back.share_delta):
        if its is not None:
            found[f"layers.{number}.share"] = its.sum(axis=0)
    if back.scale_delta is not None:
        found["layers.0.scale"] = back.scale_delta.sum(axis=0)
    found |= _of_embedding(back.embedding)
    return {block.name: scale * found[block.name] for block in architecture.blocks}


def _of_embedding(back: Delta | None) -> dict[str, Array]:
    return {f"embedding.{name}": made for name, made in back.gradient().items()} if back else {}
