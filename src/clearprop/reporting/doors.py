"""What `report` is given in Python, as a subject: a network, an estimator, or an ensemble of such."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data import arrays, feature_names
from clearprop.data.labels import as_labels
from clearprop.data.table import TargetEncoder
from clearprop.estimators import reader
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.ensemble import Ensemble
from clearprop.model.ensemble import Averaged
from clearprop.model.model import Model
from clearprop.model.targets import Classes
from clearprop.network import Network
from clearprop.reporting.reading import of_table
from clearprop.reporting.subject import Subject, of_arrays
from clearprop.typing import Answers, Samples

Array = NDArray[Any]
Reported = Network | BaseMLP | Ensemble
History = Mapping[str, Sequence[float]]

_WHERE = "frame"  # what messages call the rows


def subject_of(made: Reported, X: Samples, y: Answers | None) -> tuple[Subject, History]:
    """Return a model and rows as a subject, and the history of the model's training."""
    if isinstance(made, Ensemble):
        models = tuple(_raw(each.network_.model) for each in made.members)
        answering = Averaged(models, made.weights)
        return _subject(answering.model, answering, made.members[0], X, y), {}
    if isinstance(made, BaseMLP):
        made._predictor()  # which refuses one that is not fitted
        return _subject(_raw(made.network_.model), None, made, X, y), made.history_.columns
    if not isinstance(made, Network):
        raise TypeError(
            "model must be a Network, a fitted MLPClassifier or MLPRegressor, or an Ensemble, "
            f"got {made!r}"
        )
    return _subject(_raw(made.model), None, None, X, y), {}


def _raw(model: Model) -> Model:
    """Return a model whose outputs are in raw units, and whose steps are its own."""
    raw = model.in_raw_units()
    if raw is model:
        raw = dataclasses.replace(model)
    raw.inputs = dataclasses.replace(raw.inputs, outside=False)
    return raw


def _subject(
    model: Model, averaged: Averaged | None, estimator: BaseMLP | None, X: Any, y: Any
) -> Subject:
    codes = None if y is None else _codes(model, y)
    strangers = [] if codes is None else _strangers(model, y, codes)
    if model.inputs.encoder is None:
        numbers = _numbers(model, estimator, X)
        _check_lengths(len(numbers), codes)
        return of_arrays(model, averaged, numbers, codes, _WHERE, strangers)
    source = model.inputs.open(X)
    source.where = _WHERE
    target, name = None, model.schema.target
    if codes is None and name is not None and name in source.names:
        if model.column is None:
            model.column = TargetEncoder(name, model.schema.classes)
        target = name
    _check_lengths(int(source.n_rows or 0), codes)
    return of_table(model, averaged, source, target, codes=codes, strangers=strangers)


def _check_lengths(n: int, codes: Array | None) -> None:
    if codes is not None and n != len(codes):
        raise ValueError(f"frame and y must have as many rows, got {n:,} and {len(codes):,}")


def _numbers(model: Model, estimator: BaseMLP | None, X: Any) -> Array:
    """Return rows of numbers, as the model's own door takes them."""
    if estimator is not None:
        read = reader.read_X(estimator, X)
        return read.toarray() if hasattr(read, "toarray") else read
    feature_names.check(X, model.feature_names)
    return arrays.as_inputs(X, model.architecture.n_features, model.dtype, _WHERE)


def _codes(model: Model, y: Any) -> Array:
    """Return numbers of classes, -1 of what the model does not know, or quantities."""
    if not isinstance(model.targets, Classes):
        quantities = np.asarray(y, np.float64)
        quantities = (
            quantities[:, 0] if quantities.ndim == 2 and quantities.shape[1] == 1 else quantities
        )
        if quantities.ndim != 1 or not np.isfinite(quantities).all():
            raise ValueError(
                "y must hold one finite quantity for each row, got "
                + ("NaN or infinity" if quantities.ndim == 1 else f"the shape {quantities.shape}")
            )
        return quantities
    labels = as_labels(y, "y")
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1:
        raise ValueError(f"y must hold one label for each row, got the shape {labels.shape}")
    names = model.targets.labels
    known = range(model.targets.n_classes) if names is None else names.tolist()
    numbers = {label: number for number, label in enumerate(known)}
    return np.array([numbers.get(label, -1) for label in labels.tolist()], np.int64)


def _strangers(model: Model, y: Any, codes: Array) -> list[str]:
    if not isinstance(model.targets, Classes) or not (codes < 0).any():
        return []
    return sorted({str(each) for each in np.asarray(y).ravel()[codes < 0]})
