"""What held-out rows say of a network that was trained: how it is to decide, and how good it is.

Rows that choose are given to `choose`, rows that choose nothing to `judge`.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.engines import Data
from clearprop.model import calibration, conformal, threshold
from clearprop.model.measuring import evaluate, measure_prepared
from clearprop.model.model import Model
from clearprop.model.reliability import reliability
from clearprop.model.targets import Classes, Targets, Units
from clearprop.schedules import Schedule

if TYPE_CHECKING:
    from clearprop.estimators.options import Options
    from clearprop.estimators.running import Work

Array = NDArray[Any]

_ENOUGH = 50  # rows that choose a preset's temperature
_FEWEST = 9  # rows of which an interval for 90 % can be made


class Choices(NamedTuple):
    """What held-out rows are to choose: arguments of `MLPClassifier`, which its `Options` have too."""

    calibrate: bool
    threshold: str | ArrayLike | None
    label_smoothing: float = 0.0
    early_stopping: bool = False

    @property
    def must_calibrate(self) -> bool:
        """Whether a temperature was asked for."""
        return self.calibrate


def prepare(model: Model, options: Options | Choices, choosing: Data | None) -> None:
    """Take back what a model was given by an earlier training; refuse what cannot be chosen.

    Raises
    ------
    ValueError
        If there is to be a temperature or a threshold, and nothing to choose it on.
    """
    targets = model.targets
    model.about.pop("result", None)
    if isinstance(targets, Classes):
        model.targets = dataclasses.replace(targets, calibration=None, threshold=None)
    elif isinstance(targets, Units):
        model.targets = dataclasses.replace(targets, residuals=None)
    asked = ["calibrate=True"] * options.must_calibrate
    asked += [] if options.threshold is None else [f"threshold={options.threshold!r}"]
    for what in asked:
        if not isinstance(targets, Classes):
            raise ValueError(f"{what} is for one label a row, got {targets.kind}")
        if choosing is None:
            raise ValueError(f"{what} needs rows that are held out, got none")
        found = np.unique(targets.numbers(choosing.Y))
        if len(found) < 2:
            label = int(found[0]) if targets.labels is None else targets.labels.tolist()[found[0]]
            raise ValueError(
                f"{what} needs held-out rows of at least two classes, got {len(choosing.Y)} of class "
                f"{label!r}; hold out more rows"
            )
    if options.threshold is not None and targets.kind != "binary":
        n = targets.n_classes if isinstance(targets, Classes) else 0
        raise ValueError(f"{asked[-1]} is for two classes, got {n}")


def is_calibrated(targets: Targets, options: Options | Choices, choosing: Data) -> bool:
    """Return whether rows are to choose a temperature: where it was asked for, or a preset's can be.

    One number that is fitted to n rows costs 1 / (2 n) of log loss on others, in the mean: a preset
    leaves that out where it may be more than there is to gain.
    """
    if options.must_calibrate or not options.calibrate or not isinstance(targets, Classes):
        return options.must_calibrate
    enough = len(choosing.Y) >= _ENOUGH and len(np.unique(targets.numbers(choosing.Y))) > 1
    return options.early_stopping and enough


def smoothing_of(options: Options | Choices) -> float:
    """Return the label smoothing that a calibration takes back: none where a schedule changed it."""
    given = options.label_smoothing
    return 0.0 if isinstance(given, Schedule) else float(given)


def choose(model: Model, options: Options | Choices, choosing: Data) -> None:
    """Give a model the temperature and the threshold that fit rows which it was not trained on."""
    targets = model.targets
    if not isinstance(targets, Classes):
        return
    calibrated = is_calibrated(targets, options, choosing)
    if not (calibrated or options.threshold is not None):
        return
    a, _ = evaluate(model, *choosing)
    numbers = targets.numbers(choosing.Y)
    if calibrated:
        found = calibration.fit(targets.probabilities(a), numbers, smoothing_of(options))
        targets = dataclasses.replace(targets, calibration=found)
    if options.threshold is not None:
        value = threshold.choose(targets.probabilities(a)[:, 1], numbers == 1, options.threshold)
        targets = dataclasses.replace(targets, threshold=value)
    model.targets = targets


def judge(model: Model, options: Options | Choices, work: Work) -> None:
    """Note in a model how good it is on rows that chose nothing, if any; of quantities, all errors."""
    if work.test is None:
        return
    result: dict[str, Any] = {"part": "test", **measure_prepared(model, work.test, sure=True)}
    if work.validation is not None:
        result["n_validation"] = len(work.validation.X)
    a, _ = evaluate(model, *work.test)
    if isinstance(model.targets, Classes):
        result |= classes_judged(model.targets, options, a, work.test.Y)
    elif isinstance(model.targets, Units):
        errors = model.targets.errors(a, work.test.Y.astype(np.float64))
        model.targets = dataclasses.replace(model.targets, residuals=errors)
        if errors.shape[1] == 1 and len(errors) >= _FEWEST and not model.targets.quantiles:
            result["within_90"] = float(conformal.half_width(errors, Fraction(9, 10))[0])
    model.about["result"] = result


def classes_judged(targets: Classes, options: Options | Choices, a: Array, Y: Array) -> dict[str, Any]:
    """Return what a temperature and a threshold did to rows that chose nothing.

    Parameters
    ----------
    targets : Classes
    options : Options or Choices
    a, Y : ndarray of shape (n_rows, n_outputs)
        Outputs for the rows, and their targets.
    """
    found: dict[str, Any] = {}
    p, numbers = targets.probabilities(a), targets.numbers(Y)
    if targets.calibration is not None:
        before = dataclasses.replace(targets, calibration=None).probabilities(a)
        found["calibration"] = targets.calibration.describe() | {
            "before": reliability(before, numbers),
            "after": reliability(p, numbers),
        }
    if targets.threshold is not None and options.threshold is not None:
        told = threshold.judged(p[:, 1], numbers == 1, targets.threshold, options.threshold)
        found["threshold"] = told
    return found
