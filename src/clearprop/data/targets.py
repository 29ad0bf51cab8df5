"""What a column of targets is: classes or quantities, decided once for every kind of file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Label, some
from clearprop.data.labels import check_classes

TASKS = ("classification", "regression")
MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>", "#N/A", "?", "-"]
)
"""What stands for a missing value, in a feature or a label, blanks around it left aside."""

MAX_CLASSES = 100
MANY_CLASSES = 10_000


def check_task(task: str | None) -> None:
    """Refuse a task that is none of ours; None means that the data decide."""
    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)} or None, got {task!r}")


def decide_task(distinct: Sequence[Any]) -> str:
    """Return what distinct values stand for.

    Text and booleans are classes. Whole numbers are classes if there are at most `MAX_CLASSES`
    different ones, floats without a fraction (1.0) among them. All else is a quantity.
    """
    if not all(isinstance(value, int | float) for value in distinct):
        return "classification"
    if any(isinstance(value, bool) for value in distinct):
        return "classification"
    whole = all(float(value).is_integer() for value in distinct if isinstance(value, float))
    return "classification" if whole and len(distinct) <= MAX_CLASSES else "regression"


def make_target(
    distinct: Sequence[Any], codes: NDArray[Any], task: str | None, what: str
) -> tuple[NDArray[Any], tuple[Label, ...] | None]:
    """Return Y and the classes (None for a regression).

    Parameters
    ----------
    distinct : sequence of str, bool, int or float
        The different values, none of them missing or not finite.
    codes : ndarray of int, shape (n_samples,)
        Which of them each row has.
    task : {"classification", "regression"} or None
        None: as `decide_task` says.
    what : str
        Names the target in messages.

    Raises
    ------
    ValueError
        If the values cannot be what `task` says.
    """
    if (task or decide_task(distinct)) == "regression":
        return _quantities(distinct, what)[codes], None
    labels = [_label(value, what) for value in distinct]
    check_classes(labels, what)
    classes = sorted(set(labels), key=lambda label: (str(type(label)), label))
    number = {label: index for index, label in enumerate(classes)}
    # over 100: a table of fewer rows may well have a class for each
    if len(classes) >= MANY_CLASSES or MAX_CLASSES < len(classes) == len(codes):
        warnings.warn(
            f"{what} has {len(classes)} classes in {len(codes)} rows: is it a name or a number?",
            stacklevel=2,
        )
    numbers = np.array([number[label] for label in labels], dtype=np.int64)
    return numbers[codes], tuple(classes)


def class_target(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[Label, ...]]:
    """Return class numbers and classes of an array of labels that are known to be classes."""
    distinct, codes = np.unique(labels, return_inverse=True)
    Y, classes = make_target(distinct.tolist(), codes, "classification", "the target")
    assert classes is not None
    return Y, classes


def is_missing(value: str) -> bool:
    """Return whether a text stands for a missing value."""
    return value.strip(" \t") in MISSING


def _label(value: Label | float, what: str) -> Label:
    if isinstance(value, str):
        if is_missing(value):
            raise ValueError(f"{what} must have no missing labels, got {value!r}")
    elif isinstance(value, float):
        if not value.is_integer():
            raise ValueError(f"{what} must hold classes, whole numbers or text, got {value}")
        return int(value)
    return value


def _quantities(distinct: Sequence[Any], what: str) -> NDArray[np.float64]:
    numbers = np.empty(len(distinct))
    for index, value in enumerate(distinct):
        if isinstance(value, str):
            raise ValueError(f"{what} must hold numbers for a regression, got {value!r}")
        try:
            numbers[index] = value
        except OverflowError:
            numbers[index] = math.inf
        if not math.isfinite(numbers[index]):
            raise ValueError(f"{what} must hold finite numbers, got {some([value])}")
        if isinstance(value, int) and int(numbers[index]) != value:
            raise ValueError(f"{what} must hold numbers that float64 keeps exactly, got {value}")
    return numbers
