"""Backpropagation: the gradient of a cost with respect to every weight and bias.

This is the reference. It is written to be read beside the four equations of S2, BP1-BP4; the other
engines are written to be fast, and each is tested against it. With ``z = a_previous @ W.T + b`` and
``a = f(z)`` in every layer, the backward pass finds ``delta = dC/dz``, in the last layer first:

    BP1   delta = dC/da * f'(z)                       in the last layer
    BP2   delta = (delta_next @ W_next) * f'(z)       in every other layer
    BP3   dC/db = the mean of delta over the samples
    BP4   dC/dW = the mean of the outer products of delta and a_previous

(mean, or sum if the cost says so). Where f is softmax, ``* f'(z)`` is the product with its Jacobian:
(37) of S2. Every gradient is taken at the same parameters; nothing here changes any (X36).

A learned input scale s is a layer before the first, ``a_0 = s * X``: as a bias that meets the slope X.
By BP2 its delta is ``(delta_1 @ W_1) * X``, and BP3 gives its gradient. Where inputs are embedded, E(X)
stands for X; `input_embedding` goes on from dC/dE.

`Architecture` has the shapes. Parameters are the flat vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.input_embedding import Delta, Embedded
from clearprop.parametric_activations import share_delta

# Non-finite values are looked for where they matter, by the training; a NumPy warning would only say
# it a second time, and a caller's np.errstate(all="raise") is for the caller's own code.
_quiet = np.errstate(all="ignore")


class Forward(NamedTuple):
    """What one pass forwards leaves: X, ``z[l]`` of every weight layer, ``a[0]`` and ``a[l + 1]``.

    ``a[0]`` is X or what it is embedded as, times the input scale where there is one. With dropout,
    ``a[l + 1]`` is what the next layer saw, ``keep[l]`` what f(z) was multiplied by: 0 for a dropped
    neuron, 1 / (1 - rate) for a kept one (inverted dropout, Srivastava et al. 2014), else None.
    """

    X: Array
    z: tuple[Array, ...]
    a: tuple[Array, ...]
    keep: tuple[Array | None, ...]
    embedded: Embedded | None = None


class Backward(NamedTuple):
    """What one pass backwards leaves, for each sample: ``error[l] = dC/da``, ``delta[l] = dC/dz``."""

    error: tuple[Array, ...]
    delta: tuple[Array, ...]
    scale_delta: Array | None  # of the input scale, shape (n_samples, n_inputs)
    embedding: Delta | None = None
    share_delta: tuple[Array | None, ...] = ()  # dC/ds of the layers, where they are parametric


@_quiet
def forward(
    architecture: Architecture,
    parameters: NDArray[Any],
    X: Array,
    keep: Sequence[Array | None] | None = None,
) -> Forward:
    """Return the weighted inputs z and activations a of every layer: (25) of S2."""
    weights, biases = architecture.views(parameters)
    keep = tuple(keep) if keep is not None else (None,) * len(weights)
    s = architecture.scale_view(parameters)
    E = architecture.embedding
    embedded = E.forward(architecture.embedding_views(parameters), X) if E else None
    a = embedded.out if embedded else X
    a = a if s is None else s * a
    zs, activations = [], [a]
    functions = architecture.functions(parameters)
    for f, W, b, kept in zip(functions, weights, biases, keep, strict=True):
        z = a @ W.T if b is None else a @ W.T + b
        a = f(z)
        a = a if kept is None else a * kept
        zs.append(z)
        activations.append(a)
    return Forward(X, tuple(zs), tuple(activations), keep, embedded)


@_quiet
def backward(
    architecture: Architecture,
    parameters: NDArray[Any],
    passed: Forward,
    Y: Array,
    sample_weight: Array | None = None,
) -> Backward:
    """Return dC/da and dC/dz of every layer, for the cost of each sample (times its weight)."""
    weights, functions = architecture.views(parameters)[0], architecture.functions(parameters)
    X, z, a, keep, embedded = passed
    cost, output = architecture.cost, architecture.output
    error = cost.error(output, a[-1], Y)
    delta = cost.output_delta(output, z[-1], a[-1], Y)  # BP1
    if sample_weight is not None:
        error, delta = error * sample_weight[:, None], delta * sample_weight[:, None]
    errors, deltas = [error], [delta]
    for l in reversed(range(len(weights) - 1)):  # noqa: E741 - the layer, as in the equations
        error = deltas[0] @ weights[l + 1]
        if (kept := keep[l]) is not None:
            error = error * kept
        errors.insert(0, error)
        deltas.insert(0, functions[l].backward(z[l], error))  # BP2
    below, embedding = X, None
    if embedded is not None:
        below, embedding = embedded.out, embedded.backward(_below(architecture, parameters, deltas[0]))
    scale_delta = (deltas[0] @ weights[0]) * below if architecture.input_scale else None
    shares = tuple(map(share_delta, functions, z, errors))
    return Backward(tuple(errors), tuple(deltas), scale_delta, embedding, shares)


@_quiet
def gradient(architecture: Architecture, passed: Forward, back: Backward) -> NDArray[Any]:
    """Return the gradient of the cost over the batch, as a flat vector like the parameters."""
    flat = np.empty(architecture.n_parameters, passed.z[0].dtype)
    scale = architecture.cost.scale(len(passed.X))
    for db, delta in _biases(architecture, flat, back):
        db[:] = scale * delta.sum(axis=0)  # BP3
    for dW, delta, a_previous in zip(architecture.views(flat)[0], back.delta, passed.a, strict=False):
        dW[:] = scale * (delta.T @ a_previous)  # BP4
    for name, made in back.embedding.gradient().items() if back.embedding else ():
        architecture.embedding_views(flat)[name][:] = scale * made
    return flat


@_quiet
def gradient_per_sample(architecture: Architecture, passed: Forward, back: Backward) -> NDArray[Any]:
    """Return each sample's own gradient, shape (n_samples, n_parameters); not divided by n_samples."""
    flat = np.empty((len(passed.X), architecture.n_parameters), passed.z[0].dtype)
    for db, delta in _biases(architecture, flat, back):
        db[:] = delta
    for dW, delta, a_previous in zip(architecture.views(flat)[0], back.delta, passed.a, strict=False):
        dW[:] = delta[:, :, None] * a_previous[:, None, :]
    for name, made in back.embedding.gradient_per_sample().items() if back.embedding else ():
        architecture.embedding_views(flat)[name][:] = made
    return flat


def _biases(architecture: Architecture, flat: Array, back: Backward) -> Iterator[tuple[Array, Array]]:
    """Yield the place of each gradient of biases, and their delta; an input scale is layer 0's."""
    biases, shares = architecture.views(flat)[1], architecture.shares(flat)
    deltas = (back.scale_delta, *back.delta, *back.share_delta)
    for db, delta in zip((architecture.scale_view(flat), *biases, *shares), deltas, strict=False):
        if db is not None and delta is not None:
            yield db, delta


@_quiet
def input_error(made: Architecture, parameters: NDArray[Any], passed: Forward, delta: Array) -> Array:
    """Return dC/dX from delta of layer 1: BP2's product, one layer further back."""
    error = _below(made, parameters, delta)
    return error if passed.embedded is None else passed.embedded.input_error(error)


def _below(architecture: Architecture, parameters: NDArray[Any], delta: Array) -> Array:
    """Return the error below the input scale."""
    error: Array = delta @ architecture.views(parameters)[0][0]
    return error if (s := architecture.scale_view(parameters)) is None else error * s
