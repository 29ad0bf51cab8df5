"""A training from the command line, the same way for arrays and for tables.

In: `Options`, and a `Job`, which is the data that were read and what is to be trained on them. Out: a
model's file, the history as CSV, a report, an exit code. What is refused is refused before a training
begins, and nothing is written until then.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import clearprop as cp
from clearprop import Training
from clearprop.cli import errors, outcome, processes, terminal
from clearprop.cli.options import Options
from clearprop.data.spool import default_folder

if TYPE_CHECKING:
    from clearprop.data.table import TableEncoder

_LOG_SECONDS = 1.0  # between two writings of the log


class Job(Protocol):
    """Data that were read, and what is to be trained on them."""

    @property
    def name(self) -> str:
        """What the model is called where nothing is said."""

    def train(self, run: Run) -> None:
        """Prepare the training, hand it to `Run.begin`, and run it."""

    def save(self, run: Run, output: str) -> outcome.Outcome:
        """Write the model of a training that has ended; return what is to be shown of it."""


class Run:
    """One training: what is said of it, its log, and how it ends."""

    def __init__(self, options: Options, resumes: bool) -> None:
        self.options, self.resumes = options, resumes
        self.log = Log(options.log if processes.is_first() else None)
        self.callbacks = [self.log, *(watches(options) if processes.is_first() else ())]
        self._training: Training | None = None

    @property
    def training(self) -> Training:
        """The training that was begun."""
        assert self._training is not None
        return self._training

    def begin(
        self, training: Training, said: Sequence[str], encoder: TableEncoder | None = None
    ) -> None:
        """Take a training that is prepared, and say on standard error what it is.

        Parameters
        ----------
        training : Training
        said : sequence of str
            Lines on the data and the network.
        encoder : TableEncoder, optional
            Whose columns are shown before them.
        """
        self._training = training
        if self.options.quiet:
            return
        if self.resumes:
            _say_resumed(self.options, training)
        if encoder is not None:
            outcome.show_columns(encoder, error=True)
        console = terminal.console(error=True)
        for line in filter(None, (*said, processes.described(training.processes.processor))):
            terminal.print_line(console, line)

    def train(self, job: Job, output: str) -> int:
        """Train, save and show; return the exit code.

        A model is saved also where the checkpoint cannot be written any more; what failed is said then.
        """
        code = None
        try:
            job.train(self)
        except errors.Terminated:
            code = errors.TERMINATED
        except (OSError, cp.CheckpointError) as problem:
            if problem is not self._unwritten:
                raise
        finally:
            if self._training is not None:
                self.log.write(self._training.history)
        if code is None and self.training.history.stopped == "interrupted":
            code = errors.INTERRUPTED
        unwritten = self._unwritten
        if code is not None and unwritten is None:
            return self._interrupted(code)
        if not processes.is_first():
            return code or 0
        found = self._save(job, output)
        if self.options.json:
            terminal.print_json(found.to_dict())
        elif not self.options.quiet:
            outcome.show(found)
        if unwritten is None and found.saved == output:
            return 0
        if unwritten is not None:
            errors.tell(unwritten)
            errors.say(f"the checkpoint lacks what was trained, the model was saved: {found.saved}")
        return code or errors.FAILED

    @property
    def _unwritten(self) -> Exception | None:
        return None if self._training is None else self._training.unwritten

    def _save(self, job: Job, output: str) -> outcome.Outcome:
        """Write the model, elsewhere if need be: its folder may have moved, or its disk be full."""
        try:
            return job.save(self, output)
        except OSError as problem:
            if self.options.checkpoint and self._unwritten is None:
                errors.say(
                    f"{self.options.checkpoint} holds what was trained: the same command with --resume "
                    "saves its model (another --output, elsewhere)"
                )
                raise
            name = f"{Path(output).stem}-{os.getpid()}.safetensors"
            for folder in (".", default_folder()):
                with contextlib.suppress(OSError):
                    found = job.save(self, os.path.join(folder, name))
                    errors.tell(problem)
                    errors.say(f"the model was saved elsewhere: {os.path.abspath(found.saved)}")
                    return found
            raise

    def _interrupted(self, code: int) -> int:
        """Say where an interrupted run has left what it learned."""
        where, checkpoint = "interrupted", self.options.checkpoint
        if self._training is not None:
            where += f" at epoch {self._training.epochs_done}, step {self._training.state.step}"
        if checkpoint and self._training is not None:
            errors.say(f"{where}; the same command with --resume goes on from {checkpoint}")
        else:
            remedy = "with --checkpoint FILE a run can be gone on with"
            if self._training is not None and isinstance(self._training.settings.optimizer, cp.LBFGS):
                remedy = "L-BFGS has no checkpoints"
            errors.say(f"{where}; nothing was saved ({remedy})")
        return code


def watches(options: Options) -> list[cp.Watch]:
    """Return what shows a training in the browser, if it is asked for.

    Raises
    ------
    ValueError
        If there is nothing to serve with, or the port is none or taken.
    """
    if not options.watch:
        if options.port is not None:
            raise ValueError(f"--port goes with --watch, got --port {options.port} alone")
        return []
    from clearprop.watching.address import listen

    try:
        watch = cp.Watch(options.port)
    except ImportError as problem:
        raise ValueError(str(problem)) from None
    listen(watch.port).close()  # before data are read, which may take minutes
    return [watch]


def describe_network(training: Training) -> str:
    """Return a line on what is trained, and how."""
    net, optimizer = training.net, training.settings.optimizer
    schedule = optimizer.schedule
    rate = getattr(schedule, "rate", None) or schedule(0.0)
    shown = "" if isinstance(optimizer, cp.LBFGS) else f" {rate:g}"
    plan, how = training.plan, training.settings.shuffle
    batches = f"batches of {plan.batch_size}"
    if plan.n_batches is not None:
        batches = f"{plan.n_batches} batches"
    if how != "epoch":
        batches += ", the same in every epoch" if how else ", in the order of the rows"
    embedding = net.architecture.embedding
    embedded = "" if embedding is None else f"{embedding} ({net.architecture.widths[0]:,} in all), "
    n = net.model.n_members
    several = "network" if n == 1 else f"{n} networks"
    return (
        f"{several} {'-'.join(map(str, net.sizes))}, {embedded}{net.layers[0].function}, "
        f"{net.architecture.cost.name}; {type(optimizer).__name__}{shown}, {batches}, "
        f"{training.engine.name} engine"
    )


def _say_resumed(options: Options, training: Training) -> None:
    """Say from where a run goes on, and whether there is anything left to do."""
    done, wanted = training.epochs_done, training.settings.epochs
    errors.say(f"resumed at epoch {done}, step {training.state.step} ({options.checkpoint})")
    if training.history.stopped:
        errors.say(f"nothing is left to do: {training.history.stopped} ended it at epoch {done}")
    elif done >= wanted:
        errors.say(
            f"nothing is left to do: {done} of {wanted} epochs are done (a larger --epochs trains on)"
        )


class Log:
    """Writes the history as CSV while it grows; a file that cannot be written is only warned of."""

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else os.path.expanduser(path)
        self._written = time.monotonic()

    def __call__(self, training: Training) -> None:
        """Write after an epoch, at most once a second."""
        if self.path is not None and time.monotonic() - self._written >= _LOG_SECONDS:
            self.write(training.history)

    def write(self, history: cp.History) -> None:
        """Write all of the history."""
        if self.path is None:
            return
        try:
            Path(self.path).write_text(history.to_csv(), "utf-8")
        except OSError as problem:
            errors.say(
                f"warning: the log {self.path} cannot be written ({problem.strerror or problem}); "
                "the training goes on without it"
            )
            self.path = None
        self._written = time.monotonic()
