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
- Fast-math is decided function by function. Sums may be reordered (SUMS) where the length of a sum
  would otherwise stop vectorisation; nothing may assume that there are no NaNs, since a NaN is how a
  training that diverges is found.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clearprop.engines.codes import (
    DROP,
    ELU,
    EXP,
    GELU,
    HUBER,
    IDENTITY,
    KEEP_SCALE,
    LEAKY_RELU,
    MEAN_ABSOLUTE_ERROR,
    MISH,
    N_OUT,
    POISSON_EXP,
    QUADRATIC,
    RELU,
    SCALED_TANH,
    SEED,
    SELU,
    SIGMOID,
    SIGMOID_ENTROPY,
    SILU,
    SOFTMAX,
    SOFTMAX_ENTROPY,
    SOFTPLUS,
    SQUARED_ERROR,
    STEP,
    SUMS,
    TANH,
)
from clearprop.engines.elementary import (
    exp,
    exp_both,
    exp_falling,
    log1p,
    normal,
)
from clearprop.engines.intrinsics import (
    call_own,
    kernel,
    like,
    part,
)

Array = Any

# --- activations: each returns (f(z), f'(z)), with the formulas of activations.py


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


@kernel()
def activate(code: int, a: Array, slope: Array) -> None:
    """Put f(z) where z is in `a`, and f'(z) into `slope`, both 1-d."""
    n = a.size
    if code == IDENTITY:
        for i in range(n):
            slope[i] = like(a[i], 1.0)
    elif code == SIGMOID:
        for i in range(n):
            a[i], slope[i] = _sigmoid(a[i])
    elif code == TANH:
        for i in range(n):
            a[i], slope[i] = _tanh(a[i])
    elif code == SCALED_TANH:
        for i in range(n):
            a[i], slope[i] = _scaled_tanh(a[i])
    elif code == RELU:
        for i in range(n):
            a[i], slope[i] = _relu(a[i])
    elif code == LEAKY_RELU:
        for i in range(n):
            a[i], slope[i] = _leaky_relu(a[i])
    elif code == ELU:
        for i in range(n):
            a[i], slope[i] = _elu(a[i])
    elif code == SELU:
        for i in range(n):
            a[i], slope[i] = _selu(a[i])
    elif code == GELU:
        for i in range(n):
            a[i], slope[i] = _gelu(a[i])
    elif code == SILU:
        for i in range(n):
            a[i], slope[i] = _silu(a[i])
    elif code == MISH:
        for i in range(n):
            a[i], slope[i] = _mish(a[i])
    elif code == SOFTPLUS:
        for i in range(n):
            a[i], slope[i] = _softplus(a[i])
    elif code == EXP:
        for i in range(n):
            a[i] = exp(a[i])
            slope[i] = a[i]
    else:  # the address of a user's own
        call_own(code, a, slope)


@kernel(SUMS)
def softmax(a: Array, log_sum: Array, n_rows: int, n: int) -> None:
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


# --- costs


@kernel(SUMS)
def _residual_cost(code: int, parameter: float, a: Array, y: Array, error: Array) -> Any:
    """Return a cost of the residuals, and put dC/da into `error`."""
    zero = like(a[0], 0.0)
    p = like(a[0], parameter)
    total = zero
    for j in range(a.size):
        r = a[j] - y[j]
        if code == QUADRATIC:
            total += like(r, 0.5) * r * r
            error[j] = r
        elif code == SQUARED_ERROR:
            total += r * r
            error[j] = like(r, 2.0) * r
        elif code == MEAN_ABSOLUTE_ERROR:
            total += abs(r)
            error[j] = np.sign(r)
        elif code == HUBER:
            size = abs(r)
            inside = size <= p
            total += like(r, 0.5) * r * r if inside else p * (size - like(r, 0.5) * p)
            error[j] = r if inside else (p if r > 0 else -p)
        else:  # QUANTILE
            total += (p - like(r, 1.0)) * -r if r > 0 else p * -r
            error[j] = like(r, 1.0) - p if r > 0 else (-p if r < 0 else zero)
    return total


