"""What a command adds to a fit: its checkpoint, and what it has to say before the training begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearprop.estimators.base import BaseMLP
    from clearprop.estimators.training import EstimatorTraining


@dataclasses.dataclass(frozen=True)
class Session:
    """Settings of a `Training` that estimators have no arguments for.

    Parameters
    ----------
    checkpoint, checkpoint_every, resume, running_window, running_every
        As in `Network.fit`.
    prepare : callable, optional
        Sees the estimator when its network is made, before there is a training.
    begin : callable, optional
        Sees the training when it is prepared: resumed, if it is.
    """

    checkpoint: str | None = None
    checkpoint_every: str = "1epoch"
    resume: bool = False
    running_window: int = 1000
    running_every: int | None = None
    prepare: Callable[[BaseMLP], None] | None = None
    begin: Callable[[EstimatorTraining], None] | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        names = ("checkpoint", "checkpoint_every", "resume", "running_window", "running_every")
        return {name: getattr(self, name) for name in names}
