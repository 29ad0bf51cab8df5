"""Cross-validation: every row is predicted by a network that has not learned from it.

`sklearn.model_selection.cross_validate` takes our estimators too. This one has beside it: an interval
that knows that folds share rows, the predictions, and validation rows that fit the folds' groups and
times.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.tuning.estimates import Estimate
from clearprop.tuning.examples import Examples
from clearprop.tuning.fitting import fit, measure
from clearprop.tuning.folds import Fold, described, make_folds
from clearprop.typing import Answers, Samples

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Array = NDArray[Any]


@dataclass(frozen=True)
class FoldResult:
    """One fold.

    Attributes
    ----------
    repeat, number : int
        Both count from 1.
    n_train, n_held : int
    metrics : dict of float
        On the rows held out: as `clearprop evaluate` has them.
    seconds : float
    """

    repeat: int
    number: int
    n_train: int
    n_held: int
    metrics: dict[str, float]
    seconds: float


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What a cross-validation found.

    Attributes
    ----------
    metrics : dict of Estimate
        "accuracy", "log_loss", "brier" and "auc", or "rmse", "mae" and "r2".
    folds : tuple of FoldResult
    predictions : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        Of every row by networks that have not learned from it, the mean over repeats; NaN for the
        first part of the rows in time order. Probabilities in the order of `classes`, or quantities.
    classes : ndarray or None
    how : str
        How rows were held out: "stratified", "at random", "whole groups, stratified", "in time order".
    level : float
        Of the intervals.
    """

    metrics: dict[str, Estimate]
    folds: tuple[FoldResult, ...]
    predictions: Array
    classes: Array | None
    how: str
    level: float


def cross_validate(
    estimator: BaseEstimator,
    X: Samples,
    y: Answers,
    *,
    folds: int = 5,
    repeats: int = 1,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    times: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
    callbacks: Sequence[Callable[[FoldResult], object]] = (),
) -> CrossValidation:
    """Measure an estimator on rows that it has not learned from, in folds.

    Every fold begins with a copy of the estimator, which learns from its own rows what becomes of the
    columns, too: medians, categories, scales. Classes have their share in every fold.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or another of scikit-learn's kind
        Not changed. A classifier needs ``predict_proba``.
    X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
    y : array-like of shape (n_rows,), of quantities also (n_rows, n_outputs)
    folds : int
        At least 2.
    repeats : int
        How often the rows are cut anew.
    sample_weight : array-like of shape (n_rows,), optional
        How much a row counts in a training; in a metric each counts alike.
    groups : array-like of shape (n_rows,), optional
        Rows of one group are in one fold, all of them.
    times : array-like of shape (n_rows,), optional
        Numbers or dates. The rows are cut into ``folds + 1`` parts by time; each part but the first is
        predicted from those before it.
    level : float
        In (0, 1): of the intervals, which are `Estimate.of`'s (Nadeau and Bengio 2003).
    seed : int
        Of the folds. What an estimator draws is of its own ``random_state``.
    callbacks : sequence of callable
        Each is called with the `FoldResult` after every fold.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    KeyboardInterrupt
        After Ctrl-C.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> model = cp.MLPClassifier((), solver="lbfgs", random_state=0)
    >>> found = cp.cross_validate(model, X, X[:, 0] > X[:, 1])
    >>> found.metrics["accuracy"].mean > 0.9, len(found.folds), found.predictions.shape
    (True, 5, (60, 2))
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be above 0 and below 1, got {level}")
    examples = Examples.of(estimator, X, y, sample_weight, groups, times)
    cuts = make_folds(examples, folds, repeats, seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted by user")  # KeyboardInterrupt says it
        found, predictions = _run(estimator, examples, cuts, callbacks)
    ratio = float(np.mean([each.n_held / each.n_train for each in found]))
    estimates = {
        name: Estimate.of([each.metrics[name] for each in found], ratio, level, _bounds(name))
        for name in found[0].metrics
    }
    how = described(examples)
    return CrossValidation(estimates, tuple(found), predictions, examples.classes, how, level)


def _bounds(metric: str) -> tuple[float, float]:
    """Return what a metric cannot be below and above."""
    return -math.inf if metric == "r2" else 0.0, 1.0 if metric in (
        "accuracy",
        "auc",
        "r2",
    ) else math.inf


def _run(
    estimator: object,
    examples: Examples,
    cuts: Sequence[Fold],
    callbacks: Sequence[Callable[[FoldResult], object]],
) -> tuple[list[FoldResult], Array]:
    """Return what came of every fold, and the mean prediction of every row."""
    found: list[FoldResult] = []
    total, counts = np.zeros(0), np.zeros((len(examples), 1))
    for fold in cuts:
        began = time.perf_counter()
        held = examples.part(fold.held)
        outputs, metrics = measure(fit(estimator, examples.part(fold.train)), held)
        if not total.size:
            total = np.zeros((len(examples), outputs.shape[1]))
        total[fold.held] += outputs
        counts[fold.held] += 1
        seconds = time.perf_counter() - began
        sizes = len(fold.train), len(fold.held)
        found.append(FoldResult(fold.repeat, fold.number, *sizes, metrics, seconds))
        for call in callbacks:
            call(found[-1])
    with np.errstate(invalid="ignore"):  # rows that no fold holds out
        return found, total / counts
