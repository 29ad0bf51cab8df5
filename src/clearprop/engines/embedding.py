"""The embedding of inputs, forwards, backwards, and its steps.

What each kernel computes, and which function of the reference it must agree with:

    embed              E of some rows, and phi                        Embedding.forward
    embed_backward     dC/dh and dC/dphase of some rows               Embedded.backward
    update_embedding   its gradient, and the optimizer                Delta.gradient
    stays_finite_below whether its step leaves finite numbers

and why they are shaped so:

- phi of a batch lies in the workspace, input by input, so that h, dC/dphi and dC/dV are the products
  that the layers have, of small matrices that are taken where they lie.
- Forwards and backwards threads share the rows; of the parameters each has whole inputs. A map that all
  inputs share is one thread's.
- One-hot columns are mostly 0: a category's vector is added where its column is not, and of a gradient
  only such rows are looked up.
"""

from __future__ import annotations

import math

import numpy as np

from clearprop.engines import codes
from clearprop.engines.elementary import turned
from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import Reals
from clearprop.engines.layers import rough_squares, scale_row, share
from clearprop.engines.products import dots, rest, sums, vectors
from clearprop.engines.records import Batch, Embedding, Filled, Layer, Matrix, Run, Share, Team, Update
from clearprop.engines.updates import add_penalties, move, with_penalty

_TURN = 2.0 * math.pi
_A_RADIAN = 1.0 / _TURN


# --- forwards


@kernel()
def bins_of(its: Embedding, x: Reals, basis: Reals, k: int) -> None:
    """Put x and its share of each bin into an input's basis."""
    n_bins, value = its.n_basis - 1, x[its.columns[k]]
    of_all = its.n * n_bins
    basis[0] = value
    e = part(basis, 1, n_bins)
    slopes, shifts = part(its.bins, k * n_bins, n_bins), part(its.bins, of_all + k * n_bins, n_bins)
    least = part(its.bins, 2 * of_all + k * n_bins, n_bins)
    most = part(its.bins, 3 * of_all + k * n_bins, n_bins)
    for t in range(n_bins):
        share_of_bin = value * slopes[t] + shifts[t]
        share_of_bin = least[t] if share_of_bin < least[t] else share_of_bin
        e[t] = most[t] if share_of_bin > most[t] else share_of_bin


@kernel()
def waves_of(its: Embedding, p: Reals, x: Reals, basis: Reals, sines: Reals, k: int) -> None:
    """Put the cosines of an input's phases into its basis, and the sines where they are kept."""
    n, value = its.n_waves, x[its.columns[k]]
    c = part(p, its.frequency + k * n, n)
    if its.phase >= 0:
        r, radian = part(p, its.phase + k * n, n), like(value, _A_RADIAN)
        for j in range(n):
            basis[j], sines[j] = turned(value * c[j] + r[j] * radian)
    else:
        for j in range(n):
            basis[j], sines[j] = turned(value * c[j])


@kernel()
def map_of(its: Embedding, p: Reals, k: int) -> Matrix:
    """Return V of an input."""
    size = its.n_basis * its.n_mapped
    return Matrix(part(p, its.weight + (0 if its.shared else k * size), size), its.n_mapped, 1)


@kernel()
def look_up(its: Embedding, p: Reals, x: Reals, out: Reals) -> None:
    """Put the vectors of a row's categories where layer 1 sees them."""
    d = its.n_of_vector
    for k in range(its.n_vectors):
        at = its.first[its.one_hot[k]]
        for j in range(d):
            out[at + j] = like(out[0], 0.0)
    for k in range(its.n_vectors):
        u, at = x[its.one_hot[k]], its.first[its.one_hot[k]]
        if u != 0:
            Q = part(p, its.vectors + k * d, d)
            for j in range(d):
                out[at + j] += u * Q[j]


@kernel()
def embed(its: Embedding, p: Reals, x: Reals, work: Reals, out: Reals, i0: int, i1: int) -> None:
    """Put what layer 1 sees of rows i0 to i1 of x into `out`."""
    n, m, d, wide = its.n, its.n_basis, its.n_mapped, its.n_out
    if i1 <= i0:
        return
    for i in range(i0, i1):
        row = part(x, i * its.n_features, its.n_features)
        for k in range(its.n_features):  # those that are embedded are written over
            out[i * wide + its.first[k]] = row[k]
        look_up(its, p, row, part(out, i * wide, wide))
        for k in range(n):
            basis = part(work, its.basis + (i * n + k) * m, m)
            if its.n_waves == 0:
                bins_of(its, row, basis, k)
            elif its.phase >= 0:
                at = its.sines + ((i * n + k) * m if its.keeps else 0)
                waves_of(its, p, row, basis, part(work, at, m), k)
            else:
                waves_of(its, p, row, basis, part(basis, its.n_waves, its.n_waves), k)
    for k in range(n):
        at = its.first[its.columns[k]]
        phi = Matrix(rest(work, its.basis + (i0 * n + k) * m), 1, n * m)
        h = Matrix(rest(out, i0 * wide + at), wide, 1)
        sums(h, phi, map_of(its, p, k), i1 - i0, d, m, 0.0, part(work, 0, 0))
        b = part(p, its.bias + (0 if its.shared else k * d), d)
        for i in range(i0, i1):
            row = part(out, i * wide + at, d)
            for j in range(d):
                row[j] += b[j]
            if its.relu:
                for j in range(d):
                    row[j] = like(row[j], 0.0) if row[j] <= 0 else row[j]
            if its.appends:
                out[i * wide + at + d] = x[i * its.n_features + its.columns[k]]


