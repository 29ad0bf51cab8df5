"""Networks that answer as one: the weighted mean of their probabilities, or of their quantities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.typing import Samples

if TYPE_CHECKING:
    from clearprop.estimators.base import BaseMLP

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Fitted estimators of one table, and how much each counts.

    Parameters
    ----------
    members : tuple of MLPClassifier or MLPRegressor
    weights : tuple of float
        Of sum 1.
    """

    members: tuple[BaseMLP, ...]
    weights: tuple[float, ...]

    @property
    def classes_(self) -> Array:
        """The labels, sorted; of classifiers alone."""
        found: Any = self.members[0]
        return found.classes_

    def predict_proba(self, X: Samples) -> Array:
        """Return the mean probabilities in the order of `classes_`, shape (n_samples, n_classes)."""
        return self._mean("predict_proba", X)

    def predict(self, X: Samples) -> Array:
        """Return the class of the largest mean probability, or the mean quantity, of every row."""
        if hasattr(self.members[0], "predict_proba"):
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        return self._mean("predict", X)

    def _mean(self, method: str, X: Samples) -> Array:
        answers = [getattr(each, method)(X).astype(np.float64) for each in self.members]
        mean: Array = np.tensordot(np.array(self.weights), np.stack(answers), 1)
        return mean
