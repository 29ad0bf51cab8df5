"""The reference engine's equations, compiled: one function that trains every architecture.

What each kernel computes, and which function of the reference it must agree with:

    activate           a = f(z) and f'(z), a whole row or batch       Activation.__call__, .slope
    softmax            a and log(sum(exp(z)))                         ACTIVATIONS["softmax"]
    sample_cost        one sample's cost, and dC/dz in place          Cost.of_samples, .output_delta
    forward_layer      z = a_previous W^T + b, then activate          backprop.forward
    backward_layer     BP2                                            backprop.backward
    drop               a and f' times the dropout mask                randomness.keep_mask
    update_weights     BP4, penalties and the optimizer               backprop.gradient,
    update_biases      BP3, and the optimizer                           add_penalty_gradient,
    follow             the optimizer on a stretch of the vector         Optimizer.update
    train              a stretch of mini-batches                      ReferenceEngine.run

and why they are shaped so:

- Everything is flat. A layer is a row of a table of integers (sizes, codes, offsets), so one compiled
  function serves every network; the activations, slopes and deltas of all layers are stretches of one
  workspace, so nothing is allocated while it runs.
- What an element goes through is decided once for a whole row or batch, never inside a loop: the loops
  become vector instructions.
- f' is kept from the forward pass, where exp(z) is at hand. The optimizer runs over a few rows of the
  gradient at a time, while they are in the cache; only clip_norm needs a whole gradient first.
- Threads run the same function side by side on shares of each layer, and meet at a barrier after each.
  What a share computes is in a fixed order, so the bits do not depend on the scheduler.
- Fast-math is decided function by function. Sums may be reordered (SUMS) where the length of a sum
  would otherwise stop vectorisation; nothing may assume that there are no NaNs, since a NaN is how a
  training that diverges is found.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clearprop.engines.intrinsics import (
    arrive,
    arrived,
    entry,
    exp,
    exp_both,
    gemm,
    give_way,
    kernel,
    like,
    log1p,
    normal_cdf,
)

Array = Any

# Sums may be reordered and products fused; NaN and infinity keep their meaning.
SUMS = {"reassoc", "contract", "nsz"}

# Columns of the table of layers; one row for each.
(
    N_IN, N_OUT, WEIGHTS, BIASES, BELOW, ABOVE, SLOPE, DELTA, Z, CODE, FIRST_SEGMENT, LAST_SEGMENT,
    DROP,
) = range(13)  # fmt: skip
LAYER_COLUMNS = 13
# Columns of the table of a layer's factors.
WEIGHT_RATE, BIAS_RATE, WEIGHT_DECAY, BIAS_DECAY, KEEP_SCALE = range(5)
FACTOR_COLUMNS = 5
# Integers of a run.
(
    BATCH, N_SAMPLES, FIRST_STEP, N_STEPS, STEP, UPDATES, SEED, COST, OPTIMIZER, COUNTS, SUM, CLIPS,
    WEIGHTED, LOG_SUM, GRADIENT, CHUNK, MADE, BAD, YIELD,
) = range(19)  # fmt: skip
N_INTEGERS = 19
# Numbers of a run.
L2, L1, CLIP, FIRST, SECOND, EPSILON, DECAY, COST_PARAMETER, EPOCH_COST = range(9)
N_NUMBERS = 9

ACTIVATION_CODES = {
    name: code
    for code, name in enumerate(
        (
            "identity", "sigmoid", "tanh", "scaled_tanh", "relu", "leaky_relu", "elu", "selu", "gelu",
            "silu", "mish", "softplus", "exp", "softmax",
        )
    )
}  # fmt: skip
(
    IDENTITY, SIGMOID, TANH, SCALED_TANH, RELU, LEAKY_RELU, ELU, SELU, GELU, SILU, MISH, SOFTPLUS, EXP,
    SOFTMAX,
) = range(14)  # fmt: skip
MIXED = -1

# Costs computed from z, for the output activation that belongs to them, come after the others.
(
    QUADRATIC, SQUARED_ERROR, MEAN_ABSOLUTE_ERROR, HUBER, QUANTILE, SOFTMAX_ENTROPY, SIGMOID_ENTROPY,
    POISSON_EXP, POISSON_SOFTPLUS,
) = range(9)  # fmt: skip
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW = range(6)

N, T = 78, 84  # "N" and "T" as BLAS reads them


# --- activations: each returns (f(z), f'(z)), with the formulas of activations.py


@kernel()
def _sigmoid(z: Any) -> Any:
    e = exp(-abs(z))
    r = like(z, 1.0) / (like(z, 1.0) + e)
    return (r if z >= 0 else e * r), e * r * r


@kernel()
def _tanh(z: Any) -> Any:
    e, q = exp_both(like(z, -2.0) * abs(z))
    r = like(z, 1.0) / (like(z, 2.0) + q)
    t = -q * r
    return (t if z >= 0 else -t), like(z, 4.0) * e * r * r


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
    cdf = normal_cdf(z)
    density = exp(like(z, -0.5) * z * z) * like(z, 0.3989422804014327)
    return z * cdf, cdf + z * density


@kernel()
def _silu(z: Any) -> Any:
    s, slope = _sigmoid(z)
    return z * s, s + z * slope


@kernel()
def _softplus(z: Any) -> Any:
    e = exp(-abs(z))
    r = like(z, 1.0) / (like(z, 1.0) + e)
    return (like(z, 0.0) if z < 0 else z) + log1p(e), (r if z >= 0 else e * r)


@kernel()
def _mish(z: Any) -> Any:
    s, s_slope = _softplus(z)
    t, t_slope = _tanh(s)
    return z * t, t + z * t_slope * s_slope


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
    else:  # EXP
        for i in range(n):
            a[i] = exp(a[i])
            slope[i] = a[i]


@kernel(fastmath=SUMS)
def softmax(a: Array, log_sum: Array, n_rows: int, n: int) -> None:
    """Put softmax(z) where z is in `a`, row by row, and log(sum(exp(z))) into `log_sum`."""
    for i in range(n_rows):
        row = a[i * n : (i + 1) * n]
        top = row[0]
        for j in range(n):
            top = top if row[j] <= top else row[j]  # a NaN wins, and then stays
        log_sum[i] = top
        for j in range(n):
            row[j] -= top
    for i in range(n_rows * n):  # all rows at once: a row of ten is too short for vectors
        a[i] = exp(a[i])
    for i in range(n_rows):
        row = a[i * n : (i + 1) * n]
        total = like(row[0], 0.0)
        for j in range(n):
            total += row[j]
        log_sum[i] += math.log(total)
        share = like(total, 1.0) / total
        for j in range(n):
            row[j] *= share


# --- costs


@kernel(fastmath=SUMS)
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


@kernel(fastmath=SUMS)
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


@kernel(fastmath=SUMS)
def sample_cost(
    code: int, parameter: float, output: int, log_sum: Any, z: Array, a: Array, slope: Array, y: Array,
    delta: Array,
) -> Any:  # fmt: skip
    """Return the cost of one sample, and put dC/dz of the output layer into `delta`: BP1."""
    if code >= SOFTMAX_ENTROPY:
        return _entropy_cost(code, log_sum, z, a, y, delta)
    total = _residual_cost(code, parameter, a, y, delta)
    if output == SOFTMAX:  # the product with the Jacobian, without building it
        along = like(total, 0.0)
        for j in range(a.size):
            along += a[j] * delta[j]
        for j in range(a.size):
            delta[j] = a[j] * (delta[j] - along)
    else:
        for j in range(a.size):
            delta[j] *= slope[j]
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


# --- products


@kernel()
def outputs_product(
    blas: int, z: Array, ldz: int, a: Array, W: Array, m: int, n_out: int, n_in: int
) -> None:
    """Z = a W^T: z (m, n_out) in rows of ldz, a (m, n_in), W (n_out, n_in)."""
    gemm(blas, T, N, n_out, m, n_in, 1.0, W, n_in, a, n_in, 0.0, z, ldz)


@kernel()
def errors_product(
    blas: int, error: Array, lde: int, delta: Array, W: Array, ldw: int, m: int, n_out: int, n_in: int
) -> None:
    """Error = delta W: error (m, n_in) in rows of lde, delta (m, n_out), W (n_out, n_in) of ldw."""
    gemm(blas, N, N, n_in, m, n_out, 1.0, W, ldw, delta, n_out, 0.0, error, lde)


@kernel()
def weights_product(
    blas: int, alpha: float, beta: float, G: Array, delta: Array, ldd: int, a: Array, m: int,
    n_out: int, n_in: int,
) -> None:  # fmt: skip
    """G = beta G + alpha delta^T a: G (n_out, n_in), delta (m, n_out) in rows of ldd, a (m, n_in)."""
    gemm(blas, N, T, n_in, n_out, m, alpha, a, n_in, delta, ldd, beta, G, n_in)


# --- threads


@kernel()
def share(thread: int, n_threads: int, n: int, unit: int) -> tuple[int, int]:
    """Return the first and the last (exclusive) of n things that a thread does, in whole units."""
    units = (n + unit - 1) // unit
    return min(n, units * thread // n_threads * unit), min(n, units * (thread + 1) // n_threads * unit)


@kernel()
def meet(counter: Array, n_threads: int, wanted: int, yield_address: int) -> int:
    """Wait until all threads have come here; return how many arrivals the next meeting needs."""
    if n_threads > 1:
        arrive(counter)
        spins = 0
        while arrived(counter) < wanted:
            spins += 1
            if spins > 2000:  # about 10 us: more threads than free cores
                give_way(yield_address)
    return wanted + n_threads


@kernel()
def rectangle(thread: int, n_threads: int, m: int, n: int) -> tuple[int, int, int, int]:
    """Return the rows and columns of an (m, n) layer that a thread computes.

    Columns where there are many, so that every weight is read by one thread; otherwise rows.
    """
    if n >= 64 * n_threads:
        first, last = share(thread, n_threads, n, 16)
        return 0, m, first, last
    first, last = share(thread, n_threads, m, 1)
    return first, last, 0, n


# --- layers


@kernel()
def forward_layer(
    layer: Array, factors: Array, segments: Array, number: int, integers: Array, step: int, part: Any,
    m: int, parameters: Array, work: Array, blas: int,
) -> None:  # fmt: skip
    """Compute one rectangle (rows i0 to i1, columns j0 to j1) of a layer's activations and slopes."""
    i0, i1, j0, j1 = part
    n_in, n = layer[N_IN], layer[N_OUT]
    if i1 <= i0 or j1 <= j0:
        return
    above = work[layer[ABOVE] : layer[ABOVE] + m * n]
    slopes = work[layer[SLOPE] : layer[SLOPE] + m * n]
    below = work[layer[BELOW] + i0 * n_in :]
    W = parameters[layer[WEIGHTS] + j0 * n_in :]
    outputs_product(blas, above[i0 * n + j0 :], n, below, W, i1 - i0, j1 - j0, n_in)
    if layer[BIASES] >= 0:
        b = parameters[layer[BIASES] + j0 : layer[BIASES] + j1]
        for i in range(i0, i1):
            row = above[i * n + j0 : i * n + j1]
            for j in range(row.size):
                row[j] += b[j]
    code = layer[CODE]
    if layer[Z] >= 0:  # the output layer: its cost may need z
        z = work[layer[Z] : layer[Z] + m * n]
        for i in range(i0, i1):
            for j in range(i * n + j0, i * n + j1):
                z[j] = above[j]
    if code == SOFTMAX:  # never split by columns
        log_sum = work[integers[LOG_SUM] + i0 : integers[LOG_SUM] + i1]
        softmax(above[i0 * n : i1 * n], log_sum, i1 - i0, n)
    elif code == MIXED:
        for i in range(i0, i1):
            for s in range(layer[FIRST_SEGMENT], layer[LAST_SEGMENT]):
                k0, k1 = max(j0, segments[s, 0]), min(j1, segments[s, 1])
                if k0 < k1:
                    activate(segments[s, 2], above[i * n + k0 : i * n + k1], slopes[i * n + k0 :])
    elif j1 - j0 == n:
        activate(code, above[i0 * n : i1 * n], slopes[i0 * n : i1 * n])
    else:
        for i in range(i0, i1):
            activate(code, above[i * n + j0 : i * n + j1], slopes[i * n + j0 :])
    if layer[DROP] > 0:
        seed = np.uint64(integers[SEED])
        for i in range(i0, i1):
            a, slope = above[i * n + j0 : i * n + j1], slopes[i * n + j0 : i * n + j1]
            drop(seed, step, number, i, layer[DROP], factors[KEEP_SCALE], j0, a, slope)


