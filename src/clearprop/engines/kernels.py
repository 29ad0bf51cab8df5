"""The reference engine's equations, compiled: one function that trains every architecture.

This is Python, and runs as such when it is stepped through; ``translation`` makes LLVM code of it,
``machine_code`` keeps what LLVM makes of that.

What each kernel computes, and which function of the reference it must agree with:

    activate           a = f(z) and f'(z), a whole row or batch       Activation.__call__, .slope
    softmax            a and log(sum(exp(z)))                         ACTIVATIONS["softmax"]
    sample_cost        one sample's cost, and dC/dz                   Cost.of_samples, .output_delta
    grouped_cost       the same of several softmaxes side by side     costs.grouped_cross_entropy
    drop               a and f' times the dropout mask                randomness.keep_mask
    forward_layer      z = a_previous W^T + b, then activate          backprop.forward
    backward_layer     BP2                                            backprop.backward
    gradient           BP3, BP4 and the penalties                     backprop.gradient,
                                                                        add_penalty_gradient
    follow             the optimizer on a stretch of the vector       Optimizer.update
    descend            BP3, BP4 and plain SGD in one                  both of these
    train              a stretch of mini-batches                      ReferenceEngine.run
    predict            the last layer's activations                   backprop.forward

and why they are shaped so:

- Everything is flat. A layer is a row of a table of integers (sizes, codes, offsets), so one compiled
  function serves every network; the activations, slopes and deltas of all layers are stretches of one
  workspace, so nothing is allocated while it runs.
- What an element goes through is decided once for a whole row or batch, never inside a loop: the loops
  become vector instructions.
- f' is kept from the forward pass, where exp(z) is at hand. The optimizer runs over a few rows of the
  gradient at a time, while they are in the cache; only clip_norm needs a whole gradient first.
- An input scale s is a layer of its own below the first: X is its f'(z) and s X its activation, so BP2
  gives the delta whose sum over the samples is dC/ds, as BP3 does for biases.
- A batch of a few rows goes straight from its arguments to registers; the vectors of inputs that are
  zero in all of its rows are found first, and neither multiplied nor, in plain SGD, updated: the same
  bits for less work (60 % less where the inputs are one image). Larger batches copy panels of W, and
  of the activations for BP4, in the order in which the products read them. They pass over columns of
  zeros as well, where an eighth of a batch's columns or more are that (a third of MNIST's in 128
  rows): z is a sum over the other columns, and dC/dW is made only where vectors of it lie that cover
  those. Zero times a weight that is not finite is no zero, so that is looked at first.
- Threads run the same function side by side on parts of each layer, and meet at a barrier after each.
  Large layers are cut into blocks that stay in the cache until they are activated; who is through with
  its own part takes blocks that another has left. A block is computed in the same order by whoever
  takes it, so the bits do not depend on the scheduler; where sums of several blocks are needed
  (clip_norm), each thread keeps to its own.
- The activations that a gradient reads are laid out in panels once for all threads, while the costs are
  computed.
- Fast-math is decided function by function. Sums may be reordered (SUMS) where the length of a sum
  would otherwise stop vectorisation; nothing may assume that there are no NaNs, since a NaN is how a
  training that diverges is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clearprop.engines.elementary import exp, exp_both, log1p, normal
from clearprop.engines.intrinsics import (
    arrive,
    arrived,
    call_own,
    call_own_cost,
    give_way,
    kernel,
    like,
    part,
    prefetch,
)
from clearprop.engines.language import BOOL, FLOAT64, INT, Flat, Kernel, Scalar, Table, Type
from clearprop.engines.products import (
    LARGE,
    MOST,
    REGISTER_BYTES,
    STRIPS,
    WIDE,
    add_listed,
    cover,
    dots,
    find_used,
    laid_out_size,
    lay_out,
    lay_out_at,
    multiply,
    multiply_at,
    sums,
    used,
    vectors,
    width,
)

Array = Any

# Sums may be reordered and products fused; NaN and infinity keep their meaning.
SUMS = {"reassoc", "contract", "nsz"}

# Columns of the table of layers; one row for each.
(
    N_IN, N_OUT, WEIGHTS, BIASES, SCALES, BELOW, BELOW_SLOPE, BELOW_DELTA, ABOVE, SLOPE, DELTA, Z, CODE,
    FIRST_SEGMENT, LAST_SEGMENT, DROP, LOG_SUMS, COPIES, COPIED, PANELS,
) = range(20)  # fmt: skip
LAYER_COLUMNS = 20
# Columns of the table of a layer's factors: three for its weights, its biases and its input scale each.
RATE, WEIGHT_RATE, BIAS_RATE, SCALE_RATE = 0, 0, 1, 2
DECAY_FACTOR, GRADIENT_FACTOR, KEEP_SCALE = 3, 6, 9
FACTOR_COLUMNS = 10
# Integers of a run.
(
    BATCH, N_SAMPLES, FIRST_STEP, N_STEPS, STEP, UPDATES, SEED, COST, OPTIMIZER, COUNTS, SUM, CLIPS,
    WEIGHTED, FUSED, GRADIENT, CHUNK, MADE, BAD, YIELD, OVER_WEIGHT, COLUMNS, WATCHED,
) = range(22)  # fmt: skip
N_INTEGERS = 22
DOUBTFUL = 2  # what BAD is where the next step may lead to a parameter that is not finite
# Numbers of a run.
L2, L1, CLIP, FIRST, SECOND, EPSILON, DECAY, COST_PARAMETER, EPOCH_COST, LARGEST = range(10)
N_NUMBERS = 10
FAR = 1e30  # far from the largest float32: no sum of steps below it gets there

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
    POISSON_EXP, POISSON_SOFTPLUS, GROUPED_ENTROPY,
) = range(10)  # fmt: skip
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, FOLDED_ADAM = range(7)

LINE = 8  # integers of a cache line
FETCHED = 32 * 1024  # elements of a batch up to which the next one is asked for: both fit the cache
BOTH, GATHER, FOLLOW, DONE = range(4)  # what update_layer does


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
    e = exp(-abs(z))
    r = like(z, 1.0) / (like(z, 1.0) + e)
    return (like(z, 0.0) if z < 0 else z) + log1p(e), (r if z >= 0 else e * r)


@kernel()
def _mish(z: Any) -> Any:
    # tanh(ln(1 + w)) is n / (n + 2), n = w (w + 2), w = e^z: one exponential and one division. Above 0
    # n and n + 2 are times e^-2z, which cannot overflow.
    e = exp(-abs(z))
    one, two = like(z, 1.0), like(z, 2.0)
    n = one + two * e if z > 0 else e * (e + two)
    rest = two * e * e if z > 0 else two
    r = one / (n + rest)
    t = n * r
    return z * t, t + z * two * rest * (e * (one + e) if z <= 0 else one + e) * r * r


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
        a[i] = exp(a[i])
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
            delta[j] = exp(z[j] - top)
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


# --- threads


@kernel()
def share(thread: int, n_threads: int, n: int, unit: int) -> tuple[int, int]:
    """Return the first and the last (exclusive) of n things that a thread does, in whole units."""
    if n_threads == 1:
        return 0, n
    units = (n + unit - 1) // unit
    return min(n, units * thread // n_threads * unit), min(n, units * (thread + 1) // n_threads * unit)


@kernel()
def meet(
    counter: Array, n_threads: int, wanted: int, yield_address: int, thread: int, n_layers: int
) -> int:
    """Wait until all threads have come here; return how many arrivals the next meeting needs."""
    if n_threads > 1:
        arrive(counter)
        spins = 0
        while arrived(counter) < wanted:
            spins += 1
            if spins > 2000:  # about 10 us: more threads than free cores
                give_way(yield_address)
        for l in range(n_layers):  # noqa: E741 - of the phase after the next: nobody looks at them now
            counter[queue(wanted + 2 * n_threads, l, n_layers, thread, n_threads)] = 0
    return wanted + n_threads


@kernel()
def queue(wanted: int, layer: int, n_layers: int, owner: int, n_threads: int) -> int:
    """Return where it is counted how many blocks of a thread's part of a layer are taken.

    Each is on a cache line of its own; three phases, of which `wanted` tells, take turns.
    """
    return LINE * (1 + (wanted // n_threads % 3 * n_layers + layer) * n_threads + owner)


@kernel()
def take(counter: Array, place: int, n_threads: int, before: int) -> int:
    """Return the next block that no thread has taken; `before` is the last that this thread took."""
    return before + 1 if n_threads == 1 else arrive(part(counter, place, 1))


@kernel()
def at_a_time(n: int, n_threads: int, least: int, most: int, unit: int) -> int:
    """Return how many of n columns or rows are taken at a time: a quarter, for others to help with."""
    if n_threads == 1:
        return most
    return min(most, max(least, (n + 4 * unit - 1) // (4 * unit) * unit))


@kernel()
def rectangle(thread: int, n_threads: int, m: int, n: int, whole_rows: bool) -> Any:
    """Return the rows i0 to i1 and columns j0 to j1 of an (m, n) layer that a thread computes.

    Columns where there are many, so that every weight is read by one thread; otherwise rows.
    """
    if n >= 64 * n_threads and not whole_rows:
        j0, j1 = share(thread, n_threads, n, 16)
        return 0, m, j0, j1
    i0, i1 = share(thread, n_threads, m, 1)
    return i0, i1, 0, n


# --- layers


@kernel(SUMS)
def rough_squares(x: Array) -> float:
    """Return the sum of squares, summed in x's dtype: infinite where one is too large for it."""
    total = like(x[0], 0.0)
    for i in range(x.size):
        total += x[i] * x[i]
    return np.float64(total)


