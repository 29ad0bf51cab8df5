"""The reference engine's equations, compiled: one function that trains every architecture.

This is Python, and runs as such when it is stepped through; ``translation`` makes LLVM code of it,
``machine_code`` keeps what LLVM makes of that. What is done to single numbers is in ``neurons``, to
layers in ``layers``, to parameters in ``updates``, matrix products are in ``products``; here is the run
that they are made for. What each kernel computes, and which function of the reference it must agree
with:

    gather             a batch's inputs, times the input scale        backprop.forward
    costs_and_deltas   costs and BP1 of a batch                       batch_costs, backprop.backward
    stays_finite       whether a step is sure to leave finite numbers (the reference looks afterwards)
    forward, backward, update    of a batch: what a step consists of
    train              a stretch of mini-batches                      ReferenceEngine.run

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

import numpy as np

from clearprop.engines import codes
from clearprop.engines.batching import any_weight, batch_of, leaf_of, row_ahead, run_begin
from clearprop.engines.blocks import used
from clearprop.engines.deforming import deform_rows
from clearprop.engines.embedding import (
    embed_backward,
    gather_embedded,
    stays_finite_below,
    update_embedding,
    with_penalty_below,
)
from clearprop.engines.intrinsics import call_own_cost, kernel, like, part, prefetch
from clearprop.engines.language import Integers, Kernel, Numbers, Reals
from clearprop.engines.layers import (
    backward_part,
    forward_part,
    meet,
    queue,
    rough_squares,
    scale_row,
    share,
)
from clearprop.engines.outputs import (
    GROUPED,
    error_to_delta,
    grouped_cost,
    points_to_class,
    sample_cost,
)
from clearprop.engines.prediction import predict
from clearprop.engines.products import LARGE, room, vectors
from clearprop.engines.pulling import pull_back
from clearprop.engines.records import (
    Batch,
    Filled,
    Layer,
    Matrix,
    Run,
    Team,
    Update,
)
from clearprop.engines.updates import lay_out_below, penalty, update_part

# --- batches


@kernel()
def gather(run: Run, batch: Batch, team: Team) -> None:
    """Copy a thread's share of a batch's inputs to where the first layer finds them, scaled."""
    layer = Layer(*run.layers[0])
    i0, i1 = share(team.thread, team.n_threads, batch.rows.size, 1)
    n, scaled = layer.n_in, layer.scales >= 0
    if run.embedding.exists:
        gather_embedded(run, batch, i0, i1)
        return
    raw = layer.below_slope if scaled else layer.below
    for i in range(i0, i1):
        source, target = part(run.X, batch.rows[i] * n, n), part(run.work, raw + i * n, n)
        for k in range(n):
            target[k] = source[k]
        if scaled:
            scale_row(layer, run.parameters, target, part(run.work, layer.below + i * n, n))


@kernel()
def fetch_ahead(rows: Integers, X: Reals, n: int) -> None:
    """Ask for rows of the next batch: random order is what no processor foresees."""
    line = 64 // X.itemsize
    for i in range(rows.size):
        for k in range(0, n, line):
            prefetch(X, rows[i] * n + k)


@kernel()
def fetch_next(run: Run, batch: Batch) -> None:
    """Ask for the next batch, where both fit the cache."""
    settings, last = run.settings, Layer(*run.layers[run.layers.shape[0] - 1])
    first, n = batch.first + batch.rows.size, run.embedding.n_features
    if settings.batch * n <= codes.FETCHED:
        ahead = part(run.order, first, min(settings.batch, run.order.size - first))
        fetch_ahead(ahead, run.X, n)
        fetch_ahead(ahead, run.Y, last.n_out)


@kernel()
def filled_inputs(run: Run, batch: Batch, n_threads: int) -> Filled:
    """Return where a small batch has anything in; one that is larger, or shared, has so everywhere.

    The rim of an image, one-hot features are passed over.
    """
    layer, m = Layer(*run.layers[0]), batch.rows.size
    if n_threads > 1 or run.settings.batch >= LARGE:
        return Filled(run.columns, vectors(run.work, layer.n_in))
    inputs = Matrix(part(run.work, layer.below, m * layer.n_in), layer.n_in, 1)
    used(inputs, m, layer.n_in, run.listed)
    return Filled(part(run.listed, 1, run.listed.size - 1), run.listed[0])


# --- a step


@kernel()
def forward(run: Run, batch: Batch, team: Team, inputs: Filled, wanted: int) -> int:
    """Compute all layers' activations and slopes; return how many arrivals the next meeting needs."""
    for l in range(team.n_layers):  # noqa: E741 - the layer, as in the equations
        filled = inputs if l == 0 else every_input(run, l)
        for turn in range(team.n_threads):  # its own part first, then what others have left
            owner = (team.thread + turn) % team.n_threads
            forward_part(run, batch, team, l, owner, queue(team, wanted, l, owner), filled)
        wanted = meet(team, wanted)
    return wanted


