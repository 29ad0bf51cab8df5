"""Cost functions: value, derivative dC/da and the output layer's delta dC/dz, from one object.

Each is the cost of one sample, a function of its outputs a and targets y (both of shape
``(n_samples, n_outputs)``); the network reduces it over samples to a mean or a sum. With the output
activation that belongs to it, a cost is computed from z and has ``delta = a - y`` or the like, where
dividing by a vanishing slope would give NaN; with any other it goes through BP1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from clearprop import user_functions
from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.names import is_number, known_name

_sigmoid, _softplus, _softmax = (ACTIVATIONS[name] for name in ("sigmoid", "softplus", "softmax"))
_quiet = np.errstate(all="ignore")  # dC/da is honestly infinite where a = 0

ANY, NOT_NEGATIVE, UNIT_INTERVAL, DISTRIBUTION = (
    "any number",
    "at least 0",
    "in [0, 1]",
    "in [0, 1] and sum to 1 in each row",
)


@dataclass(frozen=True)
class Canonical:
    """A cost written for one output activation: the forms that are stable there.

    ``value(z, y)`` has shape (n_samples,), ``derivative(a, y) = dC/da`` and ``delta(z, a, y) = dC/dz``
    the shape of y. `targets` is the rule that y must obey.
    """

    value: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array, Array], Array]
    targets: str = ANY


@dataclass(frozen=True)
class Cost:
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
    canonical: Mapping[str, Canonical] = field(default_factory=dict, repr=False, compare=False)
    only_canonical: bool = field(default=False, repr=False)
    smooth: bool = field(default=True, repr=False)
    targets: str = field(default=ANY, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, compare=False)
    built_in: bool = field(default=False, repr=False)

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

    @_quiet
    def of_samples(self, output: Activation, z: Array, a: Array, y: Array) -> Array:
        """Return the cost of each sample, shape (n_samples,)."""
        if output.name in self.canonical:
            return self.canonical[output.name].value(z, y)
        return self._shaped("value", self.value(a, y), a.shape[:1])

    @_quiet
    def error(self, output: Activation, a: Array, y: Array) -> Array:
        """Return ``dC/da`` of the output layer, shape (n_samples, n_outputs)."""
        if output.name in self.canonical:
            return self.canonical[output.name].derivative(a, y)
        return self._shaped("derivative", self.derivative(a, y), a.shape).astype(a.dtype, copy=False)

    @_quiet
    def output_delta(self, output: Activation, z: Array, a: Array, y: Array) -> Array:
        """Return ``dC/dz`` of the output layer, shape (n_samples, n_outputs): BP1, or (37) of S2."""
        if output.name in self.canonical:
            return self.canonical[output.name].delta(z, a, y)
        return output.backward(z, self.error(output, a, y))

    def _shaped(self, what: str, found: Any, shape: tuple[int, ...]) -> Array:
        """Return what an own function gave; its shape may be one that broadcasting would hide."""
        made: Array = np.asarray(found)
        if not self.built_in and made.shape != shape:
            raise ValueError(
                f"the {what} of cost {self.name!r} must have the shape {shape} for {shape[0]} samples, "
                f"got {made.shape}"
            )
        return made

    def reduce(self, costs: Array, sample_weight: Array | None = None) -> float:
        """Return the mean or the sum of the samples' costs, accumulated in float64."""
        wide = costs.astype(np.result_type(costs, np.float64), copy=False)
        total = wide.sum() if sample_weight is None else (wide * sample_weight).sum()
        number: float = total / len(costs) if self.reduction == "mean" else total
        return number if np.iscomplexobj(total) else float(number)

    def scale(self, n_samples: int) -> float:
        """Return what each sample's gradient is multiplied by: 1 / n_samples, or 1 for a sum."""
        return 1.0 / n_samples if self.reduction == "mean" else 1.0

    def check_outputs(self, output: Activation, n_outputs: int) -> None:
        """Refuse an output layer for which this cost is not defined.

        Raises
        ------
        ValueError
            If the output activation, or the number of outputs, does not go with this cost.
        """
        if self.only_canonical and output.name not in self.canonical:
            raise ValueError(
                f"cost {self.name} needs outputs through {' or '.join(self.canonical)}, "
                f"got {output.name}"
            )
        if self.groups and sum(self.groups) != n_outputs:
            raise ValueError(
                f"groups must be of all {n_outputs} outputs together, got {list(self.groups)}"
            )
        if self.name == "binary_cross_entropy" and n_outputs != 1:
            raise ValueError(f"cost binary_cross_entropy needs one output, got {n_outputs}")

    def check_targets(self, output: Activation, y: Array, argument: str = "Y") -> None:
        """Refuse targets for which this cost is not defined.

        Raises
        ------
        ValueError
            Naming the first row that breaks the rule (X33: soft targets must sum to 1).
        """
        form = self.canonical.get(output.name)
        rule = form.targets if form else self.targets
        if rule == ANY:
            return
        wrong = (y < 0) if rule == NOT_NEGATIVE else (y < 0) | (y > 1)
        rows = wrong.any(axis=1)
        if rule == DISTRIBUTION:
            rows |= np.abs(y.sum(axis=1, dtype=np.float64) - 1.0) > 1e-4
        if rows.any():
            row = int(np.argmax(rows))
            raise ValueError(
                f"{argument} must be {rule} for cost {self.name} with {output.name} outputs, "
                f"got {y[row].tolist()} in row {row}"
            )

    def __reduce__(self) -> Any:
        if not self.built_in:
            return super().__reduce__()
        return _again, (self.name, self.reduction, dict(self.parameters))  # found again, not pickled

    def __repr__(self) -> str:
        arguments = [f"{key}={value}" for key, value in self.parameters.items()]
        arguments += [f"reduction={self.reduction!r}"] if self.reduction != "mean" else []
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