@kernel()
def squares_of(rows_and_columns: Any, n: int, x: Array) -> float:
    """Return the sum of squares of a rectangle of a layer, while it is in the cache."""
    i0, i1, j0, j1 = rows_and_columns
    if j1 - j0 == n:
        return rough_squares(part(x, i0 * n, (i1 - i0) * n)) if i1 > i0 else 0.0
    total = 0.0
    for i in range(i0, i1):
        total += rough_squares(part(x, i * n + j0, j1 - j0))
    return total


@kernel()
def activate_rows(
    layer: Array, segments: Array, i0: int, i1: int, j0: int, j1: int, above: Array, slopes: Array,
    log_sum: Array,
) -> None:  # fmt: skip
    """Put f(z) where z is in rows i0 to i1, columns j0 to j1 of a layer, and f'(z) into `slopes`."""
    n, code = layer[N_OUT], layer[CODE]
    if code == SOFTMAX:  # never split by columns
        softmax(part(above, i0 * n, (i1 - i0) * n), part(log_sum, i0, i1 - i0), i1 - i0, n)
        return
    # One stretch if the rows touch, one for each row and segment otherwise.
    together = code != MIXED and j1 - j0 == n
    first, last = (layer[FIRST_SEGMENT], layer[LAST_SEGMENT]) if code == MIXED else (0, 1)
    for i in range(i0, i0 + 1 if together else i1):
        for s in range(first, last):
            k0, k1, its_code = j0, j1, code
            if code == MIXED:
                k0, k1, its_code = max(j0, segments[s, 0]), min(j1, segments[s, 1]), segments[s, 2]
            size = (i1 - i0) * n if together else k1 - k0
            if size > 0:
                activate(its_code, part(above, i * n + k0, size), part(slopes, i * n + k0, size))


