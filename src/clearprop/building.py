"""From the arguments of ``Network`` to an architecture and its first parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import aligned, checks, costs, randomness
from clearprop.activations import Activation, Array
from clearprop.architecture import Architecture, Layer
from clearprop.costs import Cost
from clearprop.initializers import Initializer
from clearprop.input_embedding import Embedding
from clearprop.names import check_size

_MIXED = 5  # rows whose mixture a first bias is


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


def start_from_rows(
    made: Architecture, parameters: NDArray[Any], X: Array, seed: int, weights: bool, biases: bool
) -> None:
    """Fit first parameters to rows, layer by layer and in place: RealMLP-TD's start.

    The weights of a neuron are divided by the standard deviation of what they make of the rows ("std").
    Its bias becomes minus a random mixture of that of 5 rows ("he+5"): where the neuron's activation
    bends, there are rows (Steinwart 2019, Holzmueller et al. 2024).

    Parameters
    ----------
    made : Architecture
    parameters : ndarray of shape (n_parameters,)
        With first weights of any kind.
    X : ndarray of shape (n_samples, n_features)
        Scaled; the rows to train on, or some of them.
    seed : int
    weights, biases : bool
        Which of them are to be fitted.
    """
    wide = parameters.astype(np.float64)
    W, b = made.views(wide)
    scale, E = made.scale_view(wide), made.embedding
    a = X if E is None else E.forward(made.embedding_views(wide), X).out
    a = a.astype(np.float64) if scale is None else a * scale
    for layer, function in enumerate(made.functions(wide)):
        spread = (a @ W[layer].T).std(axis=0)
        if weights:
            W[layer][:] /= np.where(spread > 0, spread, 1.0)[:, None]
        z, bias = a @ W[layer].T, b[layer]
        if bias is not None and biases:
            bias[:] = -_mixtures(z, seed, layer)
        a = function(z if bias is None else z + bias)
    parameters[:] = wide


def _mixtures(z: Array, seed: int, layer: int) -> Array:
    """Return for each column a mixture of 5 of its numbers, with weights even on the simplex."""
    n, where = z.shape[1], {"purpose": randomness.INITIAL_BIASES, "layer": layer}
    drawn = randomness.uniform(seed, 2 * _MIXED * n, **where).reshape(2, n, _MIXED)
    shares = -np.log1p(-drawn[0])
    rows = (drawn[1] * len(z)).astype(np.int64)
    mixed: Array = (z[rows, np.arange(n)[:, None]] * shares).sum(axis=1) / shares.sum(axis=1)
    return mixed


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
    flat = aligned.empty((n_members, n), dtype)
    for member, its in enumerate(flat):
        key = randomness.member_seed(seed, member)
        its[:] = _initial_parameters(architecture, weights, biases, key, dtype)
    return flat


def _initial_parameters(
    architecture: Architecture, weights: Initializer, biases: Initializer, seed: int, dtype: str
) -> NDArray[Any]:
    """Return those of one network, a pure function of the arguments; drawn in float64."""
    flat = aligned.empty(architecture.n_parameters, dtype)
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
