"""Metrics: predictions and targets in, one number out, accumulated in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.names import known_name

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]


def correct(a: Array, y: Array) -> NDArray[np.bool_]:
    """Return for each row whether the outputs `a` point to the class that `y` does.

    Both have shape (n_samples, n_outputs): with several outputs the largest one counts, with one
    output whether it is above 1/2.
    """
    if a.shape[1] == 1:
        return (a[:, 0] > 0.5) == (y[:, 0] > 0.5)
    return a.argmax(axis=1) == y.argmax(axis=1)


def accuracy(a: Array, y: Array) -> float:
    """Return the share of rows that are `correct`, in [0, 1]."""
    return float(correct(a, y).mean())


def mae(a: Array, y: Array) -> float:
    """Return the mean absolute error over rows and outputs."""
    return float(np.abs(a.astype(np.float64) - y).mean())


def rmse(a: Array, y: Array) -> float:
    """Return the root of the mean squared error over rows and outputs."""
    return float(np.sqrt(((a.astype(np.float64) - y) ** 2).mean()))


def r2(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the coefficient of determination, averaged over outputs.

    For an output whose targets are all equal it is 1 if every prediction is right and 0 otherwise, as
    in scikit-learn. `weight` is that of each row.
    """
    wide = y.astype(np.float64)
    counts = 1.0 if weight is None else weight.astype(np.float64)[:, None]
    residual = (counts * (a.astype(np.float64) - wide) ** 2).sum(axis=0)
    total = (counts * (wide - np.average(wide, axis=0, weights=weight)) ** 2).sum(axis=0)
    share = residual / np.where(total > 0, total, 1.0)
    return float(np.where(total > 0, 1.0 - share, np.where(residual > 0, 0.0, 1.0)).mean())


METRICS: dict[str, Metric] = {"accuracy": accuracy, "mae": mae, "rmse": rmse, "r2": r2}
# Whether a larger value is better, for what is known of a history's columns.
_HIGHER_IS_BETTER = {"cost": False, "accuracy": True, "mae": False, "rmse": False, "r2": True}


def resolve(metric: str | Metric) -> tuple[str, Metric]:
    """Return a metric's name and function; your own takes (outputs, targets) and has a name.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(metric):
        return getattr(metric, "__name__", "metric"), metric
    return metric, METRICS[known_name("metric", metric, METRICS)]


def higher_is_better(column: str, mode: str | None = None) -> bool:
    """Return whether a column of a history is one to be made large; `mode` decides where it is given.

    Raises
    ------
    ValueError
        If it is a metric of the user's own, and `mode` is neither "min" nor "max".
    """
    if mode is not None:
        return known_name("mode", mode, ("min", "max")) == "max"
    name = column.removeprefix("validation_").removeprefix("training_").removeprefix("running_")
    if name not in _HIGHER_IS_BETTER:
        raise ValueError(f"mode must be 'min' or 'max' for a metric of your own, {name!r}, got None")
    return _HIGHER_IS_BETTER[name]


def measured(
    asked: Iterable[tuple[str, Metric]], a: Array, y: Array, before: str = ""
) -> dict[str, float]:
    """Return what some metrics say of outputs, each under its name with something before it.

    Raises
    ------
    TypeError
        If one says no number.
    """
    found = {}
    for name, metric in asked:
        value = metric(a, y)
        if not isinstance(value, int | float | np.number):
            raise TypeError(f"metric {name!r} must return a number, got {value!r}")
        found[f"{before}{name}"] = float(value)
    return found
