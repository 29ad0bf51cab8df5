"""Reliability: whether of the rows that a classifier is 80 % sure of, 80 % are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.evaluation import log_losses, squared_errors

Array = NDArray[Any]

BINS = 15
_DRAWN = 100  # sets of labels that are drawn
_LAYER = 3  # of the draws of EVALUATION; a tally's are before it


def reliability(p: Array, numbers: NDArray[np.int64]) -> dict[str, float]:
    """Return how far probabilities are to be trusted.

    Parameters
    ----------
    p : ndarray of shape (n_rows, k)
        Probabilities.
    numbers : ndarray of shape (n_rows,)
        The classes of the rows.

    Returns
    -------
    dict of float
        "ece": the expected calibration error, see `calibration_error`. "ece_by_chance": the mean of the
        same of labels that are drawn from p, which no calibration could lower. "brier": the mean
        squared error of the probabilities (Brier 1950; of two classes that of one). "log_loss".
    """
    p = p.astype(np.float64)
    sure, right = p.max(axis=1), p.argmax(axis=1) == numbers
    return {
        "ece": calibration_error(sure, right),
        "ece_by_chance": _by_chance(sure),
        "brier": float(squared_errors(p, numbers).mean()),
        "log_loss": float(log_losses(p, numbers).mean()),
    }


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
    bins = np.array_split(gap, min(BINS, len(gap)))
    return float(sum(abs(each.sum()) for each in bins) / len(gap))


def _by_chance(sure: Array) -> float:
    """Return the mean error where each answer is right as often as it says."""
    sure, n = np.sort(sure), len(sure)
    drawn = (
        randomness.uniform(0, n, purpose=randomness.EVALUATION, layer=_LAYER, step=step) < sure
        for step in range(_DRAWN)
    )
    return float(np.mean([calibration_error(sure, right) for right in drawn]))
