"""Gradients of the parameters, and the optimizers that follow them.

What each kernel computes, and which function of the reference it must agree with:

    gradient           BP3, BP4 and the penalties                     backprop.gradient,
                                                                        penalties.add_gradient
    penalty            l2 and l1 of the weights                       penalties.penalty
    follow             the optimizer on a stretch of the vector       Optimizer.update
    descend            BP3, BP4 and plain SGD in one                  both of these
    update_part        a thread's part of a layer: either way         ReferenceEngine's step

and why they are shaped so:

- The optimizer runs over a few rows of the gradient at a time, while they are in the cache; only
  clip_norm needs a whole gradient first. Plain SGD adds to W itself, without a gradient.
- `OPTIMIZERS` is the table of them: to add one is to write its kernel and its row.
- The activations that a gradient reads are laid out in panels once for all threads, while the costs
  are computed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from clearprop.engines import codes
from clearprop.engines.batching import leaf_of, row_ahead
from clearprop.engines.blocks import block_step_dots, block_sums_listed
from clearprop.engines.climbing import climb
from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import IntegerTable, Kernel, Reals
from clearprop.engines.layers import at_a_time, share, take
from clearprop.engines.products import LARGE, MOST, WIDE, lay_out, multiply, rest, room, sums, vectors
from clearprop.engines.records import (
    Batch,
    Block,
    Filled,
    Layer,
    Matrix,
    Run,
    Share,
    Stride,
    Team,
    Update,
)
from clearprop.optimizers import Optimizer

# --- optimizers: each moves the parameters `p` along the gradient `g`; `u` and `v` are their moments


@kernel()
def _sgd(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    step = like(p[0], to.rate)
    for i in range(p.size):
        p[i] -= step * g[i]


@kernel()
def _momentum(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    step, b1 = like(p[0], to.rate), like(p[0], to.first)
    for i in range(p.size):
        u[i] = b1 * u[i] + g[i]
        p[i] -= step * u[i]


@kernel()
def _nesterov(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    step, b1 = like(p[0], to.rate), like(p[0], to.first)
    for i in range(p.size):
        u[i] = b1 * u[i] + g[i]
        p[i] -= step * (g[i] + b1 * u[i])


@kernel()
def _rmsprop(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    step, eps = like(p[0], to.rate), like(p[0], to.epsilon)
    b1, c1 = like(p[0], to.first), like(p[0], 1.0 - to.first)
    for i in range(p.size):
        u[i] = b1 * u[i] + c1 * g[i] * g[i]
        p[i] -= step * g[i] / (math.sqrt(u[i]) + eps)


@kernel()
def _adams(to: Stride, eps_by: float, keep: float, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    b1, c1 = like(p[0], to.first), like(p[0], 1.0 - to.first)
    b2, c2 = like(p[0], to.second), like(p[0], 1.0 - to.second)
    step = like(p[0], to.rate / (1.0 - math.pow(to.first, to.t)))
    root = like(p[0], root_of(to))
    eps, kept = like(p[0], eps_by) * like(p[0], to.epsilon), like(p[0], keep)
    for i in range(p.size):
        u[i] = b1 * u[i] + c1 * g[i]
        v[i] = b2 * v[i] + c2 * g[i] * g[i]
        p[i] = kept * p[i] - step * u[i] / (root * math.sqrt(v[i]) + eps)


@kernel()
def root_of(to: Stride) -> float:
    """Return what corrects the root of Adam's second moment."""
    return 1.0 / math.sqrt(1.0 - math.pow(to.second, to.t))


