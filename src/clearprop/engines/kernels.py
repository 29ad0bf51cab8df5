"""The reference engine's equations, compiled: one function that trains every architecture.

This is Python, and runs as such when it is stepped through; ``translation`` makes LLVM code of it,
``machine_code`` keeps what LLVM makes of that. What is done to single numbers is in ``neurons``, to
layers in ``layers``, to parameters in ``updates``, matrix products are in ``products``; here is the run
that they are made for. What each kernel computes, and which function of the reference it must agree
with:

    gather             a batch's inputs, times the input scale        backprop.forward
    costs_and_deltas   costs and BP1 of a batch                       batch_costs, backprop.backward
    penalty            l2 and l1 of the weights                       backprop.penalty
    stays_finite       whether a step is sure to leave finite numbers (the reference looks afterwards)
    train              a stretch of mini-batches                      ReferenceEngine.run
    predict            the last layer's activations                   backprop.forward

and why they are shaped so:

- Everything is flat. A layer is a row of a table of integers (sizes, codes, offsets), so one compiled
  function serves every network; the activations, slopes and deltas of all layers are stretches of one
  workspace, so nothing is allocated while it runs.
- An input scale s is a layer of its own below the first: X is its f'(z) and s X its activation, so BP2
  gives the delta whose sum over the samples is dC/ds, as BP3 does for biases.
- A batch of a few rows goes straight from its arguments to registers; the vectors of inputs that are
  zero in all of its rows are found first, and neither multiplied nor, in plain SGD, updated: the same
  bits for less work (60 % less where the inputs are one image). Larger batches copy panels of W, and
  of the activations for BP4, in the order in which the products read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clearprop.engines.blocks import used
from clearprop.engines.codes import (
    ABOVE,
    BAD,
    BATCH,
    BELOW,
    BELOW_SLOPE,
    BOTH,
    CLIP,
    CLIPS,
    CODE,
    COLUMNS,
    COPIED,
    COPIES,
    COST,
    COST_PARAMETER,
    COUNTS,
    DECAY,
    DELTA,
    DONE,
    DOUBTFUL,
    EPOCH_COST,
    FAR,
    FETCHED,
    FIRST_SEGMENT,
    FIRST_STEP,
    FOLLOW,
    FUSED,
    GATHER,
    GROUPED_ENTROPY,
    L1,
    L2,
    LARGER,
    LARGEST,
    LAST_SEGMENT,
    LOG_SUMS,
    MADE,
    N_IN,
    N_OUT,
    N_SAMPLES,
    OVER_WEIGHT,
    SCALES,
    SLOPE,
    SUM,
    SUMS,
    UPDATES,
    WATCHED,
    WEIGHTED,
    WEIGHTS,
    YIELD,
    Z,
)
from clearprop.engines.intrinsics import (
    call_own_cost,
    kernel,
    like,
    part,
    prefetch,
)
from clearprop.engines.language import (
    BOOL,
    FLOAT64,
    INT,
    Flat,
    Kernel,
    Scalar,
    Table,
    Type,
)
from clearprop.engines.layers import (
    backward_part,
    complete_layer,
    forward_layer,
    forward_part,
    meet,
    queue,
    rough_squares,
    share,
)
from clearprop.engines.neurons import (
    error_to_delta,
    grouped_cost,
    points_to_class,
    sample_cost,
)
from clearprop.engines.products import (
    LARGE,
    laid_out_size,
    lay_out,
    multiply,
    vectors,
)
from clearprop.engines.updates import (
    lay_out_below,
    sum_of_squares,
    update_part,
)

Array = Any


@kernel()
def first_row(step: int, batch: int, larger: int) -> int:
    """Return where a step's rows begin: `engines.first_row`."""
    return step * batch - max(0, step - larger)


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
    filled, n_filled = columns, vectors(work, n_features)
    if sparse:
        filled = part(listed, 1, listed.size - 1)
    squares = part(costs, batch + n_threads, 2 * n_layers * n_threads)
    wanted = n_threads
    begin = first_row(integers[FIRST_STEP], batch, integers[LARGER])
    made = 0
    bad, doubtful = False, False
    while made < rates.size and not bad:
        first = first_row(integers[FIRST_STEP] + made, batch, integers[LARGER])
        after = first_row(integers[FIRST_STEP] + made + 1, batch, integers[LARGER])
        m = min(after, integers[N_SAMPLES]) - first
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
        for l in range(last + 1):  # noqa: E741 - the layer, as in the equations
            which, count = columns, vectors(work, layers[l, N_IN])
            if l == 0:
                which, count = filled, n_filled
            for turn in range(n_threads):  # its own part first, then what others have left
                owner = (thread + turn) % n_threads
                forward_part(
                    layers[l], factors[l], l, segments, integers, made, m, owner, n_threads, counter,
                    queue(wanted, l, n_layers, owner, n_threads), parameters, work, log_sum, copies,
                    which, count,
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
        seen = part(correct, first - begin, m)
        costs_and_deltas(
            layers[last], segments, integers, numbers, rows, Y, sample_weight, scale, seen, thread,
            n_threads, work, costs,
        )  # fmt: skip
        for l in range(last + 1 if n_threads > 1 else 0):  # noqa: E741 - once for all threads
            lay_out_below(layers[l], m, thread, n_threads, work)
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
                        layers[l], m, owner, n_threads, counter, place, parameters, work, copies,
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
    out: Array, zs: Array, columns: Array, panels: Array, found: Array, give: int,
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
    place = 0
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
                multiply(above, n, below, 1, n_in, mine, m, n, n_in, 0.0, copies)
                place += laid_out_size(n_in, n)
                complete_layer(
                    layer, segments, (0, m, 0, n), parameters, above, slopes, z, log_sum,
                )  # fmt: skip
            else:
                forward_layer(
                    layer, segments, (0, m, 0, n), parameters, below, above, slopes, z, log_sum, copies,
                    columns, vectors(work, n_in),
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
        INT, INT, INT,
    ]  # fmt: skip


# What Python calls, and the types of its arguments for a dtype.
ENTRIES: dict[Kernel, Callable[[Scalar], list[Type]]] = {
    train: _types_of_train,
    predict: _types_of_predict,
}
