"""When a training ends before its last epoch, and how a plateau is noticed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from clearprop.metrics import higher_is_better
from clearprop.names import is_number


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a column of the history has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        A column of the history.
    patience : int
        Epochs without an improvement, at least 1.
    min_delta : float
        What counts as an improvement is more than this, at least 0.
    restore_best : bool
        Whether the network ends with the parameters of its best epoch.
    mode : {"min", "max"}, optional
        Whether the column is to fall or to rise; known for costs, errors, accuracies and r2.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range.
    """

    monitor: str = "validation_cost"
    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True
    mode: str | None = None

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        if not isinstance(self.monitor, str):
            raise TypeError(
                f"monitor must be the name of a column of the history, got {self.monitor!r}"
            )
        higher_is_better(self.monitor, self.mode)
        if isinstance(self.patience, bool) or not isinstance(self.patience, int) or self.patience < 1:
            raise ValueError(f"patience must be an integer of at least 1, got {self.patience!r}")
        if not is_number(self.min_delta) or self.min_delta < 0:
            raise ValueError(f"min_delta must be a finite number of at least 0, got {self.min_delta!r}")


@dataclass
class Watch:
    """Counts the epochs since a column was at its best; a NaN is never an improvement."""

    monitor: str
    patience: int
    min_delta: float
    mode: str | None = None
    best: float = math.nan
    best_epoch: int = 0
    waited: int = 0

    def see(self, value: float, epoch: int) -> bool:
        """Take the value of an epoch; return whether it is an improvement."""
        sign = -1.0 if higher_is_better(self.monitor, self.mode) else 1.0
        improved = not math.isnan(value) and (
            math.isnan(self.best) or sign * (self.best - value) > self.min_delta
        )
        if improved:
            self.best, self.best_epoch, self.waited = value, epoch, 0
        else:
            self.waited += 1
        return improved

    @property
    def exhausted(self) -> bool:
        """Whether the patience is at its end."""
        return self.waited >= self.patience

    def to_dict(self) -> dict[str, Any]:
        """Return the counters, for a checkpoint."""
        return {
            "best": str(self.best) if math.isnan(self.best) else self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
        }

    def restore(self, counters: dict[str, Any]) -> None:
        """Take back what `to_dict` returned."""
        self.best = float(counters["best"])
        self.best_epoch, self.waited = int(counters["best_epoch"]), int(counters["waited"])
