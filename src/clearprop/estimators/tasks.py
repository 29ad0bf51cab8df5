"""What y is: labels or quantities, read as scikit-learn reads them, and what follows from that."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_y

from clearprop import costs, metrics
from clearprop.costs import COUNTS, Cost
from clearprop.data import labels
from clearprop.data.labels import check_classes, warn_of_alike
from clearprop.masks import refuse_masked
from clearprop.model.targets import (
    OF_QUANTILES,
    Classes,
    Columns,
    Indicators,
    Targets,
    Units,
    standard_units,
)
from clearprop.names import known_name
from clearprop.rarer_costs import makes_quantiles
from clearprop.schedules import Schedule
from clearprop.training.supply import Supply
from clearprop.user_warning import warn

Array = NDArray[Any]

LOSSES: dict[str, Callable[..., Cost]] = {
    "squared_error": costs.quadratic,
    "absolute_error": costs.mean_absolute_error,
    "huber": costs.huber,
    "quantile": costs.quantile,
    "poisson": costs.poisson,
    "quantiles": costs.quantiles,
}
_CLASSIFIER_LOSSES: dict[str, Callable[..., Cost]] = {"log_loss": costs.cross_entropy, **LOSSES}
_KINDS = ("binary", "multiclass", "multiclass-multioutput", "multilabel-indicator")
_ROWS = 1 << 16  # looked at together


class Task(ABC):
    """What an estimator does with y."""

    kind: str
    score_name: str  # of `score`

    @abstractmethod
    def learn(self, y: Any, two_outputs: bool, classes: Any = None) -> Targets:
        """Return what y is.

        Parameters
        ----------
        y : array-like
        two_outputs : bool
            Whether two classes have an output each.
        classes : array-like, optional
            All classes that will come, where y need not have them.
        """

    @abstractmethod
    def encode(self, y: Any, known: Targets, n_outputs: int, *, same: bool = False) -> Array:
        """Return y as targets, shape (n_samples, n_outputs), before they are brought to units.

        Parameters
        ----------
        y : array-like
        known : Targets
        n_outputs : int
        same : bool
            Whether y must have all the classes that are known, as for a warm start.
        """

    @abstractmethod
    def output(
        self, loss: str | Cost, targets: Targets, label_smoothing: float | Schedule = 0.0
    ) -> tuple[str, Cost]:
        """Return the activation of the outputs and the cost."""

    @abstractmethod
    def score(self, targets: Targets, a: Array, Y: Array, weight: Array | None) -> float:
        """Return the score of outputs that early stopping watches where no scorer is given."""

    def weigh(self, y: Any, weight: Array | None, class_weight: Any) -> Array | None:
        """Return the sample weights times those of the classes."""
        return weight

    def strata(self, targets: Targets, Y: Array) -> Array | None:
        """Return what the validation part is to have its share of, if anything."""
        return None

    def in_units(
        self, targets: Targets, loss: str | Cost, moments: tuple[Array, Array], dtype: str
    ) -> Targets:
        """Return targets with the units in which they are learned, by their mean and variance."""
        return targets

    def for_loss(self, targets: Targets, loss: str | Cost, n_columns: int) -> tuple[Targets, int]:
        """Return targets as a loss needs them, and the number of outputs, of y with so many columns."""
        return targets, n_columns

    def loss_offset(self, cost: Cost, supply: Supply) -> float:
        """Return what scikit-learn's loss has besides our cost: a function of y alone."""
        return 0.0


