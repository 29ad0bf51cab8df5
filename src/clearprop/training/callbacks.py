"""Callbacks: what a caller wants to be asked while a training goes on, and when each is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

Callback = Callable[[Any], bool | None]


class Callbacks:
    """The callbacks of a training, by when they are asked.

    Parameters
    ----------
    given : sequence of callable

    Attributes
    ----------
    after_epoch : tuple of callable
        All of them.
    within_epoch : tuple of callable
        Their methods of that name: asked where a running accuracy was noted.
    after_stretch : tuple of callable
        Their methods of that name: asked whenever an engine hands back, which is at the end of an epoch
        and every quarter of a second in a longer one.
    """

    def __init__(self, given: Sequence[Callback]) -> None:
        self.after_epoch = tuple(given)
        self.within_epoch = self._methods("within_epoch")
        self.after_stretch = self._methods("after_stretch")
        self._during = self._methods("during")

    def _methods(self, name: str) -> tuple[Callable[[Any], Any], ...]:
        found = (getattr(each, name, None) for each in self.after_epoch)
        return tuple(each for each in found if each is not None)

    @contextmanager
    def during(self, training: object) -> Iterator[None]:
        """Stay inside the context managers that their methods ``during`` return."""
        with ExitStack() as stack:
            for each in self._during:
                stack.enter_context(each(training))
            yield


def want_an_end(asked: Sequence[Callback], training: object) -> bool:
    """Ask every callback; return whether any returned True."""
    verdicts = [callback(training) for callback in asked]
    return any(isinstance(v, bool | np.bool_) and v for v in verdicts)
