"""Layers, forwards and backwards, and how threads share them.

What each kernel computes, and which function of the reference it must agree with:

    forward_layer      z = a_previous W^T + b, then activate          backprop.forward
    forward_part       the same, block by block, and dropout          backprop.forward
    backward_layer     BP2                                            backprop.backward
    backward_part      the same, block by block                       backprop.backward

and why they are shaped so:

- Threads run the same function side by side on parts of each layer, and meet at a barrier after each.
  Large layers are cut into blocks that stay in the cache until they are activated; who is through with
  its own part takes blocks that another has left. A block is computed in the same order by whoever
  takes it, so the bits do not depend on the scheduler; where sums of several blocks are needed
  (clip_norm), each thread keeps to its own.
- Sums of squares are taken of a block while it is in the cache: `stays_finite` needs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop.engines.codes import (
    ABOVE,
    BELOW,
    BELOW_DELTA,
    BELOW_SLOPE,
    BIASES,
    CODE,
    DELTA,
    DROP,
    FIRST_SEGMENT,
    LAST_SEGMENT,
    LINE,
    MIXED,
    N_IN,
    N_OUT,
    SLOPE,
    SOFTMAX,
    SUMS,
    WEIGHTS,
    Z,
)
from clearprop.engines.intrinsics import (
    arrive,
    arrived,
    give_way,
    kernel,
    like,
    part,
)
from clearprop.engines.neurons import (
    activate,
    drop_rectangle,
    softmax,
)
from clearprop.engines.products import (
    CACHED,
    LARGE,
    WIDE,
    dots,
    sums,
)

Array = Any

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
    slopes: Array, z: Array, log_sum: Array, copies: Array, columns: Array, count: int,
) -> None:  # fmt: skip
    """Compute a rectangle of a layer's activations and slopes, and keep z if it is the last.

    The `count` first of `columns` are where vectors of inputs begin that are not all zero.
    """
    i0, i1, j0, j1 = rows_and_columns
    n_in, n = layer[N_IN], layer[N_OUT]
    if i1 <= i0 or j1 <= j0:
        return
    W = part(parameters, layer[WEIGHTS] + j0 * n_in, (j1 - j0) * n_in)
    a = part(below, i0 * n_in, (i1 - i0) * n_in)
    out = part(above, i0 * n + j0, (i1 - i0) * n - j0)
    dots(out, n, a, n_in, W, n_in, i1 - i0, j1 - j0, n_in, copies, columns, count)
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
    layer: Array, rows_and_columns: Any, parameters: Array, work: Array, copies: Array
) -> None:
    """Compute a rectangle of the deltas of the layer below from those of `layer`: BP2."""
    i0, i1, j0, j1 = rows_and_columns
    n, n_out = layer[N_IN], layer[N_OUT]
    if i1 <= i0 or j1 <= j0:
        return
    W = part(parameters, layer[WEIGHTS] + j0, n_out * n - j0)
    delta = part(work, layer[DELTA] + i0 * n_out, (i1 - i0) * n_out)
    error = part(work, layer[BELOW_DELTA] + i0 * n + j0, (i1 - i0) * n - j0)
    sums(error, n, delta, 1, n_out, W, n, i1 - i0, j1 - j0, n_out, 0.0, copies)
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
    log_sum: Array, copies: Array, columns: Array, count: int, squares: Array,
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
        step = at_a_time(j1 - j0, n_threads, 32, max(WIDE, CACHED // m // 16 * 16), 16)
    block = take(counter, place, n_threads, -1)
    while j0 + block * step < j1:
        first = j0 + block * step
        mine = i0, i1, first, min(j1, first + step)
        forward_layer(
            layer, segments, mine, parameters, below, above, slopes, z, log_sum, copies, columns, count,
        )  # fmt: skip
        if layer[DROP] > 0:
            drop_rectangle(layer, factors, number, integers, made, mine, above, slopes)
        squares[0] += squares_of(mine, n, above)
        block = take(counter, place, n_threads, block)


@kernel()
def backward_part(
    layer: Array, m: int, owner: int, n_threads: int, counter: Array, place: int, parameters: Array,
    work: Array, copies: Array, squares: Array,
) -> None:  # fmt: skip
    """Compute what is left of a thread's part of the deltas below a layer, as `forward_part` does."""
    errors = part(work, layer[BELOW_DELTA], m * layer[N_IN])
    i0, i1, j0, j1 = rectangle(owner, n_threads, m, layer[N_IN], False)
    step = j1 - j0
    if i1 - i0 == m and m >= LARGE:
        step = at_a_time(j1 - j0, n_threads, 32, max(WIDE, CACHED // m // 16 * 16), 16)
    block = take(counter, place, n_threads, -1)
    while j0 + block * step < j1:
        first = j0 + block * step
        mine = i0, i1, first, min(j1, first + step)
        backward_layer(layer, mine, parameters, work, copies)
        squares[0] += squares_of(mine, layer[N_IN], errors)
        block = take(counter, place, n_threads, block)
