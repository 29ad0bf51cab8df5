"""Ctrl-C and SIGTERM end a training after its step, not in the middle of one."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """While it is entered, the first SIGINT or SIGTERM is only noted, in `received`.

    The handler that was there before comes back at once, so that a second signal acts at once. On
    leaving, a SIGTERM is delivered again to that handler: a process that was told to end still ends,
    after its checkpoint. A SIGINT is not: the caller gets the history so far.

    Outside the main thread, and for a signal that is ignored, nothing is changed.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            try:
                for number in (signal.SIGINT, signal.SIGTERM):
                    handler = signal.getsignal(number)
                    if handler not in (signal.SIG_IGN, None):
                        self._before[number] = handler  # first: the other signal's may raise now
                        signal.signal(number, self._note)
            except BaseException:
                self._restore()
                raise
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
        if self.received is None:
            return
        outer = getattr(
            signal.getsignal(self.received), "__self__", None
        )  # of a training around this one
        if self.received == signal.SIGTERM or isinstance(outer, Interrupts):
            os.kill(os.getpid(), self.received)
