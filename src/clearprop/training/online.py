"""One row at a time: a training without rows, and the step that any makes of a row it is given."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.costs import ANY
from clearprop.data.row_stream import Stretch
from clearprop.engines import Data, Plan
from clearprop.model.model import Model
from clearprop.model.one_row import is_row
from clearprop.optimizers import LBFGS
from clearprop.schedules import at, constant, find_plateau
from clearprop.training import divergence
from clearprop.training.course import course_of
from clearprop.training.preparation import Prepared, check_parameters, smoothed, smoother
from clearprop.training.settings import Settings
from clearprop.training.supply import Part, Supply

if TYPE_CHECKING:
    from clearprop.training.loop import Loop

Array = NDArray[Any]

# What is looked at when an epoch of rows is over, or hands over other parameters than the last.
_OF_ROWS = (
    "n_batches", "metrics", "train_metrics", "running_every", "averaging", "early_stopping",
    "callbacks", "time_limit", "shards", "augment",
)  # fmt: skip


class NoRows(Supply):
    """Nothing to make epochs of: every step is given its row, and is an epoch of it."""

    n_samples = 1

    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """As in `Supply`: there is none."""
        raise ValueError(_NO_ROWS)

    def blocks(self, n_rows: int, among: Stretch | None = None) -> Iterator[Data]:
        """As in `Supply`: there are none."""
        return iter(())

    def identity(self) -> tuple[Array | None, ...]:
        """As in `Supply`."""
        return (None,)

    def map_targets(self, function: Callable[[Array], Array]) -> None:
        """As in `Supply`: there are none yet."""

    def __enter__(self) -> Supply:
        raise ValueError(_NO_ROWS)


_NO_ROWS = (
    "run() needs rows, this training was made without X and Y: step(x, y) trains it, a row at a time"
)


def prepare(model: Model, Y: object, beside: Mapping[str, object], settings: Settings) -> Prepared:
    """Return a training without rows as `preparation.prepare` returns one with them.

    Raises
    ------
    ValueError
        Where something was given that goes with rows.
    """
    check_parameters(model)
    beside = {"Y": Y, **beside}
    given = [name for name, value in beside.items() if value is not None]
    given += [name for name in _OF_ROWS if getattr(settings, name)]
    given += ["a plateau's schedule"] if find_plateau(settings.optimizer.schedule) else []
    given += ["LBFGS"] if isinstance(settings.optimizer, LBFGS) else []
    if given:
        raise ValueError(
            f"{given[0]} needs X, rows to train on: a training without them makes single steps"
        )
    smoother(model, settings)  # which refuses outputs that are no probabilities
    return Prepared(NoRows(), None, model.architecture.is_labelled)


class Online:
    """Makes the steps of a training that are given their rows.

    Parameters
    ----------
    training : Loop

    Raises
    ------
    ValueError
        If the training hands over other parameters than its last, or makes no steps.
    """

    def __init__(self, training: Loop) -> None:
        options = training.settings
        for name in ("averaging", "early_stopping", "shards"):
            if getattr(options, name):
                raise ValueError(
                    f"step() cannot be used with {name}, which looks at many rows together"
                )
        if options.augment is not None:
            raise ValueError("step() cannot be used with augment: it trains on a row as it is given")
        if isinstance(options.optimizer, LBFGS):
            raise ValueError("step() needs an optimizer that makes steps, got LBFGS")
        self._training, self._model, self._lock = training, training.model, threading.Lock()
        self._schedule = options.optimizer.schedule
        self._row_step: Any = None
        self._smooth = smoother(training.model, options)
        self._smooths = bool(options.label_smoothing)
        self._of: Plan | None = None  # of the training, from which what follows was prepared

    def _prepare(self) -> None:
        """Prepare steps of one row each; a checkpoint that is gone on from brings another plan."""
        training, made = self._training, self._model.architecture
        self._of, n = training.plan, made.sizes[-1]
        one: dict[str, Any] = {"batch_size": 1, "n_samples": 1, "n_batches": None}
        self._plan = dataclasses.replace(training.plan, **one, counts_correct=False)
        prepared = None if training.settings.has_course else getattr(training.engine, "row_step", None)
        self._row_step = prepared and prepared(self._plan, training.state)
        ready = self._row_step is not None and not self._model.inputs.steps
        form = made.cost.form(made.output)
        any_numbers = (form.targets if form else made.cost.targets) == ANY and not self._smooths
        self._shapes = ((1, made.n_features), (made.n_features,)) if ready else ()
        self._target_shapes = ((1, n), (n,)) if ready and any_numbers else ()
        self._dtype, self._rows_of_labels = np.dtype(self._model.dtype), self._labels()

    def _labels(self) -> dict[Any, Array]:
        """Return the targets that labels stand for; none where a label's type does not tell it."""
        n, classes = self._model.architecture.sizes[-1], self._model.classes
        labels = list(range(n)) if classes is None else list(classes)
        if n == 1 or self._training.settings.step_by_step or {*map(type, labels)} not in ({int}, {str}):
            return {}
        return dict(zip(labels, self._smooth(self._model.encode(labels)), strict=True))

    def step(self, x: ArrayLike, y: Any) -> float:
        """As `Training.step`."""
        training, model = self._training, self._model
        if not self._lock.acquire(blocking=False):
            raise ValueError(_MEANWHILE)
        try:
            if model.in_training is not None and model.in_training in threading.enumerate():
                raise ValueError(_MEANWHILE)
            if training.plan is not self._of:
                self._prepare()
            return self._made_and_kept(x, y)
        finally:
            self._lock.release()

    def _made_and_kept(self, x: Any, y: Any) -> float:
        training, file = self._training, self._training._checkpoint
        training.take_latest()
        try:
            cost = self._made(x, y)
            if file is not None and file.is_due:
                with file.held():
                    file.write_if_due()
            return cost
        finally:
            training.hand_over()

    def _made(self, x: Any, y: Any) -> float:
        training, state, schedule = self._training, self._training.state, self._schedule
        time = training.epochs_done + state.epoch_step / training.plan.steps_per_epoch
        rate = schedule(time)
        if not isinstance(schedule, constant):
            rate *= training.progress.plateau_factor
        step, before = state.step, (state.epoch_step, state.epoch_cost)
        try:
            cost = self._quick_step(x, y, rate)
            return self._any_step(x, y, rate, time) if cost is None else cost
        finally:
            state.epoch_step, state.epoch_cost = before
            if state.step > step and isinstance(training.supply, NoRows):
                state.epoch += 1
            self._model.epochs_trained, self._model.steps_trained = state.epoch, state.step

    def _quick_step(self, x: Any, y: Any, rate: float) -> float | None:
        """Make a step where nothing has to be converted; None, and no step, where something has."""
        if type(x) is not np.ndarray or x.shape not in self._shapes or x.dtype != self._dtype:
            return None
        target = y
        if type(y) in (int, str):
            target = self._rows_of_labels.get(y)
            if target is None:
                return None
        elif type(y) is not np.ndarray or y.shape not in self._target_shapes or y.dtype != self._dtype:
            return None
        cost: float | None = self._row_step(x, target, rate)
        return cost

    def _any_step(self, x: Any, y: Any, rate: float, time: float) -> float:
        """Make a step of whatever stands for a row, by the engine as it makes those of many."""
        training, made, plan = self._training, self._model.architecture, self._plan
        settings, state = training.settings, training.state
        x = np.asarray(x)[None] if is_row(x, made.n_features) else x
        if np.ndim(x) == 2 and len(x) > 1:
            raise ValueError(f"step() takes one row, got {len(x)}: run() trains on many")
        if np.ndim(y) == 0 or (np.ndim(y) == 1 and len(y) != 1):
            y = [y]
        X, given = self._model.pair(x, y)
        Y = self._smooth(given)
        if settings.step_by_step:
            Y = smoothed(given, made.output, at(settings.label_smoothing, time))
        order = np.zeros((plan.n_members, 1) if plan.n_members > 1 else 1, np.int64)
        part = Part(state.epoch_step, Data(X, Y, None), order)
        course = course_of(settings, training.plan, training.epochs_done, state.epoch_step, 1)
        state.epoch_cost = 0.0
        report = training.engine.run(
            plan, state, part.data, part.order, np.array([rate]), part.first_step, course
        )
        if report.bad:
            raise divergence.diagnose(plan, state, part, report, rate)
        return state.epoch_cost


_MEANWHILE = "a network that is being trained cannot be trained a second time meanwhile"
