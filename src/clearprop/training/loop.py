"""Loop: runs an engine stretch by stretch, and does everything that is not arithmetic."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import metrics
from clearprop.engines import Data, Plan, State
from clearprop.engines.announcement import announced, seconds_compiling
from clearprop.engines.members import state_of
from clearprop.flat_vector import select
from clearprop.model.model import Model
from clearprop.names import integer
from clearprop.optimizers import LBFGS
from clearprop.schedules import constant, find_plateau
from clearprop.training import display, divergence
from clearprop.training.augmentation import Augmented
from clearprop.training.callbacks import Callback, Callbacks, want_an_end
from clearprop.training.course import course_of, part_of
from clearprop.training.history import DONE, History
from clearprop.training.interrupt import Interrupts
from clearprop.training.preparation import Prepared, refuse_members
from clearprop.training.processes import processes_of
from clearprop.training.progress import Progress, digest
from clearprop.training.settings import Settings
from clearprop.training.stopping import Watch
from clearprop.training.supply import Part
from clearprop.user_warning import warn

STRETCH_SECONDS = 0.25  # how long an engine runs before Ctrl-C, clock and display are looked at


class Loop:
    """One training of a model on rows that are prepared, which can be gone on with.

    Parameters
    ----------
    model : Model
        Changed in place.
    prepared : Prepared
        Rows to train on, and to validate on.
    settings : Settings

    Attributes
    ----------
    history : History
    state : State
        Everything the next step depends on: parameters, moments, and where it is.
    progress : Progress
        These, and whatever else a checkpoint goes on from.
    epochs_done : int
        Since this training began.
    horizon : tuple of int and float
        Of the run that goes on, or was the last: the `epochs_done` it ends at, and the time on the
        monotonic clock when it ends at the latest.
    """

    net: Any  # what the caller holds of the model: callbacks ask it

    def __init__(self, model: Model, prepared: Prepared, settings: Settings) -> None:
        self.model, self.settings = model, settings
        supply, self.validation, self._labelled = prepared
        self.processes = processes_of(settings)
        if settings.seed is not None:
            model.training_seed, model.epochs_trained, model.steps_trained = settings.seed, 0, 0
        self.processes.begin(model)
        self.supply = self.processes.dealt(supply)
        self.plan = self._make_plan()
        with announced(self._display().compiling):
            self.engine = self.processes.engine(settings.engine, self.plan)
        self._every = settings.running_every or 0
        if self._every and not self._labelled:
            raise ValueError(
                f"running_every needs targets that are classes, got {self._every} and quantities"
            )
        self._callbacks = Callbacks(settings.callbacks)
        self._within = self._callbacks.within_epoch if self._every else ()
        self._check_monitored()
        self.progress = self._begin()
        if settings.augment is not None:
            self.supply = Augmented(
                self.supply, settings.augment, model, self.engine.name, settings.n_threads
            )
        self._moved = self._warned = False  # whether this epoch has changed a parameter so far
        # The parameters to go on from, where better ones are handed over.
        self._latest: NDArray[Any] | None = None
        self.horizon = settings.epochs, math.inf
        self._step_seconds = 1.0  # unknown yet: the first stretch is one step long
        self._checkpoint = None if settings.checkpoint is None else self.processes.checkpoint(self)
        self.processes.compare(self)

    def _display(self) -> display.Display:
        return display.make(self.settings.progress and self.processes.is_first)

    def _begin(self) -> Progress:
        model, optimizer = self.model, self.settings.optimizer
        stop, plateau = self.settings.early_stopping, find_plateau(optimizer.schedule)
        refuse_members(self.plan, self.supply, model.parameters.itemsize)
        state = state_of(model.parameters, optimizer.init, model.steps_trained, model.epochs_trained)
        return Progress(
            state,
            first_epoch=state.epoch,
            stopper=Watch(stop.monitor, stop.patience, stop.min_delta, stop.mode) if stop else None,
            plateau=Watch(plateau.monitor, plateau.patience, plateau.min_delta, plateau.mode)
            if plateau
            else None,
        )

    def _make_plan(self) -> Plan:
        model, options, n = self.model, self.settings, self.supply.n_samples
        size = options.largest_batch(n)
        if size > n:
            warn(
                f"batch_size {size} is larger than the {n} samples; all of them make one batch",
                UserWarning,
            )
            size = n
        return Plan(
            architecture=model.architecture,
            optimizer=options.optimizer,
            seed=model.training_seed,
            batch_size=size,
            n_samples=self.supply.n_trained(size),
            l2=float(options.l2),
            l1=float(options.l1),
            dropout=options.dropout_rates(len(model.architecture.layers) - 1),
            clip_norm=options.clip_norm,
            frozen=select(model.architecture.blocks, options.frozen),
            counts_correct=self._labelled,
            n_threads=options.n_threads,
            n_batches=options.n_batches,
            n_members=model.n_members,
            shares_layers=model.shares_layers,
        )

    def _check_monitored(self) -> None:
        columns = {"cost"} | ({"running_accuracy"} if self.plan.counts_correct else set())
        names = [metrics.resolve(each)[0] for each in self.settings.metrics if each != "cost"] + [
            "cost"
        ]
        columns |= {f"validation_{name}" for name in names} if self.validation else set()
        columns |= {f"training_{name}" for name in names} if self.settings.train_metrics else set()
        for column in self.settings.monitored():
            if column not in columns:
                raise ValueError(
                    f"monitor must be a column of the history, {', '.join(sorted(columns))}, got "
                    f"{column!r}; validation columns need validation_data, metrics need metrics"
                )

    def kept_in_checkpoint(self) -> dict[str, Any]:
        """Return, as JSON, what a kind of training goes on from besides the state."""
        return {}

    def take_from_checkpoint(self, kept: dict[str, Any]) -> None:
        """Go on from what `kept_in_checkpoint` returned."""

    # What goes on

    @property
    def state(self) -> State:
        """Everything the next step depends on: parameters, moments, and where it is."""
        return self.progress.state

    @property
    def history(self) -> History:
        """What was recorded so far."""
        return self.progress.history

    @contextmanager
    def judged_in_place(self) -> Iterator[None]:
        """Let the network have the parameters that are judged, for what asks the network itself."""
        if self.progress.averaged is None:
            yield
            return
        latest = self.state.parameters.copy()
        self.state.parameters[:] = self.progress.averaged
        try:
            yield
        finally:
            self.state.parameters[:] = latest

    @property
    def epochs_done(self) -> int:
        """The number of epochs since this training began."""
        return self.state.epoch - self.progress.first_epoch

    @property
    def unwritten(self) -> Exception | None:
        """Why the checkpoint lacks what was trained; None where it has it, or there is none."""
        return self._checkpoint.problem if self._checkpoint else None

    @property
    def part(self) -> Part:
        """The rows in memory: those of the step that is to be made, and of the steps around it."""
        return self.supply.part(self.plan, self.state.epoch, self.state.epoch_step)

    @property
    def data(self) -> Data:
        """The rows in memory: all of them, or what a stream's buffer holds."""
        return self.part.data

    @property
    def order(self) -> NDArray[np.int64]:
        """The order of these rows in the epoch that is going on; of members each one's, as rows."""
        return self.part.order

    def run(self, epochs: int | None = None) -> History:
        """Train `epochs` more (default: up to the epochs of the settings); return the history.

        Raises
        ------
        DivergenceError
            If a cost or parameter stops being finite; the network keeps the last finite parameters.
        FileExistsError
            If the checkpoint was written by another training since this one was made, or ran.
        CheckpointError
            If another run writes the checkpoint.
        OSError
            If the checkpoint cannot be written; the network keeps its parameters.
        """
        more = None if epochs is None else integer("epochs", epochs, 1)
        if self.model.in_training in threading.enumerate():  # a fork's child has no other thread
            raise ValueError(
                "a network that is being trained cannot be trained a second time meanwhile"
            )
        with (
            self.processes.together(),
            Interrupts() as interrupts,
            self._held(),
            self._callbacks.during(self),
        ):
            self._run(more, interrupts)
        return self.history

    def _held(self) -> AbstractContextManager[object]:
        return self._checkpoint.held() if self._checkpoint else nullcontext()

    def _run(self, more: int | None, interrupts: Interrupts) -> None:
        options = self.settings
        target = options.epochs if more is None else self.epochs_done + more
        self.take_latest()
        if self.history.stopped in DONE and more is None:
            target = 0
        else:
            self.history.stopped = ""
        deadline = time.monotonic() + options.time_limit if options.time_limit else math.inf
        self.horizon = target, deadline
        shown = self._display()
        shown.start(self.epochs_done, target, deadline)
        self.model.in_training = threading.current_thread()
        try:
            compiling = announced(shown.compiling)
            with self.supply, compiling:
                if isinstance(options.optimizer, LBFGS):
                    from clearprop.training.lbfgs import run_lbfgs

                    run_lbfgs(self, target, interrupts, deadline, shown)
                while self.epochs_done < target and not self.history.stopped:
                    self._stretch(interrupts, deadline, shown)
                if self._checkpoint:
                    self._checkpoint.write()
        finally:
            self.model.in_training = None
            self.hand_over()
            shown.finish()

    def _stretch(self, interrupts: Interrupts, deadline: float, shown: display.Display) -> None:
        state, plan = self.state, self.plan
        if state.epoch_step == plan.steps_per_epoch:  # a signal's handler raised after its last step
            self._end_epoch(float(self._rates(1)[0]), shown)
            return
        budget = min(STRETCH_SECONDS, max(deadline - time.monotonic(), 0.0))
        wanted = 1 if self.settings.step_by_step else max(1, round(budget / self._step_seconds))
        asked = time.monotonic()
        with self.processes.sharing_problems():  # of reading
            part = part_of(self.settings, plan, self.part, self.epochs_done, state.epoch_step)
        n_steps = min(self.processes.steps(wanted), part.after_step(plan) - state.epoch_step)
        seen = self.epochs_done * plan.n_samples + plan.batch(state.epoch_step).start
        if self._within:
            to_next = self._every - seen % self._every
            n_steps = min(n_steps, -(-to_next // plan.batch_size))
        rates = self._rates(n_steps)
        before = None if self._moved else digest(state.parameters)  # no copy: it would be three
        began, compiled = time.monotonic(), seconds_compiling()
        course = course_of(self.settings, plan, self.epochs_done, state.epoch_step, n_steps)
        report = self.engine.run(plan, state, part.data, part.order, rates, part.first_step, course)
        ended = time.monotonic() - (seconds_compiling() - compiled)
        if not self._moved:  # once an epoch is enough
            self._moved = before != digest(state.parameters)
        if report.bad:
            rate = float(rates[report.n_steps])
            found = divergence.diagnose(plan, state, part, report, rate)
            raise self.processes.diverged(found)
        noted = report.correct is not None and self.progress.look_back(
            report.correct, seen, self.settings.running_window, self._every, plan
        )
        self._step_seconds = max((ended - began) / n_steps, 1e-7)
        self.progress.epoch_seconds += ended - asked
        if state.epoch_step == plan.steps_per_epoch:
            self._end_epoch(float(rates[-1]), shown)
        else:
            of_epoch = plan.batch(state.epoch_step).start
            scale = 1.0 if plan.architecture.cost.reduction == "sum" else 1.0 / of_epoch
            row = {"cost": state.epoch_cost * scale} | self._running_accuracy()
            shown.stretch(self.epochs_done + state.epoch_step / plan.steps_per_epoch, row)
        self._call((*(self._within if noted else ()), *self._callbacks.after_stretch))
        if interrupts.received:
            self.history.stopped = "interrupted"
        elif time.monotonic() >= deadline and not self.history.stopped:
            self.history.stopped = "time limit"
        self.history.stopped = self.processes.ended(self.history.stopped)
        if self._checkpoint and not self.history.stopped:
            self._checkpoint.write_if_due()

    def _running_accuracy(self) -> dict[str, float]:
        if not (self.plan.counts_correct and self.progress.window.size):
            return {}
        return {"running_accuracy": float(self.progress.window.mean())}

    def _rates(self, n_steps: int) -> NDArray[np.float64]:
        schedule, spe = self.settings.optimizer.schedule, self.plan.steps_per_epoch
        if isinstance(schedule, constant):
            return np.full(n_steps, schedule.rate)
        first = self.state.epoch_step
        rates = [schedule(self.epochs_done + (first + i) / spe) for i in range(n_steps)]
        return np.array(rates) * self.progress.plateau_factor

    def _end_epoch(self, rate: float, shown: display.Display) -> None:
        state, plan = self.state, self.plan
        mean = plan.architecture.cost.reduction == "mean"
        cost = state.epoch_cost / plan.n_samples if mean else state.epoch_cost
        if not self._moved and rate > 0 and not self._warned:
            self._warned = True
            warn(
                f"epoch {state.epoch + 1} has changed no parameter: every step was zero, or less than "
                f"{self.net.dtype} can tell, at a learning rate of {rate:.3g}; relu units may be dead, "
                "sigmoid ones saturated, or the rate too small",
            )
        self._moved = False
        state.epoch, state.epoch_step, state.epoch_cost = state.epoch + 1, 0, 0.0
        self.model.epochs_trained, self.model.steps_trained = state.epoch, state.step
        self.record_epoch(cost, rate)
        shown.epoch({**self.history.row(-1), "epoch": self.epochs_done})

    def record_epoch(self, cost: float, rate: float) -> None:
        """Add the epoch that has just ended to the history, and see what follows from it."""
        if self.settings.averaging:
            self.progress.average(self.settings.averaging)
        self._take_mean()
        row: dict[str, float] = {"epoch": self.state.epoch, "cost": cost} | self._running_accuracy()
        if self.settings.train_metrics:
            row |= self._evaluate("training", next(self.supply.blocks(self.supply.n_samples)))
        if self.validation is not None:
            row |= self._evaluate("validation", self.validation)
        row["learning_rate"] = rate
        row["seconds"] = self.progress.epoch_seconds
        row["samples_per_second"] = self.plan.n_samples / max(self.progress.epoch_seconds, 1e-9)
        self.progress.epoch_seconds = 0.0
        self.history.append(row)
        if self.progress.follow(row, self.settings.optimizer.schedule, self.settings.early_stopping):
            self.history.stopped = "early stopping"
        self._call(self._callbacks.after_epoch)

    def _take_mean(self) -> None:
        state, optimizer = self.state, self.settings.optimizer
        if optimizer.has_mean:
            self.progress.averaged = optimizer.evaluated(state.parameters, state.each_moment)

    def _call(self, callbacks: Sequence[Callback]) -> None:
        if want_an_end(callbacks, self) and not self.history.stopped:
            self.history.stopped = "callback"

    def _evaluate(self, part: str, data: Data) -> dict[str, float]:
        a, cost = self.processes.evaluate(self.plan, self.progress.judged, data, self.engine.name)
        asked = self.settings.resolved_metrics()
        return {f"{part}_cost": cost} | metrics.measured(asked, a, data.Y, f"{part}_")

    def take_latest(self) -> None:
        """Go on from the latest parameters, where better ones were handed over and are still there."""
        latest, better = self._latest, self.progress.better
        if latest is not None and better is not None and np.array_equal(self.model.parameters, better):
            self.model.parameters[:] = latest
        self._latest = None

    def hand_over(self) -> None:
        """Leave the network as the caller is to find it: with its best parameters, or their mean."""
        self.model.epochs_trained, self.model.steps_trained = self.state.epoch, self.state.step
        self._take_mean()
        if self.progress.better is not None:
            self._latest = self.state.parameters.copy()
            self.model.parameters[:] = self.progress.better
