"""Activation functions, each with its derivative directly below it, and its row in the table.

The first file to read: ``costs``, ``architecture`` and ``backprop`` build on it. Every function
takes the weighted inputs z, an array of any shape, and returns an array of that shape and dtype;
all are finite, or honestly infinite (``exp``), for |z| up to 1e4 in float32 and float64. The smooth
ones also take complex z, which is what the complex-step check of a gradient needs.

softmax is the exception: a neuron's activation depends on its whole layer, so it has a Jacobian
``diag(a) - a a^T`` where the others have a slope. ``rarer_activations`` has more rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import user_functions
from clearprop.names import known_name

Array = NDArray[Any]  # of float32 or float64; of complex128 in a complex-step check
Elementwise = Callable[[Array], Array]

# A product that underflows to zero is the right answer here; a caller's np.errstate(all="raise")
# holds for the caller's own code.
quiet = np.errstate(under="ignore", over="ignore")


@dataclass(frozen=True)
class Activation(user_functions.Stored):
    """A function and its derivative, as one value.

    Parameters
    ----------
    name : str
        Under which messages and files know it.
    function, derivative : callable
        Take z, an array of any shape, and return ``f(z)`` and ``f'(z)``: arrays of that shape, each
        element a function of one element of z.
    kinks : tuple of float, optional
        The z where f' jumps; finite differences across them mean nothing.

    Raises
    ------
    ValueError
        If `derivative` disagrees with central differences of `function`, naming the largest
        mismatch and where it is; or if one of them does not work element by element.

    Examples
    --------
    >>> square = Activation("square", lambda z: z**2, lambda z: 2 * z)
    >>> square(np.array([2.0, 3.0]))
    array([4., 9.])
    """

    name: str
    function: Elementwise
    derivative: Elementwise
    kinks: tuple[float, ...] = ()
    smooth: bool = True  # and analytic: takes complex z
    elementwise: bool = True
    probabilities: bool = False  # whether outputs are: of each alone, or of a whole layer's classes
    parts: tuple[Activation, ...] = ()  # one for each neuron, where they differ
    plain: Activation | None = None  # what a parametric one mixes with the identity
    built_in: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        """Check a derivative that is not our own, and a name that a file would take for ours."""
        if not self.built_in:
            user_functions.check_name("activation", self.name, ACTIVATIONS | PARAMETRIC)
            user_functions.check_activation(self)

    @quiet
    def __call__(self, z: Array) -> Array:
        """Return ``f(z)`` in the dtype of z."""
        return self.function(z).astype(z.dtype, copy=False)

    @quiet
    def slope(self, z: Array) -> Array:
        """Return ``f'(z)``, or for softmax the Jacobians, shape (n_samples, n_out, n_out)."""
        return self.derivative(z).astype(z.dtype, copy=False)

    def backward(self, z: Array, error: Array) -> Array:
        """Return ``delta = dC/dz`` from ``error = dC/da``; both have shape (n_samples, n_out)."""
        if self.elementwise:
            return error * self.slope(z)
        a = self(z)  # error @ (diag(a) - a a^T), without building the Jacobian
        return a * (error - (a * error).sum(axis=1, keepdims=True))

    def _found_by(self) -> Any:
        return resolve, (self.parts or self.name,)

    def __repr__(self) -> str:
        return self.name


ACTIVATIONS: dict[str, Activation] = {}
PARAMETRIC: dict[str, Activation] = {}  # see `parametric_activations`


def row(
    name: str,
    function: Elementwise,
    derivative: Elementwise,
    *,
    kinks: tuple[float, ...] = (),
    smooth: bool = True,
    elementwise: bool = True,
    probabilities: bool = False,
) -> None:
    """Add a built-in activation to the table."""
    how = kinks, smooth, elementwise, probabilities
    ACTIVATIONS[name] = Activation(name, function, derivative, *how, built_in=True)


def identity(z: Array) -> Array:
    """Return z."""
    return z


def identity_slope(z: Array) -> Array:
    """Return 1."""
    return np.ones_like(z)


row("identity", identity, identity_slope)


def magnitude(z: Array) -> Array:
    """Return |z|, continued to complex z."""
    return np.where(z.real >= 0, z, -z)


