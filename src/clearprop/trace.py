"""What one exact pass computed, kept to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.activations import Array
from clearprop.architecture import Architecture


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of the cost with respect to every parameter.

    Attributes
    ----------
    flat : ndarray of shape (n_parameters,)
        In the order of ``net.parameters``; with ``per_sample=True`` a leading axis of samples.
    weights, biases : tuple of ndarray
        Views into it, in the shapes of ``net.weights`` and ``net.biases``.
    """

    flat: Array
    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]

    @classmethod
    def of(cls, architecture: Architecture, flat: Array) -> Gradient:
        """Return the gradient whose flat vector is given."""
        return cls(flat, *architecture.views(flat))


@dataclass(frozen=True, eq=False)
class TraceLayer:
    """One weight layer of a pass; every array is read-only.

    Attributes
    ----------
    z, a, error, delta : ndarray of shape (n_samples, n_out)
        Weighted inputs, activations, dC/da and dC/dz of each sample's own cost.
    slope : ndarray of shape (n_samples, n_out)
        f'(z); for softmax the Jacobians, shape (n_samples, n_out, n_out).
    weight_gradient, bias_gradient : ndarray
        Of the cost over all samples; shapes (n_out, n_in) and (n_out,), None without biases.
    """

    z: Array
    a: Array
    slope: Array
    error: Array
    delta: Array
    weight_gradient: Array
    bias_gradient: Array | None


@dataclass(frozen=True, eq=False)
class Trace:
    """One pass forwards and backwards.

    Attributes
    ----------
    cost : float
    X, Y : ndarray
        What went in, converted and scaled as the network saw it.
    layers : tuple of TraceLayer
    """

    cost: float
    X: Array
    Y: Array
    layers: tuple[TraceLayer, ...]


def trace(architecture: Architecture, parameters: NDArray[Any], X: Array, Y: Array) -> Trace:
    """Return every z, a, slope, error, delta and gradient of one pass."""
    passed = backprop.forward(architecture, parameters, X)
    back = backprop.backward(architecture, parameters, passed, Y)
    dW, db = architecture.views(backprop.gradient(architecture, passed, back))
    costs = architecture.cost.of_samples(architecture.output, passed.z[-1], passed.a[-1], Y)
    layers = []
    for i, layer in enumerate(architecture.layers):
        with np.errstate(all="ignore"):
            slope = layer.function.slope(passed.z[i])
        bias_gradient = db[i]
        layers.append(
            TraceLayer(
                z=_read_only(passed.z[i]),
                a=_read_only(passed.a[i + 1]),
                slope=_read_only(slope),
                error=_read_only(back.error[i]),
                delta=_read_only(back.delta[i]),
                weight_gradient=_read_only(dW[i]),
                bias_gradient=None if bias_gradient is None else _read_only(bias_gradient),
            )
        )
    cost = architecture.cost.reduce(costs)
    return Trace(cost, _read_only(X), _read_only(Y), tuple(layers))
