"""Gradients of the parameters, and the optimizers that follow them.

What each kernel computes, and which function of the reference it must agree with:

    gradient           BP3, BP4 and the penalties                     backprop.gradient,
                                                                        add_penalty_gradient
    follow             the optimizer on a stretch of the vector       Optimizer.update
    descend            BP3, BP4 and plain SGD in one                  both of these
    update_part        a thread's part of a layer: either way         ReferenceEngine's step

and why they are shaped so:

- The optimizer runs over a few rows of the gradient at a time, while they are in the cache; only
  clip_norm needs a whole gradient first. Plain SGD adds to W itself, without a gradient.
- The activations that a gradient reads are laid out in panels once for all threads, while the costs
  are computed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clearprop.engines.codes import (
    ADAMW,
    BELOW,
    BELOW_DELTA,
    BIAS_RATE,
    BIASES,
    BOTH,
    CHUNK,
    DECAY,
    DECAY_FACTOR,
    DELTA,
    EPSILON,
    FIRST,
    FOLDED_ADAM,
    FOLLOW,
    FUSED,
    GATHER,
    GRADIENT,
    GRADIENT_FACTOR,
    L1,
    L2,
    MOMENTUM,
    N_IN,
    N_OUT,
    NESTEROV,
    OPTIMIZER,
    PANELS,
    RATE,
    RMSPROP,
    SECOND,
    SGD,
    SUMS,
    WEIGHT_RATE,
    WEIGHTS,
)
from clearprop.engines.intrinsics import (
    kernel,
    like,
    part,
)
from clearprop.engines.layers import (
    at_a_time,
    share,
    take,
)
from clearprop.engines.products import (
    LARGE,
    MOST,
    STRIPS,
    WIDE,
    add_listed,
    lay_out,
    multiply,
    sums,
    vectors,
)

Array = Any


@kernel()
def in_panels(layer: Array, m: int) -> bool:
    """Return whether the activations below a layer are laid out for its gradient."""
    return layer[PANELS] >= 0 and min(layer[N_OUT], m) >= LARGE and m <= MOST


@kernel()
def lay_out_below(layer: Array, m: int, thread: int, n_threads: int, work: Array) -> None:
    """Lay out a thread's share of the activations below a layer, in the order its gradient reads."""
    if not in_panels(layer, m):
        return
    n = layer[N_IN]
    a, panels = part(work, layer[BELOW], m * n), part(work, layer[PANELS], m * (n + WIDE))
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
    copies: Array, columns: Array, count: int,
) -> None:  # fmt: skip
    """Plain SGD without a gradient array: the deltas are already times -rate, BP4 adds to W itself.

    Of neurons j0 to j1. `keep` is what is left of the weights themselves, 1 - rate * l2; the `count`
    first of `columns` are where vectors of inputs begin that are not all zero.
    """
    n_in, n_out = layer[N_IN], layer[N_OUT]
    delta = part(work, layer[DELTA] + j0, m * n_out - j0)
    a = part(work, layer[BELOW], m * n_in)
    if factors[WEIGHT_RATE] != 0.0:  # not frozen
        W = part(parameters, layer[WEIGHTS] + j0 * n_in, (j1 - j0) * n_in)
        if in_panels(layer, m):
            strips, panels = part(copies, 0, STRIPS), part(work, layer[PANELS], m * n_in + WIDE)
            multiply(W, n_in, delta, n_out, 1, panels, j1 - j0, n_in, m, keep, strips)
        elif keep == 1.0 and count < vectors(a, n_in):
            add_listed(W, n_in, delta, n_out, a, n_in, j1 - j0, n_in, m, columns, count)
        else:
            sums(W, n_in, delta, n_out, 1, a, n_in, j1 - j0, n_in, m, keep, copies)
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
    p: Array, work: Array, g: Array, copies: Array,
) -> None:  # fmt: skip
    """Put rows of a layer's gradient with its penalties into `g`: BP4; for biases and scales BP3."""
    n_in, n_out = layer[N_IN], layer[N_OUT]
    for i in range(g.size if frozen or what > 0 else 0):
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
        multiply(g, n_in, delta, n_out, 1, panels, count, n_in, m, 0.0, strips)
    else:
        a = part(work, layer[BELOW], m * n_in)
        sums(g, n_in, delta, n_out, 1, a, n_in, count, n_in, m, 0.0, copies)
    if l2 != 0.0 or l1 != 0.0:
        add_penalties(g, p, l2, l1)


@kernel()
def update_rows(
    layer: Array, factors: Array, integers: Array, numbers: Array, thread: int, j0: int, j1: int,
    m: int, phase: int, shrink: float, penalties: float, rate: float, t: int, parameters: Array,
    moments: Array, work: Array, copies: Array,
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
                gradient(layer, what, first, count, m, factor == 0.0, l2, l1, p, work, g, copies)
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
    columns: Array, count: int,
) -> float:  # fmt: skip
    """Update what is left of a thread's part of a layer; return the sum of squares of its gradient."""
    j0, j1 = share(owner, n_threads, layer[N_OUT], 6)
    chunk = integers[CHUNK] // layer[N_IN]
    rows = j1 - j0
    if in_panels(layer, m):
        rows = at_a_time(rows, n_threads, 18, rows if integers[FUSED] else max(6, chunk), 6)
    if n_threads == 1 and phase != FOLLOW:
        lay_out_below(layer, m, 0, 1, work)
    squares = 0.0
    block = take(counter, place, n_threads, -1)
    while j0 + block * rows < j1:
        first, end = j0 + block * rows, min(j1, j0 + (block + 1) * rows)
        if integers[FUSED]:
            descend(layer, factors, first, end, m, keep, parameters, work, copies, columns, count)
        else:
            squares += update_rows(
                layer, factors, integers, numbers, thread, first, end, m, phase, shrink, penalties,
                rate, t, parameters, moments, work, copies,
            )  # fmt: skip
        block = take(counter, place, n_threads, block)
    return squares
