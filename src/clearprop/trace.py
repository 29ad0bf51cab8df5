"""What one exact pass computed, kept to be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop, penalties
from clearprop.activations import Activation, Array
from clearprop.architecture import Architecture
from clearprop.parametric_activations import with_share

if TYPE_CHECKING:
    from clearprop.optimizers import Optimizer


def _read_only(array: Array) -> Array:
    """Return a view that cannot be made writable again, since what it is a view of is not."""
    owner = array if array.base is None else array.base
    if isinstance(owner, np.ndarray):
        owner.flags.writeable = False
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
    architecture : Architecture
        Which says where in it `weights`, `biases` and `embedding` are; those are made when asked for.
    """

    flat: Array
    architecture: Architecture = field(repr=False)

    @cached_property
    def weights(self) -> tuple[Array, ...]:
        """Views of shape (n_out, n_in)."""
        return self.architecture.views(self.flat)[0]

    @cached_property
    def biases(self) -> tuple[Array | None, ...]:
        """Views of shape (n_out,); None where a layer has none."""
        return self.architecture.views(self.flat)[1]

    @cached_property
    def embedding(self) -> dict[str, Array]:
        """Views of the embedding's arrays."""
        return self.architecture.embedding_views(self.flat)

    @classmethod
    def of_batch(
        cls,
        architecture: Architecture,
        parameters: Array,
        X: Array,
        Y: Array,
        weight: Array | None,
        l2: float,
        l1: float,
    ) -> Gradient:
        """Return the gradient of the cost over a batch, penalties included."""
        passed = backprop.forward(architecture, parameters, X)
        back = backprop.backward(architecture, parameters, passed, Y, weight)
        flat = backprop.gradient(architecture, passed, back)
        penalties.add_gradient(architecture, flat, parameters, l2, l1)
        return cls(flat, architecture)

    @classmethod
    def of_samples(
        cls, architecture: Architecture, parameters: Array, X: Array, Y: Array, weight: Array | None
    ) -> Gradient:
        """Return each sample's own gradient, along a leading axis."""
        passed = backprop.forward(architecture, parameters, X)
        back = backprop.backward(architecture, parameters, passed, Y, weight)
        return cls(backprop.gradient_per_sample(architecture, passed, back), architecture)


def jacobian(architecture: Architecture, parameters: NDArray[Any], X: Array) -> Array:
    """Return dA/dX, shape (n_samples, n_outputs, n_features): BP2 from each output down."""
    passed = backprop.forward(architecture, parameters, X)
    weights, functions = architecture.views(parameters)[0], architecture.functions(parameters)
    rows = []
    for output in np.eye(architecture.sizes[-1], dtype=X.dtype):
        with np.errstate(all="ignore"):
            delta = functions[-1].backward(passed.z[-1], np.broadcast_to(output, passed.a[-1].shape))
            for l in reversed(range(len(weights) - 1)):  # noqa: E741 - the layer, as in the equations
                delta = functions[l].backward(passed.z[l], delta @ weights[l + 1])
        rows.append(backprop.input_error(architecture, parameters, passed, delta))
    return np.stack(rows, axis=1)


