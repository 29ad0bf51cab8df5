"""Members that share layers, trained as one: each step follows the mean of their gradients.

The members of TabM-mini (Gorishniy et al. 2025) have an input scale and a last layer of their own, r
and the head; what lies between is one for all. Each has its own batch and its own loss, and the cost is
the mean over the K of them, so that with g_k the gradient of member k alone

    dC/dW = the mean of g_k        of what all share
    dC/dr = g_k / K                of what is a member's own

Each member is an ordinary network, whose own engine finds g_k: a thread has whole members to itself.
Its parameters are a row of the joint state, in which what is shared is the same in all rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.engines import helpers
from clearprop.engines.interface import Course, Data, Engine, Plan, Report, State
from clearprop.engines.members import JointState, in_turn, joint_report, plans_of_members
from clearprop.engines.reference import at_step
from clearprop.flat_vector import Block, shared
from clearprop.optimizers import Flat, Optimizer


@dataclass(frozen=True)
class GradientAlone(Optimizer):
    """Makes no step: its one moment is the gradient that it was asked to follow."""

    moments = ("gradient",)
    learning_rate: float = 1.0

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: Flat | float,
        t: int,
        decay: Flat | float = 1.0,
    ) -> tuple[Flat, Flat]:
        """Return the parameters as they are, and the gradient."""
        return parameters, gradient[None]


class Stretch(NamedTuple):
    """Neighbouring parameters that all members share, or that each has of its own."""

    where: slice
    is_shared: bool


def stretches(blocks: Sequence[Block]) -> list[Stretch]:
    """Return the flat vector cut where what is shared begins or ends."""
    found: list[Stretch] = []
    common = set(shared(blocks))
    for block in blocks:
        is_shared = block in common
        if found and found[-1].is_shared == is_shared:
            found[-1] = Stretch(slice(found[-1].where.start, block.slice.stop), is_shared)
        else:
            found.append(Stretch(block.slice, is_shared))
    return found


class SharingEngine:
    """Trains members that share layers; each has an engine of its own, which finds its gradient.

    Parameters
    ----------
    engines : sequence of Engine
    one_by_one : bool
        As in `JointEngine`.
    """

    def __init__(self, engines: Sequence[Engine], one_by_one: bool = False) -> None:
        self.engines, self.name, self._one_by_one = tuple(engines), engines[0].name, one_by_one
        self._plan: Plan | None = None
        self._each: tuple[Plan, ...] = ()

    def supports(self, plan: Plan) -> str | None:
        """As in `Engine`."""
        return self.engines[0].supports(self._plans_of(plan)[0])

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
        """As in `Engine.run`; `order` has a row for each member."""
        assert isinstance(state, JointState)
        is_first, plans = plan is not self._plan, self._plans_of(plan)
        gradients = np.zeros_like(state.parameters)
        each = [_beside(its, gradients[k : k + 1]) for k, its in enumerate(state.members)]
        follower = _Follower(plan, state)
        reports: list[list[Report]] = []
        alone = is_first or self.name == "numpy" or self._one_by_one
        n_threads = 1 if alone else helpers.how_many(plan.n_threads)
        bad: int | None = None
        try:
            for number, rate in enumerate(rates):
                at = plan if course is None else at_step(plan, course, number)
                now = Course(np.array([at.dropout or _none(plan)]), np.zeros(1))
                if data.sample_weight is not None:
                    gradients[:] = 0.0  # of a batch without weight none is found
                batch = _Batch(data, order, first_step, now)
                found = self._find(plans, each, batch, n_threads)
                bad = next((k for k, report in enumerate(found) if report.bad), None)
                if bad is None and not follower.step(at, gradients, float(rate), each):
                    bad = 0
                if bad is not None:
                    break
                reports.append(found)
        finally:
            follower.spread()
        return joint_report(reports, plan, bad)

    def _find(
        self, plans: Sequence[Plan], each: Sequence[State], batch: _Batch, n_threads: int
    ) -> list[Report]:
        """Let each member find its gradient, in its state's moments."""
        found: list[Report] = [Report(0, True, None)] * len(plans)

        def find(member: int) -> None:
            its = plans[member], each[member], batch.data, batch.order[member]
            engine = self.engines[member]
            found[member] = engine.run(*its, np.ones(1), batch.first_step, batch.course)

        in_turn(find, len(plans), n_threads)
        return found

    def _plans_of(self, plan: Plan) -> tuple[Plan, ...]:
        if plan is not self._plan:
            alone = dataclasses.replace(plan, optimizer=GradientAlone(), clip_norm=None)
            self._plan, self._each = plan, plans_of_members(alone, self._one_by_one)
        return self._each


