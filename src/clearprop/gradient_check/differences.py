"""The cost as a function of one parameter, and its derivative without backpropagation.

Central differences at steps that suit each other, and where those cannot see and every function is
analytic, the complex step: the imaginary part of ``C(w + ih) / h`` has no cancellation (Squire and
Trapp 1998).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.activations import Activation, Array
from clearprop.architecture import Architecture
from clearprop.costs import Cost
from clearprop.flat_vector import Block
from clearprop.gradient_check.verdict import Estimate, judge

_FIRST_STEP = 1e-5  # times max(1, |w|): where truncation, h^2, and rounding, eps / h, are both small
_LADDER = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)
_ROUNDING = 8 * np.finfo(np.float64).eps  # of a cost, relative: a few operations on its last bits
_COMPLEX_STEP = 1e-30
_UNSEEN = (
    np.finfo(np.float64).tiny / _COMPLEX_STEP
)  # below it, what the complex step carries underflows


class Differences:
    """The cost as a function of one parameter at a time.

    Parameters
    ----------
    architecture : Architecture
    parameters, X, Y : ndarray
        In float64; `parameters` are copied.
    sample_weight : ndarray of shape (n_samples,), optional
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Array,
        X: Array,
        Y: Array,
        sample_weight: Array | None = None,
    ) -> None:
        self.architecture, self.parameters = architecture, parameters.astype(np.float64)
        self.X, self.Y, self.sample_weight = X, Y, sample_weight
        self._folds = [_folds(layer.function, layer.size) for layer in architecture.layers]
        self._cost_folds = _cost_folds(architecture.cost)

    def cost(self) -> float:
        """Return the cost at the parameters held."""
        return self._reduced(backprop.forward(self.architecture, self.parameters, self.X))

    def _reduced(self, passed: backprop.Forward) -> float:
        return self.architecture.cost.reduce(self._costs(passed), self.sample_weight)

    def _costs(self, passed: backprop.Forward) -> Array:
        cost, output = self.architecture.cost, self.architecture.output
        return cost.of_samples(output, passed.z[-1], passed.a[-1], self.Y)

    def _at(self, i: int, w: float) -> tuple[float, float, list[Array], Array]:
        """Return the cost with parameter i at w, its rounding, the side of each kink, the last z."""
        kept, self.parameters[i] = self.parameters[i], w
        passed = backprop.forward(self.architecture, self.parameters, self.X)
        cost = self._reduced(passed)
        self.parameters[i] = kept
        sides = [
            np.sign(z[:, columns] - kink)
            for z, folds in zip(passed.z, self._folds, strict=True)
            for kink, columns in folds
        ]
        sides += [np.sign(passed.a[-1] - self.Y - kink) for kink in self._cost_folds]
        if passed.embedded is not None:
            kinks = passed.embedded.embedding.function.kinks
            sides += [np.sign(passed.embedded.h - kink) for kink in kinks]
        return cost, self._rounding(cost, passed), sides, passed.z[-1]

    def _rounding(self, value: float, passed: backprop.Forward) -> float:
        """Return the rounding of a cost: its own, and that of what was subtracted on the way."""
        cost, output, a = self.architecture.cost, self.architecture.output, passed.a[-1]
        if cost.form(output) is not None:
            sizes = np.abs(passed.z[-1]).max(axis=1)  # of log sum exp(z) - z
        else:
            sizes = (np.abs(cost.error(output, a, self.Y)) * (np.abs(a) + np.abs(self.Y))).sum(axis=1)
        return _ROUNDING * (abs(value) + cost.reduce(sizes, self.sample_weight))

    def at_step(self, i: int, h: float) -> Estimate:
        """Return the central difference with step h and the rounding in it."""
        w = float(self.parameters[i])
        above, rounding_above, sides_above, z_above = self._at(i, w + h)
        below, rounding_below, sides_below, z_below = self._at(i, w - h)
        width = (w + h) - (w - h)  # exactly; 2h is not
        crossed = any(not np.array_equal(p, q) for p, q in zip(sides_above, sides_below, strict=True))
        # Outputs that are the same to the last bit: 0 is exact, unless rounding swallowed the step.
        exact = np.array_equal(z_above, z_below) and not self._reaches_the_outputs(i)
        rounding = 0.0 if exact else rounding_above + rounding_below
        return Estimate((above - below) / width, rounding / width, h, crossed)

    @functools.cached_property
    def _held(self) -> backprop.Forward:
        return backprop.forward(self.architecture, self.parameters, self.X)

    def _reaches_the_outputs(self, i: int) -> bool:
        """Return whether the last z depend on parameter i, by where there is a 0 on the way to them."""
        held = self._held
        W = self.architecture.views(self.parameters)[0]
        block = next(each for each in self.architecture.blocks if i < each.offset + each.size)
        at = tuple(int(k) for k in np.unravel_index(i - block.offset, block.shape))
        first = block.layer
        a = held.a[first]
        reached = np.zeros(held.z[first].shape, dtype=bool)
        if block.kind == "embedding":
            reached = self._moved_inputs(i).astype(np.float64) @ (W[0] != 0).T > 0
        elif block.kind == "scales":
            below = held.X if held.embedded is None else held.embedded.out
            reached |= (below[:, at] != 0) & (W[0][:, at[0]] != 0)
        elif block.kind == "weights":
            reached[:, at[0]] = a[:, at[1]] != 0
        else:
            reached[:, at[0]] = True
        functions = self.architecture.functions(self.parameters)
        for l in range(first, len(functions) - 1):  # noqa: E741
            reached &= functions[l].slope(held.z[l]) != 0
            reached = reached.astype(np.float64) @ (W[l + 1] != 0).T > 0
        return bool(reached.any())

    def _moved_inputs(self, i: int) -> NDArray[np.bool_]:
        """Return which of the numbers that layer 1 sees depend on parameter i, of the embedding."""
        p = self.parameters.astype(np.complex128)
        p[i] += 1j * _COMPLEX_STEP
        moved: NDArray[np.bool_] = backprop.forward(self.architecture, p, self.X).a[0].imag != 0
        return moved

    def complex_step(self, i: int) -> Estimate | None:
        """Return the derivative by a complex step, or None where something is not analytic."""
        if not _is_analytic(self.architecture):
            return None
        p = self.parameters.astype(np.complex128)
        p[i] += 1j * _COMPLEX_STEP
        passed = backprop.forward(self.architecture, p, self.X)
        slopes = np.imag(self._costs(passed)) / _COMPLEX_STEP
        if not np.isfinite(slopes).all():
            return None
        cost = self.architecture.cost
        # What is left when samples cancel, or a and y do: their rounding, times what it passes through.
        canonical = cost.form(self.architecture.output) is not None
        through = np.abs(np.imag(passed.z[-1] if canonical else passed.a[-1])) / _COMPLEX_STEP
        size = np.abs(slopes) + (through * (np.abs(passed.a[-1]) + np.abs(self.Y))).sum(axis=1)
        slope, bound = (cost.reduce(each, self.sample_weight) for each in (slopes, _ROUNDING * size))
        return Estimate(slope, bound, _COMPLEX_STEP)