@kernel()
def forward_layer(
    layer: Array, segments: Array, rows_and_columns: Any, parameters: Array, below: Array, above: Array,
    slopes: Array, z: Array, log_sum: Array, copies: Array, columns: Array, count: int, used: Array,
) -> None:  # fmt: skip
    """Compute a rectangle of a layer's activations and slopes, and keep z if it is the last.

    The `count` first of `columns` are where vectors of inputs begin that are not all zero; `used` lists
    the inputs that are not, if it is not empty.
    """
    i0, i1, j0, j1 = rows_and_columns
    n_in, n = layer[N_IN], layer[N_OUT]
    if i1 <= i0 or j1 <= j0:
        return
    W = part(parameters, layer[WEIGHTS] + j0 * n_in, (j1 - j0) * n_in)
    a = part(below, i0 * n_in, (i1 - i0) * n_in)
    out = part(above, i0 * n + j0, (i1 - i0) * n - j0)
    dots(out, n, a, n_in, W, n_in, i1 - i0, j1 - j0, n_in, copies, columns, count, used)
    complete_layer(
        layer, segments, rows_and_columns, parameters, above, slopes, z, log_sum,
    )  # fmt: skip


@kernel()
def complete_layer(
    layer: Array, segments: Array, rows_and_columns: Any, parameters: Array, above: Array,
    slopes: Array, z: Array, log_sum: Array,
) -> None:  # fmt: skip
    """Make a rectangle of activations and slopes of the products that are in `above`."""
    i0, i1, j0, j1 = rows_and_columns
    n = layer[N_OUT]
    if layer[BIASES] >= 0:
        b = part(parameters, layer[BIASES] + j0, j1 - j0)
        for i in range(i0, i1):
            row = part(above, i * n + j0, j1 - j0)
            for j in range(row.size):
                row[j] += b[j]
    if layer[Z] >= 0:  # the output layer: its cost may need z
        for i in range(i0, i1):
            for j in range(i * n + j0, i * n + j1):
                z[j] = above[j]
    activate_rows(layer, segments, i0, i1, j0, j1, above, slopes, log_sum)


@kernel()
def backward_layer(
    layer: Array, rows_and_columns: Any, parameters: Array, work: Array, copies: Array, every: Array
) -> None:
    """Compute a rectangle of the deltas of the layer below from those of `layer`: BP2."""
    i0, i1, j0, j1 = rows_and_columns
    n, n_out = layer[N_IN], layer[N_OUT]
    if i1 <= i0 or j1 <= j0:
        return
    W = part(parameters, layer[WEIGHTS] + j0, n_out * n - j0)
    delta = part(work, layer[DELTA] + i0 * n_out, (i1 - i0) * n_out)
    error = part(work, layer[BELOW_DELTA] + i0 * n + j0, (i1 - i0) * n - j0)
    sums(error, n, delta, 1, n_out, W, n, i1 - i0, j1 - j0, n_out, 0.0, copies, every)
    together = j1 - j0 == n
    for i in range(i0, i0 + 1 if together else i1):
        size = (i1 - i0) * n if together else j1 - j0
        d = part(work, layer[BELOW_DELTA] + i * n + j0, size)
        slope = part(work, layer[BELOW_SLOPE] + i * n + j0, size)
        for j in range(size):
            d[j] *= slope[j]


@kernel()
def forward_part(
    layer: Array, factors: Array, number: int, segments: Array, integers: Array, made: int, m: int,
    owner: int, n_threads: int, counter: Array, place: int, parameters: Array, work: Array,
    log_sum: Array, copies: Array, columns: Array, count: int, used: Array, squares: Array,
) -> None:  # fmt: skip
    """Compute what is left of a thread's part of a layer, in blocks that stay in the cache.

    The squares of the activations are added to ``squares[0]``.
    """
    n, softmax_of_rows = layer[N_OUT], layer[CODE] == SOFTMAX
    i0, i1, j0, j1 = rectangle(owner, n_threads, m, n, softmax_of_rows)
    above, slopes = part(work, layer[ABOVE], m * n), part(work, layer[SLOPE], m * n)
    below, z = part(work, layer[BELOW], m * layer[N_IN]), part(work, layer[Z], m * n)
    step = j1 - j0
    if i1 - i0 == m and m >= LARGE and not softmax_of_rows:
        step = at_a_time(j1 - j0, n_threads, 32, WIDE, 16)
    block = take(counter, place, n_threads, -1)
    while j0 + block * step < j1:
        first = j0 + block * step
        mine = i0, i1, first, min(j1, first + step)
        forward_layer(
            layer, segments, mine, parameters, below, above, slopes, z, log_sum, copies, columns, count,
            used,
        )  # fmt: skip
        if layer[DROP] > 0:
            drop_rectangle(layer, factors, number, integers, made, mine, above, slopes)
        squares[0] += squares_of(mine, n, above)
        block = take(counter, place, n_threads, block)


@kernel()
def backward_part(
    layer: Array, m: int, owner: int, n_threads: int, counter: Array, place: int, parameters: Array,
    work: Array, copies: Array, every: Array, squares: Array,
) -> None:  # fmt: skip
    """Compute what is left of a thread's part of the deltas below a layer, as `forward_part` does."""
    errors = part(work, layer[BELOW_DELTA], m * layer[N_IN])
    i0, i1, j0, j1 = rectangle(owner, n_threads, m, layer[N_IN], False)
    step = j1 - j0
    if i1 - i0 == m and m >= LARGE:
        step = at_a_time(j1 - j0, n_threads, 32, WIDE, 16)
    block = take(counter, place, n_threads, -1)
    while j0 + block * step < j1:
        first = j0 + block * step
        mine = i0, i1, first, min(j1, first + step)
        backward_layer(layer, mine, parameters, work, copies, every)
        squares[0] += squares_of(mine, layer[N_IN], errors)
        block = take(counter, place, n_threads, block)


# --- the gradient and what follows it


@kernel()
def in_panels(layer: Array, m: int) -> bool:
    """Return whether the activations below a layer are laid out for its gradient."""
    return layer[PANELS] >= 0 and min(layer[N_OUT], m) >= LARGE and m <= MOST