class Classification(Task):
    """Labels: one for each row, several of each, or several columns of them."""

    kind, score_name = "classifier", "accuracy"

    def learn(self, y: Any, two_outputs: bool, classes: Any = None) -> Targets:
        """As in `Task`."""
        y = as_labels(y)
        kind = kind_of(y)
        if kind == "multilabel-indicator":
            return Indicators(np.shape(y)[1], hasattr(y, "tocsr"))
        if kind == "multiclass-multioutput":
            columns = columns_of(y)
            if classes is not None and len(classes) != len(columns):
                raise ValueError(
                    f"classes must be a list for each of y's {len(columns)} columns, got {len(classes)}"
                )
            known = columns if classes is None else [as_labels(each, "classes") for each in classes]
            found = [np.unique(column) for column in known]
            for each in found:
                check_classes(each.tolist(), "y")
                warn_of_alike(each.tolist(), "y", warn)
            return Columns(tuple(Classes(len(each), each) for each in found))
        known = column_or_1d(y) if classes is None else as_labels(classes, "classes")
        classes = np.unique(known)
        warn_of_alike(classes.tolist(), "y", warn)
        return self.of_classes(classes, two_outputs)

    def of_classes(self, classes: Array, two_outputs: bool = False) -> Classes:
        """Return the targets of classes that are known: different labels, sorted."""
        check_classes(classes.tolist(), "y")
        one = len(classes) == 1 or (len(classes) == 2 and not two_outputs)
        return Classes(1 if one else len(classes), classes)

    def encode(self, y: Any, known: Targets, n_outputs: int, *, same: bool = False) -> Array:
        """As in `Task`."""
        y = as_labels(y)
        kind, several = kind_of(y), ("binary", "multiclass")
        if kind != known.kind and not (kind in several and isinstance(known, Classes)):
            raise ValueError(f"y must be {known.kind} as before, got {kind}")
        if isinstance(known, Indicators):
            dense = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
            if dense.ndim != 2 or dense.shape[1] != known.n_outputs:
                raise ValueError(f"y must have {known.n_outputs} labels, got shape {dense.shape}")
            return known.encode(dense)
        if isinstance(known, Columns):
            pairs = zip(columns_of(y), known.labels, strict=True)
            return known.encode_numbers([_numbers(column, each) for column, each in pairs])
        assert isinstance(known, Classes)
        assert known.labels is not None
        if same:
            found = np.unique(column_or_1d(y))
            if set(found.tolist()) != set(known.labels.tolist()):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {known.labels}, `y` has {found}"
                )
        return known.encode_numbers(_numbers(_one_column(y), known.labels))

    def output(
        self, loss: str | Cost, targets: Targets, label_smoothing: float | Schedule = 0.0
    ) -> tuple[str, Cost]:
        """As in `Task`."""
        if isinstance(targets, Columns):
            if loss != "log_loss" or label_smoothing:
                raise ValueError(
                    "several columns of labels need loss='log_loss' without label_smoothing, got "
                    f"loss={loss!r}, label_smoothing={label_smoothing!r}"
                )
            return "identity", costs.grouped_cross_entropy(targets.sizes)
        known = _CLASSIFIER_LOSSES
        cost = loss if isinstance(loss, Cost) else known[known_name("loss", loss, known)]()
        if cost.kind == COUNTS:
            raise ValueError(f"loss={cost.name!r} is for counts; a classifier needs another loss")
        if makes_quantiles(cost):
            raise ValueError("loss='quantiles' is for quantities; a classifier needs another loss")
        softmax = isinstance(targets, Classes) and targets.n_outputs > 1
        return ("softmax" if softmax else "sigmoid"), cost

    def weigh(self, y: Any, weight: Array | None, class_weight: Any) -> Array | None:
        """As in `Task`."""
        if class_weight is None:
            return weight
        rows = y.toarray() if hasattr(y, "toarray") else as_labels(y)
        factor: Array = compute_sample_weight(class_weight, rows)
        return factor if weight is None else weight * factor

    def strata(self, targets: Targets, Y: Array) -> Array | None:
        """As in `Task`."""
        several = isinstance(targets, Classes) and targets.n_classes > 1
        return targets.numbers(Y) if several and isinstance(targets, Classes) else None

    def score(self, targets: Targets, a: Array, Y: Array, weight: Array | None) -> float:
        """Return the share of rows of which everything is right."""
        assert not isinstance(targets, Units)
        if not np.isfinite(a).all():
            return float("nan")
        return float(np.average(targets.right(a, Y), weights=weight))


class Regression(Task):
    """Quantities: one for each row, or several."""

    kind, score_name = "regressor", "r2"

    def learn(self, y: Any, two_outputs: bool, classes: Any = None) -> Targets:
        """As in `Task`."""
        return Units()

    def encode(self, y: Any, known: Targets, n_outputs: int, *, same: bool = False) -> Array:
        """As in `Task`; 0 outputs stand for any number of them."""
        refuse_masked(y, "y")
        labels.refuse_gaps(y, "y")
        table = _quantities(y)
        if isinstance(known, Units) and known.quantiles:
            n_outputs = 1
        if n_outputs and table.shape[1] != n_outputs:
            raise ValueError(
                f"y must have as many columns as before, {n_outputs}, got {table.shape[1]}"
            )
        return table

    def output(
        self, loss: str | Cost, targets: Targets, label_smoothing: float | Schedule = 0.0
    ) -> tuple[str, Cost]:
        """As in `Task`."""
        cost = loss if isinstance(loss, Cost) else LOSSES[known_name("loss", loss, LOSSES)]()
        return (cost.usual_outputs[0] if cost.kind == COUNTS else "identity"), cost

    def in_units(
        self, targets: Targets, loss: str | Cost, moments: tuple[Array, Array], dtype: str
    ) -> Targets:
        """As in `Task`."""
        if self.output(loss, targets)[0] != "identity":
            raise ValueError(
                f"target='standardize' cannot be used with loss={loss!r}, whose targets are counts"
            )
        spread = np.sqrt(moments[1])
        if not (np.abs(moments[0]) + spread < np.finfo(dtype).max).all():
            raise ValueError(
                f"y must fit in {dtype}, got a mean of {moments[0].max():.6g} and a standard deviation "
                f"of {spread.max():.6g}; scale it"
            )
        repeats = OF_QUANTILES if isinstance(targets, Units) and targets.quantiles else 1
        made = standard_units(*(np.repeat(moment, repeats) for moment in moments))
        return dataclasses.replace(made, quantiles=repeats > 1)

    def for_loss(self, targets: Targets, loss: str | Cost, n_columns: int) -> tuple[Targets, int]:
        """As in `Task`: of the loss "quantiles" there are three outputs for the one quantity."""
        if not isinstance(targets, Units) or not makes_quantiles(self.output(loss, targets)[1]):
            return targets, n_columns
        if n_columns > 1:
            raise ValueError(
                f"loss='quantiles' is for one quantity a row, got {n_columns}; fit a model for each"
            )
        return dataclasses.replace(targets, quantiles=True), OF_QUANTILES

    def score(self, targets: Targets, a: Array, Y: Array, weight: Array | None) -> float:
        """Return R squared, of several outputs their mean."""
        if isinstance(targets, Units):
            a, Y = targets.middle(targets.bounded(a)), targets.middle(Y)
        return metrics.r2(a, Y, weight) if np.isfinite(a).all() else float("nan")

    def loss_offset(self, cost: Cost, supply: Supply) -> float:
        """As in `Task`."""
        if cost.of_targets is None:
            return 0.0
        total = weights = 0.0
        for _, Y, weight in supply.blocks(_ROWS):
            rows = cost.of_targets(Y.astype(np.float64))
            total += float(rows.sum() if weight is None else rows @ weight)
            weights += float(len(Y) if weight is None else weight.sum())
        return total / weights


