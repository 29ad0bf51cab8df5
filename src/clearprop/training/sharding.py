"""The rows of a training that are dealt to shards: what each process reads, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clearprop.data.row_stream import BLOCK_BYTES, Passage, Stretch
from clearprop.distributed.shards import Holding
from clearprop.engines import Data, Plan, State
from clearprop.training.supply import InMemory, Kept, Part, Streamed, Supply


@dataclass(frozen=True, eq=False)
class DealtPart(Part):
    """Rows of some shards in memory: of each step, only those are here."""

    holding: Holding
    after: int  # the last step that they make
    is_whole: ClassVar[bool] = False

    def after_step(self, plan: Plan) -> int:
        """As in `Part`."""
        return self.after

    def batch(self, plan: Plan, step: int) -> slice:
        """As in `Part`."""
        cuts = self.holding.cuts(plan, self.first_step, step, step + 1)[0]
        return slice(int(cuts[0]), int(cuts[-1]))

    def keep(self, plan: Plan, state: State, n_rows: int) -> Kept:
        """As in `Part`: each shard has masks of its own."""
        cuts = self.holding.cuts(plan, self.first_step, state.epoch_step, state.epoch_step + 1)[0]
        n_shards, shards = self.holding.dealing.n_shards, self.holding.shards
        each = [
            super(DealtPart, self).keep(plan, replace(state, step=state.step * n_shards + shard), n)
            for shard, n in zip(shards, np.diff(cuts).tolist(), strict=True)
            if n
        ]
        of_layers = zip(*(masks for masks in each if masks is not None), strict=True)
        layers = [[mask for mask in of_layer if mask is not None] for of_layer in of_layers]
        return tuple(np.concatenate(found) if found else None for found in layers) or None

    def of_step(self, step: int, data: Data, order: NDArray[np.int64]) -> Part:
        """As in `Part`."""
        return DealtPart(step, data, order, self.holding, step + 1)


@dataclass(frozen=True)
class DealtPassage:
    """How the rows of some shards pass through a buffer, in step with those of all others.

    Parameters
    ----------
    holding : Holding
    plan : Plan
    steps : int
        Of a buffer.
    block_rows : int
    shuffle : bool
    """

    holding: Holding
    plan: Plan
    steps: int
    block_rows: int
    shuffle: bool

    @property
    def room(self) -> int:
        """As in `Passage`."""
        if self.n_buffers == 1:
            return self.holding.rows[1] - self.holding.rows[0]
        of_each = self.steps * self.plan.batch_size // self.holding.dealing.n_shards
        return of_each * len(self.holding.shards)

    @property
    def n_buffers(self) -> int:
        """As in `Passage`."""
        return -(-self.plan.steps_per_epoch // self.steps)

    def between(self, number: int) -> tuple[int, int]:
        """Return the first step of a buffer, and the one after its last."""
        first = number * self.steps
        return first, min(first + self.steps, self.plan.steps_per_epoch)

    def _each(self, number: int) -> Iterator[tuple[Passage, int]]:
        """Return how each shard's rows pass, and which of its buffers that is."""
        first, after = self.between(number)
        taken = self.holding.taken(self.plan, first, after)
        starts = self.holding.dealing.starts
        for shard, begin, end in zip(self.holding.shards, taken[0], taken[-1], strict=True):
            start, n = int(starts[shard]), int(starts[shard + 1] - starts[shard])
            if self.n_buffers == 1:
                yield Passage(n, int(end), n, self.block_rows, self.shuffle, start), 0
            else:
                size = self.steps * self.plan.batch_size // self.holding.dealing.n_shards
                assert begin == number * size  # a buffer has as many rows of each shard
                yield Passage(n, int(end), size, self.block_rows, self.shuffle, start), number

    def stretches(self, seed: int, epoch: int, number: int) -> tuple[Stretch, ...]:
        """As in `Passage`."""
        if self.n_buffers == 1:
            return (self.holding.rows,)
        found = [p.stretches(seed, epoch, k) for p, k in self._each(number)]
        return tuple(each for of_shard in found for each in of_shard)

    def order(self, seed: int, epoch: int, number: int) -> NDArray[np.int64]:
        """As in `Passage`; `Holding.order` says which."""
        orders, bases, base = [], [], 0
        for passage, k in self._each(number):
            orders.append(passage.order(seed, epoch, k))
            bases.append(base)
            base += min(passage.buffer_rows, passage.n_rows - k * passage.buffer_rows)
        return self.holding.order(self.plan, *self.between(number), orders, bases)


class DealtMemory(InMemory):
    """Rows in memory, all of them in each process, of which it trains on those of its shards.

    Parameters
    ----------
    whole : InMemory
    holding : Holding
    """

    def __init__(self, whole: InMemory, holding: Holding) -> None:
        vars(self).update(vars(whole))
        self.holding = holding
        self._known: tuple[object, ...] = ()
        self._part: DealtPart | None = None

    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """As in `Supply`."""
        known = plan, self.order_of(epoch)
        if self._part is None or known != self._known or self._part.data is not self.data:
            steps, n = plan.steps_per_epoch, self.n_samples
            passage = DealtPassage(self.holding, plan, steps, n, bool(self.shuffle))
            orders = [passage.order(seed, known[1], 0) + self.holding.rows[0] for seed in plan.seeds]
            order = orders[0] if plan.n_members == 1 else np.stack(orders)
            self._known = known
            self._part = DealtPart(0, self.data, order, self.holding, steps)
        return self._part


class DealtStream(Streamed):
    """Rows that pass through a buffer, of which only those of some shards are read.

    Parameters
    ----------
    whole : Streamed
    holding : Holding
    """

    def __init__(self, whole: Streamed, holding: Holding) -> None:
        vars(self).update(vars(whole))
        self.holding = holding
        self._plan: Plan | None = None

    def __enter__(self) -> DealtStream:
        self._ask_together(False)
        return self

    def __exit__(self, *problem: object) -> None:
        super().__exit__(*problem)
        self._ask_together(True)

    def _ask_together(self, do: bool) -> None:
        if hasattr(self.kept_in, "collective"):
            self.kept_in.collective = do

    def passage(self, batch_size: int) -> Any:
        """As in `Streamed`: a buffer has as many rows of each shard, and so whole turns of them."""
        plan, n_shards = self._plan, self.holding.dealing.n_shards
        assert plan is not None
        turn = n_shards // int(np.gcd(batch_size, n_shards))  # steps after which shards are even
        steps = max(self._wanted // batch_size // turn, 1) * turn
        steps = min(steps, plan.steps_per_epoch)
        block = max(1, BLOCK_BYTES // self._row_bytes)
        return DealtPassage(self.holding, plan, steps, block, bool(self.shuffle))

    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """As in `Supply`."""
        self._plan = plan
        passage = self.passage(plan.batch_size)
        number = step // passage.steps
        filled = self._at(plan, epoch, number)
        first, after = passage.between(number)
        return DealtPart(first, filled.data, filled.order, self.holding, after)


def dealt(supply: Supply, holding: Holding) -> Supply:
    """Return the rows of some shards as a supply."""
    if isinstance(supply, Streamed):
        return DealtStream(supply, holding)
    assert isinstance(supply, InMemory)
    return DealtMemory(supply, holding)
