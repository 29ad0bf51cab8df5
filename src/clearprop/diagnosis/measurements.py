"""Everything that the rules are functions of: one pass, one step of the optimizer, the run so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.activations import Array
from clearprop.diagnosis import quantities
from clearprop.diagnosis.association import Association
from clearprop.diagnosis.quantities import (
    GradientNumbers,
    InputNumbers,
    LayerNumbers,
    OutputNumbers,
    Pass,
)
from clearprop.diagnosis.thresholds import Thresholds
from clearprop.engines import Plan, State
from clearprop.engines.reference import step_gradient
from clearprop.optimizers import LBFGS


@dataclass(frozen=True)
class Run:
    """What the history says, and what was kept from earlier evaluations.

    Attributes
    ----------
    cost, validation_cost : tuple of float
        One for each epoch.
    gradient_norms : tuple of float
        The largest norm of a weight matrix's gradient, at each evaluation.
    """

    cost: tuple[float, ...] = ()
    validation_cost: tuple[float, ...] = ()
    gradient_norms: tuple[float, ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[float]], norms: Sequence[float] = ()) -> Run:
        """Return the run that a history's columns tell of; NaNs are left out."""
        cost, validation = (
            tuple(float(v) for v in columns.get(name, ()) if not math.isnan(v))
            for name in ("cost", "validation_cost")
        )
        return cls(cost, validation, tuple(norms))


@dataclass(frozen=True)
class Step:
    """What one step of the optimizer does.

    Attributes
    ----------
    update : tuple of float
        ``||W_after - W|| / ||W||`` of each layer, the median over mini-batches; NaN where it is frozen.
    overshoot : float
        Cosine between the gradients before and after a step along the whole sample's; NaN if it was
        not measured.
    n_batches : int
    """

    update: tuple[float, ...]
    overshoot: float
    n_batches: int


@dataclass(frozen=True, eq=False)
class Measurements:
    """The numbers that the rules read."""

    n: int
    layers: tuple[LayerNumbers, ...]
    output: OutputNumbers
    gradient: GradientNumbers
    inputs: InputNumbers
    nonfinite: tuple[int, str] | None
    steps_trained: int
    batch_size: int | None = None
    learning_rate: float = float("nan")
    optimizer: str = ""
    momentum: float = 0.0
    l2: float = 0.0
    run: Run = field(default_factory=Run)
    step: Step | None = None
    feature_names: tuple[str, ...] = ()  # none where they have no names
    association: Association = field(default_factory=Association)

    @property
    def remaining(self) -> float:
        """The cost, as a share of that of the best constant output: 1 is nothing learned, 0 all."""
        best, cost = self.output.constant_cost, self.output.cost
        # A cost that may be negative (poisson) has no such share.
        return cost / best if best > 0 and cost >= 0 else float("nan")

    def has_learned(self, limits: Thresholds) -> bool:
        """Return whether so little of the cost remains that a small gradient is success."""
        return self.remaining < limits.learned

    def last_layer_size(self, limits: Thresholds) -> float:
        """Return the last layer's weights over those of a start after Glorot, at most 1.

        BP4 gives them the output's delta times what the layer before hands on: their own size is no
        factor. Starting at or near 0, they grow from the first step, and delta below them as well.
        1 is returned where they do not: nothing moves them, the penalty holds them, or what they are
        given is as small as they are.
        """
        last = self.layers[-1]
        moved = last.gradient_norm > 0 and not (self.l2 and self.gradient.pull >= limits.held)
        if not moved or len(self.layers) < 2:
            return 1.0
        given = math.sqrt(float(np.square(self.layers[-2].activation).mean()))
        if last.weight_norm > 0 and given < limits.input_low:
            return 1.0
        return min(1.0, last.weight_norm * math.sqrt((1 / last.n_in + 1 / last.n_out) / 2))

    def share(self, lost: float) -> float:
        """Return what share of the samples' gradients a mean square that is missing would be."""
        present = sum(float(each.actual.sum()) for each in self.layers)
        return lost / (lost + present) if lost > 0 else 0.0