@kernel()
def every_input(run: Run, number: int) -> Filled:
    """Return all vectors of a layer's inputs."""
    layer = Layer(*run.layers[number])
    return Filled(run.columns, vectors(run.work, layer.n_in))


@kernel()
def costs_and_deltas(run: Run, batch: Batch, team: Team) -> None:
    """Compute a thread's share of the samples' costs, and of their scaled output deltas: BP1."""
    settings, layer, work = run.settings, Layer(*run.layers[team.n_layers - 1]), run.work
    n, rows, costs = layer.n_out, batch.rows, run.costs
    correct = part(run.correct, batch.first - run_begin(run), rows.size)
    i0, i1 = share(team.thread, team.n_threads, rows.size, 1)
    if settings.cost == codes.OWN and i1 > i0:  # it finds the targets where it leaves dC/da
        for i in range(i0, i1):
            for j in range(n):
                work[layer.delta + i * n + j] = run.Y[rows[i] * n + j]
        call_own_cost(settings.own_cost, i0, i1)
    for i in range(i0, i1):
        y = part(run.Y, rows[i] * n, n)
        a = part(work, layer.above + i * n, n)
        z = part(work, layer.z + i * n, n)
        slope = part(work, layer.slope + i * n, n)
        delta = part(work, layer.delta + i * n, n)
        cost = like(a[0], costs[i])
        if settings.cost == codes.OWN:
            error_to_delta(layer.code, a, slope, delta)
        elif settings.cost == GROUPED:
            cost = grouped_cost(run.segments, layer.first_segment, layer.last_segment, z, y, delta)
        else:
            log_sum = work[layer.log_sums + i]
            cost = sample_cost(
                settings.cost, settings.cost_parameter, layer.code, log_sum, z, a, slope, y, delta
            )
        weight = np.float64(run.sample_weight[rows[i]]) if run.weighted else 1.0
        costs[i] = np.float64(cost) * weight
        c = like(cost, batch.scale * weight)
        for j in range(n):
            delta[j] *= c
        if settings.counts:
            correct[i] = points_to_class(a, y)


@kernel()
def backward(run: Run, batch: Batch, team: Team, wanted: int) -> int:
    """Compute the deltas of all layers below the last: BP2; returns what `forward` does."""
    first = Layer(*run.layers[0])
    below = first.scales >= 0 or run.embedding.exists
    lowest = 0 if below else 1  # the last layer whose delta goes further down
    for l in range(team.n_layers - 1, lowest - 1, -1):  # noqa: E741
        for turn in range(team.n_threads):
            owner = (team.thread + turn) % team.n_threads
            backward_part(run, batch, team, l, owner, queue(team, wanted, l, owner))
        wanted = meet(team, wanted)
    if run.embedding.exists:
        embed_backward(run, batch, team)
        wanted = meet(team, wanted)
    return wanted


@kernel()
def stays_finite(run: Run, batch: Batch, n_threads: int) -> bool:
    """Return whether a step, its deltas known, is sure to leave every parameter finite.

    By Cauchy and Schwarz an element of delta^T a is at most the root of the product of their sums of
    squares: a look at the layers instead of one at the parameters. Where it is in doubt, the step is to
    be made by itself, from a copy. ``run.squares`` are those of the deltas below each layer and of the
    activations above it, of each thread; the last deltas are few.
    """
    settings, rate, m = run.settings, batch.rate, batch.rows.size
    decays = rate * (batch.per * settings.l2 + batch.weight_decay)
    if not (decays <= 1.0 and rate * (1.0 + settings.l1) < codes.FAR):
        return False  # weights that decay by more than themselves grow
    by = (
        1.0 if settings.fused else (1.0 if rate < 1.0 else rate)
    )  # fused ones are times the rate already
    inputs = run.largest * run.largest * m
    limit = codes.FAR * codes.FAR / (by * by)
    n_layers, squares = run.layers.shape[0], run.squares
    first = Layer(*run.layers[0])
    if run.embedding.exists:
        if not stays_finite_below(run, m, limit):
            return False
        inputs = rough_squares(part(run.work, first.below, m * first.n_in))
    elif first.scales >= 0:
        if not total_of(part(squares, 0, n_threads)) * m < limit:
            return False
        inputs = rough_squares(part(run.work, first.below, m * first.n_in))
    for l in range(n_layers):  # noqa: E741
        layer, deltas = Layer(*run.layers[l]), 0.0
        if l < n_layers - 1:
            deltas = total_of(part(squares, 2 * (l + 1) * n_threads, n_threads))
        else:
            deltas = rough_squares(part(run.work, layer.delta, m * layer.n_out))
        if not deltas * (inputs + m) < limit:  # m: of the biases' ones
            return False
        if layer.shares >= 0:
            bends = rough_squares(part(run.work, layer.bend, m * layer.n_out))
            if not bends * m < limit:
                return False
        inputs = total_of(part(squares, (2 * l + 1) * n_threads, n_threads))
    return True


