"""How good a model is on these rows, beside what costs next to nothing.

The network's figures are those of `clearprop evaluate`. A report has no rows of the training to show a
baseline, so that it learns these: each row is answered by one that has learned from the other folds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.estimators import baselines
from clearprop.estimators.baselines import Rows
from clearprop.evaluation import ClassTally, Evaluation, QuantityTally
from clearprop.model.measuring import Measured
from clearprop.reporting.subject import Subject
from clearprop.reporting.tree import Contestant, Performance
from clearprop.reporting.value import LEVEL, Value

Array = NDArray[Any]

REPLICATES = 1000
_BLOCK = 1 << 16  # rows measured together, as `clearprop evaluate` does
_FOLDS, _FEWER_FOLDS, _MANY_CLASSES = 5, 2, 5  # each class needs trees of its own
_MOST_CLASSES = 30  # that trees learn
_CELLS = 1_000_000  # numbers times classes that trees are shown, at most
_FEWEST, _MOST = 500, 20_000  # rows that baselines are compared on
_FEW = 10  # rows below which there is nothing to learn


def performance(subject: Subject) -> Performance:
    """Return the metrics of a subject with targets, beside its baselines'."""
    averaged = subject.averaged
    measured = Measured(subject.model, 0, None if averaged is None else averaged.evaluate)
    assert subject.y is not None
    for first in range(0, len(subject), _BLOCK):
        some = slice(first, first + _BLOCK)
        measured.add(subject.inputs(subject.numbers[some]), subject.y[some])
    found = measured.tally.result(REPLICATES, LEVEL)
    beside, n_compared = _beside(subject)
    sure = measured.tally.calibration_errors if isinstance(measured.tally, ClassTally) else {}
    return Performance(
        main=_main(subject),
        contestants=(Contestant("this network", None, values_of(found)), *beside),
        cost=measured.cost,
        cost_name=subject.model.architecture.cost.name,
        n_rows=found.n_rows,
        n_compared=n_compared,
        n_folds=n_folds_of(len(subject.classes)),
        n_unknown=found.n_rows - measured.n_known,
        unknown=subject.strangers,
        replicates=REPLICATES,
        wilson=found.wilson,
        ece=sure.get("ece"),
        ece_by_chance=sure.get("ece_by_chance"),
    )


def _main(subject: Subject) -> str:
    return "accuracy" if subject.classes else "rmse"


def values_of(found: Evaluation) -> dict[str, Value]:
    """Return metrics that there are, with their intervals."""
    ends = {name: found.intervals.get(name, (None, None)) for name in found.metrics}
    return {
        name: Value(value, *ends[name]) for name, value in found.metrics.items() if math.isfinite(value)
    }


# The baselines


def _beside(subject: Subject) -> tuple[list[Contestant], int]:
    """Return what each baseline reaches on the rows, or on some of them, and how many."""
    rows = subject.sample(_most(subject), 0, np.flatnonzero(subject.known))
    if len(rows) < _FEW:
        return [], 0
    assert subject.y is not None
    held = Rows(subject.inputs(subject.numbers[rows]), subject.y[rows])
    ours = subject.predicted[rows]
    found = []
    for name, answers, outputs, n in _answered(held, len(subject.classes)):
        value = baselines.difference(held, ours, answers, bool(subject.classes))
        _, difference, low, high = value
        tally = _tallied(subject, outputs, held.y, answers)
        better = Value(difference, low, high)
        found.append(Contestant(name, n, values_of(tally.result(REPLICATES, LEVEL)), better))
    return found, len(rows)


def _most(subject: Subject) -> int:
    width = subject.numbers.shape[1] * max(1, len(subject.classes) - 1)
    return min(max(_CELLS // width, _FEWEST), _MOST)


def _tallied(subject: Subject, outputs: Array, y: Array, answers: Array) -> ClassTally | QuantityTally:
    if subject.classes:
        tally = ClassTally(len(subject.classes))
        tally.add(outputs, y, answers)
        return tally
    errors = QuantityTally()
    errors.add(outputs, y[:, None])
    return errors


class _Answered(NamedTuple):
    name: str
    answers: Array  # numbers of classes, or quantities
    outputs: Array  # probabilities, shape (n_rows, n_classes), or quantities, shape (n_rows, 1)
    n_learned: int


def _answered(held: Rows, n_classes: int) -> Iterator[_Answered]:
    """Return what each baseline answers, each row by one that has learned from the other folds."""
    n = len(held.y)
    order = randomness.permutation(0, n, step=0)
    order = order[np.argsort(held.y[order], kind="stable")]  # each fold has its share of every class
    n_folds = n_folds_of(n_classes)
    folds = [order[fold::n_folds] for fold in range(n_folds)]
    parts: dict[str, list[tuple[Array, Array, int]]] = {}
    for fold in folds:
        learned = np.ones(n, bool)
        learned[fold] = False
        train = held.take(np.flatnonzero(learned))
        most = 3 if n_classes <= _MOST_CLASSES else 2  # the last ones are trees
        for each in itertools.islice(baselines.learn(train, n_classes > 0, math.inf), most):
            outputs = _outputs(each.model, held.X[fold], n_classes)
            parts.setdefault(each.name, []).append(
                (each.model.predict(held.X[fold]), outputs, each.rows)
            )
    place = np.argsort(np.concatenate(folds))
    for name, found in parts.items():
        if len(found) == n_folds:  # or one fold has held a class alone
            answers = np.concatenate([each[0] for each in found])[place]
            outputs = np.concatenate([each[1] for each in found])[place]
            yield _Answered(name, answers, outputs, min(each[2] for each in found))


def n_folds_of(n_classes: int) -> int:
    """Return into how many parts the rows are cut that baselines learn and answer."""
    return _FOLDS if n_classes <= _MANY_CLASSES else _FEWER_FOLDS


def _outputs(model: Any, X: Array, n_classes: int) -> Array:
    if not n_classes:
        quantities: Array = model.predict(X)[:, None].astype(np.float64)
        return quantities
    outputs = np.zeros((len(X), n_classes))
    outputs[:, model.classes_.astype(int)] = model.predict_proba(X)
    return outputs
