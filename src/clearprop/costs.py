"""Cost functions: value, derivative dC/da and the output layer's delta dC/dz, from one object.

Each is the cost of one sample, a function of its outputs a and targets y (both of shape
``(n_samples, n_outputs)``); the network reduces it over samples to a mean or a sum. With the output
activation that belongs to it, a cost is computed from z and has ``delta = a - y`` or the like, where
dividing by a vanishing slope would give NaN; with any other it goes through BP1.

``rarer_costs`` has more rows; those too are found here by name: ``costs.huber(delta=0.5)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from clearprop import user_functions
from clearprop.activations import Activation, Array, softplus
from clearprop.names import known_name

_quiet = np.errstate(all="ignore")  # dC/da is honestly infinite where a = 0

# What targets must be
ANY, NOT_NEGATIVE, UNIT_INTERVAL, DISTRIBUTION = (
    "any number",
    "at least 0",
    "in [0, 1]",
    "in [0, 1] and sum to 1 in each row",
)
QUANTITIES, CLASSES, COUNTS = "quantities", "classes", "counts"  # what they stand for


def residual(z: Array, a: Array, y: Array) -> Array:
    """Return the delta in which the slope cancels: (7) of S0."""
    return a - y


@dataclass(frozen=True)
class Canonical:
    """A cost written for one output activation: the forms that are stable there.

    ``value(z, y)`` has shape (n_samples,), ``derivative(a, y) = dC/da`` and ``delta(z, a, y) = dC/dz``
    the shape of y. `targets` is the rule that y must obey; ``printed(a, y)`` is the value as a function
    of a, where it is another than the cost's.
    """

    value: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]
    targets: str = ANY
    delta: Callable[[Array, Array, Array], Array] = residual
    printed: Callable[[Array, Array], Array] | None = None


@dataclass(frozen=True)
class Cost(user_functions.Stored):
    """What the network's outputs cost, and how that changes with them.

    Parameters
    ----------
    name : str
        Under which messages and files know it.
    value : callable
        ``value(a, y)``, shape (n_samples,): the cost of each sample, a function of that sample alone.
    derivative : callable
        ``derivative(a, y) = dC/da``, shape (n_samples, n_outputs).
    reduction : {"mean", "sum"}
        Over the samples.

    Raises
    ------
    ValueError
        If `derivative` disagrees with central differences of `value`, or `value` is not one number
        for each sample that depends on that sample alone (assumption 1 of S2).

    Examples
    --------
    >>> fourth = Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    >>> fourth.value(np.array([[3.0]]), np.array([[1.0]]))
    array([16.])
    """

    name: str
    value: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]
    reduction: str = "mean"
    canonical: Mapping[str, Canonical] = field(default_factory=dict, compare=False)  # by output
    only_canonical: bool = False  # whether it is defined for no other outputs
    smooth: bool = True  # and analytic, as an activation
    parameters: Mapping[str, Any] = field(default_factory=dict, compare=False)
    targets: str = ANY  # the rule that y must obey where no form has one
    kind: str = QUANTITIES  # what y stands for
    usual_outputs: tuple[str, str] = ("identity", "identity")  # of one neuron, of several
    one_output: bool = False  # whether it is for no more
    squares: float | None = None  # c, where it is c ||a - y||^2: notations have a c of their own
    of_targets: Callable[[Array], Array] | None = None  # a part that y alone decides, left out here
    built_in: bool = False

    def __post_init__(self) -> None:
        """Check the reduction, and a derivative that is not our own."""
        known_name("reduction", self.reduction, ("mean", "sum"))
        if not self.built_in:
            user_functions.check_name("cost", self.name, FACTORIES)
            user_functions.check_cost(self)

    @property
    def groups(self) -> tuple[int, ...]:
        """Sizes of the groups of outputs that have a softmax each; () where there are none."""
        return tuple(self.parameters.get("groups", ()))

    def form(self, output: Activation) -> Canonical | None:
        """Return the form that belongs to an output activation; None where BP1 is what there is."""
        return self.canonical.get(output.name)

    @_quiet
    def of_samples(self, output: Activation, z: Array, a: Array, y: Array) -> Array:
        """Return the cost of each sample, shape (n_samples,)."""
        if form := self.form(output):
            return form.value(z, y)
        return user_functions.of_shape(a.shape[:1], self.value(a, y), "value", self.name)

    @_quiet
    def error(self, output: Activation, a: Array, y: Array) -> Array:
        """Return ``dC/da`` of the output layer, shape (n_samples, n_outputs)."""
        if form := self.form(output):
            return form.derivative(a, y)
        found = user_functions.of_shape(a.shape, self.derivative(a, y), "derivative", self.name)
        return found.astype(a.dtype, copy=False)

    @_quiet
    def output_delta(self, output: Activation, z: Array, a: Array, y: Array) -> Array:
        """Return ``dC/dz`` of the output layer, shape (n_samples, n_outputs): BP1, or (37) of S2."""
        if form := self.form(output):
            return form.delta(z, a, y)
        return output.backward(z, self.error(output, a, y))

    def reduce(self, costs: Array, sample_weight: Array | None = None) -> float:
        """Return the mean or the sum of the samples' costs, accumulated in float64."""
        wide = costs.astype(np.result_type(costs, np.float64), copy=False)
        total = wide.sum() if sample_weight is None else (wide * sample_weight).sum()
        number: float = total / len(costs) if self.reduction == "mean" else total
        return number if np.iscomplexobj(total) else float(number)

    def scale(self, n_samples: int) -> float:
        """Return what each sample's gradient is multiplied by: 1 / n_samples, or 1 for a sum."""
        return 1.0 / n_samples if self.reduction == "mean" else 1.0

    def _found_by(self) -> Any:
        return _again, (self.name, self.reduction, dict(self.parameters))

    def __repr__(self) -> str:
        arguments = [f"{key}={value}" for key, value in self.parameters.items()]
        arguments += [f"reduction={self.reduction!r}"] if self.reduction != "mean" else []
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