@kernel()
def backward_layer(
    layer: Array, below: Array, part: Any, m: int, parameters: Array, work: Array, blas: int
) -> None:
    """Compute one rectangle of the deltas of the layer `below` from those of `layer`: BP2."""
    i0, i1, j0, j1 = part
    n, n_out = below[N_OUT], layer[N_OUT]
    if i1 <= i0 or j1 <= j0:
        return
    deltas = work[below[DELTA] : below[DELTA] + m * n]
    slopes = work[below[SLOPE] : below[SLOPE] + m * n]
    delta = work[layer[DELTA] + i0 * n_out :]
    W = parameters[layer[WEIGHTS] + j0 :]
    errors_product(blas, deltas[i0 * n + j0 :], n, delta, W, n, i1 - i0, n_out, j1 - j0)
    for i in range(i0, i1):
        d, s = deltas[i * n + j0 : i * n + j1], slopes[i * n + j0 : i * n + j1]
        for j in range(d.size):
            d[j] *= s[j]


# --- the gradient and what follows it


@kernel()
def follow(
    kind: int, numbers: Array, rate: float, decay: float, t: int, p: Array, g: Array, moments: Array,
    offset: int,
) -> None:  # fmt: skip
    """Move the parameters `p`, which start at `offset` of the flat vector, along the gradient `g`."""
    one = like(p[0], 1.0)
    step = like(p[0], rate)
    b1 = like(p[0], numbers[FIRST])
    eps = like(p[0], numbers[EPSILON])
    n = p.size
    if kind == SGD:
        for i in range(n):
            p[i] -= step * g[i]
        return
    u = moments[0, offset : offset + n]
    if kind == MOMENTUM:
        for i in range(n):
            u[i] = b1 * u[i] + g[i]
            p[i] -= step * u[i]
    elif kind == NESTEROV:
        for i in range(n):
            u[i] = b1 * u[i] + g[i]
            p[i] -= step * (g[i] + b1 * u[i])
    elif kind == RMSPROP:
        c1 = like(p[0], 1.0 - numbers[FIRST])
        for i in range(n):
            u[i] = b1 * u[i] + c1 * g[i] * g[i]
            p[i] -= step * g[i] / (math.sqrt(u[i]) + eps)
    else:
        v = moments[1, offset : offset + n]
        b2 = like(p[0], numbers[SECOND])
        c1 = like(p[0], 1.0 - numbers[FIRST])
        c2 = like(p[0], 1.0 - numbers[SECOND])
        step = like(p[0], rate / (1.0 - numbers[FIRST] ** t))
        root = like(p[0], 1.0 / math.sqrt(1.0 - numbers[SECOND] ** t))
        keep = one - like(p[0], rate * numbers[DECAY] * decay) if kind == ADAMW else one
        for i in range(n):
            u[i] = b1 * u[i] + c1 * g[i]
            v[i] = b2 * v[i] + c2 * g[i] * g[i]
            p[i] = keep * p[i] - step * u[i] / (root * math.sqrt(v[i]) + eps)


