"""What is done to single numbers and rows: activations and dropout; the same whoever calls it.

What each kernel computes, and which function of the reference it must agree with:

    activate           a = f(z) and f'(z), a whole row or batch       Activation.__call__, .slope
    softmax            a and log(sum(exp(z)))                         ACTIVATIONS["softmax"]
    drop               a and f' times the dropout mask                randomness.keep_mask

and why they are shaped so:

- What an element goes through is decided once for a whole row or batch, never inside a loop: the loops
  become vector instructions.
- f' is made with f, where exp(z) is at hand.
- `ACTIVATIONS` is the table that these are found in. To add one is to write its kernel and its row:
  the code is the place in the table.
- Fast-math is decided function by function. Sums may be reordered (SUMS) where the length of a sum
  would otherwise stop vectorisation; nothing may assume that there are no NaNs, since a NaN is how a
  training that diverges is found.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clearprop.engines import codes
from clearprop.engines.elementary import exp, exp_both, exp_falling, log1p, normal
from clearprop.engines.intrinsics import call_own, kernel, like, part
from clearprop.engines.language import Kernel, Reals
from clearprop.engines.records import Batch, Layer, Rectangle, Run

# --- activations: each returns (f(z), f'(z)), with the formulas of activations.py


@kernel()
def _identity(z: Any) -> Any:
    return z, like(z, 1.0)


@kernel()
def _exp(z: Any) -> Any:
    e = exp(z)
    return e, e


@kernel()
def sigmoid(z: Any) -> Any:
    """Return sigmoid(z) and its slope."""
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
    s, slope = sigmoid(z)
    return z * s, s + z * slope


@kernel()
def softplus(z: Any) -> Any:
    """Return log(1 + e^z) and its slope."""
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
    "sigmoid": sigmoid,
    "tanh": _tanh,
    "scaled_tanh": _scaled_tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": softplus,
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


# --- dropout


@kernel()
def philox(
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
def dropout_of(run: Run, number: int, made: int) -> float:
    """Return the rate of a layer's dropout in a step of the stretch."""
    return run.dropout[min(made, run.dropout.shape[0] - 1), number]


@kernel()
def drop_rectangle(run: Run, layer: Layer, number: int, batch: Batch, mine: Rectangle) -> None:
    """Multiply a rectangle of a layer's activations and slopes by its dropout mask: 0 or the scale.

    Its first column is a multiple of 4: a block of four random words belongs to four neurons.
    """
    step, n = run.step + batch.number, layer.n_out
    rate = dropout_of(run, number, batch.number)
    seed, bar = np.uint64(run.settings.seed), np.uint64(rate * 4294967296.0 + 0.5)  # 2^32
    x2 = np.uint64(step) & np.uint64(0xFFFFFFFF)
    x3 = np.uint64(4) << np.uint64(28) | np.uint64(number) << np.uint64(16)  # 4: randomness.DROPOUT
    x3 = x3 | np.uint64(step) >> np.uint64(32)
    kept = like(run.work[0], 1.0 / (1.0 - rate))
    none = like(run.work[0], 0.0)
    size = mine.j1 - mine.j0
    for i in range(mine.i0, mine.i1):
        a = part(run.work, layer.above + i * n + mine.j0, size)
        slope = part(run.work, layer.slope + i * n + mine.j0, size)
        bends = layer.bend if layer.bend >= 0 else layer.slope
        bend = part(run.work, bends + i * n + mine.j0, size)
        for block in range((size + 3) // 4):
            words = philox(seed, np.uint64(mine.j0 // 4 + block), np.uint64(i - batch.at), x2, x3)
            for k in range(min(4, size - 4 * block)):
                word = words[0] if k == 0 else words[1] if k == 1 else words[2] if k == 2 else words[3]
                factor = kept if word >= bar else none
                a[4 * block + k] *= factor
                slope[4 * block + k] *= factor
                if layer.bend >= 0:
                    bend[4 * block + k] *= factor
