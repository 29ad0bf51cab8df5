"""What comes back from the outputs of single rows: backprop.backward, as far as the input.

    rows_pulled        the same of each row                           jacobian, input_gradient, Gradient
    pass_row           z, a and slopes of all layers                  backprop.forward
    start_of_jacobian  dA/dz of the last layer, a row an output       Activation.backward
    cost_of_row        the cost and its delta: BP1                    backprop.backward
    pull_layer         BP2                                            backprop.backward
    put_gradient       BP3 and BP4                                    backprop.gradient

Of a Jacobian, the derivatives of all outputs go back side by side, as the deltas of a batch do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop.engines import codes
from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import Reals
from clearprop.engines.layers import forward_layer, scale_row
from clearprop.engines.neurons import SOFTMAX
from clearprop.engines.outputs import GROUPED, grouped_cost, sample_cost
from clearprop.engines.prediction import all_finite
from clearprop.engines.products import sums, vectors
from clearprop.engines.records import Filled, Layer, Matrix, Pass, Pull, Rectangle


@kernel()
def pass_row(run: Pull, x: Reals) -> None:
    """Compute z, a and slopes of all layers for a row."""
    none = part(run.work, 0, 0)
    for l in range(run.layers.shape[0]):  # noqa: E741 - the layer, as in the equations
        layer = Layer(*run.layers[l])
        n_in, n = layer.n_in, layer.n_out
        below = part(run.work, layer.below, n_in)
        if layer.scales >= 0:
            scale_row(layer, run.parameters, x, below)
        elif l == 0:
            below = x
        arrays = Pass(
            below, part(run.work, layer.above, n), part(run.work, layer.slope, n),
            part(run.work, layer.bend, n), part(run.work, layer.z, n),
            part(run.work, layer.log_sums, 1),
        )  # fmt: skip
        filled = Filled(run.columns, vectors(run.work, n_in))
        forward_layer(layer, run.segments, Rectangle(0, 1, 0, n), run.parameters, arrays, none, filled)


@kernel()
def start_of_jacobian(layer: Layer, work: Reals) -> None:
    """Put dA/dz of the last layer where its deltas are: row i of an output a_i."""
    n = layer.n_out
    a, slope = part(work, layer.above, n), part(work, layer.slope, n)
    for i in range(n):
        row = part(work, layer.delta + i * n, n)
        for j in range(n):
            row[j] = like(a[0], 0.0)
            if layer.code == SOFTMAX:
                row[j] = -a[i] * a[j]
        row[i] += a[i] if layer.code == SOFTMAX else slope[i]


@kernel()
def cost_of_row(run: Pull, layer: Layer, y: Reals) -> Any:
    """Return the cost of a row, and put its delta where that of the last layer is."""
    work, n = run.work, layer.n_out
    a, z = part(work, layer.above, n), part(work, layer.z, n)
    slope, delta = part(work, layer.slope, n), part(work, layer.delta, n)
    if run.cost == GROUPED:
        return grouped_cost(run.segments, layer.first_segment, layer.last_segment, z, y, delta)
    log_sum = work[layer.log_sums]
    return sample_cost(run.cost, run.cost_parameter, layer.code, log_sum, z, a, slope, y, delta)


@kernel()
def pull_layer(run: Pull, layer: Layer, m: int, target: Reals) -> None:
    """Put m rows of deltas, times a layer's weights, into `target`."""
    n_in, n = layer.n_in, layer.n_out
    W = Matrix(part(run.parameters, layer.weights, n * n_in), n_in, 1)
    delta = Matrix(part(run.work, layer.delta, m * n), 1, n)
    sums(Matrix(target, n_in, 1), delta, W, m, n_in, n, 0.0, part(run.work, 0, 0))


@kernel()
def times(rows: Reals, m: int, by: Reals) -> None:
    """Multiply each of m rows by another one."""
    for i in range(m):
        row = part(rows, i * by.size, by.size)
        for j in range(by.size):
            row[j] *= by[j]


@kernel()
def put_gradient(run: Pull, layer: Layer, below: Reals) -> None:
    """Put a layer's part of the gradient into ``run.out``."""
    delta = part(run.work, layer.delta, layer.n_out)
    for j in range(layer.n_out):
        row = part(run.out, layer.weights + j * layer.n_in, layer.n_in)
        d = delta[j]
        for k in range(row.size):
            row[k] = d * below[k]
        if layer.biases >= 0:
            run.out[layer.biases + j] = d


@kernel()
def pull_row(run: Pull, x: Reals, y: Reals, target: Reals) -> None:
    """Put the Jacobian of a row, or its cost's gradient by the input, into `target`."""
    last, m = Layer(*run.layers[run.layers.shape[0] - 1]), 1
    pass_row(run, x)
    if run.wanted == codes.JACOBIAN:
        m = last.n_out
        start_of_jacobian(last, run.work)
    else:
        run.cost_sum[0] += np.float64(cost_of_row(run, last, y))
    if run.wanted == codes.COST:
        return
    for l in range(run.layers.shape[0] - 1, -1, -1):  # noqa: E741
        layer = Layer(*run.layers[l])
        if run.wanted == codes.GRADIENT:
            below = x if l == 0 else part(run.work, layer.below, layer.n_in)
            put_gradient(run, layer, below)
        if l > 0:
            error = part(run.work, layer.below_delta, m * layer.n_in)
            pull_layer(run, layer, m, error)
            times(error, m, part(run.work, layer.below_slope, layer.n_in))
        elif run.wanted != codes.GRADIENT:
            pull_layer(run, layer, m, target)
            if layer.scales >= 0:
                times(target, m, part(run.parameters, layer.scales, layer.n_in))


@kernel()
def pull_back(run: Pull) -> None:
    """Do what ``run.wanted`` says for all rows; ``run.found`` says where an input is not finite."""
    first, last = Layer(*run.layers[0]), Layer(*run.layers[run.layers.shape[0] - 1])
    n_in, n = first.n_in, last.n_out
    each = n_in * n if run.wanted == codes.JACOBIAN else n_in
    if not all_finite(run.X):
        run.found[codes.NOT_FINITE] = 1
    run.cost_sum[0] = 0.0
    for i in range(run.n_rows):
        x, y = part(run.X, i * n_in, n_in), part(run.Y, i * n, n)
        pull_row(run, x, y, part(run.out, i * each, each))
