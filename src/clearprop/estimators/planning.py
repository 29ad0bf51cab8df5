"""A schedule that fits into a time: how long an epoch takes is measured, and how many fit follows.

A schedule that rises and falls over 256 epochs is worth little where a clock ends it in its second
rise. So the first seconds of a time limit go into steps on a copy of the parameters, and the whole
schedule, with all that depends on its length, is then made for the epochs that fit into the others.
Where they are few, each is made of a share of the rows, other ones in each, so that they fill the
time. From there on the clock decides nothing: the run has the bits of one that was asked for these
epochs, and its checkpoint goes on to them.
"""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from clearprop.checkpoint import write_tensors
from clearprop.estimators.options import Options
from clearprop.estimators.session import Session
from clearprop.model.file import describe, tensors_of
from clearprop.training.settings import Settings

if TYPE_CHECKING:
    from clearprop.estimators.running import Runner, Work
    from clearprop.estimators.training import EstimatorTraining

_MEASURED, _LONGEST = 0.08, 5.0  # of the time that is left is measured, and seconds of it at most
_FEW = 20  # epochs below which whole ones would leave too much of the time
_SMALLEST = 0.5  # share of the rows in an epoch then
_SLACK = 1.05  # of the limit, beyond which a run whose steps have become slower is ended


def is_asked(options: Options) -> bool:
    """Return whether a time limit is to be filled with the whole schedule of a preset."""
    fixed = options.like_sklearn or options.lbfgs or "learning_rate" in options.given
    return options.time_limit is not None and not fixed


def fitted(runner: Runner, work: Work, began: float) -> tuple[Options, Session]:
    """Return the options of a run whose schedule ends when its time does, if that is before its end.

    Parameters
    ----------
    runner : Runner
    work : Work
    began : float
        When the fit began, by `time.monotonic`: the limit counts from there.

    Raises
    ------
    ValueError
        If the time is too short for one epoch.
    """
    options, session = runner.options, runner.session
    assert options.time_limit is not None
    limit = float(options.time_limit)
    # What is smoothed here would be smoothed twice.
    alike = dataclasses.replace(options, label_smoothing=0.0, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say is said when the run begins
        alone = dataclasses.replace(runner, options=alike, session=Session(team=session.team))
        training = alone.prepare(work).training
    left = max(began + limit - time.monotonic(), 0.0)
    enough = left / options.max_iter / 4.0  # where all epochs fit, however much slower they become
    steps, end = training.epoch_seconds(min(_MEASURED * left, _LONGEST), enough)
    end += _writing_seconds(training, session)
    left, steps, end = training.processes.of_first([began + limit - time.monotonic(), steps, end])
    fit = left / (steps + end)
    if fit < 1.0:
        raise ValueError(
            f"time_limit must leave time for one epoch, which takes about {steps + end:.2g} s after "
            f"{limit - left:.2g} s of preparation, got {limit:g} s; raise it, or train on fewer rows"
        )
    if fit < options.max_iter:
        epochs = int(fit)
        share = (left / (epochs + 1) - end) / steps
        if epochs < _FEW and work.supply.whole_batches and _SMALLEST <= share < 1.0:
            epochs, session = epochs + 1, dataclasses.replace(session, share=share)
        now = Options.of(runner.estimator, epochs)
        options = dataclasses.replace(
            now, early_stopping=options.early_stopping, batch_size=options.batch_size
        )
    seconds = began + _SLACK * limit - time.monotonic()
    return dataclasses.replace(options, time_limit=seconds), session


def _writing_seconds(training: EstimatorTraining, session: Session) -> float:
    """Return how long an epoch's checkpoint takes; those that the clock asks for are few."""
    unit, every = Settings(checkpoint_every=session.checkpoint_every).interval
    if session.checkpoint is None or unit != "epochs" or not training.processes.is_first:
        return 0.0
    path = Path(os.path.expanduser(f"{session.checkpoint}.measured"))
    progress, parameters = training.progress, training.state.parameters
    tensors = tensors_of(training.model) | progress.tensors()
    tensors |= dict.fromkeys(("training.best_parameters", "training.averaged"), parameters)
    before = time.monotonic()
    try:
        write_tensors(path, tensors, describe(training.model))
    finally:
        path.unlink(missing_ok=True)
    return (time.monotonic() - before) / every
