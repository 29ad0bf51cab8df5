"""The engine of shards: gradients of shards from an engine, their sum from a tree, a step for all.

Every process finds the gradients of its own shards and gets the sum of all, so every process makes the
same step, to the bit. A shard's gradient is the work of one thread: threads have shards, not parts of
them, so their number changes no bits either.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.distributed.communicator import Bytes
from clearprop.distributed.faults import STEP, WAITING
from clearprop.distributed.shards import Holding
from clearprop.distributed.sums import Node, aligned, joined, root, slices, up_to, whole
from clearprop.distributed.team import Team
from clearprop.engines.interface import Course, Data, Engine, Plan, Report, State
from clearprop.engines.leaves import TOGETHER, Leaves, SumsLeaves, TreeSum
from clearprop.engines.members import in_turn
from clearprop.engines.reference import at_step, followed, over_weight
from clearprop.optimizers import KNOWN

Sums = Callable[[int, int], tuple[float, Array]]
PASS = "a pass over all rows"  # which may take longer than the timeout
_SMALL = 2**14  # bytes that are sent to all at once: a message less
_CHUNK = 2**15  # parameters whose update stays in the cache
_JOBS = 2  # for each thread: the last to end waits for less


class _Job(NamedTuple):
    """Some neighbouring shards of this process, which a thread does in one go."""

    node: Node
    levels: Array  # of the tree
    engine: SumsLeaves


class _Step(NamedTuple):
    """What all processes have found in a step."""

    gradient: Array
    cost: float
    weight: float  # of all its samples
    correct: list[NDArray[np.bool_]]  # of this process's samples
    bad: bool


class ShardedEngine:
    """Trains on shards of the rows, of which this process has some.

    Parameters
    ----------
    make : callable
        Makes an engine that sums leaves: one for each job, which has a workspace of its own.
    holding : Holding
    team : Team
    fast_sum : bool
        Whether the processes' sums are added by MPI, in whatever order: other bits for each number.
    """

    def __init__(
        self, make: Callable[[], Engine], holding: Holding, team: Team, fast_sum: bool = False
    ) -> None:
        self._make, self.holding, self.team, self.fast_sum = make, holding, team, fast_sum
        self._first = make()
        self.name = self._first.name
        self._plan: Plan | None = None
        self._alone: Plan | None = None
        self._jobs: list[_Job] = []
        self._is_new = False  # the plan: what it needs may have to be compiled

    def supports(self, plan: Plan) -> str | None:
        """As in `Engine`."""
        return self._first.supports(plan)

    @np.errstate(all="ignore")
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
        """As in `Engine.run`; `data` and `order` have the rows of this process's shards.

        The order has those of a step together, and of them those of a shard, as `Holding.order` says.
        """
        self._prepare(plan, state)
        begin, self.team.heart.step = state.epoch_step, state.step
        cuts = self.holding.cuts(plan, first_step, begin, begin + len(rates))
        correct: list[list[NDArray[np.bool_]]] = []
        bad, quantity = False, "cost"
        for made, rate in enumerate(rates):
            at = plan if course is None else at_step(plan, course, made)
            found = self._sum(at, state, data, order, cuts[made])
            bad = found.bad or not self._step(at, state, found, float(rate))
            if bad:
                quantity = "cost" if found.bad else "parameters"
                break
            correct.append(found.correct)
            self.team.heart.step = state.step
        in_order = self._in_order(plan, begin, correct)
        return Report(len(correct), bad, in_order, quantity=quantity)

    def _prepare(self, plan: Plan, state: State) -> None:
        if plan is self._plan and self._jobs[0].levels.dtype == state.parameters.dtype:
            return
        architecture, shards = plan.architecture, self.holding.shards
        summed = dataclasses.replace(architecture.cost, reduction="sum")
        together = min(plan.batch_size, TOGETHER)
        self._is_new = True
        self._plan, self._alone = plan, dataclasses.replace(
            plan,
            architecture=dataclasses.replace(architecture, cost=summed),
            optimizer=TreeSum(),
            batch_size=max(-(-plan.batch_size // self.holding.dealing.n_shards), together),
            n_batches=None, l2=0.0, l1=0.0, clip_norm=None, over_batch_weight=False, n_threads=1,
        )  # fmt: skip
        n_jobs = self._threads(plan)
        n_jobs *= 1 if n_jobs == 1 else _JOBS
        most = 1 << max(len(shards) // n_jobs, 1).bit_length() - 1
        self._jobs = []
        for node in aligned(shards.start, shards.stop, most if n_jobs > 1 else None):
            depth = node.size.bit_length()
            levels = np.empty((depth, architecture.n_parameters), state.parameters.dtype)
            self._jobs.append(_Job(node, levels, self._make()))  # type: ignore[arg-type]

    def _threads(self, plan: Plan) -> int:
        """Return how many threads have shards: of NumPy's engine one, which holds the interpreter."""
        return 1 if self.name == "numpy" else plan.n_threads or self.team.n_threads

    def _sum(
        self, plan: Plan, state: State, data: Data, order: NDArray[np.int64], cuts: NDArray[np.int64]
    ) -> _Step:
        """Return what is found of a step's batch."""
        alone, heart, shards = self._alone, self.team.heart, self.holding.shards
        assert alone is not None
        hidden = len(plan.architecture.layers) - 1
        course = Course(np.array([plan.dropout or (0.0,) * hidden]), np.zeros(1))
        found: list[Leaves | None] = [None] * len(self._jobs)
        key = state.step * self.holding.dealing.n_shards

        def work(number: int) -> None:
            job = self._jobs[number]
            its = State(state.parameters, job.levels, step=key + job.node.first)
            first = job.node.first - shards.start
            at = cuts[first : first + job.node.size + 1]
            found[number] = job.engine.sum_leaves(alone, its, data, order, at, course)

        first_time, self._is_new = self._is_new, False
        with heart.doing("compiling" if first_time else STEP):
            if first_time:  # what is made once is not made by several threads at once
                work(0)
            in_turn(work, len(self._jobs), self._threads(plan))
        leaves = [each for each in found if each is not None]
        parts = {job.node: job.levels[-1] for job in self._jobs}
        weights = self._weights(data, order, cuts)
        facts = np.concatenate([*(each.costs for each in leaves), weights])
        facts = np.append(facts, float(any(each.bad for each in leaves)))
        with heart.doing(WAITING):
            gradient, facts = self._exchanged(parts, facts)
        costs, weight, bad = self._told(facts)
        correct = [each.correct for each in leaves if each.correct is not None]
        return _Step(gradient, costs, weight, correct, bad)

    def summed(self, sums: Sums) -> tuple[float, Array]:
        """Return a cost and a gradient that are sums over all rows: of shards, along the tree.

        Parameters
        ----------
        sums : callable
            Of the first row of a shard and the one after its last.
        """
        shards, starts, tree = self.holding.shards, self.holding.dealing.starts.tolist(), TreeSum()
        parts, costs = {}, []
        with self.team.heart.doing(PASS):
            for node in aligned(shards.start, shards.stop):
                levels: Any = [None] * node.size.bit_length()
                for leaf in range(node.size):
                    cost, gradient = sums(*starts[node.first + leaf :][:2])
                    costs.append(cost)
                    tree.update(gradient, gradient, levels, 1.0, leaf + 1)
                parts[node] = levels[-1]
        with self.team.heart.doing(WAITING):
            facts = np.concatenate([costs, np.zeros(len(costs) + 1)])
            gradient, facts = self._exchanged(parts, facts)
        return self._told(facts)[0], gradient

    def _weights(self, data: Data, order: NDArray[np.int64], cuts: NDArray[np.int64]) -> Array:
        """Return the weight of each shard's part of a batch."""
        if data.sample_weight is None:
            return np.diff(cuts).astype(np.float64)
        weight, each = data.sample_weight, pairwise(cuts)
        return np.array([float(weight[order[a:b]].sum(dtype=np.float64)) for a, b in each])

    def _told(self, facts: Array) -> tuple[float, float, bool]:
        """Return cost, weight and whether anything is bad, of all shards: exact sums, in any order."""
        costs, weights, bad = [], [], 0.0
        for owned in self.team.owners(self.holding.dealing.n_shards):
            n = len(owned)
            mine, facts = facts[: 2 * n + 1], facts[2 * n + 1 :]
            costs += mine[:n].tolist()
            weights += mine[n : 2 * n].tolist()
            bad = max(bad, mine[-1])
        cost = _sum_of(costs)
        return cost, _sum_of(weights), bool(bad) or not math.isfinite(cost)

    def _exchanged(self, parts: dict[Node, Array], facts: Array) -> tuple[Array, Array]:
        """Return the sum of all shards' gradients, and the facts of all processes."""
        team, shards = self.team, self.holding.shards
        n_shards = self.holding.dealing.n_shards
        if team.size == 1:
            return up_to(root(n_shards), parts, n_shards), facts
        mine = whole(parts, shards, n_shards)
        owners, dtype = team.owners(n_shards), next(iter(mine.values())).dtype
        n = next(iter(mine.values())).size
        n_facts = [2 * len(each) + 1 for each in owners]
        if self.fast_sum:
            local = np.sum(list(mine.values()), axis=0, dtype=dtype)
            each = team.communicator.everywhere(facts.view(np.uint8), [8 * k for k in n_facts])
            return team.communicator.total(local), np.concatenate(each).view(np.float64)
        nodes = [len(aligned(each.start, each.stop)) for each in owners]
        if n * dtype.itemsize <= _SMALL:
            sizes = [8 * k + m * n * dtype.itemsize for k, m in zip(n_facts, nodes, strict=True)]
            packed = _packed(facts, [*mine.values()])
            each = team.communicator.everywhere(packed, sizes)
            told, arrays = _unpacked(each, n_facts, dtype)
            return joined(arrays, owners, n_shards), told
        cut = slices(n, team.size)
        my = cut[team.rank]
        width = (my.stop - my.start) * dtype.itemsize
        sizes = [8 * k + m * width for k, m in zip(n_facts, nodes, strict=True)]
        sent = [_packed(facts, [array[part] for array in mine.values()]) for part in cut]
        told, arrays = _unpacked(team.communicator.across(sent, sizes), n_facts, dtype)
        total = joined(arrays, owners, n_shards) if width else np.empty(0, dtype)
        sizes = [(part.stop - part.start) * dtype.itemsize for part in cut]
        every = team.communicator.everywhere(total.view(np.uint8), sizes)
        return np.concatenate(every).view(dtype), told

    def _step(self, plan: Plan, state: State, found: _Step, rate: float) -> bool:
        """Make a step; return whether all parameters stay finite, or none is made."""
        rows = plan.batch(state.epoch_step)
        n_rows = min(rows.stop, plan.n_samples) - rows.start
        cost, total = found.cost, 1.0
        if plan.over_batch_weight:
            cost = over_weight(plan, state.parameters, cost, n_rows, found.weight)
            total = found.weight or 1.0
        if found.weight:
            gradient = found.gradient
            by = 1.0 if plan.architecture.cost.reduction == "sum" else 1.0 / n_rows
            by *= n_rows / total if plan.over_batch_weight else 1.0
            if by != 1.0:
                gradient *= gradient.dtype.type(by)
            gradient = followed(plan, state.parameters, gradient, total)
            parameters, moments = _updated(plan, state, gradient, rate)
            if not np.isfinite(parameters).all():
                return False
            state.parameters[:], state.moments[:] = parameters, moments
            state.updates += 1
        state.epoch_cost += cost
        state.step += 1
        state.epoch_step += 1
        return True

    def _in_order(
        self, plan: Plan, begin: int, correct: list[list[NDArray[np.bool_]]]
    ) -> NDArray[np.bool_] | None:
        """Return which samples of some steps were right: step after step, shard after shard."""
        if not plan.counts_correct:
            return None
        none = np.zeros(0, np.bool_)
        mine = np.concatenate([none, *(each for step in correct for each in step)])
        each = self.team.gathered(mine)
        if len(each) == 1:
            return mine
        counts = [
            Holding(self.holding.dealing, shards).taken(plan, begin, begin + len(correct)).sum(axis=1)
            for shards in self.team.owners(self.holding.dealing.n_shards)
        ]
        pieces = [
            flags[a - count[0] : b - count[0]]
            for step in range(len(correct))
            for flags, count in zip(each, counts, strict=True)
            for a, b in [count[step : step + 2]]
        ]
        return np.concatenate([none, *pieces])


