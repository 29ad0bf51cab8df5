"""Where a training's rows come from: memory, or a stream that passes through a buffer."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.activations import Array
from clearprop.data.row_stream import BLOCK_BYTES, BUFFER_BYTES, Passage, Stretch, chunks
from clearprop.engines import Data, Plan, State
from clearprop.engines.reference import keep

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Kept = Sequence[Array | None] | None  # of each layer, as in `backprop.forward`
_DRAWN_AT_ONCE = 2**14  # numbers of sample orders: what stays in the cache
_SAMPLES, _SAMPLE_BYTES = 64, 2**16  # by which processes compare the rows of a stream


@dataclass(frozen=True, eq=False)
class Part:
    """Rows in memory, and the steps of an epoch that are made of them."""

    first_step: int
    data: Data
    order: NDArray[np.int64]  # of the rows of `data`; of members one each, (n_members, n_rows)
    is_whole: ClassVar[bool] = True  # whether a step's rows are all here

    def after_step(self, plan: Plan) -> int:
        """Return the step after the last that they make."""
        return self.first_step + plan.steps_of(self.order.shape[-1])

    def batch(self, plan: Plan, step: int) -> slice:
        """Return which rows of the order make a step of the epoch."""
        return plan.batch(step - self.first_step)

    def keep(self, plan: Plan, state: State, n_rows: int) -> Kept:
        """Return what a step's hidden activations are multiplied by."""
        return keep(plan, state, n_rows)

    def of_step(self, step: int, data: Data, order: NDArray[np.int64]) -> Part:
        """Return what makes one step alone, from data of its own."""
        return Part(step, data, order)


