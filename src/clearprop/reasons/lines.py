"""What each input contributes along lines of inputs: the backward pass over the pieces of a line.

Between two points BP2 holds exactly, if the slope f'(z) of every neuron is taken as the mean slope
between its two z, ``(f(z_high) - f(z_low)) / (z_high - z_low)``: the answers' difference then is passed
back to the inputs without a rest (the multipliers of DeepLIFT's rescale rule, Shrikumar, Greenside and
Kundaje 2017). The shorter the pieces, the nearer the mean slopes are to the slopes, and the sum over
the pieces to the integral of the gradient; where f has a kink, the mean slope weighs both sides of it
as the line does. An embedded number stands for its input: their difference is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.activations import Activation
from clearprop.architecture import Architecture
from clearprop.model.model import Model
from clearprop.reasons.answer import Answer, mean_slopes

Array = NDArray[np.floating]
Floats = NDArray[np.float64]

# Differences of z of which too little is left after rounding; the slope half way stands for theirs.
_NEAR = {"float32": 1e-5, "float64": 1e-9}


class Explained:
    """An answer as a function of what the networks see of a row, and what its inputs contribute.

    Parameters
    ----------
    models : sequence of Model
        Of one table: they see the same of a row.
    answer : Answer
    dtype : {"float32", "float64"}
        Of the passes; z of the last layer goes on in float64.
    """

    def __init__(self, models: Sequence[Model], answer: Answer, dtype: str) -> None:
        self.dtype, self._answer = np.dtype(dtype), answer
        self._networks = [
            (model.architecture, np.atleast_2d(model.parameters).astype(dtype)) for model in models
        ]

    def value(self, inputs: Array) -> Floats:
        """Return the answer of every row, shape (n_rows,), of inputs of shape (n_rows, n_inputs)."""
        return self._answer.value(_outputs(self._passed(inputs)))

    def contributions(self, points: Array, steps: Sequence[int]) -> list[Floats]:
        """Return what every input contributes from the first to the last point of every line.

        Parameters
        ----------
        points : ndarray of shape (n_lines, n_points, n_inputs)
        steps : sequence of int
            Every so many points are the ends of the line's pieces; `n_points - 1` is a multiple.

        Returns
        -------
        list of ndarray of shape (n_lines, n_inputs)
            For each of `steps`.
        """
        n_lines, n_points, n_inputs = points.shape
        passed = self._passed(points.reshape(-1, n_inputs))
        return [self._along(passed, (n_lines, n_points), step) for step in steps]

    def _passed(self, inputs: Array) -> list[list[backprop.Forward]]:
        narrow = inputs.astype(self.dtype, copy=False)
        return [
            [backprop.forward(made, each, narrow) for each in parameters]
            for made, parameters in self._networks
        ]

    def _along(self, passed: list[list[backprop.Forward]], shape: tuple[int, int], step: int) -> Floats:
        ends = [_ends(z, shape, step) for z in _outputs(passed)]
        low, high = ([each[k] for each in ends] for k in range(2))
        slopes = mean_slopes(self._answer, low, high)
        found: Floats = np.zeros((shape[0], self._networks[0][0].n_features))
        for (made, parameters), each, theirs in zip(self._networks, passed, slopes, strict=True):
            for one, values, delta in zip(each, parameters, theirs, strict=True):
                found += _contributions(made, values, one, delta.astype(self.dtype), shape, step)
        return found


def _outputs(passed: list[list[backprop.Forward]]) -> list[Floats]:
    """Return z of the last layers, (n_networks, n_rows, n_outputs) of every model."""
    return [np.stack([one.z[-1] for one in each]).astype(np.float64) for each in passed]


def _ends(z: NDArray[Any], shape: tuple[int, int], step: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the values at both ends of every piece, along the second last axis."""
    cut = z.reshape(*z.shape[:-2], *shape, z.shape[-1])[..., ::step, :]
    low, high = cut[..., :-1, :], cut[..., 1:, :]
    joined = (*z.shape[:-2], -1, z.shape[-1])
    return low.reshape(joined), high.reshape(joined)


@np.errstate(all="ignore")  # as in `backprop`
def _contributions(
    made: Architecture,
    parameters: Array,
    passed: backprop.Forward,
    delta: Array,
    shape: tuple[int, int],
    step: int,
) -> Floats:
    """Return what one network's inputs contribute, shape (n_lines, n_inputs): BP2 over pieces."""
    weights, functions = made.views(parameters)[0], made.functions(parameters)
    for l in reversed(range(len(weights) - 1)):  # noqa: E741 - the layer, as in the equations
        z, a = (_ends(each[l + k], shape, step) for k, each in enumerate((passed.z, passed.a)))
        delta = (delta @ weights[l + 1]) * _mean_slope(functions[l], *z, *a)
    low, high = _ends(passed.a[0], shape, step)
    pieces = (delta @ weights[0]) * (high - low)
    parts: Floats = pieces.reshape(shape[0], -1, pieces.shape[1]).sum(axis=1, dtype=np.float64)
    if made.embedding is None:
        return parts
    return _of_inputs(made, parts)


def _mean_slope(function: Activation, z_low: Array, z_high: Array, low: Array, high: Array) -> Array:
    way = z_high - z_low
    slope: Array = (high - low) / way
    near = np.abs(way) <= _NEAR[str(way.dtype)] * (1.0 + np.abs(z_low))
    rows = np.flatnonzero(near.any(axis=1))
    if len(rows):
        half_way = function.slope((z_low[rows] + z_high[rows]) / 2.0)
        slope[rows] = np.where(near[rows], half_way, slope[rows])
    return slope


def _of_inputs(made: Architecture, parts: Floats) -> Floats:
    """Return the sums over what each input was embedded as; a category's are its first column's."""
    assert made.embedding is not None
    found = np.zeros((len(parts), made.n_features))
    sizes, first = made.embedding.sizes, made.embedding.first
    own = sizes > 0
    found[:, own] = np.add.reduceat(parts, first[own], axis=1)
    return found
