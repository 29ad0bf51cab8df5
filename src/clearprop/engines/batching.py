"""Which rows make a batch, and what follows from how many they are and what they weigh."""

from __future__ import annotations

import numpy as np

from clearprop.engines import codes
from clearprop.engines.intrinsics import kernel, part
from clearprop.engines.language import Integers, Reals
from clearprop.engines.products import MOST, vectors
from clearprop.engines.records import Batch, Filled, Layer, Run


@kernel()
def first_row(step: int, batch: int, larger: int) -> int:
    """Return where a step's rows begin: `engines.first_row`."""
    return step * batch - max(0, step - larger)


@kernel()
def begin_of(run: Run, number: int) -> int:
    """Return where the rows of a step of the stretch begin."""
    step = run.first_step + number
    if run.cuts.size > 0:
        return run.cuts[step]
    return first_row(step, run.settings.batch, run.settings.n_larger)


@kernel()
def batch_of(run: Run, number: int) -> Batch:
    """Return a step of the stretch."""
    settings, first = run.settings, begin_of(run, number)
    n_leaves = how_many_together(run, number) if run.leaves.size > 0 else 1
    m = min(begin_of(run, number + n_leaves), run.order.size) - first
    rows, rate = part(run.order, first, m), run.rates[number]
    scale = (1.0 if settings.sums else 1.0 / m) * (-rate if settings.fused else 1.0)
    per = 1.0
    if settings.over_weight:
        total = total_weight(rows, run.sample_weight, run.weighted)
        per = 1.0 / total if total > 0.0 else 0.0
        scale *= m * per
    decay = run.weight_decay[min(number, run.weight_decay.size - 1)]
    keep = 1.0 - rate * per * settings.l2
    return Batch(rows, first, 0, number, n_leaves, rate, decay, scale, per, keep)


@kernel()
def how_many_together(run: Run, number: int) -> int:
    """Return how many leaves go forwards and backwards at once: as many as fit, or one."""
    first, n = begin_of(run, number), 1
    if run.settings.cost == codes.OWN:  # who knows what its bits depend on
        return n
    most = min(run.settings.batch, MOST)
    while number + n < run.leaves.size and begin_of(run, number + n + 1) - first <= most:
        n += 1
    return n


@kernel()
def leaf_of(run: Run, batch: Batch, k: int) -> Batch:
    """Return a leaf of those that are together; of a step, itself."""
    if batch.n_leaves == 1:
        return batch
    number = batch.number + k
    first, after = begin_of(run, number), begin_of(run, number + 1)
    rows, at = part(run.order, first, after - first), first - batch.first
    return batch._replace(rows=rows, first=first, at=at, number=number, n_leaves=1)


@kernel()
def row_ahead(run: Run, batch: Batch, filled: Filled) -> int:
    """Return the row of the next step, if this one can make its first product; else -1.

    Of one sample a step, whose inputs are not passed over. Where they are, W is read in other places.
    """
    settings, layer = run.settings, Layer(*run.layers[0])
    if settings.batch > 1 or run.n_threads > 1 or not settings.fused or batch.keep != 1.0:
        return -1
    if run.embedding.exists or layer.scales >= 0 or filled.n < vectors(run.work, layer.n_in):
        return -1
    if run.factors[0, codes.RATE + codes.WEIGHTS] == 0.0 or batch.number + 1 >= run.rates.size:
        return -1
    return run.order[batch.first + 1]


@kernel()
def run_begin(run: Run) -> int:
    """Return where the rows of the stretch begin."""
    return begin_of(run, 0)


@kernel()
def any_weight(rows: Integers, sample_weight: Reals) -> bool:
    """Return whether a sample of the batch has a weight that is not zero."""
    for i in range(rows.size):  # noqa: SIM110 - kernels have no generator expressions
        if sample_weight[rows[i]] != 0:
            return True
    return False


@kernel()
def total_weight(rows: Integers, sample_weight: Reals, weighted: bool) -> float:
    """Return the sum of the weights of a batch."""
    total = 0.0
    for i in range(rows.size):
        total += np.float64(sample_weight[rows[i]]) if weighted else 1.0
    return total
