"""Checkpoints: a training on disk, and a training that goes on from there to the same bits."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import checkpoint, randomness
from clearprop.checkpoint import CheckpointError
from clearprop.names import is_number
from clearprop.training.history import RUNNING

if TYPE_CHECKING:
    from clearprop.training.history import History
    from clearprop.training.loop import Training

_COUNTERS = ("step", "updates", "epoch", "epoch_step", "epoch_cost")


def fingerprint(*arrays: NDArray[Any] | None) -> str:
    """Return a SHA-256 over shapes, dtypes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def versions(engine: str) -> dict[str, str]:
    """Return the versions on which bit-identity depends."""
    from importlib.metadata import version  # slow to import, and only a checkpoint needs it

    found = {
        "clearprop": version("clearprop"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    if engine == "numba":
        found["llvmlite"] = version("llvmlite")
    return found


def _history_tensors(history: History) -> dict[str, NDArray[Any]]:
    """Return the columns as arrays: they grow with the epochs, and a file's header is bounded."""
    columns = history.to_dict().values()
    tensors = {f"training.history.{i}": np.array(values) for i, values in enumerate(columns)}
    if history.running["samples"]:
        tensors |= {
            f"training.running.{name}": np.array(each) for name, each in history.running.items()
        }
    return tensors


def _in_short(architecture: dict[str, Any]) -> str:
    """Return a network's description as one line, by which two can be told apart."""
    layers = ", ".join(
        str(each["activation"]) + ("" if each["bias"] else " without biases")
        for each in architecture["layers"]
    )
    rest = {k: v for k, v in architecture.items() if k not in ("sizes", "layers")}
    cost = " ".join(map(str, rest.pop("cost").values()))
    more = "".join(f", {key} {value}" for key, value in rest.items() if value)
    return f"{'-'.join(map(str, architecture['sizes']))} ({layers}; {cost}{more})"


def history_columns(tensors: dict[str, NDArray[Any]], names: list[str]) -> dict[str, list[float]]:
    """Return the columns of a checkpoint's history.

    Raises
    ------
    CheckpointError
        If they are not of one length.
    """
    found = {str(name): tensors[f"training.history.{i}"].tolist() for i, name in enumerate(names)}
    if len({len(column) if isinstance(column, list) else -1 for column in found.values()}) > 1:
        raise CheckpointError("the columns of the history must be of one length")
    return found


def _running(tensors: dict[str, NDArray[Any]]) -> dict[str, list[float]]:
    """Return what a checkpoint's history holds of the epochs' insides."""
    none = np.zeros(0)
    found = {name: tensors.get(f"training.running.{name}", none) for name in RUNNING}
    if len({each.shape for each in found.values()}) > 1 or found["samples"].ndim != 1:
        raise CheckpointError("the columns of the running accuracy must be of one length")
    return {name: each.tolist() for name, each in found.items()}


class _Different(ValueError):
    """The training in a checkpoint is another one than that which is to go on."""


def _checked_path(checkpoint: Any) -> Path:
    if not isinstance(checkpoint, str | os.PathLike) or not os.fspath(checkpoint):
        raise TypeError(f"checkpoint must be the path of a file, got {checkpoint!r}")
    path = Path(os.path.expanduser(os.fspath(checkpoint)))
    if path.is_dir():
        raise IsADirectoryError(f"checkpoint must be a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"checkpoint must lie in a folder that exists, got {path}")
    return path


def _checked(name: str, value: object) -> Any:
    """Return a counter of a checkpoint's, which may have been made by anybody."""
    if name == "epoch_cost":
        if not is_number(value):
            raise CheckpointError(f"{name} must be a finite number, got {value!r}"[:200])
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**48:
        raise CheckpointError(f"{name} must be an integer from 0 to 2**48 - 1, got {value!r}"[:200])
    return value


class CheckpointFile:
    """Where a training is written to, when, and how it is taken back.

    Raises
    ------
    FileExistsError
        If the file is there and ``resume`` was not asked for: it would be lost.
    ValueError
        If the file's training differs from the one that is to go on, naming each difference.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        options = training.settings
        self.path = _checked_path(options.checkpoint)
        self.unit, self.every = options.interval
        self.data_fingerprint = fingerprint(*training.supply.identity(), *(training.validation or ()))
        self.resumed = False
        if self.path.exists():
            if not options.resume:
                raise FileExistsError(
                    f"checkpoint {self.path} exists; use resume=True to go on from it, or another name"
                )
            self._restore()
            self.resumed = True
        self._last_epoch, self._last_time = training.epochs_done, time.monotonic()
        self._written_at: tuple[int, int] | None = None

    def write_if_due(self) -> None:
        """Write a checkpoint when its interval is over."""
        training = self.training
        if self.unit == "epochs":
            due = (
                training.state.epoch_step == 0 and training.epochs_done >= self._last_epoch + self.every
            )
        else:
            due = time.monotonic() - self._last_time >= self.every
        if due:
            self.write()

    def write(self) -> None:
        """Write the training as it is now, unless the file holds it already."""
        training, state = self.training, self.training.state
        if self._written_at == (state.epoch, state.epoch_step):
            return
        tensors = checkpoint.network_tensors(training.net) | {"training.moments": state.moments}
        tensors |= {"training.window": training.window, **_history_tensors(training.history)}
        if training.best_parameters is not None:
            tensors["training.best_parameters"] = training.best_parameters
        if training.averaged is not None:
            tensors["training.averaged"] = training.averaged
        metadata = checkpoint.describe_network(training.net) | {"training": self._describe()}
        checkpoint.write_tensors(self.path, tensors, metadata)
        self._last_epoch, self._last_time = training.epochs_done, time.monotonic()
        self._written_at = (state.epoch, state.epoch_step)

    def _describe(self) -> dict[str, Any]:
        training, state = self.training, self.training.state
        return {
            "settings": training.settings.describe() | training.supply.describe(),
            "seed": training.plan.seed,
            "engine": training.engine.name,
            "n_threads": training.settings.n_threads,
            "data": self.data_fingerprint,
            "state": {name: getattr(state, name) for name in _COUNTERS},
            "first_epoch": training.first_epoch,
            "epoch_seconds": training.epoch_seconds,
            "history": list(training.history.columns),
            "stopped": training.history.stopped,
            "early_stopping": training.stopper.to_dict() if training.stopper else None,
            "plateau": training.plateau.to_dict() if training.plateau else None,
            "plateau_factor": training.plateau_factor,
            "kept": training.kept_in_checkpoint(),
            "versions": versions(training.engine.name),
        }

    def _restore(self) -> None:
        tensors, metadata = checkpoint.read_tensors(self.path)
        saved = metadata.get("training")
        if not isinstance(saved, dict):
            raise CheckpointError(f"{self.path} holds a model, not a training that could be resumed")
        try:
            self._compare(saved, metadata)
            self._take(saved, tensors)
        except (KeyError, TypeError, AttributeError, OverflowError, IndexError, ValueError) as problem:
            if isinstance(problem, CheckpointError | _Different):
                raise
            raise CheckpointError(f"{self.path} is not a complete checkpoint: {problem}") from None

    def _compare(self, saved: dict[str, Any], metadata: dict[str, Any]) -> None:
        training = self.training
        now = training.settings.describe() | training.supply.describe()
        # As before there was any.
        before = {"averaging": 0.0, "running_every": None, "n_batches": None, "shuffle": "epoch"}
        then: dict[str, Any] = before | saved["settings"]
        now["network"] = _in_short(checkpoint.describe_network(training.net)["architecture"])
        then["network"] = _in_short(metadata["architecture"])
        if training.settings.seed is not None:
            now["seed"], then["seed"] = training.settings.seed, saved["seed"]
        if training.net.seed_given:
            now["network seed"], then["network seed"] = training.net.seed, metadata["seed"]
        now["dtype"], then["dtype"] = training.net.dtype, metadata["dtype"]
        now["classes"], then["classes"] = list(training.net.classes or ()), metadata["classes"] or []
        now["engine"], then["engine"] = training.engine.name, saved["engine"]
        different = [
            f"{name} is {now.get(name)!r}, was {then.get(name)!r}"
            for name in sorted({*now, *then})
            if now.get(name) != then.get(name)
        ]
        if saved["data"] != self.data_fingerprint and now["dtype"] == then["dtype"]:
            different.append("the data are not the same")
        if different:
            raise _Different(
                f"{self.path} cannot be resumed with other settings: {'; '.join(different)}"
            )
        here = versions(training.engine.name)
        changed = [
            f"{name} {there} (now {here.get(name)})"
            for name, there in saved["versions"].items()
            if here.get(name) != there
        ]
        if saved["n_threads"] != training.settings.n_threads:
            changed.append(f"n_threads {saved['n_threads']} (now {training.settings.n_threads})")
        if changed:
            print(
                f"{self.path} was written with {', '.join(changed)}: the run goes on, but not to the "
                "same bits",
                file=sys.stderr,
            )

    def _take(self, saved: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        training, state = self.training, self.training.state
        counters = {name: _checked(name, saved["state"][name]) for name in _COUNTERS}
        first_epoch, factor = _checked("first_epoch", saved["first_epoch"]), saved["plateau_factor"]
        moments, parameters = (
            tensors["training.moments"],
            checkpoint.flat_parameters(training.net.architecture, tensors, training.net.dtype),
        )
        if moments.shape != state.moments.shape or moments.dtype != state.moments.dtype:
            raise CheckpointError(
                f"{self.path} has moments of shape {moments.shape} and {moments.dtype}, expected "
                f"{state.moments.shape} and {state.moments.dtype}"
            )
        steps = training.plan.steps_per_epoch
        if not counters["epoch_step"] < steps or not first_epoch <= counters["epoch"]:
            raise CheckpointError(f"{self.path} stands at step {counters['epoch_step']} of {steps}")
        state.parameters[:], state.moments[:] = parameters, moments
        for name, value in counters.items():
            setattr(state, name, value)
        training.window = tensors["training.window"].astype(bool)
        kept = {name: tensors.get(f"training.{name}") for name in ("best_parameters", "averaged")}
        for name, held in kept.items():
            if held is not None and (held.shape != parameters.shape or held.dtype != parameters.dtype):
                raise CheckpointError(f"{self.path} has {name.replace('_', ' ')} of shape {held.shape}")
        if training.settings.averaging and counters["epoch"] > first_epoch and kept["averaged"] is None:
            raise CheckpointError(f"{self.path} lacks the mean of the parameters")
        training.best_parameters, training.averaged = kept["best_parameters"], kept["averaged"]
        training.first_epoch, training.epoch_seconds = first_epoch, float(saved["epoch_seconds"])
        training.history.columns = history_columns(tensors, saved["history"])
        training.history.running = _running(tensors)
        # A run that was interrupted, or came to its limit, is to go on; one that was done is not.
        training.history.stopped = saved["stopped"] if saved["stopped"] == "early stopping" else ""
        for watch, name in ((training.stopper, "early_stopping"), (training.plateau, "plateau")):
            if watch:
                watch.restore(saved[name])
        if not is_number(factor) or not 0 < factor <= 1:
            raise CheckpointError(f"{self.path} has the plateau factor {factor!r}")
        training.plateau_factor = factor
        training.take_from_checkpoint(saved.get("kept") or {})
        training.net.training_seed = randomness.check_seed(saved["seed"])
        training.plan = training._make_plan()
