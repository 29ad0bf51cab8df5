"""Calibration: how sure a classifier's probabilities are to be, by rows that it did not learn from.

Where labels were smoothed, the network has learned probabilities that are mixed with "all classes
alike": no division of logarithms takes that back, but the mixing is known and can be undone. To 1 %, so
that no row is taken for certain.

A network that is trained for long is surer than it is right. Dividing the logarithms of its
probabilities by one number, the temperature, changes how sure it is and not what it says (Guo, Pleiss,
Sun and Weinberger, "On calibration of modern neural networks", 2017). n rows cannot show that anything
never happens: as in Laplace's rule of succession, the answer is mixed with 1 / (n + 1) of "all classes
alike" (Berta, Holzmueller, Jordan and Bach, "Rethinking early stopping: refine, then calibrate", 2025).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_LEFT = 0.01  # of label smoothing is left where it is taken back
_WIDEST = 5.0  # temperatures are sought from exp(-5) to exp(5)


@dataclass(frozen=True)
class Calibration:
    """What probabilities become: ``(1 - smoothing) softmax(log(q) / temperature) + smoothing / k``.

    Of two classes that is the sigmoid of their log odds, divided by the temperature. q is p itself,
    or ``0.99 max(p - label_smoothing / k, 0) / (1 - label_smoothing) + 0.01 / k``, as if the labels
    had been smoothed by 0.01 instead.

    Parameters
    ----------
    temperature : float
        Above 1 makes less sure, below 1 surer.
    smoothing : float
        Share of "all k classes alike", in [0, 1).
    label_smoothing : float
        That of the training, which is taken back first; up to 0.01 it is left.
    """

    temperature: float
    smoothing: float = 0.0
    label_smoothing: float = 0.0

    def __call__(self, p: Array) -> Array:
        """Return calibrated probabilities, in the dtype of p, shape (n_rows, k)."""
        q = _softmax(np.log(self.sharpened(p)) / self.temperature)
        mixed: Array = (1.0 - self.smoothing) * q + self.smoothing / q.shape[1]
        return mixed.astype(p.dtype)

    def sharpened(self, p: Array) -> Array:
        """Return what p would be without label smoothing, up to a factor of each row, in float64.

        What p's dtype cannot tell from 0 counts as its precision.
        """
        slope, below, left = self.taken_back(p.shape[1])
        wide = slope * np.maximum(p.astype(np.float64) - below, 0.0) + left
        found: Array = np.maximum(wide, np.finfo(p.dtype).eps)
        return found

    def taken_back(self, n_classes: int) -> tuple[float, float, float]:
        """Return slope, below, left: p without smoothing is ``slope max(p - below, 0) + left``."""
        if self.label_smoothing <= _LEFT:
            return 1.0, 0.0, 0.0
        slope = (1.0 - _LEFT) / (1.0 - self.label_smoothing)
        return slope, self.label_smoothing / n_classes, _LEFT / n_classes

    def slopes(self, p: Array, slopes: Array) -> Array:
        """Return the derivatives of the calibrated probabilities, from those of p.

        With s the softmax, ds_i = s_i / T (dq_i / q_i - sum_j s_j dq_j / q_j).

        Parameters
        ----------
        p : ndarray of shape (n_rows, k)
        slopes : ndarray of shape (n_rows, k, n_features)
        """
        q = self.sharpened(p)
        s = _softmax(np.log(q) / self.temperature)[:, :, None]
        slope, below, _ = self.taken_back(p.shape[1])
        relative = slope * (p > below)[:, :, None] * slopes / q[:, :, None]
        inner = relative - (s * relative).sum(axis=1, keepdims=True)
        found: Array = (1.0 - self.smoothing) / self.temperature * s * inner
        return found.astype(slopes.dtype)

    def describe(self) -> dict[str, float]:
        """Return its parameters, as a file holds them."""
        return asdict(self)


def fit(p: Array, numbers: NDArray[np.int64], label_smoothing: float = 0.0) -> Calibration:
    """Return the calibration of the least log loss on rows that were not trained on.

    The loss is convex in 1 / temperature; the root of its slope is found by Brent's method.

    Parameters
    ----------
    p : ndarray of shape (n_rows, k)
        Probabilities.
    numbers : ndarray of shape (n_rows,)
        The classes of the rows, which count alike, whatever they weighed in training.
    label_smoothing : float
        That of the training, to be taken back.
    """
    from scipy.optimize import brentq

    logs = np.log(Calibration(1.0, label_smoothing=label_smoothing).sharpened(p))
    logs -= logs[np.arange(len(p)), numbers][:, None]  # those of the right class become 0

    def slope(u: float) -> float:
        return float((_softmax(math.exp(u) * logs) * logs).sum(axis=1).mean())

    if slope(_WIDEST) <= 0.0:  # each row is right: the surer the better
        surest = _WIDEST
    elif slope(-_WIDEST) >= 0.0:  # no better than guessing
        surest = -_WIDEST
    else:
        surest = float(brentq(slope, -_WIDEST, _WIDEST))
    return Calibration(math.exp(-surest), 1.0 / (len(p) + 1), label_smoothing)


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    found: Array = e / e.sum(axis=1, keepdims=True)
    return found
