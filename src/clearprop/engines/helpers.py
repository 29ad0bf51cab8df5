"""A kernel run by several threads at once, in threads that are kept.

To start a thread takes a tenth of a millisecond, half of what a prediction of some hundred rows takes;
to wake one, a tenth of that.

What raises in the caller's thread (Ctrl-C, a signal's handler) raises between two of its bytecodes, and
must not find a helper still writing into arrays that are then freed, or waiting for one that will never
begin. So helpers are begun, joined and waited for inside one call of C code, and a list holds them at
every moment.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import repeat
from operator import call
from typing import Any

Kernel = Callable[[int, int, int], None]

# The interpreter's own locks: the wait for one of Python's is ended by a handler that raises.
_PYTHON = ctypes.CDLL(None, handle=ctypes.pythonapi._handle)
_new_lock, _wait, _let_go = (
    getattr(_PYTHON, f"PyThread_{name}_lock") for name in ("allocate", "acquire", "release")
)
_new_lock.argtypes, _new_lock.restype = [], ctypes.c_void_p
_wait.argtypes, _wait.restype = [ctypes.c_void_p, ctypes.c_int], ctypes.c_int
_let_go.argtypes, _let_go.restype = [ctypes.c_void_p], None


def cores() -> set[int]:
    """Return the processor's cores that this process may run on."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # not on every system
        return set(range(os.cpu_count() or 1))


def how_many(asked: int | None) -> int:
    """Return how many threads there may be.

    Unless so many were asked for, OMP_NUM_THREADS is the most, as in every library that computes:
    joblib says there how many of the cores are a worker's own.
    """
    available = len(cores())
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdecimal() and int(limit):
        available = min(available, int(limit))
    return available if asked is None else asked


class _Helper:
    """A thread that waits for something to do."""

    work: Callable[[], None]

    def __init__(self) -> None:
        self.asked, self.ready = threading.Lock(), threading.Lock()
        self.done = _new_lock()  # for as long as the process: so is its thread
        if self.done is None:
            raise MemoryError("there is no memory for another thread")
        for lock in (self.asked, self.ready):
            lock.acquire()
        _wait(self.done, 1)
        threading.Thread(target=self._serve, daemon=True, name="clearprop helper").start()
        self.ready.acquire()

    def _serve(self) -> None:
        _IDLE.append(self)  # not by whoever started it, who may be interrupted
        self.ready.release()
        while True:
            self.asked.acquire()
            self.work()
            _let_go(self.done)


_IDLE: list[_Helper] = []
if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(after_in_child=_IDLE.clear)  # threads are not inherited


def side_by_side(kernel: Kernel, address: int, n_threads: int, aside: bool = False) -> None:
    """Call a kernel once for each thread, the first of them in this one.

    Parameters
    ----------
    kernel : callable
        ``kernel(address, thread, n_threads)``, which releases the interpreter's lock.
    address : int
        Of the slots that hold its arguments.
    n_threads : int
    aside : bool
        Whether this thread only waits: what the kernel calls of a user's own is then called where no
        signal's handler runs, which would raise between its first bytecode and its ``try``.

    Raises
    ------
    RuntimeError, MemoryError
        If the system gives no more threads; then nothing has run.
    """
    helpers: list[_Helper] = []
    shares = [partial(kernel, address, thread, n_threads) for thread in range(n_threads)]
    mine = [] if aside else [shares.pop(0)]
    try:
        while len(helpers) < len(shares):  # all, before any begins: they wait for one another
            try:
                helpers.extend(map(list.pop, repeat(_IDLE, len(shares) - len(helpers))))
            except IndexError:
                _Helper()
        for helper, share in zip(helpers, shares, strict=True):
            helper.work = share
        begin = [helper.asked.release for helper in helpers]
        wait = [partial(_wait, helper.done, 1) for helper in helpers]
        steps: list[Callable[[], Any]] = [*begin, *mine, *wait]
        deque(map(call, steps), maxlen=0)  # no handler runs in here
    finally:
        _IDLE.extend(helpers)
