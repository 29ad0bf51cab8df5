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

`Architecture` has the shapes. Parameters are the flat vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.architecture import Architecture

# Non-finite values are looked for where they matter, by the training; a NumPy warning would only say
# it a second time, and a caller's np.errstate(all="raise") is for the caller's own code.
_quiet = np.errstate(all="ignore")


class Forward(NamedTuple):
    """What one pass forwards leaves: ``z[l]`` of every weight layer, ``a[0] = X`` and ``a[l + 1]``.

    With dropout, ``a[l + 1]`` is what the next layer saw, and ``keep[l]`` what f(z) was multiplied
    by: 0 for a dropped neuron, 1 / (1 - rate) for a kept one (inverted dropout, Srivastava et al.
    2014); None where nothing is dropped. With an input scale s, ``z[0] = (X * s) @ W.T + b``, and
    `scaled` is (s, W).
    """

    z: tuple[Array, ...]
    a: tuple[Array, ...]
    keep: tuple[Array | None, ...]
    scaled: tuple[Array, Array] | None = None


class Backward(NamedTuple):
    """What one pass backwards leaves, for each sample: ``error[l] = dC/da``, ``delta[l] = dC/dz``."""

    error: tuple[Array, ...]
    delta: tuple[Array, ...]


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
    a = X if s is None else X * s
    zs, activations = [], [X]
    for layer, W, b, kept in zip(architecture.layers, weights, biases, keep, strict=True):
        z = a @ W.T if b is None else a @ W.T + b
        a = layer.function(z)
        a = a if kept is None else a * kept
        zs.append(z)
        activations.append(a)
    return Forward(tuple(zs), tuple(activations), keep, None if s is None else (s, weights[0]))


@_quiet
def backward(
    architecture: Architecture,
    parameters: NDArray[Any],
    passed: Forward,
    Y: Array,
    sample_weight: Array | None = None,
) -> Backward:
    """Return dC/da and dC/dz of every layer, for the cost of each sample (times its weight)."""
    weights, _ = architecture.views(parameters)
    z, a, keep, _ = passed
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
        deltas.insert(0, architecture.layers[l].function.backward(z[l], error))  # BP2
    return Backward(tuple(errors), tuple(deltas))


@_quiet
def gradient(architecture: Architecture, passed: Forward, back: Backward) -> NDArray[Any]:
    """Return the gradient of the cost over the batch, as a flat vector like the parameters."""
    flat = np.empty(architecture.n_parameters, passed.z[0].dtype)
    weight_gradients, bias_gradients = architecture.views(flat)
    scale = architecture.cost.scale(len(passed.a[0]))
    for dW, db, delta, a_previous in zip(
        weight_gradients, bias_gradients, back.delta, passed.a, strict=False
    ):
        if db is not None:
            db[:] = scale * delta.sum(axis=0)  # BP3
        dW[:] = scale * (delta.T @ a_previous)  # BP4
    _share_with_scale(architecture, passed, flat)
    return flat


def _share_with_scale(architecture: Architecture, passed: Forward, flat: NDArray[Any]) -> None:
    """Turn the gradient of layer 1's effective weights ``W * s`` into those of W and s, in place."""
    if passed.scaled is not None:
        s, W = passed.scaled
        dW, ds = architecture.views(flat)[0][0], architecture.scale_view(flat)
        assert ds is not None
        ds[:] = (dW * W).sum(axis=-2)
        dW *= s


@_quiet
def gradient_per_sample(architecture: Architecture, passed: Forward, back: Backward) -> NDArray[Any]:
    """Return each sample's own gradient, shape (n_samples, n_parameters); not divided by n_samples."""
    flat = np.empty((len(passed.a[0]), architecture.n_parameters), passed.z[0].dtype)
    weight_gradients, bias_gradients = architecture.views(flat)
    for dW, db, delta, a_previous in zip(
        weight_gradients, bias_gradients, back.delta, passed.a, strict=False
    ):
        if db is not None:
            db[:] = delta
        dW[:] = delta[:, :, None] * a_previous[:, None, :]
    _share_with_scale(architecture, passed, flat)
    return flat


@_quiet
def penalty(architecture: Architecture, parameters: NDArray[Any], l2: float, l1: float) -> float:
    """Return ``l2/2 * sum of squared weights + l1 * sum of |weights|``; biases are left out."""
    total = 0.0
    for W in architecture.views(parameters)[0] if l2 or l1 else ():
        wide = W.astype(np.result_type(W, np.float64), copy=False)
        total += 0.5 * l2 * (wide * wide).sum() + l1 * (np.abs(wide).sum() if l1 else 0.0)
    return total if np.iscomplexobj(total) else float(total)


@_quiet
def add_penalty_gradient(
    architecture: Architecture, flat: NDArray[Any], parameters: NDArray[Any], l2: float, l1: float
) -> None:
    """Add ``l2 * W + l1 * sign(W)`` to the gradient of every weight, in place."""
    for dW, W in zip(architecture.views(flat)[0], architecture.views(parameters)[0], strict=True):
        if l2:
            dW += l2 * W
        if l1:
            dW += l1 * np.sign(W)
