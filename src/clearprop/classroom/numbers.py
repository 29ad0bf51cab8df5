"""Networks and rows with short numbers: weights of two digits, drawn for each student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from clearprop import backprop, randomness
from clearprop.activations import Array
from clearprop.architecture import Layer
from clearprop.classroom.sheet import MOST_ROWS, Worksheet
from clearprop.classroom.working import BLANKS
from clearprop.explain.notation import Notation
from clearprop.names import integer
from clearprop.network import Network

MOST_STUDENTS = 1000
_WEIGHTS = np.array([k / 10 for k in range(-9, 10) if k])
_INPUTS = np.array([-1.0, 1.0, -2.0, 2.0, -3.0, 3.0])
_TRIES = 2000  # of drawing numbers that make a good exercise
_STEEP = 2.5  # |z| beyond which sigmoid and tanh hardly learn: nothing but zeros would be to be found
_SMALL = 0.03  # of z and dC/da: below it, rounded numbers that are subtracted leave few digits
_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # what an output comes near to


def worksheets(
    layers: Sequence[int | Layer] = (2, 2, 1),
    activation: str = "sigmoid",
    output: str | None = None,
    cost: str = "quadratic",
    *,
    rows: int = 1,
    blanks: Sequence[str] = BLANKS,
    learning_rate: float = 0.5,
    notation: str | Notation = "nielsen",
    digits: int = 4,
    students: int = 1,
    seed: int | None = 0,
) -> tuple[Worksheet, ...]:
    """Return an exercise for each student: one pass, or one step of training, to be worked by hand.

    Weights and biases are tenths below 1, inputs whole numbers up to 2 or 3; with relu and identity the
    results stay short as well, elsewhere they are rounded to a stated number of digits. No weighted
    input is so large that its neuron is saturated, and no output is all but right already.

    Parameters
    ----------
    layers : sequence
        Sizes as for `Network`; at most 4 neurons a layer.
    activation, output, cost : str
        As for `Network`; without an output, of the quadratic costs it is the activation of the hidden
        layers.
    rows : int
        In the batch, at most 3.
    blanks : sequence of {"forward", "deltas", "gradients", "update"}
        What is to be filled in.
    learning_rate, notation, digits
        As for `Worksheet`.
    students : int
        How many exercises; each has other numbers.
    seed : int, optional
        Of the numbers: the same gives the same exercises. None draws one.

    Returns
    -------
    tuple of Worksheet

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> first, second = worksheets([2, 2, 1], students=2, seed=1)
    >>> len(first.lines), first.net.weights[0].tolist() != second.net.weights[0].tolist()
    (29, True)
    """
    n, m = integer("students", students, 1), integer("rows", rows, 1)
    if n > MOST_STUDENTS:
        raise ValueError(f"students must be at most {MOST_STUDENTS:,}, got {n:,}")
    if m > MOST_ROWS:
        raise ValueError(f"rows must be at most {MOST_ROWS}, so that all fit on a sheet, got {m}")
    if output is None and cost in ("quadratic", "squared_error"):
        output = activation
    net = Network(list(layers), activation, output, cost, dtype="float64", seed=0)
    key = randomness.check_seed(seed)
    made, seen = [], set()
    for student in range(n):
        for X, Y in _draws(net, m, key, student):
            numbers = net.parameters.tobytes() + X.tobytes() + Y.tobytes()
            if numbers not in seen:
                seen.add(numbers)
                break
        made.append(
            Worksheet(
                net, X, Y, blanks=blanks, learning_rate=learning_rate, notation=notation, digits=digits,
                number=student + 1, of=n,
            )
        )  # fmt: skip
    return tuple(made)


def _draws(net: Network, m: int, seed: int, student: int) -> Iterator[tuple[Array, Array]]:
    """Yield rows after the network has got new parameters, as often as both make a good exercise."""
    n_in, n_out = net.architecture.n_features, net.sizes[-1]
    needed = net.n_parameters + m * (n_in + n_out)
    inputs = _INPUTS if n_in < 3 else _INPUTS[:4]  # many large ones saturate a neuron
    for attempt in range(_TRIES):
        u = randomness.uniform(
            seed, needed, purpose=randomness.WORKSHEET, step=student, first=attempt * needed
        )
        net.parameters[:] = _picked(_WEIGHTS, u[: net.n_parameters])
        x, y = np.split(u[net.n_parameters :], [m * n_in])
        X, Y = _picked(inputs, x).reshape(m, n_in), _targets(net, y.reshape(m, n_out))
        small = _SMALL / 2 ** (attempt // 100)  # of many numbers one is always small
        if len(np.unique(X, axis=0)) == m and _is_good(net, X, Y, small, attempt < _TRIES // 4):
            yield X, Y
    sizes = "-".join(map(str, net.sizes))
    raise ValueError(
        f"students must be fewer, or the network {sizes} another: of {_TRIES:,} draws for sheet "
        f"{student + 1} none made a good exercise that no other sheet has"
    )


def _picked(choices: Array, u: Array) -> Array:
    return choices[(u * len(choices)).astype(int)]


def _targets(net: Network, u: Array) -> Array:
    """Return a class of each row, zeros and ones, or tenths, as the outputs can be."""
    output = net.architecture.output
    if not output.elementwise:
        return np.eye(u.shape[1])[u.argmax(axis=1)]
    if ends := _RANGES.get(output.name):
        return np.where(u < 0.5, *ends)
    return np.round(3.0 * u - 1.5, 1)


def _is_good(net: Network, X: Array, Y: Array, small: float, strict: bool) -> bool:
    """Return whether no neuron is saturated or dead, and little is lost by rounding.

    Not `strict`, a relu may be dead beside one that is not: of many, one always is.
    """
    architecture = net.architecture
    passed = backprop.forward(architecture, net.parameters, X)
    for layer, z in zip(architecture.layers, passed.z, strict=True):
        steep = _STEEP if _RANGES.get(layer.function.name) else np.inf
        if np.abs(z).min() < small or np.abs(z).max() > steep:
            return False
    back = backprop.backward(architecture, net.parameters, passed, Y)
    if not all(delta.any(axis=0).all() if strict else delta.any() for delta in back.delta):
        return False
    differences = (*back.error[:-1], back.delta[-1]) if strict else back.delta[-1:]
    return all(np.abs(each).min() >= small for each in differences)
