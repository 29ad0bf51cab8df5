"""Of few rows all choose and all judge: each is answered by a network that has not learned from it.

Half of a fifth of a thousand rows are a hundred: an accuracy of theirs has an interval of eight points
to each side. So the rows are cut into folds, and one more network for each fold learns from the others
(and sets rows of its own aside, to choose its epoch). What all of them say together chooses the
temperature of the model that is trained on these rows, says how wide its intervals are, and judges it;
where a temperature judges, it is one that the other folds have chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from clearprop.estimators import baselines, judging
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.baselines import Baseline
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.options import Options
from clearprop.model import calibration, conformal
from clearprop.model.measuring import evaluate, intervals, measure_quantities
from clearprop.model.model import Model
from clearprop.model.reliability import reliability
from clearprop.model.targets import Classes, Units
from clearprop.tuning.examples import Examples
from clearprop.tuning.fitting import fit, outputs_of
from clearprop.tuning.folds import Fold, make_folds

Array = NDArray[Any]

FOLDS = 5


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What networks say of rows that they have not learned from.

    Parameters
    ----------
    examples : Examples
    folds : tuple of ndarray
        The rows of each.
    outputs : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        Probabilities without a temperature, or quantities.
    cost : float
        The mean of the networks' own, over all rows.
    beside : list of Baseline
        What each reaches on the same rows, from the same folds, and how much better the networks are.
    """

    examples: Examples
    folds: tuple[Array, ...]
    outputs: Array
    cost: float
    beside: list[Baseline]


def out_of_fold(estimator: BaseMLP, examples: Examples, seed: int, seconds: float) -> OutOfFold:
    """Return what estimators of this kind say of each row that have learned from the other folds.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Not changed.
    examples : Examples
    seed : int
        Of the folds.
    seconds : float
        That the baselines of a fold may take, about; without any they are left out.
    """
    estimator = clone(estimator).set_params(verbose=False, callbacks=())
    if examples.classes is not None:
        estimator.set_params(calibrate=False)
    n, rows, outputs, costs, compared = len(examples), [], [], [], []
    for fold in folds_of(examples, seed):
        learned, held = examples.part(fold.train), examples.part(fold.held)
        fitted = fit(estimator, learned)
        model, read = fitted.network_.model, Fitter(fitted).data_of
        data = read(held.X, held.y)
        a, cost = evaluate(model, *data)
        rows.append(fold.held)
        outputs.append(outputs_of(fitted, held))
        costs.append(len(held) * cost / n)
        if seconds:
            known = read(learned.X, learned.y)._replace(sample_weight=learned.weight)
            contest = baselines.rows_of(model, known), baselines.rows_of(model, data)
            classes = model.classes is not None
            said = baselines.answers(model, a)
            compared.append(
                baselines.compare(*contest, said, classes=classes, seconds=seconds, seed=seed)
            )
    order, sizes = np.argsort(np.concatenate(rows)), np.array([len(each) for each in rows])
    beside = [_pooled(each, sizes / n) for each in zip(*compared, strict=True)]
    return OutOfFold(examples, tuple(rows), np.concatenate(outputs)[order], sum(costs), beside)


def _pooled(each: tuple[Baseline, ...], share: Array) -> Baseline:
    """Return what a baseline reaches on the rows of all folds, whose differences vary independently."""
    theirs, less, low, high = (
        np.array([getattr(one, name) for one in each])
        for name in ("value", "difference", "low", "high")
    )
    value, centre = float(share @ theirs), float(share @ (low + high) / 2.0)
    difference = float(share @ less)
    if each[0].metric == "rmse":
        value, ours = (float(np.sqrt(share @ every**2)) for every in (theirs, theirs - less))
        difference = centre = value - ours
    half = float(np.sqrt(np.sum((share * (high - low) / 2.0) ** 2)))
    return replace(
        each[0],
        value=value,
        difference=difference,
        low=centre - half,
        high=centre + half,
        seconds=round(sum(one.seconds for one in each), 3),
    )


def folds_of(examples: Examples, seed: int) -> list[Fold]:
    """Return the folds that rows are cut into.

    Raises
    ------
    ValueError
        If there are too few rows or groups, or the other folds of one lack a class.
    """
    folds = make_folds(examples, FOLDS, 1, seed)
    for fold in folds:
        learned = examples.y[fold.train]
        if examples.classes is not None and len(np.unique(learned)) < len(examples.classes):
            absent = next(each for each in examples.classes.tolist() if each not in learned)
            raise ValueError(
                f"folds must each leave rows of every class to learn from, one leaves none of "
                f"{absent!r}; hold a share of the rows out instead"
            )
    return folds


def judge(model: Model, options: Options, found: OutOfFold) -> dict[str, Any]:
    """Give a model what all rows have chosen; return how good its kind is on rows that it has not seen.

    Parameters
    ----------
    model : Model
        Trained on these rows.
    options : Options
        Of its estimator.
    found : OutOfFold
    """
    examples, targets, n = found.examples, model.targets, len(found.examples)
    result: dict[str, Any] = {"part": "out-of-fold", "n_samples": n, "cost": float(found.cost)}
    result["folds"] = len(found.folds)
    if isinstance(targets, Units):
        true = examples.y.reshape(n, -1).astype(np.float64)
        errors = conformal.residuals(found.outputs, true)
        model.targets = replace(targets, residuals=errors)
        result |= measure_quantities(found.outputs, true)
        result["within_90"] = float(conformal.half_width(errors, Fraction(9, 10))[0])
        return result | {"intervals": intervals(result, found.outputs, true)}
    assert isinstance(targets, Classes)
    codes = examples.codes
    assert codes is not None
    p = found.outputs
    result["accuracy"] = float(np.mean(p.argmax(axis=1) == codes))
    result["intervals"] = intervals(result)
    if options.calibrate:
        taken_back = judging.smoothing_of(options)
        made = calibration.fit(p, codes, taken_back)
        model.targets = replace(targets, calibration=made)
        after = np.empty_like(p)
        for rows in found.folds:
            others = np.setdiff1d(np.arange(n), rows)
            after[rows] = calibration.fit(p[others], codes[others], taken_back)(p[rows])
        told = {"before": reliability(p, codes), "after": reliability(after, codes)}
        result["calibration"] = made.describe() | told
    return result
