"""The members of a network, trained side by side: each as it would be trained alone.

Members share nothing but the data, so nothing is waited for before the end of a stretch: an engine for
each, and each thread has a whole member to itself, its parameters in its own cache. Products of all
members at once would pass through the memory what this leaves in the caches; and a member's bits would
not be those of the network that is trained alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.engines import helpers
from clearprop.engines.interface import Course, Data, Engine, Plan, Report, State


def _of_all(name: str, joint: Callable[[list[Any]], Any]) -> Any:
    """Return a counter of all members: read, it is what `joint` makes of theirs; set, it is theirs."""

    def read(self: JointState) -> Any:
        return joint([getattr(member, name) for member in self.members])

    def write(self: JointState, value: Any) -> None:
        for member in self.members:
            setattr(member, name, value)

    return property(read, write)


class JointState(State):
    """The states of all members, whose arrays are views into those of this one.

    Parameters
    ----------
    parameters : ndarray of shape (n_members, n_parameters)
    moments : ndarray of shape (n_members * n_moments, n_parameters)
        Member after member.
    step, epoch : int
        As in `State`.
    """

    # An interrupt may leave members behind others: what is done is what all have done.
    step, updates, epoch, epoch_step = (
        _of_all(name, min) for name in ("step", "updates", "epoch", "epoch_step")
    )
    epoch_cost = _of_all("epoch_cost", lambda costs: sum(costs) / len(costs))

    def __init__(self, parameters: Array, moments: Array, step: int = 0, epoch: int = 0) -> None:
        self.parameters, self.moments = parameters, moments
        each = zip(parameters, np.split(moments, len(parameters)), strict=True)
        self._members = tuple(State(*arrays, step=step, epoch=epoch) for arrays in each)

    @property
    def each_moment(self) -> Array:
        """The moments along a first axis, each of the shape of the parameters."""
        return np.stack([member.moments for member in self.members], axis=1)

    @property
    def members(self) -> tuple[State, ...]:
        """The state of each member."""
        return self._members

    def copy(self) -> JointState:
        """Return an independent copy."""
        made = JointState(self.parameters.copy(), self.moments.copy())
        made.take(self)
        return made

    def take(self, other: State) -> None:
        """Become what another state of as many members is, in place."""
        for mine, its in zip(self.members, other.members, strict=True):
            mine.take(its)


def state_of(parameters: Array, moments: Callable[[Array], Array], step: int, epoch: int) -> State:
    """Return where a training begins: of one network, or of members.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,) or (n_members, n_parameters)
    moments : callable
        Returns an optimizer's first moments for some parameters.
    step, epoch : int
    """
    if parameters.ndim == 1:
        return State(parameters, moments(parameters), step=step, epoch=epoch)
    return JointState(parameters, np.concatenate([moments(each) for each in parameters]), step, epoch)


class JointEngine:
    """Trains the members of a network, each with an engine of its own.

    Parameters
    ----------
    engines : sequence of Engine
    one_by_one : bool
        Whether each in turn has all threads: what they ask of other processes has one order.
    """

    def __init__(self, engines: Sequence[Engine], one_by_one: bool = False) -> None:
        self.engines, self.name, self._one_by_one = tuple(engines), engines[0].name, one_by_one
        self._plans: WeakKeyDictionary[Plan, tuple[Plan, ...]] = WeakKeyDictionary()

    def supports(self, plan: Plan) -> str | None:
        """As in `Engine`."""
        return self.engines[0].supports(plan)

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
        """As in `Engine.run`; `order` has a row for each member.

        A member that is ahead of the others, since one of them has diverged or was interrupted, makes
        so many steps less. Where one diverges, the others have made their steps.
        """
        is_first, plans, begin = plan not in self._plans, self._plans_of(plan), state.epoch_step
        ahead = [member.epoch_step - begin for member in state.members]
        reports: list[Report | None] = [None] * plan.n_members

        def train(member: int) -> None:
            reports[member] = self.engines[member].run(
                plans[member],
                state.members[member],
                data,
                order[member],
                rates[ahead[member] :],
                first_step,
                None if course is None else course.after(ahead[member]),
            )

        # What is prepared, and compiled, at first is not prepared by several threads at once.
        alone = is_first or self.name == "numpy" or self._one_by_one
        n_threads = 1 if alone else helpers.how_many(plan.n_threads)
        in_turn(train, plan.n_members, n_threads)
        return _joint([each for each in reports if each is not None], state, begin)

    def _plans_of(self, plan: Plan) -> tuple[Plan, ...]:
        if plan not in self._plans:
            self._plans[plan] = plans_of_members(plan, self._one_by_one)
        return self._plans[plan]


def plans_of_members(plan: Plan, one_by_one: bool) -> tuple[Plan, ...]:
    """Return the plan of each member, with its share of the threads or, one by one, with all."""
    share = max(1, helpers.how_many(plan.n_threads) // plan.n_members)
    threads = plan.n_threads if one_by_one else share
    each = (plan.of_member(member) for member in range(plan.n_members))
    return tuple(dataclasses.replace(its, n_threads=threads) for its in each)


def in_turn(work: Callable[[int], None], n: int, n_threads: int) -> None:
    """Call ``work(0)`` to ``work(n - 1)``, each by whichever thread is free first.

    Raises
    ------
    BaseException
        What the first of them has raised, after all have ended.
    """
    if min(n, n_threads) < 2:
        for each in range(n):
            work(each)
        return
    left, problems = iter(range(n)), []

    def share(address: int, thread: int, n_threads: int) -> None:
        for each in left:  # next() of it is one step of the interpreter: none is taken twice
            try:
                work(each)
            except BaseException as problem:  # a helper must live on
                problems.append(problem)

    helpers.side_by_side(share, 0, min(n, n_threads), aside=True)
    if problems:
        raise problems[0]


def joint_report(steps: Sequence[Sequence[Report]], plan: Plan, bad: int | None) -> Report:
    """Return the report of steps that all members have made together, or which one has stopped at."""
    correct: NDArray[np.bool_] | None = None
    if plan.counts_correct:
        each = [[report.correct for report in step if report.correct is not None] for step in steps]
        found = [np.stack(of_step, axis=1).reshape(-1) for of_step in each]
        correct = np.concatenate([np.zeros(0, np.bool_), *found])
    return Report(len(steps), bad is not None, correct, bad or 0)


def _joint(reports: list[Report], state: State, begin: int) -> Report:
    """Return what a stretch of all members has found."""
    reached = [member.epoch_step for member in state.members]
    behind = int(np.argmin(reached))  # where one is bad: one that is
    bad, correct = any(each.bad for each in reports), None
    if not bad and reports[0].correct is not None:
        found = [each.correct for each in reports if each.correct is not None]
        n = min(map(len, found))  # of those that were ahead there are fewer
        correct = np.stack([each[len(each) - n :] for each in found], axis=1).reshape(-1)
    member, quantity = (behind, reports[behind].quantity) if bad else (0, "cost")
    return Report(reached[behind] - begin, bad, correct, member, quantity)
