"""The reference engine: one mini-batch after the other, in NumPy, in the open.

It calls ``backprop`` and the optimizer, in the order in which a textbook's algorithm names its steps.
Every other engine is tested against it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop, metrics, penalties, randomness
from clearprop.activations import Array
from clearprop.engines.interface import Course, Data, Plan, Report, State
from clearprop.engines.leaves import Leaves
from clearprop.optimizers import AdamW


class ReferenceEngine:
    """Trains with the equations of ``backprop`` as they are written there."""

    name = "numpy"

    def supports(self, plan: Plan) -> str | None:
        """Return None: the reference runs every plan."""
        return None

    def run(
        self,
        plan: Plan,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int = 0,
        course: Course | None = None,
    ) -> Report:
        """As in `Engine.run`."""
        correct: list[NDArray[np.bool_]] = []
        for made, rate in enumerate(rates):
            rows = order[plan.batch(state.epoch_step - first_step)]
            X, Y = data.X[rows], data.Y[rows]
            weight = None if data.sample_weight is None else data.sample_weight[rows]

            at = plan if course is None else at_step(plan, course, made)
            passed = backprop.forward(plan.architecture, state.parameters, X, keep(at, state, len(X)))
            costs = batch_costs(plan, passed, Y, weight)
            if not np.isfinite(costs):
                return _report(plan, made, True, correct)
            right = metrics.correct(passed.a[-1], Y) if plan.counts_correct else None
            if plan.over_batch_weight:
                total = _total(len(X), weight)
                costs = over_weight(plan, state.parameters, costs, len(X), total)
            if weight is None or weight.any():
                gradient = step_gradient(plan, state, passed, Y, weight)
                parameters, moments = updated(at, state, gradient, float(rate))
                if not np.isfinite(parameters).all():
                    return _report(plan, made, True, correct)
                state.parameters[:], state.moments[:] = parameters, moments
                state.updates += 1
            if right is not None:
                correct.append(right)
            state.epoch_cost += costs
            state.step += 1
            state.epoch_step += 1
        return _report(plan, len(rates), False, correct)

    def sum_leaves(
        self,
        plan: Plan,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        cuts: NDArray[np.int64],
        course: Course | None,
    ) -> Leaves:
        """As in `SumsLeaves`."""
        at = plan if course is None else at_step(plan, course, 0)
        costs, correct = np.zeros(len(cuts) - 1), []
        for leaf in range(len(costs)):
            rows = order[cuts[leaf] : cuts[leaf + 1]]
            gradient = np.zeros_like(state.parameters)
            if len(rows):
                X, Y = data.X[rows], data.Y[rows]
                weight = None if data.sample_weight is None else data.sample_weight[rows]
                passed = backprop.forward(
                    plan.architecture, state.parameters, X, keep(at, state, len(X))
                )
                costs[leaf] = batch_costs(plan, passed, Y, weight)
                back = backprop.backward(plan.architecture, state.parameters, passed, Y, weight)
                gradient = backprop.gradient(plan.architecture, passed, back)
                if plan.counts_correct:
                    correct.append(metrics.correct(passed.a[-1], Y))
            state.step += 1
            plan.optimizer.update(state.parameters, gradient, state.moments, 1.0, leaf + 1)
        seen = np.concatenate([np.zeros(0, bool), *correct]) if plan.counts_correct else None
        return Leaves(costs, seen, not np.isfinite(costs).all())


def _report(plan: Plan, made: int, bad: bool, correct: list[NDArray[np.bool_]]) -> Report:
    seen = np.concatenate([np.zeros(0, bool), *correct]) if plan.counts_correct else None
    return Report(made, bad, seen)


def at_step(plan: Plan, course: Course, number: int) -> Plan:
    """Return the plan with the dropout and the weight decay of a step of a stretch."""
    optimizer, decay = plan.optimizer, float(course.weight_decay[number])
    if isinstance(optimizer, AdamW):
        optimizer = replace(optimizer, weight_decay=decay)
    return replace(plan, optimizer=optimizer, dropout=tuple(map(float, course.dropout[number])))


@np.errstate(all="ignore")
def updated(plan: Plan, state: State, gradient: Array, rate: float) -> tuple[Array, Array]:
    """Return the parameters and moments after the optimizer's next update."""
    factors = plan.lr_factors(state.parameters.dtype)
    decay = plan.decay_factors(state.parameters.dtype)
    return plan.optimizer.update(
        state.parameters, gradient, state.moments, rate * factors, state.updates + 1, decay
    )


def keep(plan: Plan, state: State, n_rows: int) -> tuple[Array | None, ...] | None:
    """Return what this step's hidden activations are multiplied by, as in `backprop.Forward`."""
    if not any(plan.dropout):
        return None
    dtype = state.parameters.dtype
    hidden = zip(plan.architecture.layers, plan.dropout, strict=False)
    scaled = [
        None
        if not rate
        else randomness.keep_mask(plan.seed, state.step, layer, n_rows, each.size, rate).astype(dtype)
        * dtype.type(1.0 / (1.0 - rate))
        for layer, (each, rate) in enumerate(hidden)
    ]
    return (*scaled, None)  # the outputs are never dropped


@np.errstate(all="ignore")
def batch_costs(plan: Plan, passed: backprop.Forward, Y: Array, weight: Array | None) -> float:
    """Return the sum of the weighted costs of a batch's samples, without the penalties."""
    costs = plan.architecture.cost.of_samples(plan.architecture.output, passed.z[-1], passed.a[-1], Y)
    return float(costs.sum(dtype=np.float64) if weight is None else costs.astype(np.float64) @ weight)


def _total(n_rows: int, weight: Array | None) -> float:
    return n_rows if weight is None else float(weight.sum(dtype=np.float64))


def over_weight(plan: Plan, parameters: Array, costs: float, n_rows: int, total: float) -> float:
    """Return the batch's cost over its weights' sum, penalty in it, times its rows."""
    penalty = penalties.penalty(plan.architecture, parameters, plan.l2, plan.l1)
    return n_rows * (costs + penalty) / total if total else 0.0


@np.errstate(all="ignore")
def step_gradient(
    plan: Plan, state: State, passed: backprop.Forward, Y: Array, weight: Array | None
) -> Array:
    """Return the gradient that the optimizer follows: of cost and penalties, frozen, clipped."""
    back = backprop.backward(plan.architecture, state.parameters, passed, Y, weight)
    gradient = backprop.gradient(plan.architecture, passed, back)
    if plan.over_batch_weight:
        total = _total(len(Y), weight) or 1.0
        gradient *= len(Y) / total
        return followed(plan, state.parameters, gradient, total)
    return followed(plan, state.parameters, gradient)


@np.errstate(all="ignore")
def followed(plan: Plan, parameters: Array, gradient: Array, total: float = 1.0) -> Array:
    """Return what the optimizer follows of a cost's gradient, which is changed.

    With the penalties, over a total of weights; frozen, and clipped.
    """
    penalties.add_gradient(plan.architecture, gradient, parameters, plan.l2 / total, plan.l1 / total)
    for block in plan.frozen:
        gradient[block.slice] = 0.0
    factors = plan.gradient_factors(gradient.dtype)
    if factors is not None:
        gradient *= factors
    if plan.clip_norm is not None:
        norm = float(np.sqrt((gradient.astype(np.float64) ** 2).sum()))
        if norm > plan.clip_norm:
            gradient *= plan.clip_norm / norm
    return gradient
