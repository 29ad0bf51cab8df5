"""What is particular to classes: confusions, curves, how reliable probabilities are, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from clearprop.evaluation import wilson_interval
from clearprop.model.targets import Classes
from clearprop.model.threshold import choose
from clearprop.reporting.subject import Subject
from clearprop.reporting.tree import Bin, Choice, Confusion, Curve, Reliability, Scores, Thresholds
from clearprop.reporting.value import LEVEL, Value

Array = NDArray[Any]

_POINTS = 60  # of a curve, evenly along its length
_CURVES = 4  # classes, the most frequent ones, that have a curve
_BINS, _FEWEST_IN_BIN = 10, 20
_HISTOGRAM = 20
_THRESHOLDS = 101
RATIOS = (1.0, 2.0, 5.0, 10.0, 0.2)  # false alarms that a missed positive costs


def confusion(subject: Subject) -> Confusion:
    """Return how often each class was told as each."""
    assert subject.y is not None
    k = len(subject.classes)
    counts = np.zeros((k + 1, k), np.int64)
    np.add.at(counts, (np.where(subject.known, subject.y, k), subject.predicted), 1)
    rows = tuple(tuple(map(int, row)) for row in counts)
    return Confusion(subject.classes, rows[:-1], rows[-1])


def share_of(n: int, hits: int) -> Value:
    """Return a share of rows, with Wilson's interval."""
    return Value(hits / n, *wilson_interval(hits / n, n, LEVEL))


def _scored(subject: Subject) -> list[tuple[str, Array, NDArray[np.bool_]]]:
    """Return a class, its probability and whether it is there, of rows with known labels."""
    assert subject.y is not None
    known = subject.known
    p, y = subject.probabilities[known], subject.y[known]
    k = len(subject.classes)
    counts = np.bincount(y, minlength=k)
    shown = [1] if k == 2 else list(np.argsort(-counts, kind="stable")[:_CURVES])
    each = [(subject.classes[j], p[:, j], y == j) for j in shown]
    return [(name, score, there) for name, score, there in each if 0 < there.sum() < len(there)]


def roc(subject: Subject) -> tuple[Curve, ...]:
    """Return the share of positives found over that of false alarms, as a threshold falls."""
    found = []
    for name, score, there in _scored(subject):
        x, y, _ = metrics.roc_curve(there, score)
        area = float(metrics.roc_auc_score(there, score))
        found.append(Curve(name, *_thinned(x, y), area, int(there.sum())))
    return tuple(found)


def precision_recall(subject: Subject) -> tuple[Curve, ...]:
    """Return precision over recall, as a threshold falls; the area is the average precision."""
    found = []
    for name, score, there in _scored(subject):
        precision, recall, _ = metrics.precision_recall_curve(there, score)
        area = float(metrics.average_precision_score(there, score))
        # The last point is the definition's, not a threshold's: recall 0 with precision 1.
        x, y = recall[-2::-1], precision[-2::-1]
        found.append(Curve(name, *_thinned(x, y), area, int(there.sum())))
    return tuple(found)


def _thinned(x: Array, y: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return points of a curve that are evenly apart along it, its first and last among them."""
    if len(x) > _POINTS:
        way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        places = np.searchsorted(way, np.linspace(0.0, way[-1], _POINTS))
        places[-1] = len(x) - 1
        places = np.unique(places)
        x, y = x[places], y[places]
    return tuple(x.tolist()), tuple(y.tolist())


def _said(subject: Subject) -> tuple[str, Array, NDArray[np.bool_]]:
    """Return of what probabilities are judged: of two classes the second's, else that of the answer."""
    assert subject.y is not None
    known = subject.known
    p, y = subject.probabilities[known], subject.y[known]
    if len(subject.classes) == 2:
        return subject.classes[1], p[:, 1], y == 1
    return "the answer", p.max(axis=1), p.argmax(axis=1) == y


def reliability(subject: Subject) -> Reliability:
    """Return what was said and what came true, in bins of as many rows each."""
    name, said, came = _said(subject)
    order = np.argsort(said, kind="stable")
    n_bins = max(1, min(_BINS, len(order) // _FEWEST_IN_BIN))
    bins = tuple(
        Bin(len(rows), float(said[rows].mean()), share_of(len(rows), int(came[rows].sum())))
        for rows in np.array_split(order, n_bins)
    )
    return Reliability(name, bins)


def scores(subject: Subject) -> Scores:
    """Return how often each probability was said, by what came."""
    name, said, came = _said(subject)
    edges = np.linspace(0.0, 1.0, _HISTOGRAM + 1)
    groups = {"right": came, "wrong": ~came}
    if len(subject.classes) == 2:
        groups = {subject.classes[0]: ~came, subject.classes[1]: came}
    counts = {
        group: tuple(np.histogram(said[rows], edges)[0].tolist()) for group, rows in groups.items()
    }
    return Scores(name, tuple(edges.tolist()), counts)


def thresholds(subject: Subject) -> Thresholds:
    """Return the mistakes above each threshold, and the best ones where mistakes cost unlike."""
    targets = subject.model.targets
    assert isinstance(targets, Classes)
    _, p, there = _said(subject)
    current = 0.5 if targets.threshold is None else float(targets.threshold)
    at = np.linspace(0.0, 1.0, _THRESHOLDS)
    false_alarms, missed = mistakes(p, there, at)
    return Thresholds(
        positive=subject.classes[1],
        negative=subject.classes[0],
        n_positive=int(there.sum()),
        n_negative=int((~there).sum()),
        current=current,
        at=tuple(at.tolist()),
        false_positives=tuple(false_alarms.tolist()),
        false_negatives=tuple(missed.tolist()),
        choices=tuple(_choice(p, there, ratio, current) for ratio in RATIOS),
    )


def mistakes(p: Array, there: NDArray[np.bool_], at: Array) -> tuple[Array, Array]:
    """Return false alarms and missed positives of telling what is above each threshold."""
    positive, negative = np.sort(p[there]), np.sort(p[~there])
    false_alarms = len(negative) - np.searchsorted(negative, at, side="right")
    return false_alarms, np.searchsorted(positive, at, side="right")


def _choice(p: Array, there: NDArray[np.bool_], ratio: float, current: float) -> Choice:
    best = choose(p, there, [[0.0, 1.0], [ratio, 0.0]])
    false_alarms, missed = mistakes(p, there, np.array([best, current]))
    cost = (false_alarms + ratio * missed) / len(p)
    return Choice(ratio, best, float(cost[0]), float(cost[1]))
