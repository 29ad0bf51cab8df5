"""What is done to single numbers and rows: activations, costs, dropout; the same whoever calls it.

What each kernel computes, and which function of the reference it must agree with:

    activate           a = f(z) and f'(z), a whole row or batch       Activation.__call__, .slope
    softmax            a and log(sum(exp(z)))                         ACTIVATIONS["softmax"]
    sample_cost        one sample's cost, and dC/dz: BP1              Cost.of_samples, .output_delta
    points_to_class    whether the prediction is right                metrics.correct
    drop               a and f' times the dropout mask                randomness.keep_mask

and why they are shaped so:

- What an element goes through is decided once for a whole row or batch, never inside a loop: the loops
  become vector instructions.
- f' is made with f, where exp(z) is at hand.
- `ACTIVATIONS` and `COSTS` are the tables that these are found in. To add one is to write its kernel
  and its row: the code is the place in the table.
- Fast-math is decided function by function. Sums may be reordered (SUMS) where the length of a sum
  would otherwise stop vectorisation; nothing may assume that there are no NaNs, since a NaN is how a
  training that diverges is found.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from clearprop.engines import codes
from clearprop.engines.elementary import exp, exp_both, exp_falling, log1p, normal
from clearprop.engines.intrinsics import call_own, kernel, like, part
from clearprop.engines.language import IntegerTable, Kernel, Reals
from clearprop.engines.records import Layer, Rectangle, Run

# --- activations: each returns (f(z), f'(z)), with the formulas of activations.py


@kernel()
def _identity(z: Any) -> Any:
    return z, like(z, 1.0)


@kernel()
def _exp(z: Any) -> Any:
    e = exp(z)
    return e, e


@kernel()
def _sigmoid(z: Any) -> Any:
    e = exp_falling(-abs(z))
    r = like(z, 1.0) / (like(z, 1.0) + e)
    return (r if z >= 0 else e * r), e * r * r


@kernel()
def _tanh(z: Any) -> Any:
    e, q = exp_both(like(z, -2.0) * abs(z))
    r = like(z, 1.0) / (like(z, 2.0) + q)
    t = -q * r
    return math.copysign(t, z), like(z, 4.0) * e * r * r


@kernel()
def _scaled_tanh(z: Any) -> Any:
    t, slope = _tanh(like(z, 2.0 / 3.0) * z)
    return like(z, 1.7159) * t, like(z, 1.7159 * (2.0 / 3.0)) * slope


@kernel()
def _relu(z: Any) -> Any:
    return (like(z, 0.0) if z <= 0 else z), (like(z, 1.0) if z > 0 else like(z, 0.0))


@kernel()
def _leaky_relu(z: Any) -> Any:
    small = like(z, 0.01)
    return (z if z > 0 else small * z), (like(z, 1.0) if z > 0 else small)


@kernel()
def _elu(z: Any) -> Any:
    e, q = exp_both(like(z, 0.0) if z > 0 else z)
    return (z if z > 0 else q), e


@kernel()
def _selu(z: Any) -> Any:
    scale = like(z, 1.0507009873554805)
    both = like(z, 1.0507009873554805 * 1.6732632423543772)
    e, q = exp_both(like(z, 0.0) if z > 0 else z)
    return (scale * z if z > 0 else both * q), (scale if z > 0 else both * e)


@kernel()
def _gelu(z: Any) -> Any:
    cdf, density = normal(z)
    return z * cdf, cdf + z * density


@kernel()
def _silu(z: Any) -> Any:
    s, slope = _sigmoid(z)
    return z * s, s + z * slope


@kernel()
def _softplus(z: Any) -> Any:
    e = exp_falling(-abs(z))
    r = like(z, 1.0) / (like(z, 1.0) + e)
    return (like(z, 0.0) if z < 0 else z) + log1p(e), (r if z >= 0 else e * r)


@kernel({"contract"})
def _mish(z: Any) -> Any:
    # tanh(ln(1 + w)) is n / (n + 2), n = w (w + 2), w = e^z: one exponential and one division. Above 0
    # n and n + 2 are times e^-2z, which cannot overflow.
    e = exp_falling(-abs(z))
    one, two = like(z, 1.0), like(z, 2.0)
    square = e * e
    n = two * e + (one if z > 0 else square)
    r = one / (n + two * (square if z > 0 else one))
    t = n * r
    rise = like(z, 4.0) * (e + square) * (e if z > 0 else one)
    return z * t, t + z * rise * (r * r)


@kernel(codes.SUMS)
def softmax(a: Reals, log_sum: Reals, n_rows: int, n: int) -> None:
    """Put softmax(z) where z is in `a`, row by row, and log(sum(exp(z))) into `log_sum`."""
    for i in range(n_rows):
        row = part(a, i * n, n)
        top = row[0]
        for j in range(n):
            top = top if row[j] <= top else row[j]  # a NaN wins, and then stays
        log_sum[i] = top
        for j in range(n):
            row[j] -= top
    for i in range(n_rows * n):  # all rows at once: a row of ten is too short for vectors
        a[i] = exp_falling(a[i])
    for i in range(n_rows):
        row = part(a, i * n, n)
        total = like(row[0], 0.0)
        for j in range(n):
            total += row[j]
        log_sum[i] += math.log(total)
        share = like(total, 1.0) / total
        for j in range(n):
            row[j] *= share


# By their names in `activations.ACTIVATIONS`: (f(z), f'(z)) of one number, or a layer's rows at once.
ACTIVATIONS: dict[str, Kernel] = {
    "identity": _identity,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "scaled_tanh": _scaled_tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
    "exp": _exp,
    "softmax": softmax,
}
ACTIVATION_CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
SOFTMAX = ACTIVATION_CODES["softmax"]
_ELEMENTWISE = tuple((code, f) for code, f in enumerate(ACTIVATIONS.values()) if f is not softmax)


@kernel()
def activate(its_code: int, address: int, a: Reals, slope: Reals) -> None:
    """Put f(z) where z is in `a`, and f'(z) into `slope`, both 1-d; `address` is of a user's own."""
    for code, f in _ELEMENTWISE:
        if code == its_code:
            for i in range(a.size):
                a[i], slope[i] = f(a[i])
            return
    call_own(address, a, slope)


# --- costs of residuals: each returns what one output adds, and dC/da


@kernel(codes.SUMS)
def _quadratic(r: Any, p: Any) -> Any:
    return like(r, 0.5) * r * r, r


@kernel(codes.SUMS)
def _squared_error(r: Any, p: Any) -> Any:
    return r * r, like(r, 2.0) * r


@kernel(codes.SUMS)
def _mean_absolute_error(r: Any, p: Any) -> Any:
    return abs(r), np.sign(r)


@kernel(codes.SUMS)
def _huber(r: Any, p: Any) -> Any:
    size = abs(r)
    inside = size <= p
    cost = like(r, 0.5) * r * r if inside else p * (size - like(r, 0.5) * p)
    return cost, (r if inside else (p if r > 0 else -p))


@kernel(codes.SUMS)
def _quantile(r: Any, p: Any) -> Any:
    cost = (p - like(r, 1.0)) * -r if r > 0 else p * -r
    return cost, (like(r, 1.0) - p if r > 0 else (-p if r < 0 else like(r, 0.0)))


# --- costs computed from z, for the output activation that belongs to them: what one output adds, dC/dz


@kernel(codes.SUMS)
def _softmax_entropy(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    return y * (log_sum - z), a - y


@kernel(codes.SUMS)
def _sigmoid_entropy(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    return _softplus(z)[0] - y * z, a - y


@kernel(codes.SUMS)
def _poisson_exp(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    return a - y * z, a - y


@kernel(codes.SUMS)
def _poisson_softplus(log_sum: Any, z: Any, a: Any, y: Any) -> Any:
    # Below z = -30, softplus(z) is exp(z) to the last bit.
    s = _sigmoid(z)[0]
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
    ("cross_entropy", "softmax"): CostRow(_softmax_entropy),
    ("cross_entropy", "sigmoid"): CostRow(_sigmoid_entropy),
    ("binary_cross_entropy", "sigmoid"): CostRow(_sigmoid_entropy),
    ("poisson", "exp"): CostRow(_poisson_exp),
    ("poisson", "softplus"): CostRow(_poisson_softplus),
    ("grouped_cross_entropy", "identity"): CostRow(grouped_cost),
}
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
        for code, cost in _OF_RESIDUALS:
            if code == its_code or code >= LAST_OF_RESIDUALS:
                more, slope = cost(r, p)
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


# --- dropout


@kernel()
def _philox(
    seed: np.uint64, x0: np.uint64, x1: np.uint64, x2: np.uint64, x3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return four random 32-bit words: randomness.philox."""
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    key0 = seed & low
    key1 = seed >> shift
    for _ in range(10):
        product0 = np.uint64(0xD2511F53) * x0
        product1 = np.uint64(0xCD9E8D57) * x2
        x0, x1, x2, x3 = (
            (product1 >> shift) ^ x1 ^ key0,
            product1 & low,
            (product0 >> shift) ^ x3 ^ key1,
            product0 & low,
        )
        key0 = (key0 + np.uint64(0x9E3779B9)) & low
        key1 = (key1 + np.uint64(0xBB67AE85)) & low
    return x0, x1, x2, x3