@kernel()
def total_of(x: Numbers) -> float:
    """Return the sum."""
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@kernel()
def update(run: Run, batch: Batch, team: Team, inputs: Filled, t: int, wanted: int) -> int:
    """Compute the gradient and follow it: BP3, BP4 and the optimizer; returns what `forward` does."""
    clips, n_threads = run.settings.clips, team.n_threads
    shrink, phase = 1.0, codes.GATHER if clips else codes.BOTH
    while phase != codes.DONE:
        gathered = 0.0
        # Which thread sums which squares is to be the same in every run: none helps another.
        for turn in range(1 if clips else n_threads):
            for step in range(team.n_layers):
                # Layer 1 last: what the next sample gives there may take the place of this one's.
                l = step if clips else team.n_layers - 1 - step  # noqa: E741
                owner = (team.thread + turn) % n_threads
                filled = inputs if l == 0 else every_input(run, l)
                gathered += update_part(
                    run, batch, team, l, owner, queue(team, wanted, l, owner), filled,
                    Update(phase, shrink, t),
                )  # fmt: skip
        for k in range(batch.n_leaves if run.embedding.exists else 0):
            leaf = leaf_of(run, batch, k)
            gathered += update_embedding(run, leaf, team, Update(phase, shrink, t))
        if phase == codes.GATHER:
            run.norms[team.thread] = gathered
            wanted = meet(team, wanted)
            norm = math.sqrt(total_of(run.norms))
            shrink = run.settings.clip_norm / norm if norm > run.settings.clip_norm else 1.0
        phase = codes.FOLLOW if phase == codes.GATHER else codes.DONE
    return wanted


@kernel()
def team_of(run: Run) -> Team:
    """Return who works on a run."""
    layer, thread = Layer(*run.layers[0]), run.thread
    copies = part(run.work, layer.copies + thread * layer.copied, layer.copied)
    give_way, n_layers = run.settings.give_way, run.layers.shape[0]
    return Team(thread, run.n_threads, n_layers, run.counter, give_way, copies)


@kernel()
def train(run: Run) -> None:
    """Make ``run.rates.size`` steps: ReferenceEngine.run.

    At a step that might leave the finite numbers it stops, unless it is watched. Every thread runs
    this; what is found is left in ``run.counts`` and ``run.epoch_cost`` by thread 0.
    """
    settings, team, takes_leaves = run.settings, team_of(run), run.leaves.size > 0
    n_threads, thread = run.n_threads, run.thread
    updates, epoch_cost = run.counts[codes.UPDATES], run.epoch_cost[0]
    wanted, made = n_threads, 0
    bad, doubtful, ready = False, False, False
    while made < run.rates.size and not bad:
        batch = batch_of(run, made)
        m = batch.rows.size
        gather(run, batch, team)
        for i in range(2 * team.n_layers):
            run.squares[i * n_threads + thread] = 0.0
        if thread == 0:
            fetch_next(run, batch)
        wanted = meet(team, wanted)
        inputs = filled_inputs(run, batch, n_threads)
        missing = Filled(inputs.columns, -1 if ready else inputs.n)
        # A leaf's bits are to be the same beside any others: here it counts what there is room for.
        passing = team._replace(copies=room(team.copies, settings.batch if takes_leaves else m))
        wanted = forward(run, batch, passing, missing, wanted)
        ready = False
        penalties = 0.0
        if settings.over_weight and thread == 0 and (settings.l2 != 0.0 or settings.l1 != 0.0):
            penalties = penalty(run.layers, run.parameters, settings.l2, settings.l1)
            penalties = with_penalty_below(run, penalties)
        costs_and_deltas(run, batch, team)
        for l in range(team.n_layers if n_threads > 1 else 0):  # noqa: E741 - once for all threads
            lay_out_below(Layer(*run.layers[l]), batch, thread, n_threads, run.work)
        wanted = meet(team, wanted)
        batch_cost = total_of(part(run.costs, 0, m))
        bad = not takes_leaves and not math.isfinite(batch_cost)
        if bad:
            continue
        for k in range(batch.n_leaves if takes_leaves else 0):
            leaf = leaf_of(run, batch, k)
            run.leaves[leaf.number] = total_of(part(run.costs, leaf.at, leaf.rows.size))
        if takes_leaves or not run.weighted or any_weight(batch.rows, run.sample_weight):
            wanted = backward(run, batch, passing, wanted)
            doubtful = not takes_leaves and not stays_finite(run, batch, n_threads)
            if doubtful and not run.watched:  # every thread finds the same
                bad = True
                continue
            updates += 1
            wanted = update(run, batch, team, inputs, updates, wanted)
            ready = row_ahead(run, batch, inputs) >= 0
        epoch_cost += m * batch.per * (batch_cost + penalties) if settings.over_weight else batch_cost
        made += batch.n_leaves
        wanted = meet(team, wanted)
    if thread == 0:
        run.counts[codes.MADE], run.counts[codes.UPDATES] = made, updates
        run.counts[codes.BAD] = (codes.DOUBTFUL if doubtful else 1) if bad else 0
        run.epoch_cost[0] = epoch_cost


# What Python calls.
ENTRIES: tuple[Kernel, ...] = (train, predict, pull_back, deform_rows)