@kernel()
def add_penalties(g: Array, W: Array, l2: float, l1: float) -> None:
    """G += l2 W + l1 sign(W)."""
    if l2 != 0.0:
        c2 = like(g[0], l2)
        for i in range(g.size):
            g[i] += c2 * W[i]
    if l1 != 0.0:
        c1 = like(g[0], l1)
        zero = like(g[0], 0.0)
        for i in range(g.size):
            g[i] += c1 if W[i] > zero else (-c1 if W[i] < zero else zero)


@kernel()
def weight_gradient(
    layer: Array, j0: int, j1: int, m: int, scale: float, numbers: Array, factors: Array,
    parameters: Array, work: Array, g: Array, blas: int,
) -> None:  # fmt: skip
    """Put rows j0 to j1 of a layer's gradient, with the penalties, into `g`: BP4."""
    n_in, n_out = layer[N_IN], layer[N_OUT]
    if factors[WEIGHT_RATE] == 0.0:  # frozen
        for i in range(g.size):
            g[i] = like(g[i], 0.0)
        return
    delta, a = work[layer[DELTA] + j0 :], work[layer[BELOW] :]
    weights_product(blas, scale, 0.0, g, delta, n_out, a, m, j1 - j0, n_in)
    first = layer[WEIGHTS]
    W = parameters[first + j0 * n_in : first + j1 * n_in]
    add_penalties(g, W, numbers[L2], numbers[L1])


