"""Progress: where a training is. With its model it is all that goes on: it is the checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import CheckpointError
from clearprop.engines import Plan, State
from clearprop.schedules import Schedule, find_plateau
from clearprop.training.history import DONE, RUNNING, History
from clearprop.training.stopping import EarlyStopping, Watch

Array = NDArray[Any]
Tensors = Mapping[str, Array]

_COUNTERS = ("step", "updates", "epoch", "epoch_step", "epoch_cost")


@dataclasses.dataclass(eq=False)
class Progress:
    """Everything that changes while a model is trained, beside the model.

    Parameters
    ----------
    state : State
        Parameters, moments and counters: what the next step depends on.
    history : History
    first_epoch : int
        The epoch in which this training began.
    epoch_seconds : float
        Of the epoch that is going on.
    window : ndarray of bool
        Of the last samples: which were right before their update.
    best_parameters : ndarray, optional
        Those that are handed over instead of the latest.
    averaged : ndarray, optional
        The running mean of the parameters, after the first epoch of one.
    stopper, plateau : Watch, optional
        What early stopping and a plateau's schedule count.
    plateau_factor : float
        What the plateau has made of the learning rate.
    """

    state: State
    history: History = dataclasses.field(default_factory=History)
    first_epoch: int = 0
    epoch_seconds: float = 0.0
    window: NDArray[np.bool_] = dataclasses.field(default_factory=lambda: np.zeros(0, bool))
    best_parameters: Array | None = None
    averaged: Array | None = None
    stopper: Watch | None = None
    plateau: Watch | None = None
    plateau_factor: float = 1.0

    @property
    def judged(self) -> Array:
        """The parameters that are evaluated and handed over: the running mean's, where there is one."""
        return self.state.parameters if self.averaged is None else self.averaged

    @property
    def better(self) -> Array | None:
        """What the caller is to have instead of the latest parameters, if anything."""
        return self.averaged if self.best_parameters is None else self.best_parameters

    def keep(self) -> None:
        """Take the parameters of this epoch for those that are handed over."""
        self.best_parameters, self.history.kept = self.judged.copy(), self.state.epoch

    def average(self, decay: float) -> None:
        """Move the running mean towards the parameters; the first epoch's are the mean of one."""
        if self.averaged is None:
            self.averaged = self.state.parameters.copy()
        else:
            self.averaged += (1.0 - decay) * (self.state.parameters - self.averaged)

    def follow(self, row: Mapping[str, float], schedule: Schedule, stop: EarlyStopping | None) -> bool:
        """Count a row of the history for a plateau and early stopping; return whether to stop."""
        plateau, epoch = find_plateau(schedule), self.state.epoch
        if plateau and self.plateau:
            self.plateau.see(row[plateau.monitor], epoch)
            if self.plateau.exhausted:
                self.plateau_factor *= plateau.factor
                self.plateau.waited = 0
        if not (stop and self.stopper):
            return False
        if self.stopper.see(row[stop.monitor], epoch) and stop.restore_best:
            self.keep()
        return self.stopper.exhausted

    def look_back(
        self, correct: NDArray[np.bool_], seen: int, width: int, every: int, plan: Plan
    ) -> bool:
        """Move the window over the samples of a stretch; note the running accuracy where it is due.

        Parameters
        ----------
        correct : ndarray of bool
            Which samples of the stretch were right before their update; of members the first sample
            of each, then the second: each counts as a sample of its own.
        seen : int
            How many samples came before them.
        width, every : int
            Samples in the window, and from one note to the next; 0 for none.
        plan : Plan
            It has the samples of an epoch, and the members.

        Returns
        -------
        bool
            Whether a running accuracy was noted.
        """
        n, k = len(correct), plan.n_members
        seen, width, every = seen * k, width * k, every * k
        right = np.concatenate([self.window, correct])
        self.window = right[-width:]
        if not every or seen // every == (seen + n) // every:
            return False
        at = np.arange(seen - seen % every + every, seen + n + 1, every)
        last = at - seen + len(right) - n
        first = np.maximum(last - width, 0)
        up_to = np.concatenate([[0], np.cumsum(right)])
        running = self.history.running
        running["samples"] += (at // k).tolist()
        running["epoch"] += (self.first_epoch + at // k / plan.n_samples).tolist()
        running["running_accuracy"] += ((up_to[last] - up_to[first]) / (last - first)).tolist()
        return True

    # In a file

    def tensors(self) -> dict[str, Array]:
        """Return the arrays: columns grow with the epochs, and a file's header is bounded."""
        columns = self.history.to_dict().values()
        tensors = {f"training.history.{i}": np.array(values) for i, values in enumerate(columns)}
        if self.history.running["samples"]:
            tensors |= {
                f"training.running.{name}": np.array(each)
                for name, each in self.history.running.items()
            }
        tensors |= {"training.moments": self.state.moments, "training.window": self.window}
        for name in ("best_parameters", "averaged"):
            if getattr(self, name) is not None:
                tensors[f"training.{name}"] = getattr(self, name)
        return tensors

    def describe(self) -> dict[str, Any]:
        """Return the rest, as JSON has it."""
        members = [[its.updates, its.epoch_cost] for its in self.state.members]
        return ({"members": members} if len(members) > 1 else {}) | {
            "state": {name: getattr(self.state, name) for name in _COUNTERS},
            "first_epoch": self.first_epoch,
            "epoch_seconds": self.epoch_seconds,
            "history": list(self.history.columns),
            "stopped": self.history.stopped,
            "early_stopping": self.stopper.to_dict() if self.stopper else None,
            "plateau": self.plateau.to_dict() if self.plateau else None,
            "plateau_factor": self.plateau_factor,
        }

    def check(self, saved: Mapping[str, Any], tensors: Tensors, averages: bool) -> None:
        """Refuse what is not the progress of a training like this one.

        Parameters
        ----------
        saved, tensors : mapping
            What `describe` and `tensors` returned.
        averages : bool
            Whether this training has a running mean.

        Raises
        ------
        CheckpointError
        """
        moments, counters = tensors["training.moments"], saved["state"]
        if moments.shape != self.state.moments.shape:
            raise CheckpointError(
                f"moments of shape {moments.shape}, expected {self.state.moments.shape}"
            )
        is_averaged = "training.averaged" in tensors
        if averages and counters["epoch"] > saved["first_epoch"] and not is_averaged:
            raise CheckpointError("the mean of the parameters is missing")
        members = len(self.state.members)
        if len(saved.get("members", "1")) != members:
            raise CheckpointError(f"what it says of members is not of {members}")
        for watch, name in self._watches:
            if (watch is None) != (saved[name] is None):
                raise CheckpointError(f"what it says of {name} is not of these settings")

    def take(self, saved: Mapping[str, Any], tensors: Tensors, parameters: Array) -> None:
        """Go on from what `describe` and `tensors` returned, which `check` has seen."""
        state = self.state
        state.parameters[:], state.moments[:] = parameters, tensors["training.moments"]
        for name, value in saved["state"].items():
            setattr(state, name, value)
        for its, counters in zip(state.members, saved.get("members", ()), strict=False):
            its.updates, its.epoch_cost = counters
        self.window = tensors["training.window"]
        self.best_parameters = tensors.get("training.best_parameters")
        self.averaged = tensors.get("training.averaged")
        self.first_epoch, self.epoch_seconds = saved["first_epoch"], saved["epoch_seconds"]
        self.history.columns = history_columns(tensors, saved["history"])
        none = np.zeros(0)
        self.history.running = {
            name: tensors.get(f"training.running.{name}", none).tolist() for name in RUNNING
        }
        # A run that was interrupted, or came to its limit, is to go on; one that was done is not.
        self.history.stopped = saved["stopped"] if saved["stopped"] in DONE else ""
        for watch, name in self._watches:
            if watch:
                watch.restore(saved[name])
        if self.stopper and self.best_parameters is not None:
            self.history.kept = self.stopper.best_epoch
        self.plateau_factor = saved["plateau_factor"]

    @property
    def _watches(self) -> tuple[tuple[Watch | None, str], ...]:
        return (self.stopper, "early_stopping"), (self.plateau, "plateau")


def history_columns(tensors: Tensors, names: list[str]) -> dict[str, list[float]]:
    """Return the columns of a checkpoint's history."""
    return {name: tensors[f"training.history.{i}"].tolist() for i, name in enumerate(names)}


def digest(parameters: NDArray[Any]) -> tuple[int, int]:
    """Return what hardly stays the same when a parameter changes; a fifth of the time of a checksum."""
    bits = parameters.reshape(-1).view(f"u{parameters.itemsize}")
    return int(np.add.reduce(bits, dtype=bits.dtype)), int(np.bitwise_xor.reduce(bits))