@kernel()
def lay_out_below(layer: Array, m: int, thread: int, n_threads: int, work: Array, first: Array) -> None:
    """Lay out a thread's share of the activations below a layer, in the order its gradient reads."""
    if not in_panels(layer, m):
        return
    n = layer[N_IN]
    a, panels = part(work, layer[BELOW], m * n), part(work, layer[PANELS], m * (n + WIDE))
    if first.size > 0:
        lanes = REGISTER_BYTES // work.itemsize
        v0, v1 = share(thread, n_threads, first.size, width(work) // lanes)
        target = part(panels, v0 * lanes * m, panels.size - v0 * lanes * m)
        lay_out_at(target, a, n, m, part(first, v0, v1 - v0), n)
        return
    k0, k1 = share(thread, n_threads, n, WIDE)
    if k1 > k0:
        target = part(panels, k0 * m, panels.size - k0 * m)
        lay_out(target, part(a, k0, a.size - k0), n, 1, m, k1 - k0)


@kernel()
def add_columns(total: Array, delta: Array, n_out: int, m: int) -> None:
    """Add to `total` the sum over m samples of its part of their deltas: BP3."""
    for i in range(m):
        row = part(delta, i * n_out, total.size)
        for j in range(total.size):
            total[j] += row[j]


@kernel()
def descend(
    layer: Array, factors: Array, j0: int, j1: int, m: int, keep: float, parameters: Array, work: Array,
    copies: Array, columns: Array, count: int, at: Array,
) -> None:  # fmt: skip
    """Plain SGD without a gradient array: the deltas are already times -rate, BP4 adds to W itself.

    Of neurons j0 to j1. `keep` is what is left of the weights themselves, 1 - rate * l2; the `count`
    first of `columns` are where vectors of inputs begin that are not all zero, as do those that `at`
    lists for products of copies, if it is not empty.
    """
    n_in, n_out = layer[N_IN], layer[N_OUT]
    delta = part(work, layer[DELTA] + j0, m * n_out - j0)
    a = part(work, layer[BELOW], m * n_in)
    if factors[WEIGHT_RATE] != 0.0:  # not frozen
        W = part(parameters, layer[WEIGHTS] + j0 * n_in, (j1 - j0) * n_in)
        if in_panels(layer, m):
            strips, panels = part(copies, 0, STRIPS), part(work, layer[PANELS], m * n_in + WIDE)
            if at.size > 0:
                multiply_at(W, n_in, delta, n_out, panels, j1 - j0, n_in, at, m, keep, strips)
            else:
                every = part(at, 0, 0)
                multiply(W, n_in, delta, n_out, 1, panels, j1 - j0, n_in, m, keep, strips, every, 0)
        elif keep == 1.0 and count < vectors(a, n_in):
            add_listed(W, n_in, delta, n_out, a, n_in, j1 - j0, n_in, m, columns, count)
        else:
            sums(W, n_in, delta, n_out, 1, a, n_in, j1 - j0, n_in, m, keep, copies, part(at, 0, 0))
    if layer[BIASES] >= 0 and factors[BIAS_RATE] != 0.0:
        add_columns(part(parameters, layer[BIASES] + j0, j1 - j0), delta, n_out, m)


@kernel()
def follow(
    kind: int, numbers: Array, rate: float, decay: float, t: int, p: Array, g: Array, u: Array, v: Array
) -> None:
    """Move the parameters `p` along the gradient `g`; `u` and `v` are their moments."""
    one = like(p[0], 1.0)
    step = like(p[0], rate)
    b1 = like(p[0], numbers[FIRST])
    eps = like(p[0], numbers[EPSILON])
    c1 = like(p[0], 1.0 - numbers[FIRST])
    n = p.size
    if kind == SGD:
        for i in range(n):
            p[i] -= step * g[i]
    elif kind == MOMENTUM:
        for i in range(n):
            u[i] = b1 * u[i] + g[i]
            p[i] -= step * u[i]
    elif kind == NESTEROV:
        for i in range(n):
            u[i] = b1 * u[i] + g[i]
            p[i] -= step * (g[i] + b1 * u[i])
    elif kind == RMSPROP:
        for i in range(n):
            u[i] = b1 * u[i] + c1 * g[i] * g[i]
            p[i] -= step * g[i] / (math.sqrt(u[i]) + eps)
    else:
        b2 = like(p[0], numbers[SECOND])
        c2 = like(p[0], 1.0 - numbers[SECOND])
        step = like(p[0], rate / (1.0 - math.pow(numbers[FIRST], t)))
        root = like(p[0], 1.0 / math.sqrt(1.0 - math.pow(numbers[SECOND], t)))
        keep = one - like(p[0], rate * numbers[DECAY] * decay) if kind == ADAMW else one
        eps = root * eps if kind == FOLDED_ADAM else eps
        for i in range(n):
            u[i] = b1 * u[i] + c1 * g[i]
            v[i] = b2 * v[i] + c2 * g[i] * g[i]
            p[i] = keep * p[i] - step * u[i] / (root * math.sqrt(v[i]) + eps)


@kernel()
def add_penalties(g: Array, W: Array, l2: float, l1: float) -> None:
    """Add l2 W + l1 sign(W) to the gradient."""
    c2, c1, zero = like(g[0], l2), like(g[0], l1), like(g[0], 0.0)
    for i in range(g.size):
        g[i] += c2 * W[i] + (c1 if W[i] > zero else (-c1 if W[i] < zero else zero))


@kernel(SUMS)
def sum_of_squares(g: Array) -> float:
    """Return the sum of squares, in float64."""
    total = 0.0
    for i in range(g.size):
        total += np.float64(g[i]) * np.float64(g[i])
    return total


@kernel()
def gradient(
    layer: Array, what: int, first: int, count: int, m: int, frozen: bool, l2: float, l1: float,
    p: Array, work: Array, g: Array, copies: Array, at: Array,
) -> None:  # fmt: skip
    """Put rows of a layer's gradient with its penalties into `g`: BP4; for biases and scales BP3."""
    n_in, n_out = layer[N_IN], layer[N_OUT]
    for i in range(g.size if frozen or what > 0 or at.size > 0 else 0):
        g[i] = like(g[i], 0.0)
    if frozen:
        return
    deltas, n = (layer[BELOW_DELTA], n_in) if what == 2 else (layer[DELTA], n_out)
    delta = part(work, deltas + first, m * n - first)
    if what > 0:
        add_columns(g, delta, n, m)
        return
    if in_panels(layer, m):
        strips, panels = part(copies, 0, STRIPS), part(work, layer[PANELS], m * n_in + WIDE)
        if at.size > 0:
            multiply_at(g, n_in, delta, n_out, panels, count, n_in, at, m, 0.0, strips)
        else:
            every = part(at, 0, 0)
            multiply(g, n_in, delta, n_out, 1, panels, count, n_in, m, 0.0, strips, every, 0)
    else:
        a = part(work, layer[BELOW], m * n_in)
        sums(g, n_in, delta, n_out, 1, a, n_in, count, n_in, m, 0.0, copies, part(at, 0, 0))
    if l2 != 0.0 or l1 != 0.0:
        add_penalties(g, p, l2, l1)


@kernel()
def update_rows(
    layer: Array, factors: Array, integers: Array, numbers: Array, thread: int, j0: int, j1: int,
    m: int, phase: int, shrink: float, penalties: float, rate: float, t: int, parameters: Array,
    moments: Array, work: Array, copies: Array, at: Array,
) -> float:  # fmt: skip
    """Compute the gradient of neurons j0 to j1, a few at a time, and follow each while it is in cache.

    Clipping needs the norm of the whole gradient in between: with phase GATHER the rows are left in the
    whole gradient and their sum of squares is returned, with phase FOLLOW they are taken from there.
    l2 and l1 are times `penalties`. An input scale belongs to the first neuron.
    """
    chunk = integers[CHUNK]
    squares = 0.0
    for what in range(3):  # weights, biases, scales
        start = layer[WEIGHTS + what]
        if start < 0:
            continue
        k0, k1 = j0, j1
        if what == 2:
            k0, k1 = 0, layer[N_IN] if j0 == 0 else 0
        size = layer[N_IN] if what == 0 else 1
        factor = factors[RATE + what]
        rows = max(1, chunk // size)
        for first in range(k0, k1, rows):
            count = min(rows, k1 - first)
            offset, n = start + first * size, count * size
            place = integers[GRADIENT] + (thread * chunk if phase == BOTH else offset)
            g, p = part(work, place, n), part(parameters, offset, n)
            if phase != FOLLOW:
                l2, l1 = penalties * numbers[L2], penalties * numbers[L1]
                gradient(layer, what, first, count, m, factor == 0.0, l2, l1, p, work, g, copies, at)
            by = shrink if phase == FOLLOW else factors[GRADIENT_FACTOR + what]
            if by != 1.0:
                for i in range(n):
                    g[i] *= like(g[i], by)
            if phase == GATHER:
                squares += sum_of_squares(g)
                continue
            decay = factors[DECAY_FACTOR + what]
            u, v = part(moments, offset, n), part(moments, parameters.size + offset, n)
            follow(integers[OPTIMIZER], numbers, rate * factor, decay, t, p, g, u, v)
    return squares


@kernel()
def update_part(
    layer: Array, factors: Array, integers: Array, numbers: Array, thread: int, owner: int,
    n_threads: int, m: int, counter: Array, place: int, phase: int, shrink: float, penalties: float,
    keep: float, rate: float, t: int, parameters: Array, moments: Array, work: Array, copies: Array,
    columns: Array, count: int, at: Array,
) -> float:  # fmt: skip
    """Update what is left of a thread's part of a layer; return the sum of squares of its gradient."""
    j0, j1 = share(owner, n_threads, layer[N_OUT], 6)
    chunk = integers[CHUNK] // layer[N_IN]
    rows = j1 - j0
    if in_panels(layer, m):
        rows = at_a_time(rows, n_threads, 18, rows if integers[FUSED] else max(6, chunk // 6 * 6), 6)
    if n_threads == 1 and phase != FOLLOW:
        lay_out_below(layer, m, 0, 1, work, at)
    squares = 0.0
    block = take(counter, place, n_threads, -1)
    while j0 + block * rows < j1:
        first, end = j0 + block * rows, min(j1, j0 + (block + 1) * rows)
        if integers[FUSED]:
            descend(layer, factors, first, end, m, keep, parameters, work, copies, columns, count, at)
        else:
            squares += update_rows(
                layer, factors, integers, numbers, thread, first, end, m, phase, shrink, penalties,
                rate, t, parameters, moments, work, copies, at,
            )  # fmt: skip
        block = take(counter, place, n_threads, block)
    return squares


# --- a step


@kernel()
def gather(
    layer: Array, rows: Array, X: Array, parameters: Array, work: Array, thread: int, n_threads: int
) -> None:
    """Copy a thread's share of a batch's inputs to where the first layer finds them, scaled."""
    i0, i1 = share(thread, n_threads, rows.size, 1)
    n, scaled = layer[N_IN], layer[SCALES] >= 0
    raw = layer[BELOW_SLOPE] if scaled else layer[BELOW]
    for i in range(i0, i1):
        source, target = part(X, rows[i] * n, n), part(work, raw + i * n, n)
        for k in range(n):
            target[k] = source[k]
        if scaled:
            scale_row(layer, parameters, target, part(work, layer[BELOW] + i * n, n))


@kernel()
def scale_row(layer: Array, parameters: Array, row: Array, scaled: Array) -> None:
    """Put an input times the input scale into `scaled`."""
    s = part(parameters, layer[SCALES], row.size)
    for k in range(row.size):
        scaled[k] = row[k] * s[k]


@kernel()
def fetch_ahead(rows: Array, X: Array, n: int) -> None:
    """Ask for rows of the next batch: random order is what no processor foresees."""
    lines = 128 // X.itemsize  # every second line: the processor fetches its neighbour too
    for i in range(rows.size):
        for k in range(0, n, lines):
            prefetch(X, rows[i] * n + k)


@kernel()
def costs_and_deltas(
    layer: Array, segments: Array, integers: Array, numbers: Array, rows: Array, Y: Array,
    sample_weight: Array, scale: float, correct: Array, thread: int, n_threads: int, work: Array,
    costs: Array,
) -> None:  # fmt: skip
    """Compute a thread's share of the samples' costs, and of their output deltas times `scale`: BP1."""
    n = layer[N_OUT]
    i0, i1 = share(thread, n_threads, rows.size, 1)
    own = integers[COST] > GROUPED_ENTROPY  # the address of a user's own
    if own and i1 > i0:  # it finds the targets where it leaves dC/da
        for i in range(i0, i1):
            for j in range(n):
                work[layer[DELTA] + i * n + j] = Y[rows[i] * n + j]
        call_own_cost(integers[COST], i0, i1)
    for i in range(i0, i1):
        y = part(Y, rows[i] * n, n)
        a = part(work, layer[ABOVE] + i * n, n)
        z = part(work, layer[Z] + i * n, n)
        slope = part(work, layer[SLOPE] + i * n, n)
        delta = part(work, layer[DELTA] + i * n, n)
        cost = like(a[0], costs[i])
        if own:
            error_to_delta(layer[CODE], a, slope, delta)
        elif integers[COST] == GROUPED_ENTROPY:
            cost = grouped_cost(segments, layer[FIRST_SEGMENT], layer[LAST_SEGMENT], z, y, delta)
        else:
            cost = sample_cost(
                integers[COST], numbers[COST_PARAMETER], layer[CODE], work[layer[LOG_SUMS] + i], z, a,
                slope, y, delta,
            )  # fmt: skip
        weight = np.float64(sample_weight[rows[i]]) if integers[WEIGHTED] else 1.0
        costs[i] = np.float64(cost) * weight
        c = like(cost, scale * weight)
        for j in range(n):
            delta[j] *= c
        if integers[COUNTS]:
            correct[i] = points_to_class(a, y)


@kernel()
def any_weight(rows: Array, sample_weight: Array) -> bool:
    """Return whether a sample of the batch has a weight that is not zero."""
    for i in range(rows.size):  # noqa: SIM110 - Numba compiles no generator expressions
        if sample_weight[rows[i]] != 0:
            return True
    return False


@kernel()
def total_weight(rows: Array, sample_weight: Array, weighted: bool) -> float:
    """Return the sum of the weights of a batch."""
    total = 0.0
    for i in range(rows.size):
        total += np.float64(sample_weight[rows[i]]) if weighted else 1.0
    return total


@kernel(SUMS)
def penalty(layers: Array, parameters: Array, l2: float, l1: float) -> float:
    """Return l2 / 2 times the squared weights and l1 times their sizes: backprop.penalty."""
    total = 0.0
    for l in range(layers.shape[0]):  # noqa: E741
        W = part(parameters, layers[l, WEIGHTS], layers[l, N_IN] * layers[l, N_OUT])
        total += 0.5 * l2 * sum_of_squares(W)
        if l1 != 0.0:
            sizes = 0.0
            for i in range(W.size):
                sizes += np.float64(abs(W[i]))
            total += l1 * sizes
    return total


@kernel()
def stays_finite(
    layers: Array, numbers: Array, m: int, rate: float, per: float, fused: int, work: Array,
    squares: Array, n_threads: int,
) -> bool:  # fmt: skip
    """Return whether a step, its deltas known, is sure to leave every parameter finite.

    By Cauchy and Schwarz an element of delta^T a is at most the root of the product of their sums of
    squares: a look at the layers instead of one at the parameters. Where it is in doubt, the step is to
    be made by itself, from a copy. `squares` are those of the deltas below each layer and of the
    activations above it, of each thread; the last deltas are few.
    """
    if not (rate * (per * numbers[L2] + numbers[DECAY]) <= 1.0 and rate * (1.0 + numbers[L1]) < FAR):
        return False  # weights that decay by more than themselves grow
    by = 1.0 if fused else max(1.0, rate)  # fused ones are times the rate already
    inputs = numbers[LARGEST] * numbers[LARGEST] * m
    limit = FAR * FAR / (by * by)
    n_layers = layers.shape[0]
    if layers[0, SCALES] >= 0:
        if not total_of(part(squares, 0, n_threads)) * m < limit:
            return False
        inputs = rough_squares(part(work, layers[0, BELOW], m * layers[0, N_IN]))
    for l in range(n_layers):  # noqa: E741
        deltas = 0.0
        if l < n_layers - 1:
            deltas = total_of(part(squares, 2 * (l + 1) * n_threads, n_threads))
        else:
            deltas = rough_squares(part(work, layers[l, DELTA], m * layers[l, N_OUT]))
        if not deltas * (inputs + m) < limit:  # m: of the biases' ones
            return False
        inputs = total_of(part(squares, (2 * l + 1) * n_threads, n_threads))
    return True


@kernel()
def total_of(x: Array) -> float:
    """Return the sum."""
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@kernel()
def train(
    parameters: Array, moments: Array, X: Array, Y: Array, sample_weight: Array, order: Array,
    rates: Array, layers: Array, segments: Array, factors: Array, integers: Array, numbers: Array,
    work: Array, costs: Array, correct: Array, counter: Array, columns: Array, thread: int,
    n_threads: int,
) -> None:  # fmt: skip
    """Make ``rates.size`` steps: ReferenceEngine.run.

    At a step that might leave the finite numbers it stops, unless it is WATCHED.

    Every thread runs this; `counter` is where they meet. What is found is left in `integers` (MADE,
    BAD, UPDATES) and `numbers` (EPOCH_COST), by thread 0. ``costs[BATCH:]`` are the threads' sums of
    squares: of their gradients, then of what `stays_finite` looks at.
    Arrays of samples and of moments are flat. `columns` is where the vectors of a row begin; after the
    first COLUMNS of them there is room for those that the inputs of a small batch have anything in.
    """
    last, n_layers = layers.shape[0] - 1, layers.shape[0]
    batch, n_features = integers[BATCH], layers[0, N_IN]
    lowest = 0 if layers[0, SCALES] >= 0 else 1  # the last layer whose delta goes further down
    updates, give, fused = integers[UPDATES], integers[YIELD], integers[FUSED]
    epoch_cost = numbers[EPOCH_COST]
    log_sum = part(work, layers[0, LOG_SUMS], batch)
    size = layers[0, COPIED]
    copies = part(work, layers[0, COPIES] + thread * size, size)
    # Columns of zeros (the rim of an image, one-hot features) change nothing, and are passed over.
    sparse = n_threads == 1 and batch < LARGE
    each = (columns.size - integers[COLUMNS]) // n_threads
    listed = part(columns, integers[COLUMNS] + thread * each, each)
    starts = part(listed, n_features, each - n_features)
    filled, n_filled = columns, vectors(work, n_features)
    every = part(columns, 0, 0)
    used_inputs, at = every, every
    if sparse:
        filled = part(listed, 1, listed.size - 1)
    W = part(parameters, layers[0, WEIGHTS], n_features * layers[0, N_OUT])
    finite = False  # whether zeros times the weights are known to be zeros
    squares = part(costs, batch + n_threads, 2 * n_layers * n_threads)
    wanted = n_threads
    made = 0
    bad, doubtful = False, False
    while made < rates.size and not bad:
        first = (integers[FIRST_STEP] + made) * batch
        m = min(batch, integers[N_SAMPLES] - first)
        rows = part(order, first, m)
        gather(layers[0], rows, X, parameters, work, thread, n_threads)
        for i in range(2 * n_layers):
            squares[i * n_threads + thread] = 0.0
        if thread == 0 and batch * n_features <= FETCHED:
            ahead = min(batch, integers[N_SAMPLES] - first - m)
            fetch_ahead(part(order, first + m, ahead), X, n_features)
            fetch_ahead(part(order, first + m, ahead), Y, layers[last, N_OUT])
        wanted = meet(counter, n_threads, wanted, give, thread, n_layers)
        if sparse:
            used(part(work, layers[0, BELOW], m * n_features), n_features, m, n_features, listed)
            n_filled = listed[0]
        elif m >= LARGE and layers[0, N_OUT] >= LARGE:  # else looking takes longer than what it saves
            inputs = part(work, layers[0, BELOW], m * n_features)
            found = find_used(inputs, m, n_features, part(copies, 0, n_features), listed)
            finite = finite or (found > 0 and all_finite(W))
            used_inputs, at = part(listed, 0, found if finite else 0), every
            if found > 0 and finite and in_panels(layers[0], m):
                at = part(starts, 0, cover(used_inputs, REGISTER_BYTES // work.itemsize, starts))
            if integers[FUSED] != 0 and rates[made] * numbers[L2] != 0.0:
                at = every  # all weights decay
        for l in range(last + 1):  # noqa: E741 - the layer, as in the equations
            which, count = columns, vectors(work, layers[l, N_IN])
            if l == 0:
                which, count = filled, n_filled
            for turn in range(n_threads):  # its own part first, then what others have left
                owner = (thread + turn) % n_threads
                forward_part(
                    layers[l], factors[l], l, segments, integers, made, m, owner, n_threads, counter,
                    queue(wanted, l, n_layers, owner, n_threads), parameters, work, log_sum, copies,
                    which, count, used_inputs if l == 0 else every,
                    part(squares, (2 * l + 1) * n_threads + thread, 1),
                )  # fmt: skip
            wanted = meet(counter, n_threads, wanted, give, thread, n_layers)

        rate = rates[made]
        scale = (1.0 if integers[SUM] else 1.0 / m) * (-rate if fused else 1.0)
        per, penalties = 1.0, 0.0
        if integers[OVER_WEIGHT]:
            total = total_weight(rows, sample_weight, integers[WEIGHTED] != 0)
            per = 1.0 / total if total > 0.0 else 0.0
            scale *= m * per
            if thread == 0 and (numbers[L2] != 0.0 or numbers[L1] != 0.0):
                penalties = penalty(layers, parameters, numbers[L2], numbers[L1])
        seen = part(correct, made * batch, m)
        costs_and_deltas(
            layers[last], segments, integers, numbers, rows, Y, sample_weight, scale, seen, thread,
            n_threads, work, costs,
        )  # fmt: skip
        for l in range(last + 1 if n_threads > 1 else 0):  # noqa: E741 - once for all threads
            lay_out_below(layers[l], m, thread, n_threads, work, at if l == 0 else every)
        wanted = meet(counter, n_threads, wanted, give, thread, n_layers)
        batch_cost = 0.0
        for i in range(m):
            batch_cost += costs[i]
        bad = not math.isfinite(batch_cost)
        if bad:
            continue
        if not integers[WEIGHTED] or any_weight(rows, sample_weight):
            for l in range(last, lowest - 1, -1):  # noqa: E741
                for turn in range(n_threads):
                    owner = (thread + turn) % n_threads
                    place = queue(wanted, l, n_layers, owner, n_threads)
                    backward_part(
                        layers[l], m, owner, n_threads, counter, place, parameters, work, copies, every,
                        part(squares, 2 * l * n_threads + thread, 1),
                    )  # fmt: skip
                wanted = meet(counter, n_threads, wanted, give, thread, n_layers)
            doubtful = not stays_finite(layers, numbers, m, rate, per, fused, work, squares, n_threads)
            if doubtful and not integers[WATCHED]:  # every thread finds the same
                bad = True
                continue
            updates += 1
            keep = 1.0 - rate * per * numbers[L2]
            shrink, phase = 1.0, GATHER if integers[CLIPS] else BOTH
            while phase != DONE:
                gathered = 0.0
                # Which thread sums which squares is to be the same in every run: none helps another.
                for turn in range(1 if integers[CLIPS] else n_threads):
                    for l in range(last + 1):  # noqa: E741
                        owner = (thread + turn) % n_threads
                        gathered += update_part(
                            layers[l], factors[l], integers, numbers, thread, owner, n_threads, m,
                            counter, queue(wanted, l, n_layers, owner, n_threads), phase, shrink, per,
                            keep, rate, updates, parameters, moments, work, copies,
                            filled if l == 0 else columns,
                            n_filled if l == 0 else vectors(work, layers[l, N_IN]),
                            at if l == 0 else every,
                        )  # fmt: skip
                if phase == GATHER:
                    costs[batch + thread] = gathered
                    wanted = meet(counter, n_threads, wanted, give, thread, n_layers)
                    gathered = 0.0
                    for i in range(n_threads):
                        gathered += costs[batch + i]
                    norm = math.sqrt(gathered)
                    shrink = numbers[CLIP] / norm if norm > numbers[CLIP] else 1.0
                phase = FOLLOW if phase == GATHER else DONE
        epoch_cost += m * per * (batch_cost + penalties) if integers[OVER_WEIGHT] else batch_cost
        made += 1
        wanted = meet(counter, n_threads, wanted, give, thread, n_layers)
    if thread == 0:
        integers[MADE], integers[UPDATES] = made, updates
        integers[BAD] = (DOUBTFUL if doubtful else 1) if bad else 0
        numbers[EPOCH_COST] = epoch_cost


@kernel(SUMS)
def all_finite(x: Array) -> bool:
    """Return whether no element is NaN or infinite: a sum of zeros is, then, zero."""
    total = like(x[0], 0.0)
    for i in range(x.size):
        total += x[i] * like(x[i], 0.0)
    return math.isfinite(total)


@kernel()
def predict(
    parameters: Array, X: Array, n_rows: int, block: int, layers: Array, segments: Array, work: Array,
    out: Array, zs: Array, columns: Array, panels: Array, found: Array, lists: Array, give: int,
    thread: int, n_threads: int,
) -> None:  # fmt: skip
    """Put the activations of the last layer into `out`, in blocks of rows: backprop.forward.

    Its z is put into `zs` where the table of layers has a place for it. ``found[0]`` becomes 1 where an
    input is not finite: each is looked at while it is on its way into the cache anyway.

    Every thread runs this on rows of its own, with a share of the workspace; arrays are flat. Where
    rows are many, `panels` has room for all weights, which the threads lay out once for all blocks;
    ``found[1]`` is where they meet then, at `give` the address of what gives way.
    """
    last = layers.shape[0] - 1
    base = thread * (work.size // n_threads)
    copies = part(work, base + layers[0, COPIES], layers[0, COPIED])
    first_row, end = share(thread, n_threads, n_rows, block)
    listed = part(lists, thread * (lists.size // n_threads), lists.size // n_threads)
    place, n_features = 0, layers[0, N_IN]
    every, finite = part(columns, 0, 0), False
    seen = part(work, base + layers[0, COPIES], n_features)
    W0 = part(parameters, layers[0, WEIGHTS], n_features * layers[0, N_OUT])
    for l in range(last + 1 if panels.size > 0 else 0):  # noqa: E741
        n_in, n = layers[l, N_IN], layers[l, N_OUT]
        if l % n_threads == thread:
            W = part(parameters, layers[l, WEIGHTS], n_in * n)
            lay_out(part(panels, place, panels.size - place), W, 1, n_in, n_in, n)
        place += laid_out_size(n_in, n)
    if panels.size > 0:
        meet(part(found, 1, 1), n_threads, n_threads, give, thread, 0)
    for first in range(first_row, end, block):
        m = min(block, end - first)
        if not all_finite(part(X, first * layers[0, N_IN], m * layers[0, N_IN])):
            found[0] = 1
        place = 0
        for l in range(last + 1):  # noqa: E741
            layer = layers[l]
            n_in, n = layer[N_IN], layer[N_OUT]
            below = part(work, base + layer[BELOW], m * n_in)
            if l == 0 and layer[SCALES] < 0:
                below = part(X, first * n_in, m * n_in)
            for i in range(m if l == 0 and layer[SCALES] >= 0 else 0):
                source = part(X, (first + i) * n_in, n_in)
                scale_row(layer, parameters, source, part(below, i * n_in, n_in))
            above = part(out, first * n, m * n) if l == last else part(work, base + layer[ABOVE], m * n)
            slopes = part(work, base + layer[SLOPE], m * n)  # a by-product here
            log_sum = part(work, base + layer[LOG_SUMS], m)
            z = part(zs, first * n, m * n)
            if panels.size > 0:
                mine = part(panels, place, panels.size - place)
                used_inputs = every
                if l == 0 and n >= LARGE:
                    some = find_used(below, m, n_in, seen, listed)
                    finite = finite or (some > 0 and all_finite(W0))
                    used_inputs = part(listed, 0, some if finite else 0)
                multiply(above, n, below, 1, n_in, mine, m, n, n_in, 0.0, copies, used_inputs, 0)
                place += laid_out_size(n_in, n)
                complete_layer(
                    layer, segments, (0, m, 0, n), parameters, above, slopes, z, log_sum,
                )  # fmt: skip
            else:
                forward_layer(
                    layer, segments, (0, m, 0, n), parameters, below, above, slopes, z, log_sum, copies,
                    columns, vectors(work, n_in), every,
                )  # fmt: skip


def _types_of_train(real: Scalar) -> list[Type]:
    reals, integers, numbers = Flat(real), Flat(INT), Flat(FLOAT64)
    return [
        reals, reals, reals, reals, reals, integers, numbers, Table(INT), Table(INT), Table(FLOAT64),
        integers, numbers, reals, numbers, Flat(BOOL), integers, integers, INT, INT,
    ]  # fmt: skip


def _types_of_predict(real: Scalar) -> list[Type]:
    reals = Flat(real)
    integers = Flat(INT)
    return [
        reals, reals, INT, INT, Table(INT), Table(INT), reals, reals, reals, integers, reals, integers,
        integers, INT, INT, INT,
    ]  # fmt: skip


# What Python calls, and the types of its arguments for a dtype.
ENTRIES: dict[Kernel, Callable[[Scalar], list[Type]]] = {
    train: _types_of_train,
    predict: _types_of_predict,
}
