"""Tuning: trials, a leaderboard, an ensemble, and the best network trained again."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from clearprop import randomness
from clearprop.estimators import baselines, reader
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.ensemble import Ensemble
from clearprop.estimators.inputs import as_rows
from clearprop.estimators.options import Options
from clearprop.evaluation import Evaluation
from clearprop.tuning import greedy, spaces, trials
from clearprop.tuning.checksum import described, given_arguments
from clearprop.tuning.examples import Examples
from clearprop.tuning.fitting import outputs_of, tally
from clearprop.tuning.folds import hold_out
from clearprop.tuning.study import Study, TrialResult, require_optuna
from clearprop.typing import Answers, Samples

Array = NDArray[Any]

TRIALS = 30  # where neither trials nor a time limit is given
_FIRST = 0.5  # of the time that is left to search, at most, for a trial that nothing is known of
_MORE_ROWS = 1.5  # times what as many epochs took: training again, on more rows, takes that at most
_OWN = 0.05  # of the time, for baselines and what is measured
_CANDIDATES = 25  # trials of which an ensemble is chosen


@dataclass(frozen=True, eq=False)
class Tuning:
    """What a tuning found.

    Attributes
    ----------
    trials : tuple of TrialResult
        The best first, then those that failed.
    weights : dict of float
        The share of each trial, by its number, in the ensemble.
    best : MLPClassifier or MLPRegressor
        The best trial, trained again on training and validation rows.
    ensemble : Ensemble
        So are its members.
    test : dict of Evaluation
        "best network", "ensemble", and the baselines on rows that have chosen nothing.
    losses : dict of float
        The objective on the same rows.
    results : dict of dict
        Cost and metrics there of the "best network" and the "ensemble", as their files have them.
    objective : {"log_loss", "rmse"}
    n_rows : dict of int
        "train", "validation" and "test".
    seed : int
    """

    trials: tuple[TrialResult, ...]
    weights: dict[int, float]
    best: BaseMLP
    ensemble: Ensemble
    test: dict[str, Evaluation]
    losses: dict[str, float]
    results: dict[str, dict[str, Any]]
    objective: str
    n_rows: dict[str, int]
    seed: int


def tune(
    estimator: BaseMLP,
    X: Samples,
    y: Answers,
    *,
    trials: int | None = None,
    time_limit: float | None = None,
    storage: str | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    times: ArrayLike | None = None,
    test_fraction: float = 0.2,
    seed: int | None = None,
    callbacks: Sequence[Callable[[TrialResult], object]] = (),
) -> Tuning:
    """Search an estimator's arguments, and train the best network and the best ensemble again.

    Rows are cut into three parts: every trial learns from the training rows; the validation rows
    (`validation_fraction` of the others) choose its epoch, the best trial and the ensemble; the test
    rows choose nothing, and every figure in `Tuning.test` is of them. The log loss is made small, or
    the root mean squared error. Trial 0 is the estimator as it was given.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Not changed. Arguments that are given are kept, the others are searched in the space of
        `clearprop.tuning.spaces`. Its preset must hold rows out, as "realmlp-s" does.
    X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
    y : array-like of shape (n_rows,), of quantities also (n_rows, n_outputs)
    trials : int, optional
        That the study is to have, with those that it had before. 30 if there is no limit at all.
    time_limit : float, optional
        Seconds for everything: the search leaves as much as training again will take.
    storage : str, optional
        A file, or the URL of a database ("sqlite:///study.db"), in which trials are kept. The same call
        goes on with them; several processes that make it share the work. None keeps them in memory.
    sample_weight : array-like of shape (n_rows,), optional
        How much a row counts in a training; in a metric each counts alike.
    groups : array-like of shape (n_rows,), optional
        Rows of one group are in one part.
    times : array-like of shape (n_rows,), optional
        Numbers or dates: the latest rows are the test rows, the latest of the others validate.
    test_fraction : float
        Above 0, at most 0.5.
    seed : int, optional
        Of the parts, the draws and the networks. None is the study's, or a new one.
    callbacks : sequence of callable
        Each is called with the `TrialResult` after every trial.

    Raises
    ------
    ImportError
        If Optuna is not installed: ``pip install 'clearprop[tune]'``.
    ValueError, TypeError
        Naming the argument, its rule and the value; if the storage holds another study, or every trial
        failed.
    KeyboardInterrupt
        After Ctrl-C. The storage has all trials that had ended.
    """
    began = time.monotonic()
    require_optuna()
    _check(estimator, trials, time_limit, test_fraction)
    seed = None if seed is None else randomness.check_seed(seed) % 2**32
    examples = Examples.of(estimator, X, y, sample_weight, groups, times)
    about = {
        "table": described(estimator, examples),
        "arguments": given_arguments(estimator),
        "test_fraction": test_fraction,
    }
    study = Study(storage, about, seed)
    parts = _parts(estimator, examples, test_fraction, study.seed)
    end = None if time_limit is None else began + time_limit * (1.0 - _OWN)
    wanted = TRIALS if trials is None and time_limit is None else trials
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted by user")  # KeyboardInterrupt says it
        warnings.filterwarnings("ignore", category=ConvergenceWarning)  # of what is only tried
        _search(study, estimator, parts, wanted, end, callbacks)
        own = math.inf if time_limit is None else max(_OWN * time_limit, baselines.LEAST)
        return _finished(study, estimator, parts, own)


def _check(
    estimator: BaseMLP, n_trials: int | None, time_limit: float | None, test_fraction: float
) -> None:
    if not isinstance(estimator, BaseMLP):
        raise TypeError(f"estimator must be an MLPClassifier or MLPRegressor, got {estimator!r}"[:200])
    if n_trials is not None and (isinstance(n_trials, bool) or not isinstance(n_trials, Integral)):
        raise TypeError(f"trials must be a whole number, got {n_trials!r}")
    if n_trials is not None and n_trials < 1:
        raise ValueError(f"trials must be at least 1, got {n_trials}")
    if time_limit is not None and not 0 < time_limit < np.inf:
        raise ValueError(f"time_limit must be above 0, got {time_limit}")
    if not 0 < test_fraction <= 0.5:
        raise ValueError(f"test_fraction must be above 0 and at most 0.5, got {test_fraction}")
    options = Options.of(estimator)
    for name in [each for each in ("calibrate", "threshold") if each in options.chosen]:
        raise ValueError(
            f"tune trains what it has chosen again, on the rows that {name} would be chosen on: leave "
            f"it out, got {name}={getattr(options, name)!r}"
        )
    if not options.early_stopping or not 0 < options.validation_fraction <= 0.5:
        raise ValueError(
            "tune needs rows to choose by: early_stopping=True, as preset='realmlp-s' has it, with a "
            "validation_fraction above 0 and at most 0.5, got early_stopping="
            f"{options.early_stopping}, validation_fraction={options.validation_fraction}"
        )


def _parts(estimator: BaseMLP, examples: Examples, test_fraction: float, seed: int) -> trials.Parts:
    rest, test = hold_out(examples, test_fraction, seed)
    learned = examples.part(rest)
    share = float(Options.of(estimator).validation_fraction)
    train, validation = hold_out(learned, share, seed)
    return trials.Parts(learned.part(train), learned.part(validation), examples.part(test), learned)


def _search(
    study: Study,
    base: BaseMLP,
    parts: trials.Parts,
    wanted: int | None,
    end: float | None,
    callbacks: Sequence[Callable[[TrialResult], object]],
) -> None:
    """Run trials until there are enough, or what is left of the time is needed for training again."""
    options = Options.of(base)
    if (first := spaces.begin_with(options, spaces.fixed_by(options))) is not None:
        study.begin_with(first)
    while True:
        done = study.results()
        if wanted is not None and len(done) >= wanted:
            return
        until, now = _until(study, done, parts, end), time.monotonic()
        if done and now + min(each.seconds for each in done) > until:
            return
        result = _try(study, base, parts, until)
        for call in callbacks:
            call(result)


def _until(study: Study, done: Sequence[TrialResult], parts: trials.Parts, end: float | None) -> float:
    """Return when the search has to end."""
    if end is None:
        return math.inf
    if not any(not each.error for each in done):
        now = time.monotonic()
        return now + _FIRST * (end - now)
    best, weights = _chosen(study, done, parts)
    seconds = {each.number: each.seconds * each.epochs / each.epochs_made for each in best}
    again = sum(seconds[number] for number in {best[0].number, *weights})
    return end - _MORE_ROWS * again


def _try(study: Study, base: BaseMLP, parts: trials.Parts, until: float) -> TrialResult:
    """Run a trial; one that fails is a result too."""
    began, trial = time.monotonic(), study.ask()
    options = Options.of(base)
    fixed = spaces.fixed_by(options)
    is_given = study.place_of(trial.number) == 0 and spaces.begin_with(options, fixed) is None
    try:
        arguments = {} if is_given else spaces.suggest(trial, base._task.kind, fixed)
        found = trials.run(base, arguments, parts, study.seed_of(trial.number), until)
    except Exception as problem:
        sentence = " ".join(str(problem).split()) or type(problem).__name__
        study.fail(trial, sentence, round(time.monotonic() - began, 3))
    except BaseException:
        study.fail(trial, "")
        raise
    else:
        seconds = round(time.monotonic() - began, 3)
        told = {
            "metrics": found.metrics,
            "epochs": found.epochs,
            "epochs_made": found.epochs_made,
            "seconds": seconds,
        }
        study.complete(trial, found.loss, told, found.outputs)
    return next(each for each in study.results() if each.number == trial.number)


def _chosen(
    study: Study, done: Sequence[TrialResult], parts: trials.Parts
) -> tuple[list[TrialResult], dict[int, float]]:
    """Return the trials that did not fail, the best first, and the ensemble's weights by number."""
    best = sorted((each for each in done if not each.error), key=lambda each: each.loss)
    if not best:
        raise ValueError(f"every trial failed; the first: {done[0].error}")
    some = best[:_CANDIDATES]
    outputs = [study.outputs(each.number) for each in some]
    found = greedy.select(outputs, lambda mean: trials.loss_of(mean, parts.validation))
    weights = {each.number: float(w) for each, w in zip(some, found, strict=True) if w > 0}
    return best, weights


