"""Reliability: whether of the rows that a classifier is 80 % sure of, 80 % are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.evaluation import calibration_error, error_by_chance, log_losses, squared_errors

Array = NDArray[Any]


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
        "ece_by_chance": error_by_chance(sure),
        "brier": float(squared_errors(p, numbers).mean()),
        "log_loss": float(log_losses(p, numbers).mean()),
    }
