"""How good predictions are: the metrics that fit a task, and how far other rows would move them.

Rows come in blocks: every metric here is a function of sums over rows. Up to 10,000 rows, the bootstrap
draws rows; more are put into 10,000 random groups whose sums are kept, and it draws groups. Only the
area under the ROC curve needs all rows at once: their probabilities are kept, at most 64 MiB of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness

Array = NDArray[Any]
Floats = NDArray[np.float64]

GROUPS = 10_000
KEPT = 2**24  # probabilities kept for the area under the curve
_AT_ONCE = 64  # replicates computed together
_ROWS, _DRAWS, _KEYS, _LABELS = range(4)  # what random numbers are for
_BINS, _SETS = 15, 100  # of a calibration error, and sets of labels that are drawn to judge it


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured.

    Attributes
    ----------
    n_rows : int
    metrics : dict of float
        NaN where a metric has no value: the area under the curve of a single class.
    intervals : dict of (low, high)
        Percentiles of the bootstrap's replicates. Where these are one number, as of few rows that are
        all right, an accuracy has Wilson's interval (1927), and any other metric has none.
    confusion : ndarray of int or None
        Shape (n_classes + 1, n_classes): rows are what a row is, columns what was predicted; the last
        row counts labels that the model does not know.
    replicates, level : int, float
    rows_for_auc : int
        As many rows as were kept for it; fewer than `n_rows` where those are too many.
    wilson : bool
        Whether the accuracy's interval is Wilson's.
    """

    n_rows: int
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    confusion: NDArray[np.int64] | None
    replicates: int
    level: float
    rows_for_auc: int = 0
    wilson: bool = False


class Tally(ABC):
    """Sums over rows, in groups.

    Parameters
    ----------
    seed : int
        Of the groups and of the replicates: the same rows give the same intervals.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.n_rows = seed, 0
        self._alone: list[Floats] = []  # the summands of every row, as long as there are few
        self._sums: Floats | None = None  # those of every group

    @abstractmethod
    def metrics(self, sums: Floats, whole: Floats) -> dict[str, Floats]:
        """Return the metrics of sums over rows, of shape (..., n_columns); `whole` is of all rows."""

    def _columns(self) -> Floats:
        """Return all sums of every group, shape (n_groups, n_columns)."""
        return np.concatenate(self._alone) if self._sums is None else self._sums

    def _add(self, values: Floats) -> None:
        """Add rows of summands."""
        self.n_rows += len(values)
        self._alone.append(values)
        if self.n_rows > GROUPS:
            values, self._alone = np.concatenate(self._alone), []
            if self._sums is None:
                self._sums = np.zeros((GROUPS, values.shape[1]))
            groups = self._groups(self.n_rows - len(values), len(values))
            for column, each in zip(self._sums.T, values.T, strict=True):
                column += np.bincount(groups, each, GROUPS)

    def _groups(self, first: int, n: int) -> NDArray[np.int64]:
        """Return the groups of n rows, where there are more rows than groups."""
        return (self._uniform(n, _ROWS, first=first) * GROUPS).astype(np.int64)

    def _uniform(self, n: int, what: int, *, first: int = 0, step: int = 0) -> Floats:
        return randomness.uniform(
            self.seed, n, purpose=randomness.EVALUATION, layer=what, first=first, step=step
        )

    def result(self, replicates: int = 1000, level: float = 0.95) -> Evaluation:
        """Return the metrics with their intervals.

        Parameters
        ----------
        replicates : int
            Samples of the bootstrap (Efron 1979); 0 for no intervals.
        level : float
            In (0, 1): the share of the replicates inside an interval.

        Raises
        ------
        ValueError
            If there are no rows.
        """
        if not self.n_rows:
            raise ValueError("there are no rows to evaluate")
        sums = self._columns()
        whole = sums.sum(axis=0)
        found = {name: float(value) for name, value in self.metrics(whole, whole).items()}
        drawn = self._intervals(sums, replicates, level) if replicates else {}
        intervals = {name: each for name, each in drawn.items() if _is_wide(*each)}
        wilson = "accuracy" in drawn and "accuracy" not in intervals
        if wilson:
            intervals = {
                "accuracy": wilson_interval(found["accuracy"], self.n_rows, level),
                **intervals,
            }
        return Evaluation(self.n_rows, found, intervals, None, replicates, level, wilson=wilson)

    def _intervals(self, sums: Floats, replicates: int, level: float) -> dict[str, tuple[float, float]]:
        n, whole, parts = len(sums), sums.sum(axis=0), []
        for first in range(0, replicates, _AT_ONCE):
            some = min(_AT_ONCE, replicates - first)
            drawn = self._uniform(some * n, _DRAWS, step=first // _AT_ONCE)
            picks = (drawn * n).astype(np.int64).reshape(some, n)
            weights = np.stack([np.bincount(each, minlength=n) for each in picks])
            parts.append(self.metrics(weights @ sums, whole))
        tails = [(1 - level) / 2, (1 + level) / 2]
        intervals = {}
        for name in parts[0]:
            values = np.concatenate([np.atleast_1d(part[name]) for part in parts])
            values = values[np.isfinite(values)]
            if len(values):
                low, high = np.quantile(values, tails)
                intervals[name] = float(low), float(high)
        return intervals


def _is_wide(low: float, high: float) -> bool:
    """Return whether an interval is more than a point, whatever rounding has made of that."""
    return high - low > 1e-12 * max(abs(low), abs(high))


def wilson_interval(share: float, n: int, level: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share of n rows (Wilson 1927): not a point, even of 0 and 1.

    Examples
    --------
    >>> low, high = wilson_interval(1.0, 6, 0.95)
    >>> round(low, 3), high
    (0.61, 1.0)
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0)


def log_losses(
    p: NDArray[Any], codes: NDArray[np.int64], precision: np.finfo[Any] | None = None
) -> NDArray[np.float64]:
    """Return ``-ln p`` of the class of each row, shape (n_rows,).

    Parameters
    ----------
    p : ndarray of shape (n_rows, n_classes)
        Probabilities.
    codes : ndarray of shape (n_rows,)
    precision : numpy.finfo, optional
        What it cannot tell from 0 or 1 counts as its epsilon from it. None is float32's, as networks'
        outputs are.
    """
    eps = float((precision or np.finfo(np.float32)).eps)
    there = p[np.arange(len(codes)), codes].astype(np.float64)
    found: NDArray[np.float64] = -np.log(np.clip(there, eps, 1.0 - eps))
    return found


def squared_errors(p: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each row's summand of the Brier score (Brier 1950): of two classes that of one."""
    error = p.astype(np.float64)
    error[np.arange(len(codes)), codes] -= 1.0
    found: NDArray[np.float64] = (error**2).sum(axis=1) * (0.5 if p.shape[1] == 2 else 1.0)
    return found


