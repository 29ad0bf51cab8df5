"""What the host knows of each step before the device makes it: its rows, its rate, its numbers.

All that is drawn or counted is computed here, by the code of every engine; the device gets it as arrays
whose first axis are the steps, and where there are members, whose second axis are these.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.engines.interface import Course, Data, Plan, State
from clearprop.engines.jax.updates import Rule

Array = NDArray[Any]


class Steps(NamedTuple):
    """What differs from step to step, as the device takes it: m rows in the largest batch."""

    rows: Any  # of the data, int32 of shape (n_steps, m); a short batch repeats its last one
    n_rows: Any  # without those repeated, int32
    scale: Any  # of each sample's gradient
    per: Any  # of l2 and l1: 1, or one over the sum of the weights
    rate: Any
    decay: Any  # of the weights, before its factors
    of_t: tuple[Any, ...]  # what the optimizer makes of the number of the update
    active: Any  # whether there is an update: a batch whose weights are all zero makes none
    clock: Any  # the two words of the step that key its dropout, uint32
    below: Any  # the largest word that drops a neuron, of each hidden layer, uint32
    drops: Any  # and whether there is one
    kept: Any  # what a neuron is multiplied by that is kept


class Stretch(NamedTuple):
    """Some steps, and what the host has to know of them when they are made."""

    steps: Steps
    n_rows: NDArray[np.int64]  # of each step
    totals: NDArray[np.float64]  # of its weights
    active: NDArray[np.bool_]


def stretch_of(
    plan: Plan,
    state: State,
    data: Data,
    order: NDArray[np.int64],
    rates: NDArray[np.float64],
    course: Course,
    begin: int,
    rule: Rule,
) -> Stretch:
    """Return the steps of a stretch.

    Parameters
    ----------
    plan, state, data, rates, course
        As in `Engine.run`.
    order : ndarray of shape (n_members, n_rows)
    begin : int
        The first step, of those that `order` has the rows of.
    rule : Rule
        Of the optimizer.
    """
    dtype, n_steps = state.parameters.dtype, len(rates)
    index, n_rows = _places(plan, begin, n_steps, order.shape[1])
    rows = order[:, index].swapaxes(0, 1)  # shape (n_steps, n_members, m)
    totals, active = _weights(data, rows, n_rows)
    t = _updates(plan, state, active)
    over = plan.over_batch_weight
    known = np.where(totals == 0.0, 1.0, totals) if over else None
    scale = np.array([plan.architecture.cost.scale(int(n)) for n in n_rows])[:, None]
    scale = np.broadcast_to(scale if known is None else scale * (n_rows[:, None] / known), active.shape)
    dropout = np.broadcast_to(course.dropout[:n_steps], (n_steps, course.dropout.shape[1]))
    numbers = {
        "scale": scale,
        "per": np.ones(active.shape) if known is None else 1.0 / known,
        "rate": np.broadcast_to(rates[:, None], active.shape),
        "decay": np.broadcast_to(course.weight_decay[:n_steps, None], active.shape),
    }
    steps = Steps(
        rows=rows.astype(np.int32),
        n_rows=_of_all(n_rows.astype(np.int32), plan),
        **{name: each.astype(dtype) for name, each in numbers.items()},
        of_t=tuple(each.astype(dtype) for each in rule.of_t(plan.optimizer, t)),
        active=active,
        clock=_of_all(_words(state.step + np.arange(n_steps)), plan),
        **{name: _of_all(each, plan) for name, each in _dropout(dropout, dtype).items()},
    )
    return Stretch(steps, n_rows, totals, active)


def _of_all(each: Array, plan: Plan) -> Array:
    """Return what is one for all members with an axis of these."""
    return np.repeat(each[:, None], plan.n_members, axis=1)


def _places(plan: Plan, begin: int, n_steps: int, n: int) -> tuple[Array, Array]:
    """Return where the rows of each step stand in the order, and how many they are."""
    steps = begin + np.arange(n_steps + 1)
    edges = np.minimum(steps * plan.batch_size - np.maximum(0, steps - plan.n_larger), n)
    n_rows = np.diff(edges)
    within = np.minimum(np.arange(plan.batch_size), n_rows[:, None] - 1)
    return edges[:-1, None] + within, n_rows


def _weights(data: Data, rows: Array, n_rows: Array) -> tuple[Array, Array]:
    """Return the sum of each batch's weights, and whether any is not zero."""
    if data.sample_weight is None:
        totals = np.broadcast_to(n_rows[:, None].astype(np.float64), rows.shape[:2])
        return totals, np.ones(rows.shape[:2], np.bool_)
    real = np.arange(rows.shape[2]) < n_rows[:, None, None]
    weight = np.where(real, data.sample_weight[rows], 0)
    return weight.sum(axis=2, dtype=np.float64), (weight != 0).any(axis=2)


def _updates(plan: Plan, state: State, active: Array) -> NDArray[np.int64]:
    """Return the number of each step's update, of each member."""
    if plan.shares_layers:  # which count as one
        active[:] = active.any(axis=1, keepdims=True)
    before = np.array([member.updates for member in state.members])
    return np.maximum(1, before + np.cumsum(active, axis=0))


def _words(steps: NDArray[np.int64]) -> NDArray[np.uint32]:
    return np.stack([steps & 0xFFFFFFFF, steps >> 32], axis=1).astype(np.uint32)


def _dropout(rates: NDArray[np.float64], dtype: np.dtype[Any]) -> dict[str, Array]:
    thresholds = np.array([[randomness.dropout_threshold(rate) for rate in step] for step in rates])
    thresholds = thresholds.reshape(rates.shape).astype(np.int64)
    return {
        "below": np.maximum(thresholds - 1, 0).astype(np.uint32),
        "drops": thresholds > 0,
        "kept": (1.0 / (1.0 - rates)).astype(dtype),
    }
