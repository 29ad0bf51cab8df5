"""The rarer costs: rows like those of ``costs``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from clearprop.activations import Array, sigmoid, softmax, softplus
from clearprop.costs import (
    COUNTS,
    FACTORIES,
    NOT_NEGATIVE,
    Canonical,
    Cost,
    built_in,
    log_sum_exp,
    ratio,
    row,
)
from clearprop.names import is_number


@row
def mean_absolute_error(reduction: str = "mean") -> Cost:
    """Return ``sum_j |a_j - y_j|``, whose derivative at 0 is taken as 0."""
    return built_in(
        "mean_absolute_error",
        lambda a, y: np.abs(a - y).sum(axis=1),
        lambda a, y: np.sign(a - y),
        reduction,
        smooth=False,
    )


@row
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

    return built_in(
        "huber",
        value,
        lambda a, y: np.clip(a - y, -delta, delta),
        reduction,
        smooth=False,
        parameters={"delta": float(delta)},
    )


@row
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
    return built_in(
        "quantile",
        lambda a, y: np.maximum(q * (y - a), (q - 1.0) * (y - a)).sum(axis=1),
        lambda a, y: np.where(y > a, -q, np.where(y < a, 1.0 - q, 0.0)),
        reduction,
        smooth=False,
        parameters={"q": float(q)},
    )


def makes_quantiles(cost: Cost) -> bool:
    """Return whether outputs are different quantiles of one quantity: see `quantiles`."""
    return "level" in cost.parameters


def places(n_outputs: int) -> Array:
    """Return where outputs that are quantiles lie between the lowest and the highest, -1/2 to 1/2."""
    return np.linspace(-0.5, 0.5, n_outputs) if n_outputs > 1 else np.zeros(1)


@row
def quantiles(level: float = 0.9, reduction: str = "mean") -> Cost:
    """Return ``sum_j max(q_j r_j, (q_j - 1) r_j)`` with ``r = y - a``: a pinball cost for each output.

    The q_j are at equal distances, so that `level` lies between the first and the last: of three
    outputs for 0.9 they are 0.05, 0.5 and 0.95. With one y for all, the outputs become quantiles of it
    (Koenker and Bassett 1978); conformalised, they are an interval (Romano, Patterson and Candes 2019).

    Raises
    ------
    ValueError
        If `level` is not in (0, 1).
    """
    if not is_number(level) or not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level!r}")

    def q(a: Array) -> Array:
        return 0.5 + level * places(a.shape[1])

    return built_in(
        "quantiles",
        lambda a, y: np.maximum(q(a) * (y - a), (q(a) - 1.0) * (y - a)).sum(axis=1),
        lambda a, y: np.where(y > a, -q(a), np.where(y < a, 1.0 - q(a), 0.0)),
        reduction,
        smooth=False,
        parameters={"level": float(level)},
    )


_POISSON_EXP = Canonical(
    value=lambda z, y: (np.exp(z) - y * z).sum(axis=1),
    derivative=lambda a, y: 1.0 - ratio(y, a),
    targets=NOT_NEGATIVE,
)
# Below z = -30, softplus(z) = exp(z) to the last bit of float64, and its slope over itself is 1.
_POISSON_SOFTPLUS = Canonical(
    value=lambda z, y: (
        softplus(z) - y * np.where(z.real < -30, z, np.log(softplus(np.where(z.real < -30, 0.0, z))))
    ).sum(axis=1),
    derivative=lambda a, y: 1.0 - ratio(y, a),
    delta=lambda z, a, y: sigmoid(z) - y * np.where(z.real < -30, 1.0, sigmoid(z) / a),
    targets=NOT_NEGATIVE,
)


def poisson_of_targets(y: Array) -> Array:
    """Return ``sum_j y_j ln y_j - y_j``, with which `poisson` is half the deviance."""
    costs: Array = (np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0)), 0.0) - y).sum(axis=1)
    return costs


@row
def poisson(reduction: str = "mean") -> Cost:
    """Return ``sum_j a_j - y_j ln a_j``, the Poisson deviance without what only y decides.

    The outputs go through ``exp`` or ``softplus``; with ``exp``, ``delta = a - y``.
    """
    return built_in(
        "poisson",
        lambda a, y: (a - y * np.log(a)).sum(axis=1),
        _POISSON_EXP.derivative,
        reduction,
        canonical={"exp": _POISSON_EXP, "softplus": _POISSON_SOFTPLUS},
        only_canonical=True,
        kind=COUNTS,
        usual_outputs=("exp", "exp"),
        of_targets=poisson_of_targets,
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
        costs: Array = sum((y[:, p] * (log_sum_exp(z[:, p]) - z[:, p])).sum(axis=1) for p in parts)
        return costs

    def derivative(z: Array, y: Array) -> Array:
        softmaxes = [softmax(z[:, p]) * y[:, p].sum(axis=1, keepdims=True) for p in parts]
        return np.concatenate(softmaxes, axis=1) - y

    form = Canonical(value, derivative, delta=lambda z, a, y: derivative(z, y))
    return built_in(
        "grouped_cross_entropy",
        value,
        derivative,
        reduction,
        canonical={"identity": form},
        only_canonical=True,
        parameters={"groups": sizes},
    )


FACTORIES["grouped_cross_entropy"] = grouped_cross_entropy  # a name alone does not make it