def calibration_error(sure: Array, right: Array) -> float:
    """Return the expected calibration error: the mean gap between how sure and how often right.

    Rows are sorted by how sure the answer is and cut into 15 bins of as many rows each (equal mass:
    Nguyen and O'Connor 2015); the gaps of the bins are weighted by their rows.

    Parameters
    ----------
    sure : ndarray of shape (n_rows,)
        The largest probability of each row.
    right : ndarray of bool of shape (n_rows,)
    """
    order = np.argsort(sure, kind="stable")
    gap = (sure - right)[order]
    bins = np.array_split(gap, min(_BINS, len(gap)))
    return float(sum(abs(each.sum()) for each in bins) / len(gap))


def error_by_chance(sure: Array) -> float:
    """Return the mean `calibration_error` where each answer is right as often as it says."""
    sure, n = np.sort(sure), len(sure)
    drawn = (
        randomness.uniform(0, n, purpose=randomness.EVALUATION, layer=_LABELS, step=step) < sure
        for step in range(_SETS)
    )
    return float(np.mean([calibration_error(sure, right) for right in drawn]))


class ClassTally(Tally):
    """Accuracy, log loss, Brier score, area under the ROC curve, and the confusion matrix.

    Parameters
    ----------
    n_classes : int
        At least 2.
    probabilities : bool
        Whether the outputs are; otherwise there is no log loss and no Brier score.
    seed : int
    """

    def __init__(self, n_classes: int, *, probabilities: bool = True, seed: int = 0) -> None:
        super().__init__(seed)
        self.n_classes, self.probabilities = n_classes, probabilities
        self.confusion = np.zeros((n_classes + 1, n_classes), np.int64)
        self._first = 1 if n_classes == 2 else 0  # of two classes, one column says everything
        self._share = 1.0  # of the rows that are kept
        self._kept: list[tuple[Array, NDArray[np.int64], NDArray[np.int64], Floats]] = []

    def add(
        self, outputs: Array, codes: NDArray[np.int64], told: NDArray[np.int64] | None = None
    ) -> None:
        """Add rows.

        Parameters
        ----------
        outputs : ndarray of shape (n_rows, n_classes)
        codes : ndarray of shape (n_rows,)
            Numbers of classes; others are labels that the model does not know, which count as wrong.
            Log loss, Brier score and area under the curve are over the other rows.
        told : ndarray of shape (n_rows,), optional
            The classes that were answered; None is those of the largest outputs.
        """
        n, k = len(codes), self.n_classes
        known = (codes >= 0) & (codes < k)
        predicted = outputs.argmax(axis=1) if told is None else told
        np.add.at(self.confusion, (np.where(known, codes, k), predicted), 1)
        summands = np.zeros((n, 5))
        summands[:, 0] = 1.0
        summands[:, 1] = predicted == codes
        summands[:, 2] = known
        if self.probabilities:
            p, y = outputs[known], codes[known]
            summands[known, 3] = log_losses(p, y, np.finfo(outputs.dtype))
            summands[known, 4] = squared_errors(p, y)
        first = self.n_rows
        self._add(summands)
        rows, keys = np.arange(first, first + n), self._uniform(n, _KEYS, first=first)
        chosen = known & (keys < self._share)
        self._kept.append((outputs[chosen, self._first :], codes[chosen], rows[chosen], keys[chosen]))
        while sum(part[0].size for part in self._kept) > KEPT:
            self._share /= 2.0  # which rows are left does not depend on the blocks they came in
            small = [(part, part[3] < self._share) for part in self._kept]
            self._kept = [(p[0][m], p[1][m], p[2][m], p[3][m]) for p, m in small]

    @property
    def calibration_errors(self) -> dict[str, float]:
        """The `calibration_error` of the rows kept for the area, "ece", and "ece_by_chance".

        Nothing where outputs are no probabilities, or no row has a label that the model knows.
        """
        p, codes = (np.concatenate([part[i] for part in self._kept]) for i in range(2))
        if not self.probabilities or not len(codes):
            return {}
        p = np.hstack([1.0 - p, p]) if self._first else p
        sure = p.max(axis=1).astype(np.float64)
        right = p.argmax(axis=1) == codes
        return {"ece": calibration_error(sure, right), "ece_by_chance": error_by_chance(sure)}

    def _columns(self) -> Floats:
        sums = super()._columns()
        scores, codes, rows = (np.concatenate([part[i] for part in self._kept]) for i in range(3))
        groups = rows if self._sums is None else self._groups(0, self.n_rows)[rows]
        areas = [_placements(scores[:, j], codes == self._first + j) for j in range(scores.shape[1])]
        more = [np.bincount(groups, each, len(sums)) for four in areas for each in four]
        return np.column_stack([sums, *more])

    def metrics(self, sums: Floats, whole: Floats) -> dict[str, Floats]:
        """Return the metrics of sums over rows, of shape (..., n_columns); `whole` is of all rows."""
        rows, right, known, log_loss, brier = np.moveaxis(sums[..., :5], -1, 0)
        found = {"accuracy": right / rows}
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.probabilities:
                found |= {"log_loss": log_loss / known, "brier": brier / known}
            # The placements of the positives, and those of the negatives, have the area as their mean;
            # it moves with both (DeLong et al. 1988), so that a replicate's is their sum less itself.
            area = _means_of_placements(sums).sum(axis=-1) - _means_of_placements(whole)[..., 0]
            area = np.clip(area, 0.0, 1.0)  # which that leaves where rows are few
        there = np.isfinite(area)
        with np.errstate(invalid="ignore"):
            found["auc"] = np.where(there, area, 0.0).sum(axis=-1) / there.sum(axis=-1)
        return found

    def result(self, replicates: int = 1000, level: float = 0.95) -> Evaluation:
        """As in `Tally.result`, with the confusion matrix."""
        found = super().result(replicates, level)
        kept = sum(len(part[1]) for part in self._kept)
        return Evaluation(**vars(found) | {"confusion": self.confusion, "rows_for_auc": kept})


