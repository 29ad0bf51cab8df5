"""What is seen of a training in a notebook: its curve, growing in the cell."""

from __future__ import annotations

import math
import time
from typing import Any

from clearprop.page import Markup, joined, lines, tag
from clearprop.training.display import Lines, describe

_EVERY = 0.25  # seconds between two drawings: each is some kilobytes
_COSTS = ("cost", "validation_cost")


class Curve(Lines):
    """A line of text and the costs of the epochs so far, drawn anew as the training goes on.

    Nothing is written to standard error, which a notebook shows in red.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._epoch_numbers: list[float] = []
        self._costs: dict[str, list[float]] = {}
        self._said, self._drawn = "starting", -math.inf

    def start(self, done: float, epochs: int, deadline: float = math.inf) -> None:
        """As in `Display.start`."""
        super().start(done, epochs, deadline)
        self._show()

    def stretch(self, done: float, row: dict[str, float]) -> None:
        """As in `Display.stretch`."""
        now = time.monotonic()
        self._said = self._within(done, row) + self._left(now, done)
        self._show_if_due(now)

    def epoch(self, row: dict[str, float]) -> None:
        """As in `Display.epoch`."""
        now = time.monotonic()
        self._epoch_numbers.append(row["epoch"])
        for name in _COSTS:
            if name in row:
                self._costs.setdefault(name, []).append(row[name])
        self._said = describe(row, self._epochs) + self._left(now, row["epoch"])
        self._show_if_due(now)

    def compiling(self, what: str) -> None:
        """As in `Display.compiling`."""
        print(f"compiling {what} ...", flush=True)

    def finish(self) -> None:
        """Draw the whole curve."""
        self._show()

    def _show_if_due(self, now: float) -> None:
        if now - self._drawn >= _EVERY:
            self._show()

    def _show(self) -> None:
        from IPython.display import HTML, display  # a notebook has it

        shown = HTML(self._html())
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)
        self._drawn = time.monotonic()

    def _html(self) -> Markup:
        parts = [tag("p", self._said, style="font-family: monospace; white-space: pre-wrap")]
        if self._epoch_numbers:
            named = {name.replace("_", " "): costs for name, costs in self._costs.items()}
            parts.append(lines("cost", self._epoch_numbers, named, axis="epoch"))
        return tag("div", joined(parts))