def _one_column(y: Any) -> Any:
    """Return ``column_or_1d(y, warn=True)``, whose warning would point at this line."""
    if np.ndim(y) == 2:
        said = (
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y "
            "to (n_samples,), for example using ravel()."
        )
        warn(said, DataConversionWarning)
    return column_or_1d(y)


def _quantities(y: Any) -> Array:
    """Return y as an array of floats, shape (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If it holds anything else than numbers, naming the first; or as scikit-learn does.
    """
    try:
        checked = _check_y(y, multi_output=True, y_numeric=True, estimator="MLPRegressor")
        if checked.ndim == 2 and checked.shape[1] == 1:
            checked = _one_column(checked)
        table: Array = checked.reshape(len(checked), -1)
        if table.dtype.kind == "M":
            raise ValueError
        table = table.astype(np.float64) if table.dtype.kind != "f" else table
    except ValueError:
        odd = next((cell for cell in np.asarray(y, object).flat if not _is_quantity(cell)), None)
        if odd is None:
            raise
        shown, hint = (odd.item() if hasattr(odd, "item") else odd), ""
        if isinstance(odd, str):
            hint = "; MLPClassifier learns labels"
        raise ValueError(f"y must hold numbers for MLPRegressor, got {shown!r}{hint}") from None
    return table


def _is_quantity(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return cell is None
    return True


def as_labels(y: Any, argument: str = "y") -> Any:
    """Return y as an array of labels, each there; a sparse matrix and ragged lists as they are."""
    if hasattr(y, "tocsr"):
        return y
    refuse_masked(y, argument)
    given = labels.objects_of(y)
    if given.dtype != object:
        return labels.as_labels(given, argument)
    if given.ndim not in (1, 2) or not given.size or any(np.ndim(label) for label in given.flat):
        return y
    columns = [labels.typed_labels(column, argument) for column in given.reshape(len(given), -1).T]
    kinds = {column.dtype.kind for column in columns}
    typed = not hasattr(y, "dtype") or (given.ndim == 1 and kinds != {"U"})  # objects stay objects
    if typed and (len(kinds) == 1 or kinds <= {"i", "u", "f"}):
        table = np.stack(columns, axis=1)
        if table.T.tolist() == [column.tolist() for column in columns]:
            return table.reshape(given.shape)
    objects = np.empty((len(given), len(columns)), object)
    for each, column in zip(objects.T, columns, strict=True):
        each[:] = column.tolist()
    return objects.reshape(given.shape)


def _several_types(y: Any) -> bool:
    """Whether y has several columns of labels, such as a data frame's, that have a type each."""
    return isinstance(y, np.ndarray) and y.dtype == object and y.ndim == 2 and y.shape[1] > 1


def columns_of(y: Any) -> list[Array]:
    """Return the columns of y, each as an array of the type of its labels."""
    if _several_types(y):
        return [labels.typed_labels(column, "y") for column in y.T]
    return list(np.asarray(y).T)


def kind_of(y: Any) -> str:
    """Return what y is, by scikit-learn's name.

    Raises
    ------
    ValueError
        If it is nothing that can be classified.
    """
    if _several_types(y):
        return "multiclass-multioutput"
    kind = str(type_of_target(y, input_name="y"))
    if kind not in _KINDS:
        check_classification_targets(y)  # which says why
    return kind


def _numbers(given: Array, classes: Array) -> NDArray[np.int64]:
    found, codes = np.unique(given, return_inverse=True)
    # Looked up as Python's numbers: NumPy compares integers with and without a sign as floats.
    known = {label: code for code, label in enumerate(classes.tolist())}
    if any(label not in known for label in found.tolist()):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {found}."
        )
    return np.array([known[label] for label in found.tolist()])[codes]