def _folds(activation: Activation, size: int) -> list[tuple[float, NDArray[np.int64]]]:
    """Return where a layer's neurons have kinks: each kink, and the columns that have it."""
    parts = activation.parts or (activation,) * size
    kinks = sorted({kink for part in parts for kink in part.kinks})
    return [(k, np.array([j for j, part in enumerate(parts) if k in part.kinks])) for k in kinks]


def _cost_folds(cost: Cost) -> tuple[float, ...]:
    """Return the residuals a - y at which a cost's derivative jumps or bends."""
    if cost.smooth:
        return ()
    if "delta" in cost.parameters:
        return (-cost.parameters["delta"], cost.parameters["delta"])
    return (0.0,)


def _is_analytic(architecture: Architecture) -> bool:
    functions = [part for layer in architecture.layers for part in layer.function.parts]
    functions += [layer.function for layer in architecture.layers]
    if architecture.embedding is not None:
        functions.append(architecture.embedding.function)
    cost = architecture.cost
    return cost.smooth and cost.built_in and all(f.smooth and f.built_in for f in functions)


def estimate(
    difference: Differences,
    block: Block,
    i: int,
    term: str,
    a: float,
    tolerance: float,
    l2: float,
    l1: float,
) -> Estimate:
    """Return the derivative of one term of the cost by parameter i, which was claimed to be `a`."""
    decays = block.is_map
    w = float(difference.parameters[i])
    penalty = _penalty(w, l2, l1) if decays else Estimate(0.0, 0.0, 0.0)
    if term == "penalty":
        return penalty
    if term == "data" or not (decays and (l2 or l1)):
        return _data(difference, i, a, tolerance)
    data = _data(difference, i, a - penalty.value, tolerance)
    bound = data.bound + penalty.bound
    return Estimate(data.value + penalty.value, bound, data.step, data.kink or penalty.kink)


def _penalty(w: float, l2: float, l1: float) -> Estimate:
    """Return the derivative of one weight's penalty, by a central difference."""
    # At half a weight's distance from 0, |w| has no kink in reach and the difference no truncation.
    h = abs(w) / 2 or _FIRST_STEP

    def of(v: float) -> float:
        return 0.5 * l2 * v * v + l1 * abs(v)

    slope = (of(w + h) - of(w - h)) / ((w + h) - (w - h))
    return Estimate(slope, 0.0, h, kink=bool(l1 and w == 0.0))


def _data(difference: Differences, i: int, a: float, tolerance: float) -> Estimate:
    """Return the derivative of the cost at the step where neighbouring estimates agree best."""
    first = _FIRST_STEP * max(1.0, abs(float(difference.parameters[i])))
    tried: dict[float, Estimate] = {1.0: difference.at_step(i, first)}
    if not tried[1.0].kink and judge(a, tried[1.0], tolerance) == "pass":
        return tried[1.0]
    for factor in _LADDER:
        if factor not in tried:
            tried[factor] = difference.at_step(i, factor * first)
        clean = [tried[f] for f in _LADDER if f in tried and not tried[f].kink]
        if factor < 1.0 and len(clean) >= 2:
            break
    best = _best(clean)
    if best is None:
        return tried[_LADDER[-1]]
    # Outputs that stay the same may depend on w by less than their last bit: a saturated neuron's do.
    unseen = abs(a - best.value) <= best.bound or best.value == 0.0 != a
    if unseen and (exact := difference.complex_step(i)) is not None:
        lost = _UNSEEN if 0 < abs(a) < _UNSEEN else 0.0
        return exact._replace(bound=exact.bound + lost)
    return best


def _best(clean: Sequence[Estimate]) -> Estimate | None:
    """Return the estimate, of those ordered by falling step, that its neighbour bears out."""
    if len(clean) < 2:
        return clean[0]._replace(bound=math.inf) if clean else None

    def apart(pair: tuple[Estimate, Estimate]) -> float:
        return abs(pair[0].value - pair[1].value)

    longer, shorter = min(itertools.pairwise(clean), key=apart)
    gap = apart((longer, shorter))
    # More apart than rounding explains: truncation, of which the shorter step has a hundredth.
    chosen = shorter if gap > shorter.bound else longer
    return chosen._replace(bound=gap + chosen.bound)
