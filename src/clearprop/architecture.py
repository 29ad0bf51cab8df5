"""What a network is made of: layers, and the table that finds them in one flat vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Scaling:
    """A shift and a factor for every input, applied before the first layer.

    ``scaling(X)`` is ``(X - shift) * factor``, so that a model keeps what turns raw data into what
    it was trained on.

    Parameters
    ----------
    shift, factor : ndarray of shape (n_features,) or (1,)
        float64; shape (1,) stands for every feature alike.
    """

    shift: Array
    factor: Array

    def __call__(self, X: Array) -> Array:
        """Return the scaled X, in its own dtype."""
        return (X - self.shift.astype(X.dtype)) * self.factor.astype(X.dtype)
