"""Targets: what the outputs of a network stand for, and an answer made of them.

A kind of targets is learned from what is to be predicted. It encodes labels or quantities as rows that
a cost compares outputs with, and decodes outputs into labels, probabilities or quantities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import ACTIVATIONS
from clearprop.model import conformal
from clearprop.model.calibration import Calibration
from clearprop.typing import Label

Array = NDArray[Any]
Labels = NDArray[Any]  # of one type, different, in the order of their numbers

OF_QUANTILES = 3  # outputs: a low one, the median, a high one
_PLAIN = ({str}, {int}, {bool})


@dataclass(frozen=True, eq=False)
class Classes:
    """One label for each row: the numbers 0, 1, ... of outputs, or the two sides of one output.

    Parameters
    ----------
    n_outputs : int
        One for each class; or one, which is high for the second of two classes.
    labels : ndarray of shape (n_classes,), optional
        Without them the numbers are the labels.
    calibration : Calibration, optional
        What the outputs go through to be probabilities.
    threshold : float, optional
        Of two classes: the probability above which the second is the answer. None is 1/2.
    """

    n_outputs: int
    labels: Labels | None = None
    calibration: Calibration | None = None
    threshold: float | None = None

    @property
    def kind(self) -> str:
        """By its name in scikit-learn, and "single" of one class."""
        return {1: "single", 2: "binary"}.get(self.n_classes, "multiclass")

    @property
    def n_classes(self) -> int:
        """How many there are; a single one has one output too."""
        return max(self.n_outputs, 2) if self.labels is None else len(self.labels)

    @property
    def names(self) -> tuple[Label, ...] | None:
        """The labels as texts, integers or booleans, which files hold; None where they are others."""
        if self.labels is None or self.n_classes == 1:
            return None
        names = self.labels.tolist()
        if self.labels.dtype.kind == "f":  # whole ones
            names = [int(name) for name in names]
        plain = self.labels.dtype == object or {type(name) for name in names} in _PLAIN
        return tuple(names) if plain else None

    def encode_numbers(self, numbers: Array, dtype: Any = np.float64) -> Array:
        """Return targets of shape (n_samples, n_outputs) from the numbers of classes."""
        if self.n_classes == 1:
            return np.ones((len(numbers), 1), dtype)
        if self.n_outputs == 1:
            return numbers[:, None].astype(dtype)
        return np.eye(self.n_outputs, dtype=dtype)[numbers]

    def numbers(self, a: Array) -> NDArray[np.int64]:
        """Return the class of every row: that of the largest output, or the side of 1/2 of one."""
        if self.n_classes == 1:
            return np.zeros(len(a), np.int64)
        return a.argmax(axis=1) if a.shape[1] > 1 else (a[:, 0] > 0.5).astype(np.int64)

    def decode(self, a: Array) -> Labels:
        """Return the label of every row of outputs, shape (n_samples,)."""
        numbers = self.decided(a)
        return numbers if self.labels is None else self.labels[numbers]

    def decided(self, a: Array) -> NDArray[np.int64]:
        """Return the class that is the answer for every row of outputs: by the threshold, if any."""
        if self.threshold is None:
            return self.numbers(a)
        return (self.probabilities(a)[:, 1].astype(np.float64) > self.threshold).astype(np.int64)

    def probabilities(self, a: Array) -> Array:
        """Return what outputs say of each class, shape (n_samples, n_classes)."""
        if self.n_classes == 1:
            return np.ones((len(a), 1), a.dtype)
        p = np.concatenate([1.0 - a, a], axis=1) if a.shape[1] == 1 else a
        return p if self.calibration is None else self.calibration(p)

    def describe_choices(self) -> dict[str, Any]:
        """Return what held-out rows have chosen, as a file holds it."""
        found: dict[str, Any] = {} if self.threshold is None else {"threshold": self.threshold}
        made = self.calibration
        return found if made is None else found | {"calibration": made.describe()}

    def slopes(self, a: Array, slopes: Array) -> Array:
        """Return the derivatives of the probabilities, from those of the outputs; one of one output.

        Parameters
        ----------
        a : ndarray of shape (n_samples, n_outputs)
        slopes : ndarray of shape (n_samples, n_outputs, n_features)
        """
        if self.calibration is None:
            return slopes
        if a.shape[1] > 1:
            return self.calibration.slopes(a, slopes)
        both = np.concatenate([1.0 - a, a], axis=1), np.concatenate([-slopes, slopes], axis=1)
        return self.calibration.slopes(*both)[:, 1:]

    def right(self, a: Array, targets: Array) -> NDArray[np.bool_]:
        """Return which rows of outputs have the class of their targets."""
        if self.threshold is not None:
            return self.decided(a) == self.numbers(targets)
        if targets.shape[1] > 1:
            return np.asarray(a.argmax(axis=1) == targets.argmax(axis=1))
        return _all_agree(a, targets)


def taken_choices(said: dict[str, Any]) -> dict[str, Any]:
    """Take what `Classes.describe_choices` returned out of a description, as arguments of `Classes`."""
    made, threshold = said.pop("calibration", None), said.pop("threshold", None)
    return {"calibration": None if made is None else Calibration(**made), "threshold": threshold}


@dataclass(frozen=True, eq=False)
class Indicators:
    """Several labels at a time, each there or not: an output for each.

    Parameters
    ----------
    n_outputs : int
    sparse : bool
        Whether answers are SciPy CSR matrices: of very many labels few are there.
    """

    n_outputs: int
    sparse: bool = False
    kind = "multilabel-indicator"

    @property
    def labels(self) -> Labels:
        """Their numbers."""
        return np.arange(self.n_outputs)

    def encode(self, table: Array) -> Array:
        """Return targets from a table of what is not 0 where a label is there."""
        return (table != 0).astype(np.float64)

    def decode(self, a: Array) -> Any:
        """Return 1 where an output says that its label is there, else 0; the shape of a."""
        table = (a > 0.5).astype(np.int64)
        if not self.sparse:
            return table
        from scipy.sparse import csr_matrix

        return csr_matrix(table)

    def probabilities(self, a: Array) -> Array:
        """Return the outputs themselves."""
        return a

    def right(self, a: Array, targets: Array) -> NDArray[np.bool_]:
        """Return which rows of outputs have all labels right."""
        return _all_agree(a, targets)


@dataclass(frozen=True, eq=False)
class Columns:
    """Several columns of labels, each with classes of its own: a softmax over each column's outputs.

    Parameters
    ----------
    each : sequence of Classes
    """

    each: tuple[Classes, ...]
    kind = "multiclass-multioutput"

    @property
    def labels(self) -> list[Labels]:
        """Those of every column."""
        return [known.labels for known in self.each if known.labels is not None]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The outputs of every column."""
        return tuple(known.n_outputs for known in self.each)

    @property
    def n_outputs(self) -> int:
        """Those of all columns."""
        return sum(self.sizes)

    def encode_numbers(self, numbers: Sequence[Array]) -> Array:
        """Return targets from the numbers of every column's classes."""
        parts = zip(self.each, numbers, strict=True)
        return np.concatenate([np.eye(known.n_outputs)[codes] for known, codes in parts], axis=1)

    def split(self, a: Array) -> list[Array]:
        """Return every column's outputs."""
        return np.split(a, np.cumsum(self.sizes)[:-1], axis=1)

    def decode(self, a: Array) -> Labels:
        """Return the labels of every row, shape (n_samples, n_columns)."""
        picks = zip(self.split(a), self.labels, strict=True)
        found = [known[part.argmax(axis=1)] for part, known in picks]
        if len({labels.dtype.kind for labels in found}) > 1:  # else numbers become texts, or floats
            found = [labels.astype(object) for labels in found]
        return np.stack(found, axis=1)

    def probabilities(self, a: Array) -> list[Array]:
        """Return every column's probabilities."""
        softmax = ACTIVATIONS["softmax"]
        return [softmax(part) for part in self.split(a)]

    def right(self, a: Array, targets: Array) -> NDArray[np.bool_]:
        """Return which rows of outputs have all columns right."""
        pairs = zip(self.split(a), self.split(targets), strict=True)
        picked = [one.argmax(axis=1) == other.argmax(axis=1) for one, other in pairs]
        return np.asarray(np.all(picked, axis=0))


