"""A network from the arrays of another library: ``get_weights()`` of Keras, leaves of JAX, coefs_."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.activations import Activation, resolve
from clearprop.architecture import Layer
from clearprop.costs import Cost
from clearprop.network import Network

Array = NDArray[Any]


class ForeignLayer(NamedTuple):
    """A layer of neurons that came from elsewhere.

    Attributes
    ----------
    weights : ndarray of shape (n_out, n_in)
    biases : ndarray of shape (n_out,), or None
    activation : str or Activation
    """

    weights: Array
    biases: Array | None
    activation: str | Activation


def from_weights(
    arrays: Sequence[ArrayLike],
    activation: str | Activation = "sigmoid",
    output: str | Activation | None = None,
    cost: str | Cost = "cross_entropy",
    *,
    transposed: bool | None = None,
) -> Network:
    """Return a network with these weights and biases, to be explained, checked and trained on.

    Parameters
    ----------
    arrays : list of array-like
        The weights of each layer, in the order of the layers, with its biases behind or before them, or
        without.
    activation, output, cost
        As in `Network`.
    transposed : bool, optional
        Whether a row of the weights is a neuron from which they come, as in Keras and JAX, and not one
        to which they go, as in PyTorch and here. Told by the shapes; only where all weights are square
        it has to be said.

    Raises
    ------
    ValueError, TypeError
        If the arrays do not fit together, are not finite, or could be read in both ways.

    Examples
    --------
    >>> kernel, bias = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.zeros(3)
    >>> net = from_weights([kernel, bias], output="identity", cost="quadratic")
    >>> net.sizes, net.predict([[1.0, 0.0]]).tolist()
    ((2, 3), [[1.0, 2.0, 3.0]])
    """
    pairs = _pairs([_numbers(each, number) for number, each in enumerate(arrays)])
    weights = [W for W, _ in pairs]
    if _is_transposed(pairs, transposed):
        weights = [W.T for W in weights]
    last = len(pairs) - 1
    layers = [
        ForeignLayer(W, b, activation if l < last else output or "")
        for l, (W, (_, b)) in enumerate(zip(weights, pairs, strict=True))  # noqa: E741
    ]
    return network_of(layers, cost)


def network_of(layers: Sequence[ForeignLayer], cost: str | Cost | None = None) -> Network:
    """Return a network of layers from elsewhere.

    Parameters
    ----------
    layers : sequence of ForeignLayer
        An empty activation of the last layer is that of the cost.
    cost : str or Cost, optional
        None is what goes with the outputs: cross-entropy with probabilities, otherwise quadratic.
    """
    dtype = "float64" if any(each.weights.dtype == np.float64 for each in layers) else "float32"
    made = [
        Layer(len(each.weights), each.activation or None, each.biases is not None) for each in layers
    ]
    if cost is None:
        last = layers[-1].activation
        cost = "cross_entropy" if last and resolve(last).probabilities else "quadratic"
    net = Network([layers[0].weights.shape[1], *made], cost=cost, dtype=dtype, seed=0)
    for W, b, each in zip(net.weights, net.biases, layers, strict=True):
        W[:] = each.weights
        if b is not None:
            b[:] = each.biases
    return net


def _numbers(each: ArrayLike, number: int) -> Array:
    try:
        found = np.asarray(each)
    except (TypeError, ValueError):
        found = np.empty(0, object)
    if found.dtype.kind not in "iuf" or found.ndim not in (1, 2) or not found.size:
        raise ValueError(
            f"arrays must be weights of two axes and biases of one, numbers all, got array {number} of "
            f"shape {found.shape} and dtype {found.dtype}"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"arrays must be finite, array {number} holds NaN or infinity")
    return found.astype(np.float32) if found.dtype.itemsize < 4 else found


def _pairs(arrays: list[Array]) -> list[tuple[Array, Array | None]]:
    """Return the weights and biases of each layer; biases come behind them all, or before them all."""
    if not any(each.ndim == 2 for each in arrays):
        raise ValueError(f"arrays must hold weights of two axes, got {len(arrays)} arrays without any")
    ordered = arrays if arrays[0].ndim == 2 else arrays[::-1]
    found: list[tuple[Array, Array | None]] = []
    for each in ordered:
        if each.ndim == 2:
            found.append((each, None))
        elif found[-1][1] is not None:
            raise ValueError("arrays must have one array of biases at most beside each of weights")
        else:
            found[-1] = found[-1][0], each
    return found if ordered is arrays else found[::-1]


def _is_transposed(pairs: list[tuple[Array, Array | None]], said: bool | None) -> bool:
    """Return whether weights are of shape (n_in, n_out)."""
    shapes = [(*W.shape, None if b is None else len(b)) for W, b in pairs]
    fits = {way: _first_misfit(shapes, way) is None for way in (False, True)}
    if said is not None:
        if not fits[said]:
            raise ValueError(_misfit(shapes, said))
        return said
    if fits[True] and fits[False]:
        if not all(W.shape == (1, 1) for W, _ in pairs):
            raise ValueError(
                "transposed must be said where all weights are square: True where a row of them is the "
                "neuron from which they come (Keras, JAX), False where it is that to which they go "
                "(PyTorch)"
            )
        return False
    if not fits[True] and not fits[False]:
        raise ValueError(_misfit(shapes, False))
    return fits[True]


def _first_misfit(shapes: list[tuple[int, int, int | None]], transposed: bool) -> int | None:
    """Return the first layer, from 1, that does not fit the one before it or its own biases."""
    below: int | None = None
    for number, (rows, columns, n_biases) in enumerate(shapes, 1):
        n_in, n_out = (rows, columns) if transposed else (columns, rows)
        if below not in (None, n_in) or n_biases not in (None, n_out):
            return number
        below = n_out
    return None


def _misfit(shapes: list[tuple[int, int, int | None]], transposed: bool) -> str:
    number = _first_misfit(shapes, transposed) or 1
    rows, columns, n_biases = shapes[number - 1]
    biases = "" if n_biases is None else f" and {n_biases} biases"
    before = "" if number == 1 else f" after {shapes[number - 2][:2]}"
    return (
        "arrays must fit together, a row of weights for each neuron or a column for each, got weights "
        f"of shape {(rows, columns)}{biases}{before} in layer {number}"
    )