Factory = Callable[..., Cost]
FACTORIES: dict[str, Factory] = {}
COSTS: dict[str, Factory] = {}  # those that a name alone makes
One = TypeVar("One", bound=Factory)


def row(factory: One) -> One:
    """Add a built-in cost to the tables."""
    COSTS[factory.__name__] = FACTORIES[factory.__name__] = factory
    return factory


def __getattr__(name: str) -> Factory:
    if name not in FACTORIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return FACTORIES[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *FACTORIES})


built_in = partial(Cost, built_in=True)  # which need not be checked


def log_sum_exp(z: Array) -> Array:
    """Return ``ln sum_j e^z_j``: softmax's denominator, without overflow."""
    top = z.real.max(axis=1, keepdims=True)
    total: Array = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    return total


def ratio(y: Array, a: Array) -> Array:
    """Return y / a, and 0 where y is 0: 0 ln a is 0, also where a has underflowed to 0."""
    found: Array = np.where(y == 0, 0.0, y / a)
    return found


@row
def quadratic(reduction: str = "mean") -> Cost:
    """Return the cost ``1/2 ||a - y||^2``: (26) of S2, J of S1."""
    return built_in(
        "quadratic",
        lambda a, y: 0.5 * ((a - y) ** 2).sum(axis=1),
        lambda a, y: a - y,
        reduction,
        squares=0.5,
    )


@row
def squared_error(reduction: str = "mean") -> Cost:
    """Return the cost ``||a - y||^2``, without the half: C_1 of S3."""
    return built_in(
        "squared_error",
        lambda a, y: ((a - y) ** 2).sum(axis=1),
        lambda a, y: 2.0 * (a - y),
        reduction,
        squares=1.0,
    )


def _entropy_of_each(a: Array, y: Array) -> Array:
    costs: Array = -(y * np.log(a) + (1.0 - y) * np.log1p(-a)).sum(axis=1)
    return costs


_SOFTMAX = Canonical(
    value=lambda z, y: (y * (log_sum_exp(z) - z)).sum(axis=1),
    derivative=lambda a, y: -ratio(y, a),
    targets=DISTRIBUTION,  # else delta is not a - y (X33)
)
_SIGMOID = Canonical(
    value=lambda z, y: (softplus(z) - y * z).sum(axis=1),
    derivative=lambda a, y: ratio(1.0 - y, 1.0 - a) - ratio(y, a),
    targets=UNIT_INTERVAL,
    printed=_entropy_of_each,
)


@row
def cross_entropy(reduction: str = "mean") -> Cost:
    """Return ``-sum y ln a`` for softmax, ``-sum [y ln a + (1-y) ln(1-a)]`` for sigmoid outputs.

    Computed from z; ``delta = a - y`` in both cases (S0 (7)).
    """
    return built_in(
        "cross_entropy",
        lambda a, y: -(y * np.log(a)).sum(axis=1),
        _SOFTMAX.derivative,
        reduction,
        canonical={"softmax": _SOFTMAX, "sigmoid": _SIGMOID},
        only_canonical=True,
        kind=CLASSES,
        usual_outputs=("sigmoid", "softmax"),
    )


@row
def binary_cross_entropy(reduction: str = "mean") -> Cost:
    """Return ``-[y ln a + (1-y) ln(1-a)]`` of one sigmoid output; ``delta = a - y``."""
    return built_in(
        "binary_cross_entropy",
        _entropy_of_each,
        _SIGMOID.derivative,
        reduction,
        canonical={"sigmoid": _SIGMOID},
        only_canonical=True,
        kind=CLASSES,
        usual_outputs=("sigmoid", "sigmoid"),
        one_output=True,
    )


def _again(name: str, reduction: str, parameters: dict[str, Any]) -> Cost:
    return FACTORIES[name](reduction=reduction, **parameters)


def resolve(cost: str | Cost) -> Cost:
    """Return the cost from its name or itself.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return cost if isinstance(cost, Cost) else COSTS[known_name("cost", cost, COSTS)]()