def _log_sum_exp(z: Array) -> Array:
    top = z.real.max(axis=1, keepdims=True)
    total: Array = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    return total


def _ratio(y: Array, a: Array) -> Array:
    ratio: Array = np.where(y == 0, 0.0, y / a)  # 0 ln a is 0, also where a has underflowed to 0
    return ratio


_SOFTMAX = Canonical(
    value=lambda z, y: (y * (_log_sum_exp(z) - z)).sum(axis=1),
    derivative=lambda a, y: -_ratio(y, a),
    delta=lambda z, a, y: a - y,  # needs rows of y that sum to 1 (X33)
    targets=DISTRIBUTION,
)
_SIGMOID = Canonical(
    value=lambda z, y: (_softplus(z) - y * z).sum(axis=1),
    derivative=lambda a, y: _ratio(1.0 - y, 1.0 - a) - _ratio(y, a),
    delta=lambda z, a, y: a - y,
    targets=UNIT_INTERVAL,
)
_POISSON_EXP = Canonical(
    value=lambda z, y: (np.exp(z) - y * z).sum(axis=1),
    derivative=lambda a, y: 1.0 - _ratio(y, a),
    delta=lambda z, a, y: a - y,
    targets=NOT_NEGATIVE,
)
# Below z = -30, softplus(z) = exp(z) to the last bit of float64, and its slope over itself is 1.
_POISSON_SOFTPLUS = Canonical(
    value=lambda z, y: (
        _softplus(z) - y * np.where(z.real < -30, z, np.log(_softplus(np.where(z.real < -30, 0.0, z))))
    ).sum(axis=1),
    derivative=lambda a, y: 1.0 - _ratio(y, a),
    delta=lambda z, a, y: _sigmoid(z) - y * np.where(z.real < -30, 1.0, _sigmoid(z) / a),
    targets=NOT_NEGATIVE,
)


def _built_in(name: str, value: Any, derivative: Any, reduction: str, **how: Any) -> Cost:
    return Cost(name, value, derivative, reduction, built_in=True, **how)


def quadratic(reduction: str = "mean") -> Cost:
    """Return the cost ``1/2 ||a - y||^2``: (26) of S2, J of S1."""
    return _built_in(
        "quadratic",
        lambda a, y: 0.5 * ((a - y) ** 2).sum(axis=1),
        lambda a, y: a - y,
        reduction,
    )


def squared_error(reduction: str = "mean") -> Cost:
    """Return the cost ``||a - y||^2``, without the half: C_1 of S3."""
    return _built_in(
        "squared_error",
        lambda a, y: ((a - y) ** 2).sum(axis=1),
        lambda a, y: 2.0 * (a - y),
        reduction,
    )


def cross_entropy(reduction: str = "mean") -> Cost:
    """Return ``-sum y ln a`` for softmax, ``-sum [y ln a + (1-y) ln(1-a)]`` for sigmoid outputs.

    Computed from z; ``delta = a - y`` in both cases (S0 (7)).
    """
    return _built_in(
        "cross_entropy",
        lambda a, y: -(y * np.log(a)).sum(axis=1),
        _SOFTMAX.derivative,
        reduction,
        canonical={"softmax": _SOFTMAX, "sigmoid": _SIGMOID},
        only_canonical=True,
    )


def binary_cross_entropy(reduction: str = "mean") -> Cost:
    """Return ``-[y ln a + (1-y) ln(1-a)]`` of one sigmoid output; ``delta = a - y``."""
    return _built_in(
        "binary_cross_entropy",
        lambda a, y: -(y * np.log(a) + (1.0 - y) * np.log1p(-a)).sum(axis=1),
        _SIGMOID.derivative,
        reduction,
        canonical={"sigmoid": _SIGMOID},
        only_canonical=True,
    )


