"""Saying that something is compiled first, which takes seconds; engines say it, displays show it.

The seconds are counted too: they are of no epoch, and no measure of how long the next one will take.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

_LISTENERS: list[Callable[[str], None]] = []


class _Spent(threading.local):
    seconds = 0.0


_SPENT = _Spent()


@contextlib.contextmanager
def announced(say: Callable[[str], None]) -> Iterator[None]:
    """Call ``say(what)`` when, inside the ``with`` block, something is compiled, not only loaded."""
    _LISTENERS.append(say)
    try:
        yield
    finally:
        _LISTENERS.remove(say)


def announce(what: str) -> None:
    """Say to whoever listens that `what` is compiled now."""
    for say in _LISTENERS:
        say(what)


@contextlib.contextmanager
def compiling(what: str) -> Iterator[None]:
    """Say that `what` is compiled in the ``with`` block, and count how long that takes."""
    announce(what)
    began = time.monotonic()
    try:
        yield
    finally:
        _SPENT.seconds += time.monotonic() - began


def seconds_compiling() -> float:
    """Return how long this thread has compiled so far."""
    return _SPENT.seconds