@kernel()
def gather_embedded(run: Run, batch: Batch, i0: int, i1: int) -> None:
    """Copy some of a batch's inputs; put what they are embedded as where layer 1 finds it, scaled."""
    layer, its = Layer(*run.layers[0]), run.embedding
    wide, m = layer.n_in, batch.rows.size
    for i in range(i0, i1):
        source = part(run.X, batch.rows[i] * its.n_features, its.n_features)
        target = part(run.work, its.x + i * its.n_features, its.n_features)
        for k in range(its.n_features):
            target[k] = source[k]
    x, E = part(run.work, its.x, m * its.n_features), part(run.work, its.raw, m * wide)
    embed(its, run.parameters, x, run.work, E, i0, i1)
    for i in range(i0, i1 if layer.scales >= 0 else i0):
        scaled = part(run.work, layer.below + i * wide, wide)
        scale_row(layer, run.parameters, part(E, i * wide, wide), scaled)


# --- backwards


@kernel()
def embed_backward(run: Run, batch: Batch, team: Team) -> None:
    """Compute dC/dE, dC/dh and dC/dphase of a thread's rows, from dC/da of the inputs of layer 1."""
    its, layer, work = run.embedding, Layer(*run.layers[0]), run.work
    i0, i1 = share(team.thread, team.n_threads, batch.rows.size, 1)
    wide, d = its.n_out, its.n_mapped
    for i in range(i0, i1):
        delta, E = part(work, layer.below_delta + i * wide, wide), part(work, its.raw + i * wide, wide)
        error = part(work, its.errors + i * wide, wide)
        if layer.scales >= 0:
            s = part(run.parameters, layer.scales, wide)
            for j in range(wide):
                error[j] = delta[j] * s[j]
            for j in range(wide):
                delta[j] *= E[j]
        for k in range(its.n if its.relu else 0):
            at = its.first[its.columns[k]]
            for j in range(at, at + d):
                error[j] *= like(E[j], 1.0) if E[j] > 0 else like(E[j], 0.0)
    if its.n_waves > 0 and i1 > i0:
        for k in range(its.n):
            phases_backward(run, k, i0, i1)


@kernel()
def phases_backward(run: Run, k: int, i0: int, i1: int) -> None:
    """Compute dC/dphase of an input in some rows."""
    its, work = run.embedding, run.work
    n, m, q, d = its.n, its.n_basis, its.n_waves, its.n_mapped
    delta = Matrix(rest(work, its.errors + i0 * its.n_out + its.first[its.columns[k]]), its.n_out, 1)
    out = Matrix(rest(work, its.phases + (i0 * n + k) * m), n * m, 1)
    filled = Filled(run.columns, vectors(work, d))
    dots(out, delta, map_of(its, run.parameters, k), i1 - i0, m, d, part(work, 0, 0), filled)
    for i in range(i0, i1):
        error = part(work, its.phases + (i * n + k) * m, m)
        basis = part(work, its.basis + (i * n + k) * m, m)
        if its.phase >= 0:
            sines = part(work, its.sines + (i * n + k) * m, m)
            for j in range(q):
                error[j] *= -sines[j]
        else:
            sines, of_sines = part(basis, q, q), part(error, q, q)
            for j in range(q):
                error[j] = basis[j] * of_sines[j] - sines[j] * error[j]


@kernel()
def stays_finite_below(run: Run, m: int, limit: float) -> bool:
    """Return whether a step is sure to leave the embedding's parameters finite: as `stays_finite`."""
    its, scales = run.embedding, Layer(*run.layers[0]).scales
    errors = rough_squares(part(run.work, its.errors, m * its.n_out))
    if scales >= 0:  # whose deltas are the error times E
        before = total_below(run)
        if not before * (rough_squares(part(run.work, its.raw, m * its.n_out)) + m) < limit:
            return False
    count = np.float64(m * its.n)
    one_hot = np.float64(m * its.n_vectors) * run.largest * run.largest
    furthest = run.largest * its.steepest + its.furthest + 1.0
    basis = count * its.n_basis * furthest * furthest
    if not errors * (basis + count + one_hot) < limit:
        return False
    if its.n_waves == 0:
        return True
    size = its.n_basis * its.n_mapped * (1 if its.shared else its.n)
    phases = 2.0 * errors * rough_squares(part(run.parameters, its.weight, size))
    return phases * count * (_TURN * _TURN * run.largest * run.largest + 1.0) < limit


