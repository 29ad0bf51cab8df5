"""Calibration: how sure a classifier's probabilities are to be, by rows that it did not learn from.

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

_WIDEST = 5.0  # temperatures are sought from exp(-5) to exp(5)


@dataclass(frozen=True)
class Calibration:
    """What probabilities become: ``(1 - smoothing) softmax(log(p) / temperature) + smoothing / k``.

    Of two classes that is the sigmoid of their log odds, divided by the temperature.

    Parameters
    ----------
    temperature : float
        Above 1 makes less sure, below 1 surer.
    smoothing : float
        Share of "all k classes alike", in [0, 1).
    """

    temperature: float
    smoothing: float = 0.0

    def __call__(self, p: Array) -> Array:
        """Return calibrated probabilities, in the dtype of p, shape (n_rows, k)."""
        return self._mixed(_softmax(_logarithms(p) / self.temperature)).astype(p.dtype)

    def _mixed(self, q: Array) -> Array:
        mixed: Array = (1.0 - self.smoothing) * q + self.smoothing / q.shape[1]
        return mixed

    def slopes(self, p: Array, slopes: Array) -> Array:
        """Return the derivatives of the calibrated probabilities, from those of p.

        With q the softmax, dq_i = q_i / T (dp_i / p_i - sum_j q_j dp_j / p_j).

        Parameters
        ----------
        p : ndarray of shape (n_rows, k)
        slopes : ndarray of shape (n_rows, k, n_features)
        """
        logs = _logarithms(p)
        q = _softmax(logs / self.temperature)[:, :, None]
        relative = slopes / np.exp(logs)[:, :, None]
        inner = relative - (q * relative).sum(axis=1, keepdims=True)
        found: Array = (1.0 - self.smoothing) / self.temperature * q * inner
        return found.astype(slopes.dtype)

    def describe(self) -> dict[str, float]:
        """Return its parameters, as a file holds them."""
        return asdict(self)


def fit(p: Array, numbers: NDArray[np.int64]) -> Calibration:
    """Return the calibration of the least log loss on rows that were not trained on.

    The loss is convex in 1 / temperature; the root of its slope is found by Brent's method.

    Parameters
    ----------
    p : ndarray of shape (n_rows, k)
        Probabilities.
    numbers : ndarray of shape (n_rows,)
        The classes of the rows, which count alike, whatever they weighed in training.
    """
    from scipy.optimize import brentq

    logs = _logarithms(p)
    logs -= logs[np.arange(len(p)), numbers][:, None]  # those of the right class become 0

    def slope(u: float) -> float:
        return float((_softmax(math.exp(u) * logs) * logs).sum(axis=1).mean())

    smoothing = 1.0 / (len(p) + 1)
    if slope(_WIDEST) <= 0.0:  # each row is right: the surer the better
        return Calibration(math.exp(-_WIDEST), smoothing)
    if slope(-_WIDEST) >= 0.0:  # no better than guessing
        return Calibration(math.exp(_WIDEST), smoothing)
    return Calibration(math.exp(-float(brentq(slope, -_WIDEST, _WIDEST))), smoothing)


def _logarithms(p: Array) -> Array:
    """Return the logarithms in float64; what p's dtype cannot tell from 0 counts as its precision."""
    found: Array = np.log(np.maximum(p.astype(np.float64), np.finfo(p.dtype).eps))
    return found


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    found: Array = e / e.sum(axis=1, keepdims=True)
    return found