@dataclass(frozen=True, eq=False)
class Units:
    """Quantities, learned as ``(Y - shift) / factor``.

    Parameters
    ----------
    shift, factor : ndarray of shape (n_outputs,), optional
        float64; without them quantities are learned as they are.
    low, high : ndarray of shape (n_outputs,), optional
        Answers are brought between them: the least and the largest that were learned from.
    residuals : ndarray of shape (n, n_outputs), optional
        Sorted absolute errors on rows that chose nothing, in the units of the answers: see `conformal`.
    quantiles : bool
        Whether outputs are three quantiles of one quantity, as the cost of that name makes them: the
        answer is the middle one, and `residuals`, of shape (n, 1), are `conformal.beyond` the others.
    """

    shift: NDArray[np.float64] | None = None
    factor: NDArray[np.float64] | None = None
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    residuals: NDArray[np.float64] | None = None
    quantiles: bool = False
    kind = "continuous"

    @property
    def standardized(self) -> bool:
        """Whether outputs are in other units than the answers."""
        return self.shift is not None and self.factor is not None

    def encode(self, Y: Array) -> Array:
        """Return targets from quantities of shape (n_samples, n_outputs); of one for all quantiles."""
        if self.quantiles:
            Y = np.repeat(Y[:, :1], OF_QUANTILES, axis=1)
        if self.shift is None or self.factor is None:
            return Y
        encoded: Array = (Y - self.shift) / self.factor
        return encoded

    def decode(self, a: Array) -> Array:
        """Return quantities in their own units, in the dtype of the outputs, between the bounds."""
        return self.middle(self._own_and_bounded(a))

    def middle(self, a: Array) -> Array:
        """Return what is answered of outputs or targets: all, or of quantiles the middle one."""
        return np.sort(a, axis=1)[:, 1:2] if self.quantiles else a

    def _own_and_bounded(self, a: Array) -> Array:
        found = self.in_own_units(a)
        if self.low is None:
            return found
        return np.clip(found, self.low, self.high).astype(a.dtype, copy=False)

    def in_own_units(self, a: Array) -> Array:
        """Return quantities from what `encode` made of them, also beyond those learned from."""
        if self.shift is None or self.factor is None:
            return a
        found: Array = a * self.factor.astype(a.dtype) + self.shift.astype(a.dtype)
        return found

    def between(self, low: Array, high: Array) -> Units:
        """Return units whose answers are between the least and the largest, shape (n_columns,)."""
        n = OF_QUANTILES if self.quantiles else len(low)
        return replace(self, low=np.resize(low, n), high=np.resize(high, n))

    def bounded(self, a: Array) -> Array:
        """Return outputs whose answers are between the least and the largest; NaN stays NaN."""
        if self.low is None or self.high is None:
            return a
        return np.clip(a, self.encode(self.low[None]), self.encode(self.high[None])).astype(
            a.dtype, copy=False
        )

    def errors(self, a: Array, Y: Array) -> NDArray[np.float64]:
        """Return the sorted errors that intervals are made of, by outputs and encoded targets of rows.

        Parameters
        ----------
        a, Y : ndarray of shape (n_samples, n_outputs)
            Of rows that chose nothing.
        """
        found, true = self._own_and_bounded(a.astype(np.float64)), self.in_own_units(Y)
        return conformal.beyond(found, true) if self.quantiles else conformal.residuals(found, true)

    def bounds(self, a: Array, level: Fraction) -> Array:
        """Return between what quantities lie, shape (n_samples, n_answers, 2): low and high.

        Parameters
        ----------
        a : ndarray of shape (n_samples, n_outputs)
            Outputs.
        level : Fraction
            Of `conformal.check_level`.

        Raises
        ------
        ValueError
            If no errors on held-out rows are known, or too few.
        """
        if self.residuals is None:
            raise ValueError(
                "an interval needs errors on held-out rows that chose nothing, the model has none: "
                "train with test_share=0.5, or by the command without --validation 0"
            )
        away = conformal.half_width(self.residuals, level)
        wide = self._own_and_bounded(a).astype(np.float64)
        if self.quantiles:
            return conformal.around(wide, away)
        return np.stack([wide - away, wide + away], axis=2)


def _all_agree(a: Array, targets: Array) -> NDArray[np.bool_]:
    agree: NDArray[np.bool_] = np.all((a > 0.5) == (targets > 0.5), axis=1)
    return agree


Targets = Classes | Indicators | Columns | Units


def standard_units(mean: Array, variance: Array) -> Units:
    """Return units of mean 0 and standard deviation 1; a constant quantity is 0."""
    spread = np.sqrt(variance)
    return Units(mean, np.where(spread > 0, spread, 1.0))