@kernel()
def total_below(run: Run) -> float:
    """Return the sum of squares of dC/da of the inputs of layer 1, which all threads have added to."""
    total = 0.0
    for thread in range(run.n_threads):
        total += run.squares[thread]
    return total


# --- steps


@kernel()
def array_of(its: Embedding, what: int) -> tuple[int, int]:
    """Return where an array of parameters begins, and how many of them an input has."""
    if what == codes.MAP:
        return its.weight, its.n_basis * its.n_mapped
    if what == codes.OF_BIAS:
        return its.bias, its.n_mapped
    if what == codes.VECTORS:
        return its.vectors, its.n_of_vector
    return (its.frequency if what == codes.OF_FREQUENCY else its.phase), its.n_waves


@kernel()
def gradient_of(run: Run, batch: Batch, what: int, k: int, g: Reals, beta: float) -> None:
    """Put an input's gradient of an array of parameters into `g`, or add it (beta 1)."""
    its, work, m = run.embedding, run.work, batch.rows.size
    n, n_basis, d, wide = its.n, its.n_basis, its.n_mapped, its.n_out
    column = its.one_hot[k] if what == codes.VECTORS else its.columns[k]
    at = its.errors + its.first[column]
    if what == codes.MAP:
        basis = rest(work, its.basis + (batch.at * n + k) * n_basis)
        phi, delta = Matrix(basis, n * n_basis, 1), rest(work, at + batch.at * wide)
        sums(Matrix(g, d, 1), phi, Matrix(delta, wide, 1), n_basis, d, m, beta, part(work, 0, 0))
        return
    if beta == 0.0:
        for j in range(g.size):
            g[j] = like(g[j], 0.0)
    for i in range(batch.at, batch.at + m):
        if what == codes.OF_BIAS:
            delta = part(work, at + i * wide, d)
            for j in range(d):
                g[j] += delta[j]
        elif what == codes.VECTORS:
            u = work[its.x + i * its.n_features + column]
            if u != 0:
                error = part(work, at + i * wide, g.size)
                for j in range(g.size):
                    g[j] += u * error[j]
        else:
            phases = part(work, its.phases + (i * n + k) * n_basis, its.n_waves)
            by = like(g[0], 1.0)
            if what == codes.OF_FREQUENCY:
                by = like(g[0], _TURN) * work[its.x + i * its.n_features + column]
            for j in range(its.n_waves):
                g[j] += by * phases[j]


@kernel()
def update_array(
    run: Run, batch: Batch, team: Team, update: Update, what: int, k: int, count: int
) -> float:
    """Compute the gradient of an input's array, of `count` inputs together, and follow it."""
    start, size = array_of(run.embedding, what)
    offset = start + k * size
    row, column = team.n_layers + what // 3, what % 3
    factor, settings = run.factors[row, codes.RATE + column], run.settings
    at = settings.gradient + (team.thread * settings.chunk if update.phase == codes.BOTH else offset)
    g, p = part(run.work, at, size), part(run.parameters, offset, size)
    if update.phase != codes.FOLLOW:
        if factor == 0.0:
            for j in range(size):
                g[j] = like(g[j], 0.0)
        else:
            for also in range(count):
                gradient_of(run, batch, what, k + also, g, 0.0 if also == 0 else 1.0)
            l2, l1 = batch.per * settings.l2, batch.per * settings.l1
            if (what == codes.MAP or what == codes.VECTORS) and (l2 != 0.0 or l1 != 0.0):
                add_penalties(g, p, l2, l1)
    by = update.shrink if update.phase == codes.FOLLOW else 1.0
    its = Share(factor, run.factors[row, codes.DECAY_FACTOR + column], by)
    return move(run, batch, update, offset, p, g, its)


@kernel()
def update_embedding(run: Run, batch: Batch, team: Team, update: Update) -> float:
    """Update a thread's share of the embedding; return the sum of squares of its gradient."""
    its, squares = run.embedding, 0.0
    k0, k1 = share(team.thread, team.n_threads, its.n, 1)
    for what in range(codes.VECTORS + 1):
        start, _ = array_of(its, what)
        if start < 0:
            continue
        if what == codes.VECTORS:
            k0, k1 = share(team.thread, team.n_threads, its.n_vectors, 1)
        if its.shared and what <= codes.OF_BIAS:
            if team.thread == 0:
                squares += update_array(run, batch, team, update, what, 0, its.n)
            continue
        for k in range(k0, k1):
            squares += update_array(run, batch, team, update, what, k, 1)
    return squares


@kernel()
def with_penalty_below(run: Run, total: float) -> float:
    """Return a sum of penalties with those of the embedding's map and vectors."""
    its, l2, l1 = run.embedding, run.settings.l2, run.settings.l1
    if its.weight >= 0:
        size = its.n_basis * its.n_mapped * (1 if its.shared else its.n)
        total = with_penalty(total, part(run.parameters, its.weight, size), l2, l1)
    if its.vectors >= 0:
        Q = part(run.parameters, its.vectors, its.n_vectors * its.n_of_vector)
        total = with_penalty(total, Q, l2, l1)
    return total