@kernel()
def bias_gradient(
    layer: Array, j0: int, j1: int, m: int, scale: float, factors: Array, work: Array, g: Array
) -> None:
    """Put elements j0 to j1 of a layer's bias gradient into `g`: BP3."""
    n_out = layer[N_OUT]
    for j in range(g.size):
        g[j] = like(g[j], 0.0)
    if factors[BIAS_RATE] == 0.0:  # frozen
        return
    for i in range(m):
        first = layer[DELTA] + i * n_out
        delta = work[first + j0 : first + j1]
        for j in range(delta.size):
            g[j] += delta[j]
    c = like(g[0], scale)
    for j in range(g.size):
        g[j] *= c


@kernel()
def update_layer(
    layer: Array, factors: Array, integers: Array, numbers: Array, thread: int, n_threads: int, m: int,
    scale: float, rate: float, t: int, parameters: Array, moments: Array, work: Array, blas: int,
) -> None:  # fmt: skip
    """Compute a thread's rows of the gradient of a layer, a few at a time, and follow each."""
    n_in = layer[N_IN]
    chunk = integers[CHUNK]
    scratch = work[integers[GRADIENT] + thread * chunk : integers[GRADIENT] + (thread + 1) * chunk]
    j0, j1 = share(thread, n_threads, layer[N_OUT], 8)
    weight_rate = rate * factors[WEIGHT_RATE]
    bias_rate = rate * factors[BIAS_RATE]
    kind = integers[OPTIMIZER]
    rows = max(1, chunk // n_in)
    for first in range(j0, j1, rows):
        last = min(j1, first + rows)
        g = scratch[: (last - first) * n_in]
        weight_gradient(layer, first, last, m, scale, numbers, factors, parameters, work, g, blas)
        offset = layer[WEIGHTS] + first * n_in
        p = parameters[offset : offset + g.size]
        follow(kind, numbers, weight_rate, factors[WEIGHT_DECAY], t, p, g, moments, offset)
    if layer[BIASES] >= 0 and j1 > j0:
        for first in range(j0, j1, chunk):
            last = min(j1, first + chunk)
            g = scratch[: last - first]
            bias_gradient(layer, first, last, m, scale, factors, work, g)
            offset = layer[BIASES] + first
            p = parameters[offset : offset + g.size]
            follow(kind, numbers, bias_rate, factors[BIAS_DECAY], t, p, g, moments, offset)


@kernel(fastmath=SUMS)
def sum_of_squares(g: Array) -> float:
    """Return the sum of squares, in float64."""
    total = 0.0
    for i in range(g.size):
        total += np.float64(g[i]) * np.float64(g[i])
    return total


@kernel()
def gradient_of_layer(
    layer: Array, factors: Array, integers: Array, numbers: Array, thread: int, n_threads: int, m: int,
    scale: float, parameters: Array, work: Array, blas: int,
) -> float:  # fmt: skip
    """Put a thread's rows of a layer's gradient in the whole gradient; return their sum of squares."""
    j0, j1 = share(thread, n_threads, layer[N_OUT], 8)
    n_in = layer[N_IN]
    whole = work[integers[GRADIENT] :]
    total = 0.0
    if j1 > j0:
        g = whole[layer[WEIGHTS] + j0 * n_in : layer[WEIGHTS] + j1 * n_in]
        weight_gradient(layer, j0, j1, m, scale, numbers, factors, parameters, work, g, blas)
        total += sum_of_squares(g)
        if layer[BIASES] >= 0:
            g = whole[layer[BIASES] + j0 : layer[BIASES] + j1]
            bias_gradient(layer, j0, j1, m, scale, factors, work, g)
            total += sum_of_squares(g)
    return total


@kernel()
def follow_clipped(
    layer: Array, factors: Array, integers: Array, numbers: Array, thread: int, n_threads: int,
    shrink: float, rate: float, t: int, parameters: Array, moments: Array, work: Array,
) -> None:  # fmt: skip
    """Follow a thread's rows of the whole gradient, times `shrink`."""
    j0, j1 = share(thread, n_threads, layer[N_OUT], 8)
    kind = integers[OPTIMIZER]
    for what in range(2):
        size = layer[N_IN] if what == 0 else 1
        start = layer[WEIGHTS] if what == 0 else layer[BIASES]
        if start < 0 or j1 <= j0:
            continue
        offset = start + j0 * size
        g = work[integers[GRADIENT] + offset : integers[GRADIENT] + start + j1 * size]
        if shrink != 1.0:
            c = like(g[0], shrink)
            for i in range(g.size):
                g[i] *= c
        p = parameters[offset : offset + g.size]
        its_rate = rate * (factors[WEIGHT_RATE] if what == 0 else factors[BIAS_RATE])
        decay = factors[WEIGHT_DECAY] if what == 0 else factors[BIAS_DECAY]
        follow(kind, numbers, its_rate, decay, t, p, g, moments, offset)


# --- a step


@kernel()
def gather(rows: Array, X: Array, work: Array, thread: int, n_threads: int, m: int) -> None:
    """Copy a thread's share of a batch's inputs to the start of the workspace."""
    n = X.shape[1]
    i0, i1 = share(thread, n_threads, m, 1)
    for i in range(i0, i1):
        source = X[rows[i]]
        target = work[i * n : (i + 1) * n]
        for k in range(n):
            target[k] = source[k]


@kernel()
def costs_and_deltas(
    layer: Array, integers: Array, numbers: Array, rows: Array, Y: Array, sample_weight: Array,
    correct: Array, thread: int, n_threads: int, m: int, work: Array, costs: Array,
) -> None:  # fmt: skip
    """Compute a thread's share of the samples' costs and output deltas: BP1."""
    n = layer[N_OUT]
    i0, i1 = share(thread, n_threads, m, 1)
    for i in range(i0, i1):
        y = Y[rows[i]]
        a = work[layer[ABOVE] + i * n : layer[ABOVE] + (i + 1) * n]
        z = work[layer[Z] + i * n : layer[Z] + (i + 1) * n]
        slope = work[layer[SLOPE] + i * n : layer[SLOPE] + (i + 1) * n]
        delta = work[layer[DELTA] + i * n : layer[DELTA] + (i + 1) * n]
        log_sum = work[integers[LOG_SUM] + i]
        parameter = numbers[COST_PARAMETER]
        cost = sample_cost(integers[COST], parameter, layer[CODE], log_sum, z, a, slope, y, delta)
        costs[i] = cost
        if integers[WEIGHTED]:
            w = sample_weight[rows[i]]
            costs[i] = costs[i] * np.float64(w)
            for j in range(n):
                delta[j] *= w
        if integers[COUNTS]:
            correct[i] = points_to_class(a, y)


@kernel()
def any_weight(rows: Array, sample_weight: Array) -> bool:
    """Return whether a sample of the batch has a weight that is not zero."""
    for i in range(rows.size):  # noqa: SIM110 - Numba compiles no generator expressions
        if sample_weight[rows[i]] != 0:
            return True
    return False


@entry
def train(
    parameters: Array, moments: Array, X: Array, Y: Array, sample_weight: Array, order: Array,
    rates: Array, layers: Array, segments: Array, factors: Array, integers: Array, numbers: Array,
    work: Array, costs: Array, correct: Array, blas: int, counter: Array, thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Make ``rates.size`` steps: ReferenceEngine.run.

    Every thread runs this; `counter` is where they meet. What is found is left in `integers` (MADE,
    BAD, UPDATES) and `numbers` (EPOCH_COST), by thread 0. ``costs[BATCH:]`` are the threads' sums.
    """
    last = layers.shape[0] - 1
    batch = integers[BATCH]
    updates = integers[UPDATES]
    epoch_cost = numbers[EPOCH_COST]
    wanted = n_threads
    give = integers[YIELD]
    made = 0
    bad = False
    for made in range(rates.size + 1):
        if made == rates.size:
            break
        first = (integers[FIRST_STEP] + made) * batch
        rows = order[first : min(first + batch, integers[N_SAMPLES])]
        m = rows.size
        gather(rows, X, work, thread, n_threads, m)
        wanted = meet(counter, n_threads, wanted, give)
        for l in range(last + 1):  # noqa: E741
            part = rectangle(thread, n_threads, m, layers[l, N_OUT])
            if layers[l, CODE] == SOFTMAX:
                i0, i1 = share(thread, n_threads, m, 1)
                part = (i0, i1, 0, layers[l, N_OUT])
            step = integers[STEP] + made
            forward_layer(
                layers[l], factors[l], segments, l, integers, step, part, m, parameters, work, blas
            )
            wanted = meet(counter, n_threads, wanted, give)
        seen = correct[first - integers[FIRST_STEP] * batch :]
        costs_and_deltas(
            layers[last], integers, numbers, rows, Y, sample_weight, seen, thread, n_threads, m, work,
            costs,
        )  # fmt: skip
        wanted = meet(counter, n_threads, wanted, give)
        batch_cost = 0.0
        for i in range(m):
            batch_cost += costs[i]
        if not math.isfinite(batch_cost):
            bad = True
            break
        if not integers[WEIGHTED] or any_weight(rows, sample_weight):
            updates += 1
            for l in range(last, 0, -1):  # noqa: E741
                part = rectangle(thread, n_threads, m, layers[l, N_IN])
                backward_layer(layers[l], layers[l - 1], part, m, parameters, work, blas)
                wanted = meet(counter, n_threads, wanted, give)
            scale = 1.0 if integers[SUM] else 1.0 / m
            rate = rates[made]
            if integers[CLIPS]:
                squares = 0.0
                for l in range(last + 1):  # noqa: E741
                    squares += gradient_of_layer(
                        layers[l], factors[l], integers, numbers, thread, n_threads, m, scale,
                        parameters, work, blas,
                    )  # fmt: skip
                costs[batch + thread] = squares
                wanted = meet(counter, n_threads, wanted, give)
                squares = 0.0
                for i in range(n_threads):
                    squares += costs[batch + i]
                norm = math.sqrt(squares)
                shrink = numbers[CLIP] / norm if norm > numbers[CLIP] else 1.0
                for l in range(last + 1):  # noqa: E741
                    follow_clipped(
                        layers[l], factors[l], integers, numbers, thread, n_threads, shrink, rate,
                        updates, parameters, moments, work,
                    )  # fmt: skip
            else:
                for l in range(last + 1):  # noqa: E741
                    update_layer(
                        layers[l], factors[l], integers, numbers, thread, n_threads, m, scale, rate,
                        updates, parameters, moments, work, blas,
                    )  # fmt: skip
        epoch_cost += batch_cost
        wanted = meet(counter, n_threads, wanted, give)
    if thread == 0:
        integers[MADE], integers[BAD], integers[UPDATES] = made, bad, updates
        numbers[EPOCH_COST] = epoch_cost