@kernel()
def drop_rectangle(run: Run, layer: Layer, number: int, made: int, mine: Rectangle) -> None:
    """Multiply a rectangle of a layer's activations and slopes by its dropout mask: 0 or the scale.

    Its first column is a multiple of 4: a block of four random words belongs to four neurons.
    """
    step, n = run.step + made, layer.n_out
    seed, bar = np.uint64(run.settings.seed), np.uint64(layer.drop)
    x2 = np.uint64(step) & np.uint64(0xFFFFFFFF)
    x3 = np.uint64(4) << np.uint64(28) | np.uint64(number) << np.uint64(16)  # 4: randomness.DROPOUT
    x3 = x3 | np.uint64(step) >> np.uint64(32)
    kept = like(run.work[0], run.factors[number, codes.KEEP_SCALE])
    none = like(run.work[0], 0.0)
    size = mine.j1 - mine.j0
    for i in range(mine.i0, mine.i1):
        a = part(run.work, layer.above + i * n + mine.j0, size)
        slope = part(run.work, layer.slope + i * n + mine.j0, size)
        for block in range((size + 3) // 4):
            words = _philox(seed, np.uint64(mine.j0 // 4 + block), np.uint64(i), x2, x3)
            for k in range(min(4, size - 4 * block)):
                word = words[0] if k == 0 else words[1] if k == 1 else words[2] if k == 2 else words[3]
                factor = kept if word >= bar else none
                a[4 * block + k] *= factor
                slope[4 * block + k] *= factor
