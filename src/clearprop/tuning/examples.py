"""Rows with their answers, checked once, of which folds and trials take parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, _num_samples, column_or_1d

from clearprop.data.table.arrow_source import at_hand
from clearprop.estimators.tasks import Regression, as_labels
from clearprop.model.targets import Units
from clearprop.typing import Answers, Samples

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows, their answers, and what else is known of each.

    Parameters
    ----------
    X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,), of quantities also (n_rows, n_outputs)
    classes : ndarray, optional
        All labels, sorted; without them y holds quantities.
    weight, groups, times : ndarray of shape (n_rows,), optional
    """

    X: Any
    y: Array
    classes: Array | None = None
    weight: Array | None = None
    groups: Array | None = None
    times: Array | None = None

    @classmethod
    def of(
        cls,
        estimator: object,
        X: Samples,
        y: Answers,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> Examples:
        """Return what was given, checked; whether y holds classes, the estimator says.

        Raises
        ------
        ValueError, TypeError
            Naming the argument, its rule and the value.
        """
        if groups is not None and times is not None:
            raise ValueError(
                "groups and times cannot be used together: in time order the latest rows are held out"
            )
        X = at_hand(X)
        n = _num_samples(X)
        answers, classes = _answers(y, is_classifier(estimator))
        of_rows = {"y": answers, "groups": groups, "times": times, "sample_weight": sample_weight}
        for name, values in of_rows.items():
            if values is not None and _num_samples(values) != n:
                raise ValueError(
                    f"X and {name} must have as many rows, got {n} and {_num_samples(values)}"
                )
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, answers)
        codes = None if groups is None else _codes(groups)
        return cls(X, answers, classes, weight, codes, None if times is None else _sortable(times))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def codes(self) -> NDArray[np.int64] | None:
        """The number of every row's class; None of quantities."""
        return None if self.classes is None else np.searchsorted(self.classes, self.y)

    def part(self, rows: Array) -> Examples:
        """Return some of the rows."""
        named = {name: getattr(self, name) for name in ("weight", "groups", "times")}
        some = {name: None if each is None else each[rows] for name, each in named.items()}
        return replace(self, X=_taken(self.X, rows), y=self.y[rows], **some)

    def known(self, classes: Array | None) -> NDArray[np.bool_]:
        """Return which rows are of these classes; of quantities all are."""
        return np.ones(len(self), bool) if classes is None else np.isin(self.y, classes)

    def known_from(self, learned: Examples) -> Examples:
        """Return the rows whose class is one of other rows': no epoch can be chosen by the rest."""
        known = self.known(None if self.classes is None else learned.y)
        return self if known.all() else self.part(np.flatnonzero(known))


def _taken(X: Any, rows: Array) -> Any:
    if hasattr(X, "tocsr"):  # not every format has rows
        return X.tocsr()[rows]
    return X.take(rows) if hasattr(X, "num_rows") else _safe_indexing(X, rows)


def _answers(y: Answers, are_classes: bool) -> tuple[Array, Array | None]:
    if not are_classes:
        quantities = Regression().encode(y, Units(), 0)
        return (quantities[:, 0] if quantities.shape[1] == 1 else quantities), None
    labels = as_labels(y)
    if hasattr(labels, "tocsr") or (np.ndim(labels) == 2 and np.shape(labels)[1] > 1):
        raise ValueError(f"y must hold one label for each row, got shape {np.shape(labels)}")
    labels = column_or_1d(labels)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"y must have at least 2 classes, got {len(classes)}")
    return labels, classes


def _codes(groups: ArrayLike) -> Array:
    """Return numbers of groups in their order of rows, whatever they are called."""
    try:
        _, first, codes = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    except TypeError:
        raise ValueError("groups must hold values of one type, without gaps") from None
    return np.argsort(np.argsort(first))[codes]


def _sortable(times: ArrayLike) -> Array:
    found = np.asarray(times)
    if found.ndim != 1 or found.dtype.kind not in "iufMm":
        raise ValueError(f"times must hold dates or numbers, one for each row, got {found.dtype}")
    gaps = np.isnat(found) if found.dtype.kind in "Mm" else ~np.isfinite(found)
    if gaps.any():
        raise ValueError(f"times must have no missing values, got one in row {int(np.argmax(gaps))}")
    return found