def input_gradient(architecture: Architecture, parameters: NDArray[Any], X: Array, Y: Array) -> Array:
    """Return dC/dX of each sample's own cost: BP2, one layer further back than the first."""
    passed = backprop.forward(architecture, parameters, X)
    back = backprop.backward(architecture, parameters, passed, Y)
    return backprop.input_error(architecture, parameters, passed, back.delta[0])


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
    weights, biases : ndarray
        What the pass was made with, copied; biases are None without biases.
    function : Activation
        With its shares, where it is parametric.
    shares, share_gradient : ndarray of shape (n_out,), or None
        Of a parametric activation: how much of its function each neuron takes.
    """

    z: Array
    a: Array
    slope: Array
    error: Array
    delta: Array
    weight_gradient: Array
    bias_gradient: Array | None
    weights: Array
    biases: Array | None
    function: Activation
    shares: Array | None = None
    share_gradient: Array | None = None

    def of_neuron(self, j: int) -> Activation:
        """Return the activation of one neuron; a parametric one is named with its share."""
        function, shares = self.function, self.shares
        if shares is None:
            return function.parts[j] if function.parts else function
        return replace(with_share(function, shares[j]), name=f"{function.name} {shares[j]:.4g}")


@dataclass(frozen=True, eq=False)
class TraceEmbedding:
    """The embedding of a pass; every array is read-only. f inputs are embedded.

    Attributes
    ----------
    x : ndarray of shape (n_samples, f)
    basis : ndarray of shape (n_samples, f, m)
        phi of each.
    h, delta : ndarray of shape (n_samples, f, d)
        Before its function, and dC/dh of each sample's own cost.
    basis_error, phase_error : ndarray
        dC/dphi, the shape of `basis`, and dC/dphase, shape (n_samples, f, n_waves); None without waves.
    one_hot, vector_error : ndarray
        The columns of categories, shape (n_samples, n_columns), and dC/dE of their vectors, shape
        (n_samples, n_categories, d); without categories there are none.
    a : ndarray of shape (n_samples, n_inputs)
        What it makes of all inputs; `Trace.inputs` unless there is an input scale.
    parameters, gradient : dict of ndarray
        Its arrays, by the last part of their blocks' names.
    """

    x: Array
    basis: Array
    h: Array
    a: Array
    delta: Array
    basis_error: Array
    phase_error: Array | None
    one_hot: Array
    vector_error: Array
    parameters: dict[str, Array]
    gradient: dict[str, Array]


@dataclass(frozen=True, eq=False)
class TraceScale:
    """The learned input scale of a pass; every array is read-only.

    Attributes
    ----------
    scale, gradient : ndarray of shape (n_inputs,)
        s, and its gradient over all samples.
    below, error : ndarray of shape (n_samples, n_inputs)
        What it multiplies, X or what X is embedded as, and dC/da of what layer 1 sees, of each sample's
        own cost.
    """

    scale: Array
    gradient: Array
    below: Array
    error: Array


@dataclass(frozen=True, eq=False)
class Update:
    """The step that an optimizer makes from this gradient, its first one; every array is read-only.

    Attributes
    ----------
    optimizer : Optimizer
    learning_rate : ndarray of shape ()
    weights, biases, shares : tuple of ndarray
        After the step, all layers' gradients having been taken before it (X36).
    embedding : dict of ndarray
        The embedding's arrays after it.
    """

    optimizer: Optimizer
    learning_rate: Array
    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    embedding: dict[str, Array]
    shares: tuple[Array | None, ...] = ()


@dataclass(frozen=True, eq=False)
class Trace:
    """One pass forwards and backwards.

    Attributes
    ----------
    cost : float
    X, Y : ndarray
        What went in, converted and scaled as the network saw it.
    inputs : ndarray of shape (n_samples, n_inputs)
        The activations of layer 0: X, or what it is embedded as, times the learned input scale where
        there is one.
    layers : tuple of TraceLayer
    architecture : Architecture
    sample_costs : ndarray of shape (n_samples,)
        The cost of each sample.
    multiply_adds : tuple of int
        Of this pass forwards, and backwards (X21).
    update : Update or None
        None where no optimizer was given: it was not computed.
    embedding : TraceEmbedding or None
    scale : TraceScale or None
    """

    cost: float
    X: Array
    Y: Array
    layers: tuple[TraceLayer, ...]
    architecture: Architecture
    sample_costs: Array
    multiply_adds: tuple[int, int]
    inputs: Array
    update: Update | None = None
    embedding: TraceEmbedding | None = None
    scale: TraceScale | None = None


def trace(
    architecture: Architecture,
    parameters: NDArray[Any],
    X: Array,
    Y: Array,
    optimizer: Optimizer | None = None,
) -> Trace:
    """Return every z, a, slope, error, delta and gradient of one pass, and an optimizer's update.

    Raises
    ------
    ValueError
        If the optimizer does not step from one gradient (L-BFGS searches along a line).
    """
    parameters, X, Y = parameters.copy(), X.copy(), Y.copy()  # what is shown must not change later
    passed = backprop.forward(architecture, parameters, X)
    back = backprop.backward(architecture, parameters, passed, Y)
    gradient = backprop.gradient(architecture, passed, back)
    dW, db = architecture.views(gradient)
    W, b = architecture.views(parameters)
    costs = architecture.cost.of_samples(architecture.output, passed.z[-1], passed.a[-1], Y)
    layers = []
    shares, of_shares = architecture.shares(parameters), architecture.shares(gradient)
    for i, function in enumerate(architecture.functions(parameters)):
        with np.errstate(all="ignore"):
            slope = function.slope(passed.z[i])
        layers.append(
            TraceLayer(
                z=_read_only(passed.z[i]),
                a=_read_only(passed.a[i + 1]),
                slope=_read_only(slope),
                error=_read_only(back.error[i]),
                delta=_read_only(back.delta[i]),
                weight_gradient=_read_only(dW[i]),
                bias_gradient=_if_there(db[i]),
                weights=_read_only(W[i]),
                biases=_if_there(b[i]),
                function=function,
                shares=_if_there(shares[i]),
                share_gradient=_if_there(of_shares[i]),
            )
        )
    forward, backward = (len(X) * each for each in architecture.multiply_adds())
    return Trace(
        architecture.cost.reduce(costs),
        _read_only(X),
        _read_only(Y),
        tuple(layers),
        architecture,
        _read_only(costs),
        (forward, backward),
        _read_only(passed.a[0]),
        None if optimizer is None else _update(architecture, parameters, gradient, optimizer),
        _embedding(architecture, back, parameters, gradient),
        _scale(architecture, passed, parameters, gradient, back.delta[0]),
    )


def _if_there(array: Array | None) -> Array | None:
    return None if array is None else _read_only(array)


def _embedding(
    architecture: Architecture, back: backprop.Backward, parameters: Array, gradient: Array
) -> TraceEmbedding | None:
    if back.embedding is None:
        return None
    passed, phase = back.embedding.embedded, back.embedding.phase
    x, basis, h, a, one_hot, delta, error, of_vectors = map(
        _read_only, (*passed[2:], back.embedding.h, back.embedding.basis, back.embedding.vectors)
    )
    of_phase = None if phase is None else _read_only(phase)
    of_both = (architecture.embedding_views(flat) for flat in (parameters, gradient))
    return TraceEmbedding(
        x,
        basis,
        h,
        a,
        delta,
        error,
        of_phase,
        one_hot,
        of_vectors,
        *({name: _read_only(p) for name, p in of.items()} for of in of_both),
    )


def _scale(
    architecture: Architecture,
    passed: backprop.Forward,
    parameters: Array,
    gradient: Array,
    delta: Array,
) -> TraceScale | None:
    s, ds = (architecture.scale_view(flat) for flat in (parameters, gradient))
    if s is None or ds is None:
        return None
    below = passed.X if passed.embedded is None else passed.embedded.out
    with np.errstate(all="ignore"):
        error: Array = delta @ architecture.views(parameters)[0][0]
    return TraceScale(*map(_read_only, (s, ds, below, error)))


def _update(
    architecture: Architecture, parameters: NDArray[Any], gradient: Array, optimizer: Optimizer
) -> Update:
    rate = np.array(float(optimizer.schedule(0.0)), parameters.dtype)
    factors = architecture.factors("lr_factor").astype(parameters.dtype)
    decay = architecture.factors("decay_factor").astype(parameters.dtype)
    try:
        with np.errstate(all="ignore"):
            after, _ = optimizer.update(
                parameters, gradient, optimizer.init(parameters), rate * factors, 1, decay
            )
    except NotImplementedError:
        raise ValueError(
            f"optimizer must step from one gradient, got {optimizer!r}, which searches along a line"
        ) from None
    W, b = architecture.views(after)
    return Update(
        optimizer,
        _read_only(rate),
        tuple(_read_only(each) for each in W),
        tuple(map(_if_there, b)),
        {name: _read_only(each) for name, each in architecture.embedding_views(after).items()},
        tuple(map(_if_there, architecture.shares(after))),
    )
