"""One trial: an estimator with some arguments, trained on rows, measured on others, trained again.

A trial learns from the training rows, and its best epoch is chosen on the validation rows. What is kept
in the end is trained again on both together, for as many epochs of the same schedule.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from clearprop.estimators.base import BaseMLP
from clearprop.estimators.ensemble import Ensemble
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.options import Options
from clearprop.evaluation import log_losses
from clearprop.model.ensemble import Averaged
from clearprop.model.measuring import intervals, measure_prepared
from clearprop.training.training import Training
from clearprop.tuning.examples import Examples
from clearprop.tuning.fitting import measure

Array = NDArray[Any]


class Parts(NamedTuple):
    """Rows by what they are for: no row serves two purposes."""

    train: Examples
    validation: Examples  # choose epoch, arguments and ensemble
    test: Examples  # choose nothing
    learned: Examples  # train and validation together


def loss_of(outputs: Array, examples: Examples) -> float:
    """Return the log loss of probabilities, or the root mean squared error of quantities."""
    codes = examples.codes
    if codes is None:
        error = outputs - examples.y.reshape(len(examples), -1)
        return float(np.sqrt((error**2).mean(axis=0)).mean())
    return float(log_losses(outputs, codes).mean())


class Found(NamedTuple):
    """What came of a trial."""

    loss: float
    metrics: dict[str, float]
    epochs: int  # until the best one
    epochs_made: int
    outputs: Array  # for the validation rows


def run(base: BaseMLP, arguments: Mapping[str, Any], parts: Parts, seed: int, until: float) -> Found:
    """Return what comes of an estimator with these arguments.

    Parameters
    ----------
    base : MLPClassifier or MLPRegressor
    arguments : mapping
        What it has beside its own.
    parts : Parts
    seed : int
    until : float
        The time, as `time.monotonic` has it, after which no epoch begins.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended its training.
    """
    made = _made(base, arguments, seed, [lambda training: time.monotonic() > until])
    validation = parts.validation
    choosing = validation.known_from(parts.train)
    _fit(made, parts.train, X_val=choosing.X, y_val=choosing.y)
    outputs, metrics = measure(made, validation)
    outputs = outputs.astype(np.float32)
    loss = loss_of(outputs, validation)
    if not np.isfinite(loss):
        raise ValueError("what it predicts is not finite")
    return Found(loss, metrics, best_epoch(made), int(made.n_iter_), outputs)


def train_again(
    base: BaseMLP, arguments: Mapping[str, Any], epochs: int, examples: Examples, seed: int
) -> Any:
    """Return an estimator trained on all of these rows, for the first epochs of a trial's schedule.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended its training.
    """
    # Schedules keep their horizon, which max_iter is.
    made = _made(base, arguments, seed, [lambda training: training.epochs_done >= epochs])
    _fit(made.set_params(early_stopping=False), examples)
    return made.set_params(callbacks=base.callbacks)


def _fit(made: Any, examples: Examples, **validation: Any) -> None:
    made.fit(examples.X, examples.y, sample_weight=examples.weight, **validation)
    if made.history_.stopped == "interrupted":
        raise KeyboardInterrupt


def result_of(ensemble: Ensemble, examples: Examples) -> dict[str, Any]:
    """Return how good an ensemble is on test rows, as the file of a model has it.

    Rows of classes that it has not seen are wrong, and the cost is over the others.
    """
    fitted = ensemble.members[0]
    known = np.flatnonzero(examples.known(getattr(fitted, "classes_", None)))
    some, n = examples.part(known), len(examples)
    data = Fitter(fitted).data_of(some.X, some.y)
    models = tuple(each.network_.model for each in ensemble.members)
    together = Averaged(models, ensemble.weights)
    found = measure_prepared(together.model, data, sure=True, asked=together.evaluate)
    if len(known) < n:
        found |= {"n_samples": n, "accuracy": found["accuracy"] * len(known) / n}
        found["intervals"] = intervals(found)
    return {"part": "test", **found}


def best_epoch(fitted: BaseMLP) -> int:
    """Return the epoch whose network was kept, counted from 1; of equal scores the last."""
    if Options.of(fitted).keeps_lowest_cost:
        costs = fitted.history_["validation_cost"]
        return int(np.nanargmin(costs)) + 1 if np.isfinite(costs).any() else max(1, fitted.n_iter_)
    scores = fitted.validation_scores_
    if not scores or not np.isfinite(scores).any():
        return max(1, fitted.n_iter_)
    return len(scores) - int(np.nanargmax(scores[::-1]))


def _made(
    base: BaseMLP,
    arguments: Mapping[str, Any],
    seed: int,
    callbacks: list[Callable[[Training], bool | None]],
) -> Any:
    made = clone(base)
    own = {"random_state": seed, "verbose": False, "callbacks": [*base.callbacks, *callbacks]}
    return made.set_params(**arguments, **own, test_share=0.0)  # others than a trial's rows judge