def _means_of_placements(sums: Floats) -> Floats:
    """Return the mean placements of positives and negatives of every class, shape (..., n, 2)."""
    of_classes = sums[..., 5:].reshape(*sums.shape[:-1], -1, 2, 2)
    return of_classes[..., 0] / of_classes[..., 1]


def _placements(score: Array, positive: NDArray[np.bool_]) -> list[Floats]:
    """Return four summands of every row: its placement and a 1, if positive and if negative.

    The placement of a positive row is the share of the negative ones below it, that of a negative row
    the share of the positive ones above it; those of equal score count half.
    """
    from scipy.stats import rankdata

    n_positive, n = int(positive.sum()), len(positive)
    ranks = rankdata(score)
    ranks[positive] -= rankdata(score[positive])
    ranks[~positive] -= rankdata(score[~positive])
    yes, no = positive.astype(np.float64), (~positive).astype(np.float64)
    above = yes * ranks / max(n - n_positive, 1)
    below = no * (1.0 - ranks / max(n_positive, 1))
    return [above, yes, below, no]


class QuantityTally(Tally):
    """Root mean squared error, mean absolute error and R2, of one or several outputs."""

    _shift: Floats | None = None

    def add(self, outputs: Array, targets: Array) -> None:
        """Add rows, both of shape (n_rows, n_outputs)."""
        wide = targets.astype(np.float64)
        if self._shift is None:  # keeps the squares of targets far from 0 from cancelling
            self._shift = wide.mean(axis=0)
        error = outputs.astype(np.float64) - wide
        wide -= self._shift
        parts = np.stack([np.ones_like(wide), np.abs(error), error**2, wide, wide**2], axis=2)
        self._add(parts.reshape(len(wide), -1))

    def metrics(self, sums: Floats, whole: Floats) -> dict[str, Floats]:
        """Return the metrics of sums over rows, of shape (..., n_columns); `whole` is of all rows."""
        rows, off, squared, y, squares = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 5), -1, 0)
        spread = squares - y**2 / rows
        varies = spread > 1e-12 * np.maximum(squares, 1e-300)
        share = squared / np.where(varies, spread, 1.0)
        constant = np.where(squared > 0, 0.0, 1.0)  # as in scikit-learn
        return {
            "mae": (off / rows).mean(axis=-1),
            "rmse": np.sqrt((squared / rows).mean(axis=-1)),
            "r2": np.where(varies, 1.0 - share, constant).mean(axis=-1),
        }
