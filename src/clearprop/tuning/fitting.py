"""An estimator on some rows: fitted to them alone, and measured on others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from clearprop.estimators.base import BaseMLP
from clearprop.estimators.options import Options
from clearprop.evaluation import ClassTally, QuantityTally
from clearprop.tuning.examples import Examples
from clearprop.tuning.folds import hold_out

Array = NDArray[Any]


def fit(estimator: Any, examples: Examples) -> Any:
    """Return a copy of an estimator, fitted to all of these rows and to no others.

    What it learns of the columns, it learns here. One that sets rows aside to choose its epoch sets
    whole groups aside, and in time order the latest rows.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended its training.
    """
    made, rows = clone(estimator), examples
    given: dict[str, Any] = {} if examples.weight is None else {"sample_weight": examples.weight}
    if isinstance(made, BaseMLP):
        options = Options.of(made.set_params(test_share=0.0))  # others than these rows judge
        if options.early_stopping and examples.groups is not None:
            given["groups"] = examples.groups
        elif options.early_stopping and examples.times is not None:
            earlier, later = hold_out(examples, float(options.validation_fraction), 0)
            rows = examples.part(earlier)
            late = examples.part(later).known_from(rows)
            given |= {"X_val": late.X, "y_val": late.y}
            if rows.weight is not None:
                given["sample_weight"] = rows.weight
    made.fit(rows.X, rows.y, **given)
    if getattr(getattr(made, "history_", None), "stopped", "") == "interrupted":
        raise KeyboardInterrupt
    return made


def outputs_of(fitted: Any, examples: Examples) -> Array:
    """Return what a fitted estimator makes of rows.

    Returns
    -------
    ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        Probabilities in the order of all classes, 0 for those it has not seen; or quantities.
    """
    if examples.classes is None:
        return np.asarray(fitted.predict(examples.X), np.float64).reshape(len(examples), -1)
    found = fitted.predict_proba(examples.X)
    outputs = np.zeros((len(examples), len(examples.classes)), found.dtype)
    outputs[:, np.searchsorted(examples.classes, fitted.classes_)] = found
    return outputs


def tally(
    outputs: Array, examples: Examples, known: Array | None = None, seed: int = 0
) -> ClassTally | QuantityTally:
    """Return the metrics of outputs, as `clearprop evaluate` has them.

    Parameters
    ----------
    outputs : ndarray
        As `outputs_of` returns them.
    examples : Examples
        The same rows.
    known : ndarray, optional
        The classes that the estimator has seen: rows of others count as wrong, and log loss, Brier
        score and area under the curve are without them.
    seed : int
        Of the bootstrap.
    """
    codes = examples.codes
    if codes is None or examples.classes is None:
        quantities = QuantityTally(seed)
        quantities.add(outputs, examples.y.reshape(len(examples), -1))
        return quantities
    classes = ClassTally(len(examples.classes), seed=seed)
    if known is not None:
        codes = np.where(examples.known(known), codes, len(examples.classes))
    classes.add(outputs, codes)
    return classes


def measure(fitted: Any, examples: Examples) -> tuple[Array, dict[str, float]]:
    """Return a fitted estimator's outputs for rows, and their metrics."""
    outputs = outputs_of(fitted, examples)
    known = None if examples.classes is None else fitted.classes_
    return outputs, tally(outputs, examples, known).result(replicates=0).metrics
