"""What a column of targets is: classes or quantities, decided once for every kind of file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.labels import check_classes, warn_of_alike
from clearprop.names import trim
from clearprop.typing import Label
from clearprop.user_warning import warn

TASKS = ("classification", "regression")
SHEET_ERRORS = frozenset(
    ["#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#ERROR!"]
)
"""What a spreadsheet writes where it could not compute."""

MISSING = SHEET_ERRORS | frozenset(
    ["", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>", "?", "-"]
)
"""What stands for a missing value, in a feature or a label, blanks around it left aside."""

MAX_CLASSES = 20
"""Different whole numbers, at most, that are classes rather than quantities where nobody says it."""

GAPS = ("drop", "refuse")
"""What becomes of rows without a target: they are left out, or the whole is refused."""

EXACT = 2.0**53  # every whole number below is a float64, and no other is rounded to one


def check_task(task: str | None) -> None:
    """Refuse a task that is none of ours; None means that the data decide."""
    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)} or None, got {task!r}")


def decide_task(
    n_distinct: int, *, text: bool = False, boolean: bool = False, whole: bool = True, top: float = 0.0
) -> tuple[str, str]:
    """Return what a target is, and why: the one rule for arrays, files and streams.

    Text and booleans are classes, and so are at most `MAX_CLASSES` different whole numbers; everything
    else is a quantity.

    Parameters
    ----------
    n_distinct : int
        Different values.
    text, boolean, whole : bool
        Whether they are text, or booleans; and if numbers, whether none has a fraction (1.0 has none).
    top : float
        The largest magnitude of a number.

    Examples
    --------
    >>> decide_task(3), decide_task(21)[0], decide_task(2, whole=False)[0]
    (('classification', '3 different whole numbers'), 'regression', 'regression')
    """
    if text:
        return "classification", f"{n_distinct:,} different words"
    if boolean:
        return "classification", "true or false"
    if not whole:
        return "regression", "numbers with fractions"
    if top >= EXACT:
        return "regression", "numbers beyond those that are exact"
    if n_distinct <= MAX_CLASSES:
        return "classification", f"{n_distinct} different whole numbers"
    return "regression", f"{n_distinct:,} different whole numbers, more than {MAX_CLASSES}"


def warn_of_many(n_classes: int, n_rows: int, what: str) -> None:
    """Warn where nearly every row has a class of its own, and nobody has said that they are classes."""
    if n_classes > max(MAX_CLASSES, n_rows / 2):
        warn(
            f"{what} has {n_classes:,} classes in {n_rows:,} rows: is it a name or a number?",
        )


def say_gaps(where: str, target: str, gaps: Mapping[str, int], n_rows: int) -> None:
    """Warn of rows that are left out, for they have no target.

    Parameters
    ----------
    where, target : str
        The table and its column.
    gaps : dict of int
        How often each text stands there instead of a value.
    n_rows : int
        With those that are left out.

    Raises
    ------
    ValueError
        If no row is left.
    """
    n = sum(gaps.values())
    if n == n_rows:
        raise ValueError(f"{where} must have a row with a target, got no value in {target!r}")
    words = [f"{word!r} in {gaps[word]:,}" for word in sorted(gaps, key=lambda w: -gaps[w]) if word]
    read = f" ({', '.join(words[:5])})" if words else ""
    has, out = ("has", "it is left out") if n == 1 else ("have", "they are left out")
    warn(f"{where}: {n:,} of {n_rows:,} rows {has} no target {target!r}{read}: {out}")


def refused_gaps(where: str, target: str, n: str, place: str) -> str:
    """Return the sentence that refuses rows without a target."""
    return (
        f"{where} must have no missing values in the target {target!r}, got {n}: {place} "
        "(target_gaps='drop' leaves such rows out)"
    )


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
    if (task or _told(distinct)) == "regression":
        return _quantities(distinct, what)[codes], None
    labels = [_label(value, what) for value in distinct]
    check_classes(labels, what)
    warn_of_alike(labels, what)
    classes = sorted(set(labels), key=lambda label: (str(type(label)), label))
    number = {label: index for index, label in enumerate(classes)}
    if task is None:
        warn_of_many(len(classes), len(codes), what)
    numbers = np.array([number[label] for label in labels], dtype=np.int64)
    return numbers[codes], tuple(classes)


def _told(distinct: Sequence[Any]) -> str:
    """Return the task that different values tell."""
    numbers = [value for value in distinct if isinstance(value, int | float)]
    return decide_task(
        len(distinct),
        text=len(numbers) < len(distinct),
        boolean=any(isinstance(value, bool) for value in numbers),
        whole=all(value.is_integer() for value in numbers if isinstance(value, float)),
        # An integer is what it is, whatever its size.
        top=max((abs(value) for value in numbers if isinstance(value, float)), default=0.0),
    )[0]


def class_target(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[Label, ...]]:
    """Return class numbers and classes of an array of labels that are known to be classes."""
    distinct, codes = np.unique(labels, return_inverse=True)
    Y, classes = make_target(distinct.tolist(), codes, "classification", "the target")
    assert classes is not None
    return Y, classes


def is_missing(value: str) -> bool:
    """Return whether a text stands for a missing value."""
    return trim(value) in MISSING


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
