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

import numpy as np

from clearprop.engines import codes
from clearprop.engines.batching import leaf_of
from clearprop.engines.intrinsics import arrive, arrived, give_way, kernel, like, part
from clearprop.engines.language import IntegerTable, Reals
from clearprop.engines.neurons import SOFTMAX, activate, drop_rectangle, dropout_of, softmax
from clearprop.engines.products import CACHED, LARGE, WIDE, dots, rest, sums
from clearprop.engines.records import (
    Batch,
    Filled,
    Layer,
    Matrix,
    Pass,
    Rectangle,
    Run,
    Segment,
    Team,
)

# --- threads

# Columns that a thread takes at a time, at least: the rows below are laid out anew for each so many.
NARROWEST = 64


@kernel()
def share(thread: int, n_threads: int, n: int, unit: int) -> tuple[int, int]:
    """Return the first and the last (exclusive) of n things that a thread does, in whole units."""
    if n_threads == 1:
        return 0, n
    units = (n + unit - 1) // unit
    return min(n, units * thread // n_threads * unit), min(n, units * (thread + 1) // n_threads * unit)


@kernel()
def meet(team: Team, wanted: int) -> int:
    """Wait until all threads have come here; return how many arrivals the next meeting needs."""
    if team.n_threads > 1:
        arrive(team.counter)
        spins = 0
        while arrived(team.counter) < wanted:
            spins += 1
            if spins > 2000:  # about 10 us: more threads than free cores
                give_way(team.give_way)
        for l in range(team.n_layers):  # noqa: E741 - of the phase after the next: nobody looks at them now
            team.counter[queue(team, wanted + 2 * team.n_threads, l, team.thread)] = 0
    return wanted + team.n_threads


@kernel()
def queue(team: Team, wanted: int, layer: int, owner: int) -> int:
    """Return where it is counted how many blocks of a thread's part of a layer are taken.

    Each is on a cache line of its own; three phases, of which `wanted` tells, take turns.
    """
    phase = wanted // team.n_threads % 3
    return codes.LINE * (1 + (phase * team.n_layers + layer) * team.n_threads + owner)


@kernel()
def take(team: Team, place: int, before: int) -> int:
    """Return the next block that no thread has taken; `before` is the last that this thread took."""
    return before + 1 if team.n_threads == 1 else arrive(part(team.counter, place, 1))


@kernel()
def at_a_time(n: int, n_threads: int, least: int, most: int, unit: int) -> int:
    """Return how many of n columns or rows are taken at a time: a quarter, for others to help with."""
    if n_threads == 1:
        return most
    return min(most, max(least, (n + 4 * unit - 1) // (4 * unit) * unit))


@kernel()
def rectangle(owner: int, n_threads: int, m: int, n: int, whole_rows: bool) -> Rectangle:
    """Return the rectangle of an (m, n) layer that a thread computes.

    Columns where there are many, so that every weight is read by one thread; otherwise rows.
    """
    if n >= 64 * n_threads and not whole_rows:
        j0, j1 = share(owner, n_threads, n, 16)
        return Rectangle(0, m, j0, j1)
    i0, i1 = share(owner, n_threads, m, 1)
    return Rectangle(i0, i1, 0, n)


# --- layers


@kernel(codes.SUMS)
def rough_squares(x: Reals) -> float:
    """Return the sum of squares, summed in x's dtype: infinite where one is too large for it."""
    total = like(x[0], 0.0)
    for i in range(x.size):
        total += x[i] * x[i]
    return np.float64(total)


@kernel()
def squares_of(mine: Rectangle, n: int, x: Reals) -> float:
    """Return the sum of squares of a rectangle of a layer, while it is in the cache."""
    rows, columns = mine.i1 - mine.i0, mine.j1 - mine.j0
    if columns == n:
        return rough_squares(part(x, mine.i0 * n, rows * n)) if rows > 0 else 0.0
    total = 0.0
    for i in range(mine.i0, mine.i1):
        total += rough_squares(part(x, i * n + mine.j0, columns))
    return total


@kernel()
def activate_rows(layer: Layer, segments: IntegerTable, mine: Rectangle, arrays: Pass) -> None:
    """Put f(z) where z is in a rectangle of a layer, and f'(z) into its slopes."""
    i0, i1, j0, j1 = mine
    n, code, rows = layer.n_out, layer.code, i1 - i0
    if code == SOFTMAX:  # never split by columns
        softmax(part(arrays.above, i0 * n, rows * n), part(arrays.log_sums, i0, rows), rows, n)
        return
    # One stretch if the rows touch, one for each row and segment otherwise.
    together = code != codes.MIXED and j1 - j0 == n
    first, last = (layer.first_segment, layer.last_segment) if code == codes.MIXED else (0, 1)
    for i in range(i0, i0 + 1 if together else i1):
        for s in range(first, last):
            its = Segment(0, n, code, layer.address)
            if code == codes.MIXED:
                its = Segment(*segments[s])
            k0, k1 = max(j0, its.first), min(j1, its.last)
            size = rows * n if together else k1 - k0
            if size > 0:
                a, slopes = part(arrays.above, i * n + k0, size), part(arrays.slopes, i * n + k0, size)
                activate(its.code, its.address, a, slopes)


@kernel()
def scale_row(layer: Layer, parameters: Reals, row: Reals, scaled: Reals) -> None:
    """Put an input times the input scale into `scaled`."""
    s = part(parameters, layer.scales, row.size)
    for k in range(row.size):
        scaled[k] = row[k] * s[k]


@kernel()
def forward_layer(
    layer: Layer, segments: IntegerTable, mine: Rectangle, parameters: Reals, arrays: Pass,
    copies: Reals, filled: Filled,
) -> None:  # fmt: skip
    """Compute a rectangle of a layer's activations and slopes, and keep z if it is the last."""
    i0, i1, j0, j1 = mine
    n_in, n = layer.n_in, layer.n_out
    if i1 <= i0 or j1 <= j0:
        return
    W = Matrix(part(parameters, layer.weights + j0 * n_in, (j1 - j0) * n_in), n_in, 1)
    a = Matrix(part(arrays.below, i0 * n_in, (i1 - i0) * n_in), n_in, 1)
    out = Matrix(part(arrays.above, i0 * n + j0, (i1 - i0) * n - j0), n, 1)
    dots(out, a, W, i1 - i0, j1 - j0, n_in, copies, filled)
    complete_layer(layer, segments, mine, parameters, arrays)


@kernel()
def complete_layer(
    layer: Layer, segments: IntegerTable, mine: Rectangle, parameters: Reals, arrays: Pass
) -> None:
    """Make a rectangle of activations and slopes of the products that are in its place."""
    i0, i1, j0, j1 = mine
    n = layer.n_out
    if layer.biases >= 0:
        b = part(parameters, layer.biases + j0, j1 - j0)
        for i in range(i0, i1):
            row = part(arrays.above, i * n + j0, j1 - j0)
            for j in range(row.size):
                row[j] += b[j]
    if layer.z >= 0:  # the output layer: its cost may need z
        z, above = arrays.z, arrays.above
        for i in range(i0, i1):
            for j in range(i * n + j0, i * n + j1):
                z[j] = above[j]
    if layer.shares >= 0:
        bends, above = arrays.bends, arrays.above
        for i in range(i0, i1):
            for j in range(i * n + j0, i * n + j1):
                bends[j] = above[j]
    activate_rows(layer, segments, mine, arrays)
    if layer.shares >= 0:
        mix_rows(layer, mine, parameters, arrays)


@kernel()
def mix_rows(layer: Layer, mine: Rectangle, parameters: Reals, arrays: Pass) -> None:
    """Make f(z) and f'(z) of a rectangle those of a parametric activation; its bends held z."""
    i0, i1, j0, j1 = mine
    n, size = layer.n_out, j1 - j0
    s = part(parameters, layer.shares + j0, size)
    for i in range(i0, i1):
        a, slope = part(arrays.above, i * n + j0, size), part(arrays.slopes, i * n + j0, size)
        bend = part(arrays.bends, i * n + j0, size)
        for j in range(size):
            z = bend[j]
            bend[j] = a[j] - z
            a[j] = z + s[j] * bend[j]
            slope[j] = like(z, 1.0) + s[j] * (slope[j] - like(z, 1.0))


@kernel()
def backward_layer(layer: Layer, mine: Rectangle, run: Run, copies: Reals) -> None:
    """Compute a rectangle of the deltas of the layer below from those of `layer`: BP2."""
    i0, i1, j0, j1 = mine
    n, n_out, work = layer.n_in, layer.n_out, run.work
    if i1 <= i0 or j1 <= j0:
        return
    W = Matrix(part(run.parameters, layer.weights + j0, n_out * n - j0), n, 1)
    delta = Matrix(part(work, layer.delta + i0 * n_out, (i1 - i0) * n_out), 1, n_out)
    error = Matrix(part(work, layer.below_delta + i0 * n + j0, (i1 - i0) * n - j0), n, 1)
    sums(error, delta, W, i1 - i0, j1 - j0, n_out, 0.0, copies)
    together = j1 - j0 == n
    for i in range(i0, i0 + 1 if together else i1):
        size = (i1 - i0) * n if together else j1 - j0
        d = part(work, layer.below_delta + i * n + j0, size)
        if layer.below_bend >= 0:
            bend = part(work, layer.below_bend + i * n + j0, size)
            for j in range(size):
                bend[j] *= d[j]
        slope = part(work, layer.below_slope + i * n + j0, size)
        for j in range(size):
            d[j] *= slope[j]


@kernel()
def forward_part(
    run: Run, batch: Batch, team: Team, number: int, owner: int, place: int, filled: Filled
) -> None:
    """Compute what is left of a thread's part of a layer, in blocks that stay in the cache."""
    layer, work, m = Layer(*run.layers[number]), run.work, batch.rows.size
    n, softmax_of_rows = layer.n_out, layer.code == SOFTMAX
    its = rectangle(owner, team.n_threads, m, n, softmax_of_rows)
    arrays = Pass(
        part(work, layer.below, m * layer.n_in), part(work, layer.above, m * n),
        part(work, layer.slope, m * n), part(work, layer.bend, m * n), part(work, layer.z, m * n),
        rest(work, layer.log_sums),
    )  # fmt: skip
    step = its.j1 - its.j0
    if its.i1 - its.i0 == m and m >= LARGE and not softmax_of_rows:
        step = at_a_time(step, team.n_threads, NARROWEST, max(WIDE, CACHED // m // 16 * 16), 16)
    block = take(team, place, -1)
    while its.j0 + block * step < its.j1:
        first = its.j0 + block * step
        mine = its._replace(j0=first, j1=min(its.j1, first + step))
        forward_layer(layer, run.segments, mine, run.parameters, arrays, team.copies, filled)
        if dropout_of(run, number, batch.number) > 0.0:
            for k in range(batch.n_leaves):
                leaf = leaf_of(run, batch, k)
                i0, i1 = max(mine.i0, leaf.at), min(mine.i1, leaf.at + leaf.rows.size)
                drop_rectangle(run, layer, number, leaf, mine._replace(i0=i0, i1=i1))
        add_squares(run, team, 2 * number + 1, squares_of(mine, n, arrays.above))
        block = take(team, place, block)


@kernel()
def backward_part(run: Run, batch: Batch, team: Team, number: int, owner: int, place: int) -> None:
    """Compute what is left of a thread's part of the deltas below a layer, as `forward_part` does."""
    layer, m = Layer(*run.layers[number]), batch.rows.size
    errors = part(run.work, layer.below_delta, m * layer.n_in)
    its = rectangle(owner, team.n_threads, m, layer.n_in, False)
    step = its.j1 - its.j0
    if its.i1 - its.i0 == m and m >= LARGE:
        step = at_a_time(step, team.n_threads, NARROWEST, max(WIDE, CACHED // m // 16 * 16), 16)
    block = take(team, place, -1)
    while its.j0 + block * step < its.j1:
        first = its.j0 + block * step
        mine = its._replace(j0=first, j1=min(its.j1, first + step))
        backward_layer(layer, mine, run, team.copies)
        add_squares(run, team, 2 * number, squares_of(mine, layer.n_in, errors))
        block = take(team, place, block)


@kernel()
def add_squares(run: Run, team: Team, which: int, more: float) -> None:
    """Add to a thread's sum of the squares of the deltas below a layer (even) or of what is above."""
    run.squares[which * team.n_threads + team.thread] += more
