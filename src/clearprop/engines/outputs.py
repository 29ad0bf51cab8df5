"""What is done at the output layer: costs and their deltas, BP1, and which predictions are right.

What each kernel computes, and which function of the reference it must agree with:

    sample_cost        one sample's cost, and dC/dz: BP1              Cost.of_samples, .output_delta
    points_to_class    whether the prediction is right                metrics.correct

`COSTS` is the table of them. To add one is to write its kernel and its row; the code is the kernel's
place in the table.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from clearprop.architecture import Architecture
from clearprop.engines import codes
from clearprop.engines.elementary import exp_falling
from clearprop.engines.intrinsics import kernel, like
from clearprop.engines.language import IntegerTable, Kernel, Reals
from clearprop.engines.neurons import SOFTMAX, sigmoid, softplus

# --- costs of residuals: each returns what one output adds, and dC/da; at is -1/2 for the first output
# and 1/2 for the last


@kernel(codes.SUMS)
def _quadratic(r: Any, p: Any, at: Any) -> Any:
    return like(r, 0.5) * r * r, r


@kernel(codes.SUMS)
def _squared_error(r: Any, p: Any, at: Any) -> Any:
    return r * r, like(r, 2.0) * r


@kernel(codes.SUMS)
def _mean_absolute_error(r: Any, p: Any, at: Any) -> Any:
    return abs(r), np.sign(r)


@kernel(codes.SUMS)
def _huber(r: Any, p: Any, at: Any) -> Any:
    size = abs(r)
    inside = size <= p
    cost = like(r, 0.5) * r * r if inside else p * (size - like(r, 0.5) * p)
    return cost, (r if inside else (p if r > 0 else -p))


@kernel(codes.SUMS)
def _quantile(r: Any, p: Any, at: Any) -> Any:
    cost = (p - like(r, 1.0)) * -r if r > 0 else p * -r
    return cost, (like(r, 1.0) - p if r > 0 else (-p if r < 0 else like(r, 0.0)))


@kernel(codes.SUMS)
def _quantiles(r: Any, p: Any, at: Any) -> Any:
    q = like(r, 0.5) + p * at
    cost = (q - like(r, 1.0)) * -r if r > 0 else q * -r
    return cost, (like(r, 1.0) - q if r > 0 else (-q if r < 0 else like(r, 0.0)))


# --- costs computed from z, for the output activation that belongs to them: what one output adds, dC/dz


@kernel(codes.SUMS)
def _softmax_entropy(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    return y * (log_sum - z), a - y


@kernel(codes.SUMS)
def _sigmoid_entropy(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    return softplus(z)[0] - y * z, a - y


@kernel(codes.SUMS)
def _poisson_exp(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    return a - y * z, a - y


@kernel(codes.SUMS)
def _poisson_softplus(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    # Below z = -30, softplus(z) is exp(z) to the last bit.
    s = sigmoid(z)[0]
    low = z < -30
    cost = a - y * (z if low else like(z, math.log(a)))
    return cost, s - y * (like(z, 1.0) if low else s / a)


@kernel(codes.SUMS)
def grouped_cost(groups: IntegerTable, first: int, last: int, z: Reals, y: Reals, delta: Reals) -> Any:
    """Return the sum of a cross-entropy for each group of outputs, and put dC/dz into `delta`."""
    total = like(z[0], 0.0)
    for g in range(first, last):
        j0, j1 = groups[g, 0], groups[g, 1]
        top = z[j0]
        for j in range(j0, j1):
            top = top if z[j] <= top else z[j]  # a NaN wins, and then stays
        for j in range(j0, j1):
            delta[j] = exp_falling(z[j] - top)
        whole, wanted = like(total, 0.0), like(total, 0.0)
        for j in range(j0, j1):
            whole += delta[j]
            wanted += y[j]
            total += y[j] * (top - z[j])
        total += wanted * like(total, math.log(whole))
        for j in range(j0, j1):
            delta[j] = delta[j] * (wanted / whole) - y[j]
    return total


class CostRow(NamedTuple):
    """A cost's kernel, and the name of the parameter that it takes."""

    kernel: Kernel
    parameter: str = ""