def _finished(study: Study, base: BaseMLP, parts: trials.Parts, seconds: float) -> Tuning:
    """Train what was chosen again, and measure it on the rows that chose nothing.

    Baselines may take so many seconds.
    """
    done, kind = study.results(), base._task.kind
    best, weights = _chosen(study, done, parts)
    by_number, fixed = {each.number: each for each in done}, spaces.fixed_by(Options.of(base))
    again = {}
    for number in {best[0].number: None, **weights}:
        each = by_number[number]
        drawn = study.drawn(each.parameters)
        arguments = spaces.suggest(drawn, kind, fixed) if each.parameters else {}
        seed = study.seed_of(number)
        again[number] = trials.train_again(base, arguments, each.epochs, parts.learned, seed)
    network = again[best[0].number]
    ensemble = Ensemble(tuple(again[number] for number in weights), tuple(weights.values()))
    test = parts.test
    outputs = {
        "best network": outputs_of(network, test),
        "ensemble": outputs_of(ensemble, test),
        **_outputs_of_baselines(network, parts, seconds, study.seed),
    }
    known = None if test.classes is None else network.classes_
    return Tuning(
        (*best, *(each for each in done if each.error)),
        weights,
        network,
        ensemble,
        {name: tally(each, test, known).result() for name, each in outputs.items()},
        {name: trials.loss_of(each, test) for name, each in outputs.items()},
        {
            "best network": trials.result_of(Ensemble((network,), (1.0,)), test),
            "ensemble": trials.result_of(ensemble, test),
        },
        "rmse" if test.classes is None else "log_loss",
        {"train": len(parts.train), "validation": len(parts.validation), "test": len(test)},
        study.seed,
    )


def _outputs_of_baselines(
    network: BaseMLP, parts: trials.Parts, seconds: float, seed: int
) -> dict[str, Array]:
    """Return what each baseline makes of the test rows, by its name.

    They see the numbers that the network makes of the columns.
    """
    model, learned, test = network.network_.model, parts.learned, parts.test
    train, measured = (
        np.asarray(as_rows(reader.read_X(network, each.X), model.dtype, model.inputs)[:])
        for each in (learned, test)
    )
    rows = baselines.Rows(train, learned.y, learned.weight)
    found = {}
    for each in baselines.learn(rows, test.classes is not None, seconds, seed):
        left = [f"of {each.rows:,} rows"] if each.rows < len(learned) else []
        left += [each.unfinished] if each.unfinished else []
        name = each.name + (f" ({', '.join(left)})" if left else "")
        found[name] = outputs_of(each.model, replace(test, X=measured))
    return found
