"""Team: the processes of a training, and everything that they agree on while it goes on."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.distributed.communicator import Alone, Communicator
from clearprop.distributed.defaults import STALL_TIMEOUT
from clearprop.distributed.faults import FAILED, WAITING, Heart
from clearprop.distributed.shards import owned
from clearprop.engines import helpers

Lead = Callable[[Callable[..., Any]], str]  # of what asks all processes for something
_LATE = 0.2  # share of the timeout in which others come to the same error, if it is theirs too


class OtherRankError(RuntimeError):
    """Another process has failed; the message is its own."""


class Team:
    """The processes that train together; one alone is a team as well.

    Parameters
    ----------
    communicator : Communicator
    timeout : float
        Seconds in which a stall must have ended all processes.

    Attributes
    ----------
    holds_all : bool
        Whether each process is given all rows; else those that it has are its own.
    sentence, code_of : callable
        What is said of a problem, and the exit code that belongs to it.
    """

    def __init__(
        self,
        communicator: Communicator | None = None,
        timeout: float = STALL_TIMEOUT,
    ) -> None:
        self.communicator = communicator or Alone()
        self.rank, self.size = self.communicator.rank, self.communicator.size
        self.heart = Heart(self.communicator, [f"host {r}" for r in range(self.size)], timeout)
        self.holds_all = False
        self.sentence: Callable[[BaseException], str] = _sentence
        self.code_of: Callable[[BaseException], int] = lambda problem: FAILED
        cores = sorted(helpers.cores())
        each = self.tell_all([platform.node(), cores])
        self.hosts = self.heart.hosts = [str(host) for host, _ in each]
        # Processes of one host that may run on the same cores share them.
        sharing = each.count([platform.node(), cores])
        self.n_threads = max(1, helpers.how_many(None) // sharing)
        self._parted = self._closed = False

    @property
    def timeout(self) -> float:
        """Seconds in which a stall must have ended all processes."""
        return self.heart.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.heart.timeout = seconds

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def shards(self, n_shards: int) -> range:
        """Return the shards that this process owns."""
        return owned(n_shards, self.rank, self.size)

    def owners(self, n_shards: int) -> list[range]:
        """Return the shards of each process."""
        return [owned(n_shards, rank, self.size) for rank in range(self.size)]

    # What is agreed on. All of it is collective.

    def tell_all(self, mine: Any) -> list[Any]:
        """Return what each process says, by rank; it must fit into JSON."""
        if self.size == 1:
            return [mine]
        said = np.frombuffer(json.dumps(mine).encode(), np.uint8)
        with self.heart.doing(WAITING):
            return [json.loads(each.tobytes()) for each in self.communicator.everywhere(said)]

    def as_first(self, mine: Any) -> Any:
        """Return what rank 0 says."""
        return self.tell_all(mine if self.is_first else None)[0]

    def first_said(self, mine: str) -> str:
        """Return the first text, by rank, that is not empty."""
        return next(filter(None, self.tell_all(mine)), "")

    def gathered(self, mine: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the arrays of all processes, whose dtype is the same and whose rows may be more."""
        flat = np.ascontiguousarray(mine).reshape(-1).view(np.uint8)
        each = self.communicator.everywhere(flat) if self.size > 1 else [flat]
        return [one.view(mine.dtype).reshape(-1, *mine.shape[1:]) for one in each]

    def led(self, lead: Lead, calls: Mapping[str, Callable[..., Any]]) -> str:
        """Let rank 0 lead: what it asks for by a name, an array of numbers and one more, all do.

        Returns in all of them what `lead` returns.
        """

        def do(name: str, mine: NDArray[np.float64]) -> Any:
            its = self.gathered(mine)[0]
            return calls[name](its[:-1], float(its[-1]))

        def ask(name: str, array: NDArray[Any], number: float = 0.0) -> Any:
            return do(self.as_first(name), np.append(array, number))

        ending = lead(ask) if self.is_first else ""
        while name := self.as_first(""):
            do(name, np.empty(0))
        return str(self.as_first(ending))

    @contextmanager
    def sharing_problems(self) -> Iterator[None]:
        """Raise what is raised inside in all processes: in this one its own, in others its sentence.

        Raises
        ------
        OtherRankError
        """
        problem: Exception | None = None
        try:
            yield
        except Exception as raised:
            problem = raised
        if self.size > 1:
            said = self.tell_all(None if problem is None else self.sentence(problem))
            if problem is None:
                raise_of(said, self.hosts)
        if problem is not None:
            raise problem

    # Ends

    @contextmanager
    def together(self) -> Iterator[None]:
        """End all processes where an error inside is not that of all of them."""
        try:
            yield
        except BaseException as problem:
            self.settle(problem)
            raise

    def settle(self, problem: BaseException) -> None:
        """End all processes, unless all of them come here: each has the problem then."""
        if self.size == 1 or self._parted:
            return
        self._parted = self.communicator.settled(_LATE * self.timeout)
        if not self._parted:
            self.heart.fail(self.sentence(problem), self.code_of(problem))

    def close(self) -> None:
        """Part from the others, each of which does so too; their hearts beat until all are here."""
        if self.size == 1 or self._closed:
            return
        self._closed = True
        self.heart.leave()
        if self._parted or self.communicator.settled(math.inf):
            self.communicator.end_within(self.timeout)
            self.heart.stop()
            self.communicator.settled(self.timeout)
            self.communicator.told()  # the last beats


def _sentence(problem: BaseException) -> str:
    return str(problem) or type(problem).__name__


def raise_of(said: Sequence[str | None], hosts: Sequence[str]) -> None:
    """Raise the first problem that a process has told of.

    Raises
    ------
    OtherRankError
    """
    for rank, (sentence, host) in enumerate(zip(said, hosts, strict=True)):
        if sentence is not None:
            raise OtherRankError(f"rank {rank} on {host}: {sentence}")
