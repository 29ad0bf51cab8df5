"""Step: one step of a pass that is told."""

from __future__ import annotations

from dataclasses import dataclass

from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs

EXAMPLES = 2  # of a batch that are shown


@dataclass(frozen=True)
class Step:
    """One step of the pass.

    `kind` is embedding, scale, input, forward, cost, error, delta, gradient, update or note; `layer` a
    weight layer 1..L, or 0; `row` the sample, or None for the batch. `left_out` says what is not shown.
    """

    kind: str
    title: str
    layer: int = 0
    row: int | None = None
    lines: tuple[Line, ...] = ()
    left_out: str = ""
    said: str = ""


def more(n: int, shown: int, what: str) -> str:
    """Return how many of n are not shown."""
    return f"[..., {n - shown:,} more {what}]" if n > shown else ""


def example(glyphs: Glyphs, row: int) -> str:
    """Return which example of a batch a step is of."""
    return f", example {row + 1} of {glyphs.n_samples:,}" if glyphs.n_samples > 1 else ""


def over_all(glyphs: Glyphs) -> str:
    """Return what a step over a batch is called after its name."""
    return f" over the batch of {glyphs.n_samples:,}" if glyphs.n_samples > 1 else ""