def mean_absolute_error(reduction: str = "mean") -> Cost:
    """Return ``sum_j |a_j - y_j|``, whose derivative at 0 is taken as 0."""
    return _built_in(
        "mean_absolute_error",
        lambda a, y: np.abs(a - y).sum(axis=1),
        lambda a, y: np.sign(a - y),
        reduction,
        smooth=False,
    )


def huber(delta: float = 1.0, reduction: str = "mean") -> Cost:
    """Return ``sum_j r_j^2 / 2`` where ``|r_j| = |a_j - y_j|`` is at most delta, else linear.

    Beyond it the cost is ``delta (|r| - delta / 2)``, so that value and slope are continuous (Huber
    1964).

    Raises
    ------
    ValueError
        If `delta` is not above 0.
    """
    if not is_number(delta) or delta <= 0:
        raise ValueError(f"delta must be a finite number above 0, got {delta!r}")

    def value(a: Array, y: Array) -> Array:
        r = np.abs(a - y)
        costs: Array = np.where(r <= delta, 0.5 * r * r, delta * (r - 0.5 * delta)).sum(axis=1)
        return costs

    return _built_in(
        "huber",
        value,
        lambda a, y: np.clip(a - y, -delta, delta),
        reduction,
        smooth=False,
        parameters={"delta": float(delta)},
    )


def quantile(q: float = 0.5, reduction: str = "mean") -> Cost:
    """Return the pinball cost ``sum_j max(q r_j, (q - 1) r_j)`` with ``r = y - a``.

    Its minimum is the q-quantile of y (Koenker and Bassett 1978).

    Raises
    ------
    ValueError
        If `q` is not in (0, 1).
    """
    if not is_number(q) or not 0 < q < 1:
        raise ValueError(f"q must be in (0, 1), got {q!r}")
    return _built_in(
        "quantile",
        lambda a, y: np.maximum(q * (y - a), (q - 1.0) * (y - a)).sum(axis=1),
        lambda a, y: np.where(y > a, -q, np.where(y < a, 1.0 - q, 0.0)),
        reduction,
        smooth=False,
        parameters={"q": float(q)},
    )


def poisson(reduction: str = "mean") -> Cost:
    """Return ``sum_j a_j - y_j ln a_j``, the Poisson deviance without what only y decides.

    The outputs go through ``exp`` or ``softplus``; with ``exp``, ``delta = a - y``.
    """
    return _built_in(
        "poisson",
        lambda a, y: (a - y * np.log(a)).sum(axis=1),
        _POISSON_EXP.derivative,
        reduction,
        canonical={"exp": _POISSON_EXP, "softplus": _POISSON_SOFTPLUS},
        only_canonical=True,
    )


def grouped_cross_entropy(groups: Sequence[int], reduction: str = "mean") -> Cost:
    """Return the sum of a cross-entropy for each group of outputs, through a softmax of its own.

    Several columns of labels are learned together: ``sum_g -y_g . ln softmax(z_g)``, computed from the
    identity outputs z. ``delta_g = softmax(z_g) sum(y_g) - y_g``.

    Parameters
    ----------
    groups : sequence of int
        How many outputs each group has, in their order.

    Raises
    ------
    ValueError
        If there is no group, or one without outputs.
    """
    sizes = tuple(groups)
    if not sizes or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError(f"groups must be whole numbers of at least 1, got {list(sizes)}")
    ends = list(accumulate(sizes))
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]

    def value(z: Array, y: Array) -> Array:
        costs: Array = sum((y[:, p] * (_log_sum_exp(z[:, p]) - z[:, p])).sum(axis=1) for p in parts)
        return costs

    def derivative(z: Array, y: Array) -> Array:
        softmaxes = [_softmax(z[:, p]) * y[:, p].sum(axis=1, keepdims=True) for p in parts]
        return np.concatenate(softmaxes, axis=1) - y

    form = Canonical(value, derivative, lambda z, a, y: derivative(z, y))
    return _built_in(
        "grouped_cross_entropy",
        value,
        derivative,
        reduction,
        canonical={"identity": form},
        only_canonical=True,
        parameters={"groups": sizes},
    )


COSTS: dict[str, Callable[..., Cost]] = {
    factory.__name__: factory
    for factory in (
        quadratic,
        squared_error,
        cross_entropy,
        binary_cross_entropy,
        mean_absolute_error,
        huber,
        quantile,
        poisson,
    )
}


# And those that a name alone does not make.
FACTORIES = {**COSTS, "grouped_cross_entropy": grouped_cross_entropy}


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