@np.errstate(all="ignore")
def _updated(plan: Plan, state: State, gradient: Array, rate: float) -> tuple[Array, Array]:
    """Return what `reference.updated` does, some parameters at a time."""
    n, dtype = state.parameters.size, state.parameters.dtype
    factors, decay = plan.lr_factors(dtype), plan.decay_factors(dtype)
    parameters, moments = np.empty_like(state.parameters), np.empty_like(state.moments)
    # One of the user's own may look at all parameters; ours look at each alone.
    width = _CHUNK if type(plan.optimizer) in KNOWN.values() else n
    for some in (slice(first, first + width) for first in range(0, n, width)):
        rates, decays = (
            each[some] if isinstance(each, np.ndarray) else each for each in (factors, decay)
        )
        its = state.parameters[some], gradient[some], state.moments[:, some]
        parameters[some], moments[:, some] = plan.optimizer.update(
            *its, rate * rates, state.updates + 1, decays
        )
    return parameters, moments


def _sum_of(numbers: list[float]) -> float:
    """Return the exact sum; NaN where one is not finite, or it is beyond float64."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # of inf - inf
        return math.nan


def _packed(facts: Array, arrays: list[Array]) -> Bytes:
    return np.concatenate([facts.view(np.uint8), *(each.view(np.uint8) for each in arrays)])


def _unpacked(
    received: list[Bytes], n_facts: list[int], dtype: np.dtype[Any]
) -> tuple[Array, list[Array]]:
    """Return the facts of all processes, and of each its arrays, one after the other."""
    facts = [each[: 8 * n] for each, n in zip(received, n_facts, strict=True)]
    arrays = [each[8 * n :].copy().view(dtype) for each, n in zip(received, n_facts, strict=True)]
    return np.concatenate(facts).view(np.float64), arrays