class _Batch(NamedTuple):
    """What a step is made from: as in `Engine.run`."""

    data: Data
    order: NDArray[np.int64]
    first_step: int
    course: Course


def _none(plan: Plan) -> tuple[float, ...]:
    return (0.0,) * (len(plan.architecture.layers) - 1)


def _beside(state: State, gradient: Array) -> State:
    """Return the state in which a member's gradient is found: its parameters, and its counters."""
    return State(state.parameters, gradient, **_counters(state))


def _counters(state: State) -> dict[str, Any]:
    names = ("step", "updates", "epoch", "epoch_step", "epoch_cost")
    return {name: getattr(state, name) for name in names}


class _Follower:
    """What moves the parameters of all members along their gradients, each that is shared once.

    Moments of what is shared are kept in the first row, until they are spread over all.
    """

    def __init__(self, plan: Plan, state: JointState) -> None:
        self.plan, self.state = plan, state
        self.parts = stretches(plan.architecture.blocks)
        dtype = state.parameters.dtype
        n = plan.architecture.n_parameters
        self.factors, self.decays = (
            np.broadcast_to(np.asarray(each, dtype), (n,))
            for each in (plan.lr_factors(dtype), plan.decay_factors(dtype))
        )
        self.moments = state.moments.reshape(plan.n_members, -1, n)  # a view

    def step(self, plan: Plan, gradients: Array, rate: float, each: Sequence[State]) -> bool:
        """Make a step, and count it; return whether all parameters stay finite, or none is made."""
        state, counted = self.state, state_updates(each)
        if counted > state.updates:
            mean = [self._mean(part, gradients) for part in self.parts]
            if plan.clip_norm is not None:
                norm = float(np.sqrt(sum(np.square(g, dtype=np.float64).sum() for g in mean)))
                mean = [g * g.dtype.type(min(1.0, plan.clip_norm / max(norm, 1e-300))) for g in mean]
            moved = self._moved(plan.optimizer, mean, rate, counted)
            if not all(np.isfinite(p).all() for p, _ in moved):
                return False
            for (where, is_shared), (p, m) in zip(self.parts, moved, strict=True):
                state.parameters[:, where] = p
                self.moments[: 1 if is_shared else None, :, where] = m
        for its, member in zip(state.members, each, strict=True):
            member.updates = counted
            for name, value in _counters(member).items():
                setattr(its, name, value)
        return True

    def _mean(self, part: Stretch, gradients: Array) -> Array:
        g = gradients[:, part.where]
        found: Array = g.mean(axis=0, keepdims=True) if part.is_shared else g / len(g)
        return found

    @np.errstate(all="ignore")
    def _moved(
        self, optimizer: Optimizer, mean: list[Array], rate: float, t: int
    ) -> list[tuple[Array, Array]]:
        """Return new parameters, a row or one for each member, and their moments on a second axis."""
        found = []
        for (where, is_shared), g in zip(self.parts, mean, strict=True):
            rows = 1 if is_shared else None
            p, m = self.state.parameters[:rows, where], self.moments[:rows, :, where]
            factors, decays = (np.tile(x[where], len(g)) for x in (self.factors, self.decays))
            flat = m.swapaxes(0, 1).reshape(m.shape[1], g.size)
            p, m = optimizer.update(p.ravel(), g.ravel(), flat, rate * factors, t, decays)
            found.append((p.reshape(g.shape), m.reshape(len(m), *g.shape).swapaxes(0, 1)))
        return found

    def spread(self) -> None:
        """Give all members the moments of what they share."""
        for where, is_shared in self.parts:
            if is_shared:
                self.moments[1:, :, where] = self.moments[0, :, where]


def state_updates(each: Sequence[State]) -> int:
    """Return how many updates there are, of which those are none that no member has a gradient for."""
    return max(state.updates for state in each)
