"""What a command adds to a fit: its checkpoint, and what it has to say before the training begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearprop.distributed.team import Team
    from clearprop.estimators.training import EstimatorTraining
    from clearprop.model.model import Model


@dataclasses.dataclass(frozen=True)
class Session:
    """Settings of a `Training` that estimators have no arguments for.

    Parameters
    ----------
    checkpoint, checkpoint_every, resume, running_window, running_every
        As in `Network.fit`.
    share : float
        Of the rows, that an epoch is made of: less where few epochs fill a time limit.
    team : Team, optional
        The processes that train together; each has been given all rows.
    fast_sum : bool
        As in `Network.fit`.
    prepare : callable, optional
        Sees the model and the number of rows to train on, before there is a training.
    begin : callable, optional
        Sees the training when it is prepared: resumed, if it is.
    """

    checkpoint: str | None = None
    checkpoint_every: str = "1epoch"
    resume: bool = False
    running_window: int = 1000
    running_every: int | None = None
    share: float = 1.0
    team: Team | None = None
    fast_sum: bool = False
    prepare: Callable[[Model, int], None] | None = None
    begin: Callable[[EstimatorTraining], None] | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        names = ("checkpoint", "checkpoint_every", "resume", "running_window", "running_every")
        return {name: getattr(self, name) for name in names}
