"""A figure with its interval, of which a report's tree is made."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95  # of every interval, unless it is simultaneous over several
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Value:
    """A figure, and its interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None
