"""Saying that something is compiled first, which takes seconds; engines say it, displays show it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

_LISTENERS: list[Callable[[str], None]] = []


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