@quiet
def sigmoid(z: Array) -> Array:
    """Return ``1 / (1 + e^-z)``."""
    e = np.exp(-magnitude(z))  # at most 1: never overflows
    return np.where(z.real >= 0, 1.0, e) / (1.0 + e)


@quiet
def sigmoid_slope(z: Array) -> Array:
    """Return ``sigma (1 - sigma)``, to full precision where 1 - sigma rounds to 0."""
    e = np.exp(-magnitude(z))
    return e / (1.0 + e) ** 2


row("sigmoid", sigmoid, sigmoid_slope, probabilities=True)


def _log1p(z: Array) -> Array:
    if not np.iscomplexobj(z):
        return np.log1p(z)
    x, y = z.real, z.imag  # NumPy's own rounds 1 + x, and a small x is lost
    made: Array = 0.5 * np.log1p(x * (2.0 + x) + y * y) + 1j * np.arctan2(y, 1.0 + x)
    return made


@quiet
def softplus(z: Array) -> Array:
    """Return ``ln(1 + e^z)``, whose slope is the sigmoid."""
    return np.where(z.real >= 0, z, 0.0) + _log1p(np.exp(-magnitude(z)))


row("softplus", softplus, sigmoid)


def tanh_slope(z: Array) -> Array:
    """Return ``1 - tanh^2``, to full precision where tanh rounds to 1."""
    return 4.0 * sigmoid_slope(2.0 * z)


row("tanh", np.tanh, tanh_slope)


def relu(z: Array) -> Array:
    """Return z above 0, else 0."""
    return np.maximum(z, 0.0)  # not np.where(z > 0, ...): a NaN has to stay one


def relu_slope(z: Array) -> Array:
    """Return 1 above 0, else 0."""
    return np.where(z > 0, 1.0, 0.0)


row("relu", relu, relu_slope, kinks=(0.0,), smooth=False)


@quiet
def softmax(z: Array) -> Array:
    """Return ``e^z`` over its sum along the last axis."""
    e = np.exp(z - z.real.max(axis=-1, keepdims=True))  # the largest is e^0: never overflows
    return e / e.sum(axis=-1, keepdims=True)


def softmax_jacobian(z: Array) -> Array:
    """Return ``diag(a) - a a^T`` of each sample."""
    a = softmax(z)
    return a[..., :, None] * (np.eye(a.shape[-1], dtype=a.dtype) - a[..., None, :])


row("softmax", softmax, softmax_jacobian, elementwise=False, probabilities=True)


def resolve(activation: str | Activation | Sequence[str | Activation]) -> Activation:
    """Return the activation of a layer from its name, itself, or one for each neuron.

    Raises
    ------
    ValueError
        If a name is unknown, or softmax is asked for single neurons.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        found = PARAMETRIC.get(activation)
        return found or ACTIVATIONS[known_name("activation", activation, ACTIVATIONS)]
    if not isinstance(activation, Sequence):
        raise TypeError(
            "activation must be a name, an Activation, or a list with one of these for each neuron, "
            f"got {activation!r}"
        )
    return _one_for_each_neuron(tuple(resolve(part) for part in activation))


def _one_for_each_neuron(parts: tuple[Activation, ...]) -> Activation:
    for part in parts:
        if not part.elementwise or part.plain:
            raise ValueError(f"activation {part} is for a whole layer, not for single neurons")
    if len(set(parts)) == 1:
        return parts[0]
    columns = {f: np.array([j for j, part in enumerate(parts) if part == f]) for f in set(parts)}

    def by_column(what: Callable[[Activation, Array], Array], z: Array) -> Array:
        result = np.empty_like(z)
        for f, mine in columns.items():
            result[..., mine] = what(f, z[..., mine])
        return result

    return Activation(
        name="[" + ", ".join(part.name for part in parts) + "]",
        function=lambda z: by_column(Activation.__call__, z),
        derivative=lambda z: by_column(Activation.slope, z),
        kinks=tuple(sorted({kink for part in parts for kink in part.kinks})),
        smooth=all(part.smooth for part in parts),
        parts=parts,
        built_in=True,
    )
