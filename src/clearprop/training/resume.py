"""Checkpoints: a training on disk, and a training that goes on from there to the same bits."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import checkpoint
from clearprop.activations import Activation
from clearprop.checkpoint import CheckpointError, WriterLock
from clearprop.costs import Cost
from clearprop.engines import ALSO_CALLED, cpu
from clearprop.model import file as model_file
from clearprop.user_warning import warn

if TYPE_CHECKING:
    from clearprop.training.loop import Loop


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


def versions(engine: str, processor: str = "") -> dict[str, str]:
    """Return the versions on which bit-identity depends, and a processor that was agreed on."""
    from importlib.metadata import version  # slow to import, and only a checkpoint needs it

    found = {
        "clearprop": version("clearprop"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    if engine == "compiled":
        found |= cpu.versions()
    if engine.startswith("jax"):
        from clearprop.engines.jax.devices import Devices

        found |= {"jax": version("jax"), "jaxlib": version("jaxlib"), "devices": str(Devices(engine))}
    return found | ({"processor": processor} if processor else {})


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


def _why(problem: OSError | CheckpointError) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return f"checkpoint {problem.filename}: {problem.strerror}"
    return f"checkpoint: {problem}"


def _checked_path(checkpoint: Any) -> Path:
    if not isinstance(checkpoint, str | os.PathLike) or not os.fspath(checkpoint):
        raise TypeError(f"checkpoint must be the path of a file, got {checkpoint!r}")
    path = Path(os.path.expanduser(os.fspath(checkpoint)))
    if path.is_dir():
        raise IsADirectoryError(f"checkpoint must be a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"checkpoint must lie in a folder that exists, got {path}")
    return path


class CheckpointFile:
    """Where a training is written to, when, and how it is taken back.

    Raises
    ------
    FileExistsError
        If the file is there and ``resume`` was not asked for: it would be lost.
    ValueError
        If the file's training differs from the one that is to go on, naming each difference.
    """

    def __init__(self, training: Loop) -> None:
        self.training = training
        options = training.settings
        self.path = _checked_path(options.checkpoint)
        self.unit, self.every = options.interval
        self.data_fingerprint = fingerprint(*training.supply.identity(), *(training.validation or ()))
        self._last_epoch, self._last_time = training.epochs_done, time.monotonic()
        self._written_at: tuple[int, int] | None = None
        self._checksum: str | None = None  # of the file that the training was read from or written to
        self._begun = self._warned = False
        self.problem: OSError | CheckpointError | None = None  # why the file lacks what was trained
        self._look()  # what is refused is refused, and what is resumed is shown, before any run

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs from the file, and go on from it as it is now.

        It may have come, gone or been replaced since the training was made, or since its last run.
        """
        with WriterLock(self.path):
            known = self._checksum
            self._look()
            if self._checksum != known:
                state = self.training.state
                print(
                    f"{self.path} was written meanwhile: the run goes on from epoch "
                    f"{self.training.epochs_done}, step {state.step}",
                    file=sys.stderr,
                )
            self._begun = True
            yield

    def _look(self) -> None:
        """Restore what the file holds unless the training has it, or refuse to write over it."""
        if not self.path.exists():
            self._written_at = None
            return
        found = self._found()  # before it is read: what is replaced in between is read again in `held`
        if found is not None and found == self._checksum:
            return
        if self._begun:
            raise FileExistsError(
                f"checkpoint {self.path} was written by another training since this one's last run; "
                "move it away, or go on from it with a new training and resume=True"
            )
        if not self.training.settings.resume:
            raise FileExistsError(
                f"checkpoint {self.path} exists; use resume=True to go on from it, or another name"
            )
        self._restore()
        self._checksum, self._written_at = found, None
        self.training.processes.note_checkpoint()
        self._last_epoch, self._last_time = self.training.epochs_done, time.monotonic()

    def _found(self) -> str | None:
        """Return the checksum of the file, None where it has none."""
        with contextlib.suppress(CheckpointError, OSError):
            return checkpoint.read_checksum(self.path)
        return None

    @property
    def is_due(self) -> bool:
        """Whether an interval is over since the file was written."""
        state, done = self.training.state, self.training.epochs_done
        if self.unit == "epochs":
            return state.epoch_step == 0 and done >= self._last_epoch + self.every
        return time.monotonic() - self._last_time >= self.every

    def write_if_due(self) -> None:
        """Write a checkpoint when its interval is over."""
        if not self.is_due:
            return
        training = self.training
        try:
            self.write()
        except (OSError, CheckpointError) as problem:
            # What was trained is worth more than a file of it: the run goes on, and tries again.
            self._last_epoch, self._last_time = training.epochs_done, time.monotonic()
            if not self._warned:
                self._warned = True
                warn(f"{_why(problem)}; the training goes on, and tries again")

    def write(self) -> None:
        """Write the training as it is now, unless the file holds it already.

        Raises
        ------
        OSError, CheckpointError
            If it cannot be written; it is kept in `problem` until it can.
        """
        try:
            self._write()
        except (OSError, CheckpointError) as problem:
            self.problem = problem
            raise
        self.problem = None

    def _write(self) -> None:
        training, state = self.training, self.training.state
        if self._written_at == (state.epoch, state.step):
            return
        tensors = model_file.tensors_of(training.model) | training.progress.tensors()
        metadata = model_file.describe(training.model) | {"training": self._describe()}
        self._checksum = checkpoint.write_tensors(self.path, tensors, metadata)
        self._last_epoch, self._last_time = training.epochs_done, time.monotonic()
        self._written_at = (state.epoch, state.step)
        training.processes.note_checkpoint()

    def _describe(self) -> dict[str, Any]:
        training = self.training
        return training.progress.describe() | {
            "settings": training.settings.describe() | training.supply.describe(),
            "seed": training.plan.seed,
            "engine": training.engine.name,
            "n_threads": training.settings.n_threads,
            "data": self.data_fingerprint,
            "kept": training.kept_in_checkpoint(),
            "versions": versions(training.engine.name, training.processes.processor),
        }

    def _restore(self) -> None:
        tensors, metadata = model_file.read_described(self.path)
        if "training" not in metadata:
            raise CheckpointError(f"{self.path} holds a model, not a training that could be resumed")
        self._compare(metadata["training"], metadata)
        architecture = self.training.model.architecture
        functions = [layer.function for layer in architecture.layers]
        own: list[Activation | Cost] = [] if architecture.cost.built_in else [architecture.cost]
        own += [e for each in functions for e in (each, *each.parts) if not e.built_in]
        parameters = model_file.parts_of(self.path, tensors, metadata, own).model.parameters
        try:
            self._take(metadata["training"], tensors, parameters)
        except CheckpointError as problem:
            raise CheckpointError(f"{self.path}: {problem}") from None

    def _compare(self, saved: dict[str, Any], metadata: dict[str, Any]) -> None:
        training = self.training
        now = training.settings.describe() | training.supply.describe()
        # As before there was any.
        before = {"averaging": 0.0, "running_every": None, "n_batches": None, "shuffle": "epoch"}
        before |= {"shards": None, "fast_sum": False, "augment": None}
        then: dict[str, Any] = before | saved["settings"]
        now["network"] = _in_short(model_file.describe(training.model)["architecture"])
        then["network"] = _in_short(metadata["architecture"])
        if training.settings.seed is not None:
            now["seed"], then["seed"] = training.settings.seed, saved["seed"]
        if training.model.seed_given:
            now["network seed"], then["network seed"] = training.model.seed, metadata["seed"]
        now["dtype"], then["dtype"] = training.model.dtype, metadata["dtype"]
        now["classes"], then["classes"] = list(training.model.classes or ()), metadata["classes"] or []
        now["engine"] = training.engine.name
        then["engine"] = ALSO_CALLED.get(saved["engine"], saved["engine"])
        different = [
            f"{name} is {now.get(name)!r}, was {repr(then.get(name))[:200]}"  # a file may say anything
            for name in sorted({*now, *then})
            if now.get(name) != then.get(name)
        ]
        if saved["data"] != self.data_fingerprint and now["dtype"] == then["dtype"]:
            different.append("the data are not the same")
        if different:
            raise ValueError(
                f"{self.path} cannot be resumed with other settings: {'; '.join(different)}"
            )
        here = versions(training.engine.name, training.processes.processor)
        changed = [
            f"{name} {there} (now {here.get(name)})"
            for name, there in saved["versions"].items()
            if here.get(name) != there
        ]
        if saved["n_threads"] != training.settings.n_threads and now["shards"] is None:
            changed.append(f"n_threads {saved['n_threads']} (now {training.settings.n_threads})")
        if changed:
            print(
                f"{self.path} was written with {', '.join(changed)}: the run goes on, but not to the "
                "same bits",
                file=sys.stderr,
            )

    def _take(
        self, saved: dict[str, Any], tensors: dict[str, NDArray[Any]], parameters: NDArray[Any]
    ) -> None:
        training, steps = self.training, self.training.plan.steps_per_epoch
        if not saved["state"]["epoch_step"] < steps:
            raise CheckpointError(f"it stands at step {saved['state']['epoch_step']} of {steps}")
        kept = saved.get("kept") or {}
        if kept.keys() != training.kept_in_checkpoint().keys():
            raise CheckpointError("it is of another kind of training")
        training.progress.check(saved, tensors, training.settings.hands_over_a_mean)
        # Nothing is refused from here on: what is refused changes nothing.
        training.progress.take(saved, tensors, parameters)
        training.take_from_checkpoint(kept)
        training.model.training_seed = saved["seed"]
        training.plan = training._make_plan()