def measure(
    p: Pass,
    limits: Thresholds,
    *,
    steps_trained: int,
    plan: Plan | None = None,
    rate: float = float("nan"),
    run: Run | None = None,
    step: Step | None = None,
    feature_names: tuple[str, ...] | None = None,
) -> Measurements:
    """Return all numbers of one pass, beside those of the step and the run."""
    l2 = plan.l2 if plan else 0.0
    return Measurements(
        n=p.n,
        layers=tuple(quantities.layer_numbers(p, l, limits) for l in range(len(p.z))),  # noqa: E741
        output=quantities.output_numbers(p, limits),
        gradient=quantities.gradient_numbers(p, l2),
        inputs=quantities.input_numbers(p),
        nonfinite=quantities.nonfinite(p),
        steps_trained=steps_trained,
        batch_size=plan.batch_size if plan else None,
        learning_rate=rate,
        optimizer=type(plan.optimizer).__name__ if plan else "",
        momentum=getattr(plan.optimizer, "momentum", 0.0) if plan else 0.0,
        l2=l2,
        run=run or Run(),
        step=step,
        feature_names=feature_names or (),
    )


def after_step(plan: Plan, state: State, rate: float, X: Array, Y: Array) -> NDArray[Any]:
    """Return the parameters after the step that an optimizer would make on these samples."""
    passed = backprop.forward(plan.architecture, state.parameters, X)
    gradient = step_gradient(plan, state, passed, Y, None)
    dtype = state.parameters.dtype
    with np.errstate(all="ignore"):
        after, _ = plan.optimizer.update(
            state.parameters,
            gradient,
            state.moments,
            rate * plan.lr_factors(dtype),
            state.updates + 1,
            plan.decay_factors(dtype),
        )
    return after


@np.errstate(all="ignore")
def update_ratios(plan: Plan, state: State, after: NDArray[Any]) -> tuple[float, ...]:
    """Return ``||W_after - W|| / ||W||`` of each layer's weights; NaN where they are frozen or zero."""
    frozen = {block.name for block in plan.frozen}
    ratios = []
    for l, (W, moved) in enumerate(  # noqa: E741
        zip(
            plan.architecture.views(state.parameters)[0], plan.architecture.views(after)[0], strict=True
        )
    ):
        size = float(np.sqrt(np.square(W, dtype=np.float64).sum()))
        change = float(np.sqrt(np.square(moved.astype(np.float64) - W).sum()))
        is_frozen = f"layers.{l}.weight" in frozen
        ratios.append(float("nan") if is_frozen or size == 0 else change / size)
    return tuple(ratios)


def step_of(
    plan: Plan, state: State, rate: float, p: Pass, n_batches: int, overshoot: bool
) -> Step | None:
    """Return what steps on mini-batches of the sample do; None for L-BFGS, which takes no such step.

    The batches are spread over the sample: rows i, i + k, i + 2k, ... are one.
    """
    if isinstance(plan.optimizer, LBFGS) or not math.isfinite(rate):
        return None
    apart = max(p.n // min(plan.batch_size, p.n), 1)
    ratios = []
    for first in np.unique(np.linspace(0, apart - 1, min(n_batches, apart)).astype(int)):
        rows = slice(int(first), None, apart)
        after = after_step(plan, state, rate, p.X[rows], p.Y[rows])
        ratios.append(update_ratios(plan, state, after))
    cosine = _overshoot(plan, state, rate, p) if overshoot else float("nan")
    return Step(tuple(map(_median, zip(*ratios, strict=True))), cosine, len(ratios))


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else float("nan")


@np.errstate(all="ignore")
def _overshoot(plan: Plan, state: State, rate: float, p: Pass) -> float:
    after = after_step(plan, state, rate, p.X, p.Y)
    passed = backprop.forward(p.architecture, after, p.X)
    back = backprop.backward(p.architecture, after, passed, p.Y)
    g, h = (
        each.astype(np.float64)
        for each in (p.gradient, backprop.gradient(p.architecture, passed, back))
    )
    return float(g @ h / (np.sqrt(g @ g) * np.sqrt(h @ h)))