class Supply(ABC):
    """The training set. It is entered while a training runs."""

    n_samples: int
    shuffle: str | bool = "epoch"  # what has an order of its own; "once": all epochs one; False: none
    whole_batches = False  # whether the rows that make no whole batch are left out of an epoch
    share = 1.0  # of the rows, that an epoch is made of where some are left out: other ones in each

    def n_trained(self, batch_size: int) -> int:
        """Return how many rows an epoch is made of."""
        n = self.n_samples
        if not self.whole_batches or n < batch_size:
            return n
        return max(round(self.share * n) // batch_size, 1) * batch_size

    def order_of(self, epoch: int) -> int:
        """Return the epoch by whose key an epoch's rows are ordered."""
        return 0 if self.shuffle == "once" else epoch

    @abstractmethod
    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """Return the rows in memory for a step of an epoch, and for the steps around it."""

    @abstractmethod
    def blocks(self, n_rows: int, among: Stretch | None = None) -> Iterator[Data]:
        """Return all rows, or a stretch of them, in their own order, `n_rows` at a time."""

    @abstractmethod
    def identity(self) -> tuple[Array | None, ...]:
        """Return arrays by which a checkpoint knows these rows."""

    def sampled(self) -> tuple[Array | None, ...]:
        """Return what tells these rows from others at little cost, if not in every case."""
        return self.identity()

    @abstractmethod
    def map_targets(self, function: Callable[[Array], Array]) -> None:
        """Have the targets replaced by what a function makes of them; it may refuse them."""

    def describe(self) -> dict[str, Any]:
        """Return what must be the same when a training is resumed, besides the rows."""
        return {}

    def __enter__(self) -> Supply:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most have nothing running
        """Let go of what a training has running."""


class InMemory(Supply):
    """All rows in one part.

    Parameters
    ----------
    data : Data
    given_targets : ndarray, optional
        The targets as the caller gave them, if they were smoothed: a checkpoint knows the rows by them.
    """

    def __init__(self, data: Data, given_targets: Array | None = None) -> None:
        self.data, self.n_samples = data, len(data.X)
        self._given = data.Y if given_targets is None else given_targets
        self._orders = _Orders(self.n_samples)

    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """As in `Supply`."""
        if self.shuffle:
            orders = self._orders.of(plan.seeds, self.order_of(epoch))
        else:
            orders = np.broadcast_to(self._as_they_are, (plan.n_members, self.n_samples))
        order = orders[0] if plan.n_members == 1 else orders
        return Part(0, self.data, order[..., : plan.n_samples])

    @functools.cached_property
    def _as_they_are(self) -> NDArray[np.int64]:
        return np.arange(self.n_samples)

    def map_targets(self, function: Callable[[Array], Array]) -> None:
        """As in `Supply`."""
        self.data = self.data._replace(Y=function(self.data.Y))

    def blocks(self, n_rows: int, among: Stretch | None = None) -> Iterator[Data]:
        """As in `Supply`."""
        X, Y, weight = self.data
        begin, end = among or (0, self.n_samples)
        for first, last in chunks(end, begin, n_rows):
            part = None if weight is None else weight[first:last]
            yield Data(X[first:last], Y[first:last], part)

    def identity(self) -> tuple[Array | None, ...]:
        """As in `Supply`."""
        return self.data.X, self._given, self.data.sample_weight


class _Orders:
    """The orders of n rows, epoch by epoch; where they are few, some epochs' at once, ever more."""

    def __init__(self, n: int) -> None:
        self.n, self.seeds = n, tuple[int, ...]()
        self.epochs, self.orders = range(0), np.empty((0, 1, n), np.int64)

    def of(self, seeds: tuple[int, ...], epoch: int) -> NDArray[np.int64]:
        """Return the order that belongs to an epoch, of each seed, shape (n_seeds, n)."""
        if seeds != self.seeds or epoch not in self.epochs:
            goes_on = seeds == self.seeds and epoch == self.epochs.stop
            count = min(2 * len(self.epochs), _DRAWN_AT_ONCE // self.n) if goes_on else 1
            epochs = range(epoch, epoch + max(count, 1))
            self.epochs, self.orders = range(0), np.empty((0, 1, self.n), np.int64)  # room for the next
            each = [randomness.permutations(seed, self.n, steps=epochs) for seed in seeds]
            self.orders = np.stack(each, axis=1) if len(each) > 1 else each[0][:, None]
            self.seeds, self.epochs = seeds, epochs
        return self.orders[epoch - self.epochs.start]


class _Key(NamedTuple):
    """What the content of a buffer is a function of."""

    seed: int
    batch_size: int
    epoch: int
    number: int


@dataclass(frozen=True, eq=False)
class _Filled:
    key: _Key
    stretches: tuple[Stretch, ...]
    data: Data
    order: NDArray[np.int64]


class _Stopped(Exception):
    """The training has ended; the buffer is not needed any more."""


class Streamed(Supply):
    """Rows that pass through two buffers: one is trained on while a thread fills the other.

    Parameters
    ----------
    read : callable
        Of the first row and the one after the last; returns them as Data.
    n_samples, n_features, n_outputs : int
    dtype : str
    weighted : bool
        Whether the Data have weights.
    fingerprint : callable
        Returns what tells these rows from others.
    buffer_rows : int, optional
        None takes as many as `BUFFER_BYTES` hold.
    """

    def __init__(
        self,
        read: Callable[[int, int], Data],
        *,
        n_samples: int,
        n_features: int,
        n_outputs: int,
        dtype: str,
        weighted: bool,
        fingerprint: Callable[[], str],
        buffer_rows: int | None,
    ) -> None:
        self._read_raw, self.n_samples, self._fingerprint = read, n_samples, fingerprint
        self._functions: list[Callable[[Array], Array]] = []
        self._shape, self._dtype, self._weighted = (n_features, n_outputs), dtype, weighted
        self._row_bytes = np.dtype(dtype).itemsize * (n_features + n_outputs + weighted)
        self._wanted = buffer_rows or max(1, BUFFER_BYTES // self._row_bytes)
        self._buffers: list[Data] = []
        self._now: _Filled | None = None
        self._next: tuple[_Key, Future[_Filled]] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._stopping = False
        self.kept_in: Any = None  # the spool that it reads from, if it does: its fingerprint is known

    def map_targets(self, function: Callable[[Array], Array]) -> None:
        """As in `Supply`: when they are read."""
        self._functions.append(function)
        self._now = None  # it was read without

    def _read(self, first: int, last: int) -> Data:
        data = self._read_raw(first, last)
        for function in self._functions:
            data = data._replace(Y=function(data.Y))
        return data

    def passage(self, batch_size: int) -> Passage:
        """Return how the rows of an epoch pass: no batch lies in two buffers."""
        whole = -(-self.n_samples // batch_size)
        rows = whole if self._wanted >= self.n_samples else max(1, self._wanted // batch_size)
        rows *= batch_size
        block = max(1, BLOCK_BYTES // self._row_bytes)
        return Passage(self.n_samples, self.n_trained(batch_size), rows, block, bool(self.shuffle))

    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """As in `Supply`; it waits until the buffer is filled, and has the next one begun.

        Raises
        ------
        Exception
            Whatever reading the rows has raised in the thread.
        """
        steps = self.passage(plan.batch_size).buffer_rows // plan.batch_size
        filled = self._at(plan, epoch, step // steps)
        return Part(step // steps * steps, filled.data, filled.order)

    def _at(self, plan: Plan, epoch: int, number: int) -> _Filled:
        """Return a buffer of an epoch, filled, and have the next one begun."""
        key = _Key(plan.seed, plan.batch_size, epoch, number)
        if self._now is None or self._now.key != key:
            self._advance(key)
        assert self._now is not None
        return self._now

    def _advance(self, key: _Key) -> None:
        if self._next is not None and self._next[0] != key:
            self.close()
        if self._next is None:
            self._begin(key)
        assert self._next is not None
        future = self._next[1]
        try:
            self._now = future.result()
        finally:
            if future.done():  # not where a signal's handler has raised
                self._next = None
        last = key.number + 1 == self.passage(key.batch_size).n_buffers
        following = (key.epoch + 1, 0) if last else (key.epoch, key.number + 1)
        self._begin(_Key(key.seed, key.batch_size, *following))

    def _begin(self, key: _Key) -> None:
        if self._thread is None:
            from concurrent.futures import ThreadPoolExecutor  # most trainings need none

            self._stopping = False
            self._thread = ThreadPoolExecutor(1, "clearprop-rows")
        self._next = key, self._thread.submit(self._fill, key, self._now)

    def _fill(self, key: _Key, now: _Filled | None) -> _Filled:
        """Return what belongs to the key, in the buffer that `now` does not use."""
        passage, epoch = self.passage(key.batch_size), self.order_of(key.epoch)
        stretches = passage.stretches(key.seed, epoch, key.number)
        order = passage.order(key.seed, epoch, key.number)
        if now is not None and now.stretches == stretches:  # a buffer that holds everything is kept
            return _Filled(key, stretches, now.data, order)
        buffer = self._spare(now, passage.room)
        end = 0
        for first, last in (piece for each in stretches for piece in chunks(each[1], each[0])):
            if self._stopping:
                raise _Stopped
            begin, end = end, end + last - first
            read = self._read(first, last)
            for there, here in zip(buffer, read, strict=True):
                if there is not None:
                    there[begin:end] = here
        return _Filled(
            key, stretches, Data(*buffer), order
        )  # other rows, other data: engines keep them

    def _spare(self, now: _Filled | None, rows: int) -> Data:
        for buffer in self._buffers:
            if (now is None or buffer.X is not now.data.X) and len(buffer.X) == rows:
                return buffer
        self._buffers = [] if now is None else [now.data]
        X, Y = (np.empty((rows, width), self._dtype) for width in self._shape)
        made = Data(X, Y, np.empty(rows, self._dtype) if self._weighted else None)
        self._buffers.append(made)
        return made

    def close(self) -> None:
        """End the thread; whatever it was reading is not needed."""
        raised: BaseException | None = None
        while self._thread is not None:
            self._stopping = True
            try:
                if self._next is not None:
                    self._next[1].cancel() or self._next[1].exception()
                self._thread.shutdown(wait=True, cancel_futures=True)
                self._thread = self._next = None
            except BaseException as problem:  # a signal's handler; the thread may still write
                raised = problem
        if raised is not None:
            raise raised

    def blocks(self, n_rows: int, among: Stretch | None = None) -> Iterator[Data]:
        """As in `Supply`."""
        begin, end = among or (0, self.n_samples)
        return (self._read(first, last) for first, last in chunks(end, begin, n_rows))

    def identity(self) -> tuple[Array | None, ...]:
        """As in `Supply`."""
        return (np.frombuffer(self._fingerprint().encode(), np.uint8),)

    def sampled(self) -> tuple[Array | None, ...]:
        """As in `Supply`: some rows from everywhere, where the fingerprint of all is not known yet."""
        if self.kept_in is not None:
            return self.identity()
        rows = min(max(1, _SAMPLE_BYTES // self._row_bytes), self.n_samples)
        firsts = {(self.n_samples - rows) * i // (_SAMPLES - 1) for i in range(_SAMPLES)}
        return tuple(part for first in sorted(firsts) for part in self._read(first, first + rows))

    def describe(self) -> dict[str, Any]:
        """As in `Supply`."""
        return {"buffer_rows": self._wanted}