@kernel()
def _adam(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    _adams(to, 1.0, 1.0, p, g, u, v)


@kernel()
def _adamw(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    _adams(to, 1.0, np.float64(like(p[0], 1.0) - like(p[0], to.decay)), p, g, u, v)


@kernel()
def _folded_adam(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    _adams(to, root_of(to), 1.0, p, g, u, v)


@kernel()
def _schedule_free_adamw(to: Stride, p: Reals, g: Reals, z: Reals, v: Reals) -> None:
    n, t, b1 = max(1.0, to.warmup), np.float64(to.t), to.first
    share = 6.0 * n / ((n + 1.0) * (2.0 * n + 1.0) + 6.0 * n * (t - n))
    if t < n:
        share = 6.0 * t / ((t + 1.0) * (2.0 * t + 1.0))
    risen = min(1.0, t / n)
    c, ahead = like(p[0], share), like(p[0], 1.0 - b1 * (1.0 - share))
    rate, decay = like(p[0], risen * to.rate), like(p[0], risen * to.decay)
    b2, c2 = like(p[0], to.second), like(p[0], 1.0 - to.second)
    root, eps = like(p[0], root_of(to)), like(p[0], to.epsilon)
    for i in range(p.size):
        v[i] = b2 * v[i] + c2 * g[i] * g[i]
        step = rate * g[i] / (root * math.sqrt(v[i]) + eps) + decay * p[i]
        p[i] = p[i] + c * (z[i] - p[i]) - ahead * step
        z[i] -= step


@kernel()
def _gradient_alone(to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    for i in range(p.size):
        u[i] = g[i]


class OptimizerRow(NamedTuple):
    """An optimizer's kernel, and the names of its numbers that are a `Stride`'s; "" for 0."""

    follow: Kernel
    first: str = ""
    second: str = ""
    epsilon: str = ""
    weight_decay: str = ""  # which every step of a stretch has its own of
    warmup: str = ""
    fuses: bool = False  # whether a step may be added to W itself, without a gradient

    def numbers(self, optimizer: Optimizer) -> dict[str, float]:
        """Return an optimizer's numbers by their names in a `Stride`."""
        fields = {k: getattr(self, k) for k in ("first", "second", "epsilon", "warmup")}
        return {k: float(getattr(optimizer, name)) if name else 0.0 for k, name in fields.items()}


# By `optimizers.Optimizer.form`.
OPTIMIZERS: dict[str, OptimizerRow] = {
    "SGD": OptimizerRow(_sgd, fuses=True),
    "SGD with momentum": OptimizerRow(_momentum, "momentum"),
    "SGD with Nesterov momentum": OptimizerRow(_nesterov, "momentum"),
    "RMSProp": OptimizerRow(_rmsprop, "rho", epsilon="epsilon"),
    "Adam": OptimizerRow(_adam, "beta1", "beta2", "epsilon"),
    "AdamW": OptimizerRow(_adamw, "beta1", "beta2", "epsilon", "weight_decay"),
    "FoldedAdam": OptimizerRow(_folded_adam, "beta1", "beta2", "epsilon"),
    "ScheduleFreeAdamW": OptimizerRow(
        _schedule_free_adamw, "beta1", "beta2", "epsilon", "weight_decay", "warmup_steps"
    ),
    "GradientAlone": OptimizerRow(_gradient_alone),
    "TreeSum": OptimizerRow(_gradient_alone),  # of one batch; `climb` adds several
}
OPTIMIZER_CODES = {name: code for code, name in enumerate(OPTIMIZERS)}
TREE_SUM = OPTIMIZER_CODES["TreeSum"]
_FOLLOWERS = tuple((code, row.follow) for code, row in enumerate(OPTIMIZERS.values()))


@kernel()
def follow(its_code: int, to: Stride, p: Reals, g: Reals, u: Reals, v: Reals) -> None:
    """Move the parameters as an optimizer does."""
    for code, f in _FOLLOWERS:
        if code == its_code:
            f(to, p, g, u, v)
            return


# --- gradients


@kernel()
def in_panels(layer: Layer, m: int) -> bool:
    """Return whether the activations below a layer are laid out for its gradient."""
    return layer.panels >= 0 and min(layer.n_out, m) >= LARGE and m <= MOST


@kernel()
def lay_out_below(layer: Layer, batch: Batch, thread: int, n_threads: int, work: Reals) -> None:
    """Lay out a thread's share of the activations below a layer, in the order its gradient reads."""
    n, at, m = layer.n_in, batch.at, batch.rows.size
    if not in_panels(layer, m):
        return
    a = part(work, layer.below + at * n, m * n)
    panels = part(work, layer.panels + at * (n + WIDE), m * (n + WIDE))
    k0, k1 = share(thread, n_threads, n, WIDE)
    if k1 > k0:
        lay_out(rest(panels, k0 * m), Matrix(rest(a, k0), n, 1), m, k1 - k0)


@kernel()
def add_columns(total: Reals, delta: Reals, n_out: int, m: int) -> None:
    """Add to `total` the sum over m samples of its part of their deltas: BP3."""
    for i in range(m):
        row = part(delta, i * n_out, total.size)
        for j in range(total.size):
            total[j] += row[j]


@kernel()
def descend(
    run: Run, batch: Batch, layer: Layer, number: int, j0: int, j1: int, copies: Reals, filled: Filled
) -> None:
    """Plain SGD of neurons j0 to j1: the deltas are times -rate already, BP4 adds to W itself."""
    n_in, n_out, m, work = layer.n_in, layer.n_out, batch.rows.size, run.work
    delta = Matrix(part(work, layer.delta + j0, m * n_out - j0), n_out, 1)
    a = Matrix(part(work, layer.below, m * n_in), n_in, 1)
    if run.factors[number, codes.RATE + codes.WEIGHTS] != 0.0:  # not frozen
        W = Matrix(part(run.parameters, layer.weights + j0 * n_in, (j1 - j0) * n_in), n_in, 1)
        ahead = row_ahead(run, batch, filled) if number == 0 else -1
        if in_panels(layer, m):
            panels = part(work, layer.panels, m * n_in + WIDE)
            multiply(W, delta, panels, j1 - j0, n_in, m, batch.keep, copies)
        elif ahead >= 0:
            z = part(work, layer.above + j0, j1 - j0)
            block_step_dots(W, delta.x, a.x, part(run.X, ahead * n_in, n_in), z, j1 - j0, n_in)
        elif batch.keep == 1.0 and (m == 1 or filled.n < vectors(work, n_in)):
            block_sums_listed(W, delta, a, j1 - j0, n_in, m, filled)
        else:
            sums(W, delta, a, j1 - j0, n_in, m, batch.keep, room(copies, j1 - j0))
    if layer.biases >= 0 and run.factors[number, codes.RATE + codes.BIASES] != 0.0:
        add_columns(part(run.parameters, layer.biases + j0, j1 - j0), delta.x, n_out, m)


@kernel()
def add_penalties(g: Reals, W: Reals, l2: float, l1: float) -> None:
    """Add l2 W + l1 sign(W) to the gradient."""
    c2, c1, zero = like(g[0], l2), like(g[0], l1), like(g[0], 0.0)
    for i in range(g.size):
        g[i] += c2 * W[i] + (c1 if W[i] > zero else (-c1 if W[i] < zero else zero))


@kernel(codes.SUMS)
def sum_of_squares(g: Reals) -> float:
    """Return the sum of squares, in float64."""
    total = 0.0
    for i in range(g.size):
        total += np.float64(g[i]) * np.float64(g[i])
    return total


@kernel()
def gradient(
    run: Run, batch: Batch, layer: Layer, block: Block, p: Reals, g: Reals, copies: Reals
) -> None:
    """Put a block of a layer's gradient with its penalties into `g`: BP4; but for weights BP3."""
    n_in, n_out, at, m, work = layer.n_in, layer.n_out, batch.at, batch.rows.size, run.work
    for i in range(g.size if block.frozen or block.what > codes.WEIGHTS else 0):
        g[i] = like(g[i], 0.0)
    if block.frozen:
        return
    deltas, n = (layer.below_delta, n_in) if block.what == codes.SCALES else (layer.delta, n_out)
    if block.what == codes.SHARES:
        deltas = layer.bend
    delta = part(work, deltas + at * n + block.first, m * n - block.first)
    if block.what > codes.WEIGHTS:
        add_columns(g, delta, n, m)
        return
    out, c = Matrix(g, n_in, 1), Matrix(delta, n_out, 1)
    if in_panels(layer, m):
        panels = part(work, layer.panels + at * (n_in + WIDE), m * n_in + WIDE)
        multiply(out, c, panels, block.n, n_in, m, 0.0, copies)
    else:
        a = Matrix(part(work, layer.below + at * n_in, m * n_in), n_in, 1)
        sums(out, c, a, block.n, n_in, m, 0.0, room(copies, block.n))
    l2, l1 = batch.per * run.settings.l2, batch.per * run.settings.l1
    if l2 != 0.0 or l1 != 0.0:
        add_penalties(g, p, l2, l1)


@kernel(codes.SUMS)
def penalty(layers: IntegerTable, parameters: Reals, l2: float, l1: float) -> float:
    """Return l2 / 2 times the squared weights and l1 times their sizes: penalties.penalty."""
    total = 0.0
    for l in range(layers.shape[0]):  # noqa: E741
        layer = Layer(*layers[l])
        total = with_penalty(total, part(parameters, layer.weights, layer.n_in * layer.n_out), l2, l1)
    return total


@kernel(codes.SUMS)
def with_penalty(total: float, W: Reals, l2: float, l1: float) -> float:
    """Return a sum of penalties with those of some weights."""
    total += 0.5 * l2 * sum_of_squares(W)
    if l1 != 0.0:
        sizes = 0.0
        for i in range(W.size):
            sizes += np.float64(abs(W[i]))
        total += l1 * sizes
    return total


# --- steps


@kernel()
def move(run: Run, batch: Batch, update: Update, offset: int, p: Reals, g: Reals, its: Share) -> float:
    """Follow the gradient of some parameters; with phase GATHER return its sum of squares instead."""
    settings, n = run.settings, g.size
    if settings.optimizer == TREE_SUM:
        climb(run, batch, offset, g)
        return 0.0
    if its.by != 1.0:
        for i in range(n):
            g[i] *= like(g[i], its.by)
    if update.phase == codes.GATHER:
        return sum_of_squares(g)
    rate = batch.rate * its.rate
    decay = rate * batch.weight_decay * its.decay
    first, second, epsilon = settings.first, settings.second, settings.epsilon
    to = Stride(rate, decay, update.t, first, second, epsilon, settings.warmup)
    u, v = part(run.moments, offset, n), part(run.moments, run.parameters.size + offset, n)
    follow(settings.optimizer, to, p, g, u, v)
    return 0.0


@kernel()
def update_rows(
    run: Run, batch: Batch, team: Team, number: int, j0: int, j1: int, update: Update
) -> float:
    """Compute the gradient of neurons j0 to j1, a few at a time, and follow each while it is in cache.

    Clipping needs the norm of the whole gradient in between: with phase GATHER the rows are left in the
    whole gradient and their sum of squares is returned, with phase FOLLOW they are taken from there. An
    input scale belongs to the first neuron.
    """
    layer, factors, settings = Layer(*run.layers[number]), run.factors[number], run.settings
    chunk, squares, follows = settings.chunk, 0.0, update.phase == codes.FOLLOW
    for what in range(4):
        start = layer.weights if what == codes.WEIGHTS else layer.biases
        start = layer.scales if what == codes.SCALES else start
        start = layer.shares if what == codes.SHARES else start
        if start < 0:
            continue
        k0, k1 = j0, j1
        if what == codes.SCALES:
            k0, k1 = 0, layer.n_in if j0 == 0 else 0
        size = layer.n_in if what == codes.WEIGHTS else 1
        factor = factors[codes.RATE + what]
        rows = max(1, chunk // size)
        for first in range(k0, k1, rows):
            count = min(rows, k1 - first)
            offset, n = start + first * size, count * size
            place = settings.gradient + (team.thread * chunk if update.phase == codes.BOTH else offset)
            g, p = part(run.work, place, n), part(run.parameters, offset, n)
            by = update.shrink if follows else factors[codes.GRADIENT_FACTOR + what]
            its = Share(factor, factors[codes.DECAY_FACTOR + what], by)
            block = Block(what, first, count, factor == 0.0)
            for k in range(batch.n_leaves):
                leaf = leaf_of(run, batch, k)
                if not follows:
                    gradient(run, leaf, layer, block, p, g, team.copies)
                squares += move(run, leaf, update, offset, p, g, its)
    return squares


@kernel()
def update_part(
    run: Run, batch: Batch, team: Team, number: int, owner: int, place: int, filled: Filled,
    update: Update,
) -> float:  # fmt: skip
    """Update what is left of a thread's part of a layer; return the sum of squares of its gradient."""
    layer, m = Layer(*run.layers[number]), batch.rows.size
    j0, j1 = share(owner, team.n_threads, layer.n_out, 6)
    chunk = run.settings.chunk // layer.n_in
    rows = j1 - j0
    if in_panels(layer, m):
        rows = at_a_time(rows, team.n_threads, 18, rows if run.settings.fused else max(6, chunk), 6)
    for k in range(batch.n_leaves if team.n_threads == 1 and update.phase != codes.FOLLOW else 0):
        lay_out_below(layer, leaf_of(run, batch, k), 0, 1, run.work)
    squares = 0.0
    block = take(team, place, -1)
    while j0 + block * rows < j1:
        first, end = j0 + block * rows, min(j1, j0 + (block + 1) * rows)
        if run.settings.fused:
            descend(run, batch, layer, number, first, end, team.copies, filled)
        else:
            squares += update_rows(run, batch, team, number, first, end, update)
        block = take(team, place, block)
    return squares
