"""From the arguments of ``Network`` to an architecture and its first parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import checks, costs, randomness
from clearprop.activations import Activation
from clearprop.architecture import Architecture, Layer
from clearprop.costs import Cost
from clearprop.initializers import Initializer
from clearprop.input_embedding import Embedding
from clearprop.names import check_size


def build(
    layers: Sequence[int | Layer],
    activation: str | Activation,
    output: str | Activation | None,
    cost: str | Cost,
    embedding: Embedding | None = None,
) -> Architecture:
    """Return the architecture that the arguments of ``Network`` describe.

    Raises
    ------
    ValueError, TypeError
        If they contradict each other or a rule of `Layer`, `Cost` or `Architecture`.
    """
    if isinstance(layers, str | bytes) or not isinstance(layers, Sequence) or len(layers) < 2:
        raise ValueError(
            f"layers must be a list of at least 2 sizes, the input's first, got {layers!r}"
        )
    first, *rest = layers
    if isinstance(first, Layer):
        raise TypeError(f"the first of layers must be the number of features, got {first!r}")
    resolved_cost = costs.resolve(cost)
    made: list[Layer] = []
    for number, layer in enumerate(rest, start=1):
        layer = layer if isinstance(layer, Layer) else Layer(layer)
        if number == len(rest):
            if layer.activation is not None and output is not None:
                raise ValueError(
                    f"the output's activation must be given once, got {layer!r} and output={output!r}"
                )
            default = output if output is not None else resolved_cost.usual_outputs[layer.size > 1]
        else:
            default = activation
        chosen = default if layer.activation is None else layer.activation
        made.append(Layer(layer.size, chosen, layer.bias))
    if embedding is not None and not isinstance(embedding, Embedding):
        raise TypeError(
            f"embedding must be one of cp.embeddings, as cp.embeddings.periodic(), got {embedding!r}"
        )
    return Architecture(check_size(first), tuple(made), resolved_cost, embedding=embedding)


def initial_parameters(
    architecture: Architecture,
    weights: Initializer,
    biases: Initializer,
    seed: int,
    dtype: str,
    n_members: int = 1,
) -> NDArray[Any]:
    """Return the first parameters of members, each a row drawn with its own seed; of one, a vector.

    Raises
    ------
    ValueError
        If there is no memory for so many.
    """
    if n_members == 1:
        return _initial_parameters(architecture, weights, biases, seed, dtype)
    n = architecture.n_parameters
    checks.check_memory(n_members * n * np.dtype(dtype).itemsize, n_members, n, "their parameters")
    flat = np.empty((n_members, n), dtype)
    for member, its in enumerate(flat):
        key = randomness.member_seed(seed, member)
        its[:] = _initial_parameters(architecture, weights, biases, key, dtype)
    return flat


def _initial_parameters(
    architecture: Architecture, weights: Initializer, biases: Initializer, seed: int, dtype: str
) -> NDArray[Any]:
    """Return those of one network, a pure function of the arguments; drawn in float64."""
    flat = np.empty(architecture.n_parameters, dtype)
    drawn = {
        "weights": (weights, randomness.INITIAL_WEIGHTS),
        "biases": (biases, randomness.INITIAL_BIASES),
    }
    embedding = architecture.embedding
    embedded = {} if embedding is None else embedding.initial(seed)
    for block in architecture.blocks:
        if block.kind == "embedding":
            flat[block.slice] = embedded[block.name.split(".")[1]].ravel()
            continue
        if block.kind not in drawn:  # an input scale
            flat[block.slice] = 1.0
            continue
        initializer, purpose = drawn[block.kind]
        n_in, n_out = architecture.widths[block.layer : block.layer + 2]
        where = {"purpose": purpose, "layer": block.layer}
        flat[block.slice] = initializer.draw(block.shape, n_in, n_out, seed=seed, **where).ravel()
    return flat
