"""What ends all processes when one of them cannot go on: stopped, stuck, or with an error of its own.

Every process has a heart, a thread that beats whatever the work is about: rank 0 hears all, and all
hear rank 0. A beat says what the process does and for how long already, so that one who reads, compiles
or validates for minutes is no stall, while one that is in the same step, or whose heart has stopped
(a machine that hangs, SIGSTOP), ends them all, in one sentence that names its rank, host and step. So
does one that has left while another waits for it: it made fewer calls, or has an error of its own.

An error of one process reaches rank 0 the same way: the first one is said, the others are not.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clearprop.distributed.communicator import Communicator

_SHARE = 0.75  # of the timeout is silence before it is taken for a stall: all have ended in time then
_BEATS = 20  # in a timeout
STEP = "step"  # what must not take longer than the timeout
WAITING, LEFT = "waiting", "left"  # for what all must do, and for the others to end
FAILED = 1


@dataclass
class Pulse:
    """What is known of a process: what it does, at which step, since when, and when it was heard."""

    doing: str
    step: int
    since: float
    heard: float
    has_checkpoint: bool = False


def _say(sentence: str) -> None:
    print(f"clearprop: {sentence}", file=sys.stderr, flush=True)


class Heart:
    """The heart of this process, which hears those of others.

    Parameters
    ----------
    communicator : Communicator
    hosts : list of str
        Of each rank.
    timeout : float
        Seconds in which a stall must have ended all processes.
    say : callable
        Prints a sentence.

    Attributes
    ----------
    has_checkpoint : bool
        Whether this process has written what a training goes on from, or has gone on from it.
    """

    def __init__(
        self,
        communicator: Communicator,
        hosts: list[str],
        timeout: float,
        say: Callable[[str], None] = _say,
    ) -> None:
        self.communicator, self.hosts, self.timeout = communicator, hosts, timeout
        self.step, self.has_checkpoint = 0, False
        self._doing, self._since = "preparing", time.monotonic()
        self.say, self._done, now = say, threading.Event(), time.monotonic()
        others = range(1, communicator.size) if communicator.rank == 0 else (0,)
        self._others = {rank: Pulse("preparing", 0, now, now) for rank in others}
        self._thread = threading.Thread(target=self._live, daemon=True, name="clearprop heart")
        if communicator.size > 1 and communicator.can_watch:
            self._thread.start()

    @property
    def _interval(self) -> float:
        return self.timeout / _BEATS

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Let others know what this process does inside the ``with`` block."""
        before = self._doing
        self._begin(what)
        try:
            yield
        finally:
            self._begin(before)

    def _begin(self, what: str) -> None:
        self._since, self._doing = time.monotonic(), what

    def fail(self, sentence: str, code: int) -> None:
        """End all processes with an error of this one, unless another's came first."""
        mine = self.communicator
        if mine.rank != 0:
            text = f"rank {mine.rank} on {self.hosts[mine.rank]}: {sentence}"
            mine.tell(0, json.dumps({"failed": text, "code": code}).encode(), must=True)
            time.sleep(self.timeout)  # rank 0 ends this process, too; where it does not, its own end
        else:
            self.say(sentence)
        mine.abort(code)

    def leave(self) -> None:
        """Let others know that this process has nothing to do any more but to end."""
        self._begin(LEFT)

    def stop(self) -> None:
        """Beat no more; what is still to be heard is heard."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    # The thread

    def _live(self) -> None:
        before = time.monotonic()
        while not self._done.wait(self._interval):
            now = time.monotonic()
            if now - before > self.timeout / 2:  # this process was stopped: its clock says nothing
                for pulse in self._others.values():
                    pulse.heard = pulse.since = now
            before = now
            self._beat(now)
            self._hear(now)
            self._look(now)

    def _beat(self, now: float) -> None:
        state = {"doing": self._doing, "step": self.step, "for": now - self._since}
        state["checkpoint"] = self.has_checkpoint
        message = json.dumps(state).encode()
        for rank in self._others:
            self.communicator.tell(rank, message)

    def _hear(self, now: float) -> None:
        for rank, message in self.communicator.told():
            found: dict[str, Any] = json.loads(message)
            if "failed" in found:
                self.say(found["failed"])
                self.communicator.abort(int(found["code"]))
            since = now - found["for"]
            self._others[rank] = Pulse(found["doing"], found["step"], since, now, found["checkpoint"])

    def _look(self, now: float) -> None:
        limit = _SHARE * self.timeout
        if self.communicator.rank:  # where several miss rank 0, one of them says it
            limit += min(self.communicator.rank * self._interval, 0.2 * self.timeout)
        for rank, pulse in self._others.items():
            silent, busy = now - pulse.heard, now - pulse.since
            if silent > limit:
                self._end(rank, f"has given no sign of life for {silent:.3g} s")
            elif pulse.doing == STEP and busy > limit:
                self._end(rank, f"has not come to the end of its step for {busy:.3g} s")
        mine = Pulse(self._doing, self.step, self._since, now)
        known = {rank: each for rank, each in self._others.items() if now - each.since > limit}
        known |= {self.communicator.rank: mine} if now - mine.since > limit else {}
        waits = [rank for rank, pulse in known.items() if pulse.doing == WAITING]
        left = [rank for rank, pulse in known.items() if pulse.doing == LEFT]
        if waits and left:
            self._end(left[0], f"has ended, and rank {waits[0]} waits for it")

    def _end(self, rank: int, why: str) -> None:
        """Say what is wrong with a process, and end all."""
        step = self.step if rank == self.communicator.rank else self._others[rank].step
        is_kept = self.has_checkpoint or any(each.has_checkpoint for each in self._others.values())
        kept = "; the last checkpoint is whole, --resume goes on from it" if is_kept else ""
        self.say(
            f"rank {rank} on {self.hosts[rank]} {why}, at step {step}: all processes end "
            f"(--stall-timeout {self.timeout:g}){kept}"
        )
        self.communicator.abort(FAILED)