# By their names in `costs.FACTORIES`, and the output activation that they are computed from z for.
COSTS: dict[tuple[str, str | None], CostRow] = {
    ("quadratic", None): CostRow(_quadratic),
    ("squared_error", None): CostRow(_squared_error),
    ("mean_absolute_error", None): CostRow(_mean_absolute_error),
    ("huber", None): CostRow(_huber, "delta"),
    ("quantile", None): CostRow(_quantile, "q"),
    ("quantiles", None): CostRow(_quantiles, "level"),
    ("cross_entropy", "softmax"): CostRow(_softmax_entropy),
    ("cross_entropy", "sigmoid"): CostRow(_sigmoid_entropy),
    ("binary_cross_entropy", "sigmoid"): CostRow(_sigmoid_entropy),
    ("poisson", "exp"): CostRow(_poisson_exp),
    ("poisson", "softplus"): CostRow(_poisson_softplus),
    ("grouped_cross_entropy", "identity"): CostRow(grouped_cost),
}


def row_of(architecture: Architecture) -> tuple[str, str | None] | None:
    """Return which row of `COSTS` a built-in cost is computed by; None where there is none."""
    cost, output = architecture.cost, architecture.output.name
    key = cost.name, output if output in cost.canonical else None
    return key if cost.built_in and key in COSTS else None


_COST_KERNELS = tuple(dict.fromkeys(row.kernel for row in COSTS.values()))
COST_CODES = {key: _COST_KERNELS.index(row.kernel) for key, row in COSTS.items()}
GROUPED = COST_CODES["grouped_cross_entropy", "identity"]
# Those of residuals come first, the only one with groups last.
_OF_RESIDUALS = tuple(enumerate(row.kernel for key, row in COSTS.items() if key[1] is None))
LAST_OF_RESIDUALS, LAST_OF_Z = len(_OF_RESIDUALS) - 1, GROUPED - 1
_OF_Z = tuple(
    (code, f) for code, f in enumerate(_COST_KERNELS) if LAST_OF_RESIDUALS < code <= LAST_OF_Z
)


# The last row of each is taken without a look at the code: where a loop has no way around all of them,
# LLVM makes vector instructions of it.


@kernel(codes.SUMS)
def _cost_of_residuals(its_code: int, parameter: float, a: Reals, y: Reals, error: Reals) -> Any:
    """Return a cost of the residuals, and put dC/da into `error`."""
    p, total = like(a[0], parameter), like(a[0], 0.0)
    for j in range(a.size):
        r = a[j] - y[j]
        at = like(r, j / (a.size - 1) - 0.5 if a.size > 1 else 0.0)
        for code, cost in _OF_RESIDUALS:
            if code == its_code or code >= LAST_OF_RESIDUALS:
                more, slope = cost(r, p, at)
                total += more
                error[j] = slope
                break
    return total


@kernel(codes.SUMS)
def _cost_of_z(its_code: int, log_sum: Any, z: Reals, a: Reals, y: Reals, delta: Reals) -> Any:
    """Return a cost that is computed from z, and put dC/dz into `delta`."""
    total = like(a[0], 0.0)
    for j in range(a.size):
        for code, cost in _OF_Z:
            if code == its_code or code >= LAST_OF_Z:
                more, slope = cost(log_sum, z[j], a[j], y[j])
                total += more
                delta[j] = slope
                break
    return total


@kernel(codes.SUMS)
def sample_cost(
    its_code: int, parameter: float, output: int, log_sum: Any, z: Reals, a: Reals, slope: Reals,
    y: Reals, delta: Reals,
) -> Any:  # fmt: skip
    """Return the cost of one sample, and put dC/dz of the output layer into `delta`: BP1."""
    if its_code > LAST_OF_RESIDUALS:
        return _cost_of_z(its_code, log_sum, z, a, y, delta)
    total = _cost_of_residuals(its_code, parameter, a, y, delta)
    error_to_delta(output, a, slope, delta)
    return total


@kernel(codes.SUMS)
def error_to_delta(output: int, a: Reals, slope: Reals, delta: Reals) -> None:
    """Turn dC/da of one sample, which is in `delta`, into dC/dz: BP1."""
    if output == SOFTMAX:  # the product with the Jacobian, without building it
        along = like(a[0], 0.0)
        for j in range(a.size):
            along += a[j] * delta[j]
        for j in range(a.size):
            delta[j] = a[j] * (delta[j] - along)
    else:
        for j in range(a.size):
            delta[j] *= slope[j]


@kernel()
def points_to_class(a: Reals, y: Reals) -> bool:
    """Return whether the largest output is the target's: metrics.correct."""
    if a.size == 1:
        return (a[0] > 0.5) == (y[0] > 0.5)
    best, wanted = 0, 0
    for j in range(1, a.size):
        best = j if a[j] > a[best] else best
        wanted = j if y[j] > y[wanted] else wanted
    return best == wanted