@kernel(SUMS)
def _entropy_cost(code: int, log_sum: Any, z: Array, a: Array, y: Array, delta: Array) -> Any:
    """Return a cost that is computed from z, and put dC/dz into `delta`."""
    one = like(a[0], 1.0)
    total = like(a[0], 0.0)
    for j in range(a.size):
        delta[j] = a[j] - y[j]
        if code == SOFTMAX_ENTROPY:
            total += y[j] * (log_sum - z[j])
        elif code == SIGMOID_ENTROPY:
            total += _softplus(z[j])[0] - y[j] * z[j]
        elif code == POISSON_EXP:
            total += a[j] - y[j] * z[j]
        else:  # POISSON_SOFTPLUS: below z = -30, softplus(z) is exp(z) to the last bit
            s = _sigmoid(z[j])[0]
            low = z[j] < -30
            total += a[j] - y[j] * (z[j] if low else like(one, math.log(a[j])))
            delta[j] = s - y[j] * (one if low else s / a[j])
    return total


@kernel(SUMS)
def sample_cost(
    code: int, parameter: float, output: int, log_sum: Any, z: Array, a: Array, slope: Array, y: Array,
    delta: Array,
) -> Any:  # fmt: skip
    """Return the cost of one sample, and put dC/dz of the output layer into `delta`: BP1."""
    if code >= SOFTMAX_ENTROPY:
        return _entropy_cost(code, log_sum, z, a, y, delta)
    total = _residual_cost(code, parameter, a, y, delta)
    error_to_delta(output, a, slope, delta)
    return total


@kernel(SUMS)
def error_to_delta(output: int, a: Array, slope: Array, delta: Array) -> None:
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


@kernel(SUMS)
def grouped_cost(groups: Array, first: int, last: int, z: Array, y: Array, delta: Array) -> Any:
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


@kernel()
def points_to_class(a: Array, y: Array) -> bool:
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
def drop(
    seed: np.uint64, step: int, layer: int, row: int, threshold: int, scale: float, first: int,
    a: Array, slope: Array,
) -> None:  # fmt: skip
    """Multiply the activations and slopes of neurons `first` and on, in one row, by 0 or `scale`.

    `first` is a multiple of 4: a block of four random words belongs to four neurons.
    """
    bar = np.uint64(threshold)
    x2 = np.uint64(step) & np.uint64(0xFFFFFFFF)
    x3 = np.uint64(4) << np.uint64(28) | np.uint64(layer) << np.uint64(16)  # 4: randomness.DROPOUT
    x3 = x3 | np.uint64(step) >> np.uint64(32)
    kept = like(a[0], scale)
    none = like(a[0], 0.0)
    for block in range((a.size + 3) // 4):
        words = _philox(seed, np.uint64(first // 4 + block), np.uint64(row), x2, x3)
        for k in range(min(4, a.size - 4 * block)):
            word = words[0] if k == 0 else words[1] if k == 1 else words[2] if k == 2 else words[3]
            factor = kept if word >= bar else none
            a[4 * block + k] *= factor
            slope[4 * block + k] *= factor


@kernel()
def drop_rectangle(
    layer: Array, factors: Array, number: int, integers: Array, made: int, rows_and_columns: Any,
    above: Array, slopes: Array,
) -> None:  # fmt: skip
    """Drop what is to be dropped of a rectangle of a layer."""
    i0, i1, j0, j1 = rows_and_columns
    n = layer[N_OUT]
    seed = np.uint64(integers[SEED])
    step = integers[STEP] + made
    for i in range(i0, i1):
        a, slope = part(above, i * n + j0, j1 - j0), part(slopes, i * n + j0, j1 - j0)
        drop(seed, step, number, i, layer[DROP], factors[KEEP_SCALE], j0, a, slope)
