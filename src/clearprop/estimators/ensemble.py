"""Networks that answer as one: the weighted mean of their probabilities, or of their quantities."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.estimators import explaining, files
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.classifier import MLPClassifier
from clearprop.estimators.regressor import MLPRegressor
from clearprop.model import ensemble
from clearprop.model.ensemble import EnsembleParts
from clearprop.reasons import Reasons
from clearprop.typing import Label, Samples

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
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

    def reasons(self, X: Samples, baseline: Samples | None = None, of: Label | None = None) -> Reasons:
        """Return why every row is answered as it is, as `MLPClassifier.reasons` does."""
        return explaining.reasons(self.members, self.weights, X, baseline, of)

    def _mean(self, method: str, X: Samples) -> Array:
        answers = [getattr(each, method)(X).astype(np.float64) for each in self.members]
        mean: Array = np.tensordot(np.array(self.weights), np.stack(answers), 1)
        return mean

    def save(self, path: str | os.PathLike[str], result: dict[str, Any] | None = None) -> None:
        """Write all members and their weights to one file, atomically; `clearprop.load` reads it.

        Parameters
        ----------
        path : path
        result : dict, optional
            How good they are together on rows that chose nothing, for `clearprop info`.

        Raises
        ------
        ValueError
            If the members have not learned of one table, or one label or quantities of every row.
        """
        models = [
            dataclasses.replace(
                each.network_.model, estimator=files.describe(each) | {"going_on": None}
            )
            for each in self.members
        ]
        where = Path(os.path.expanduser(os.fspath(path)))
        ensemble.write(where, models, self.weights, result)

    @classmethod
    def of(cls, where: Path, parts: EnsembleParts, custom: Iterable[Activation | Cost]) -> Ensemble:
        """Return the ensemble that a file holds, which was read from `where`."""
        kinds = {kind.__name__: kind for kind in (MLPClassifier, MLPRegressor)}
        own, members = list(custom), []
        for each in parts.members:
            assert each.model.estimator is not None  # or the file would have been refused
            kind = kinds[each.model.estimator["class"]]
            members.append(files.made_of(kind, where, each, own))
        return cls(tuple(members), parts.weights or (1.0,))
