"""A kernel run by several threads at once, in threads that are kept.

To start a thread takes a tenth of a millisecond, half of what a prediction of some hundred rows takes;
to wake one, a tenth of that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

Kernel = Callable[[int, int, int], None]


class _Helper:
    """A thread that waits for something to do."""

    def __init__(self) -> None:
        self.asked, self.done = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._serve, daemon=True, name="clearprop helper").start()

    def _serve(self) -> None:
        while True:
            self.asked.acquire()
            kernel, address, thread, n_threads = self.work
            kernel(address, thread, n_threads)
            self.done.release()

    def begin(self, kernel: Kernel, address: int, thread: int, n_threads: int) -> None:
        """Run a kernel there."""
        self.work = kernel, address, thread, n_threads
        self.asked.release()


_IDLE: list[_Helper] = []
os.register_at_fork(after_in_child=_IDLE.clear)  # threads are not inherited


def _taken() -> _Helper:
    try:
        return _IDLE.pop()
    except IndexError:
        return _Helper()


def side_by_side(kernel: Kernel, address: int, n_threads: int) -> None:
    """Call a kernel once for each thread, the first of them in this one.

    Parameters
    ----------
    kernel : callable
        ``kernel(address, thread, n_threads)``, which releases the interpreter's lock.
    address : int
        Of the slots that hold its arguments.
    n_threads : int

    Raises
    ------
    RuntimeError
        If the system gives no more threads; then nothing has run.
    """
    helpers: list[_Helper] = []
    try:
        while len(helpers) < n_threads - 1:  # all, before any begins: they wait for one another
            helpers.append(_taken())
        for thread, each in enumerate(helpers, 1):
            each.begin(kernel, address, thread, n_threads)
    except RuntimeError:
        _IDLE.extend(helpers)
        raise
    interrupted = None
    kernel(address, 0, n_threads)
    for each in helpers:
        while True:
            try:
                each.done.acquire()
                break
            except KeyboardInterrupt as stop:  # what they work on must not be freed before they end
                interrupted = stop
    _IDLE.extend(helpers)
    if interrupted is not None:
        raise interrupted
