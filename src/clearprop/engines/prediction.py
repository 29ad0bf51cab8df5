"""The forward pass of many rows: backprop.forward, in blocks that stay in the cache.

Where rows are many, all weights are laid out once, in the order in which the products read them.
"""

from __future__ import annotations

import math

from clearprop.engines import codes
from clearprop.engines.embedding import embed
from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import Reals
from clearprop.engines.layers import complete_layer, forward_layer, meet, scale_row, share
from clearprop.engines.products import laid_out_size, lay_out, multiply, rest, vectors
from clearprop.engines.records import Filled, Layer, Matrix, Pass, Prediction, Rectangle, Team


@kernel(codes.SUMS)
def all_finite(x: Reals) -> bool:
    """Return whether no element is NaN or infinite: a sum of zeros is, then, zero."""
    total = like(x[0], 0.0)
    for i in range(x.size):
        total += x[i] * like(x[i], 0.0)
    return math.isfinite(total)


@kernel()
def lay_out_weights(run: Prediction) -> None:
    """Lay out all weights for large blocks of rows, shared by the threads."""
    place = 0
    for l in range(run.layers.shape[0]):  # noqa: E741
        layer = Layer(*run.layers[l])
        n_in, n = layer.n_in, layer.n_out
        if l % run.n_threads == run.thread:
            W = part(run.parameters, layer.weights, n_in * n)
            lay_out(rest(run.panels, place), Matrix(W, 1, n_in), n_in, n)
        place += laid_out_size(n_in, n)
    none = part(run.work, 0, 0)
    team = Team(run.thread, run.n_threads, 0, part(run.found, codes.MEETING, 1), run.give_way, none)
    meet(team, run.n_threads)


@kernel()
def predict_block(run: Prediction, first: int, m: int) -> None:
    """Put the activations of the last layer into ``run.out`` for some rows."""
    last, place = run.layers.shape[0] - 1, 0
    base = run.thread * (run.work.size // run.n_threads)
    for l in range(last + 1):  # noqa: E741
        layer = Layer(*run.layers[l])
        n_in, n = layer.n_in, layer.n_out
        below = part(run.work, base + layer.below, m * n_in)
        if l == 0:
            raw = part(run.X, first * run.embedding.n_features, m * run.embedding.n_features)
            if run.embedding.exists:
                work = part(run.work, base, run.work.size // run.n_threads)
                E = part(work, run.embedding.raw, m * n_in)
                embed(run.embedding, run.parameters, raw, work, E, 0, m)
                raw = E
            for i in range(m if layer.scales >= 0 else 0):
                source = part(raw, i * n_in, n_in)
                scale_row(layer, run.parameters, source, part(below, i * n_in, n_in))
            if layer.scales < 0:
                below = raw
        above = part(run.out, first * n, m * n)
        if l < last:
            above = part(run.work, base + layer.above, m * n)
        slopes = part(run.work, base + layer.slope, m * n)  # a by-product here
        bends = part(run.work, base + layer.bend, m * n)
        log_sums, z = part(run.work, base + layer.log_sums, m), part(run.z, first * n, m * n)
        arrays, all_of_it = Pass(below, above, slopes, bends, z, log_sums), Rectangle(0, m, 0, n)
        if run.panels.size > 0:
            copies = part(run.work, base + layer.copies, layer.copied)
            out, x = Matrix(above, n, 1), Matrix(below, 1, n_in)
            multiply(out, x, rest(run.panels, place), m, n, n_in, 0.0, copies)
            place += laid_out_size(n_in, n)
            complete_layer(layer, run.segments, all_of_it, run.parameters, arrays)
        else:
            filled, none = Filled(run.columns, vectors(run.work, n_in)), part(run.work, 0, 0)
            forward_layer(layer, run.segments, all_of_it, run.parameters, arrays, none, filled)


@kernel()
def predict(run: Prediction) -> None:
    """Put the activations of the last layer into ``run.out``, in blocks of rows: backprop.forward.

    ``run.found`` says where an input is not finite: each is looked at while it is on its way into the
    cache anyway. Every thread runs this on rows of its own, with a share of the workspace.
    """
    n_features, block = run.embedding.n_features, run.block
    if run.panels.size > 0:
        lay_out_weights(run)
    first_row, end = share(run.thread, run.n_threads, run.n_rows, block)
    for first in range(first_row, end, block):
        m = min(block, end - first)
        if not all_finite(part(run.X, first * n_features, m * n_features)):
            run.found[codes.NOT_FINITE] = 1
        predict_block(run, first, m)
