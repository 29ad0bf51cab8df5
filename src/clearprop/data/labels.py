"""Class labels: what can be one, so that each stays apart from the others up to the answer.

A label is text that a file can hold, true or false, or a whole number of 64 bits. What NumPy would
change on its way into an array (a NUL at the end of a text, digits beyond those of a float, a number
beside a text) is refused, not merged with another.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import user_warning
from clearprop.masks import refuse_masked

LONGEST = 1_500_000
"""Bytes that the labels of a model may take together, as JSON: its file has to hold them."""


def as_labels(values: Any, argument: str) -> NDArray[Any]:
    """Return class labels as an array of their shape: text, integers, booleans or floats, or objects.

    Raises
    ------
    ValueError
        If one is missing or masked, or NumPy cannot hold it as it is.
    TypeError
        If they are dates, bytes or anything else that is no label, or of several types.
    """
    refuse_masked(values, argument)
    array = objects_of(values)
    if array.dtype == object:
        return typed_labels(array.ravel(), argument).reshape(array.shape)
    kind = array.dtype.kind
    if kind not in "buifU":
        raise TypeError(f"{argument} must hold labels or numbers, got dtype {array.dtype}")
    if array.dtype.itemsize > 8 and kind == "f":  # which no file of ours holds
        raise TypeError(f"{argument} must hold numbers of at most 64 bits, got dtype {array.dtype}")
    if kind == "f" and np.isnan(array).any():
        row = int(np.argwhere(np.isnan(array))[0][0])
        raise ValueError(_gap(argument, "label", np.nan, row))
    return array


def refuse_gaps(values: Any, argument: str) -> None:
    """Refuse quantities of which one is missing: None, NaN or pandas' NA; with its row and a remedy.

    Raises
    ------
    ValueError
    """
    array = np.asarray(values)
    if array.dtype.kind == "f":
        missing = np.isnan(array)
    elif array.dtype == object and array.ndim:
        missing = np.reshape([_is_missing(each) for each in array.flat], array.shape)
    else:
        return
    if missing.any():
        place = tuple(np.argwhere(missing)[0])
        raise ValueError(_gap(argument, "value", array[place], int(place[0]) if place else 0))


def _gap(argument: str, what: str, got: Any, row: int) -> str:
    shown = "NaN" if isinstance(got, float) else repr(got)
    return (
        f"{argument} must have a {what} in each row, got {shown} in row {row}; rows without one are "
        f"left out by known = pandas.notna({argument}): fit X[known], {argument}[known]"
    )


def objects_of(values: Any) -> NDArray[Any]:
    """Return an array of what is an array already; of anything else, one of the objects themselves."""
    if hasattr(values, "iloc") and getattr(values, "ndim", 1) == 2:
        values = values.astype(object)  # columns of several types would be made one
    array = np.asarray(values) if hasattr(values, "__array__") else np.array(values, object)
    if array.dtype.kind == "T":
        return array.astype(object)
    foreign = array.dtype.kind == "U" and not isinstance(values, np.ndarray)  # such as polars' text
    return np.array(list(values), object) if foreign else array


def typed_labels(objects: NDArray[Any], argument: str) -> NDArray[Any]:
    """Return labels that are Python objects, shape (n_samples,), as an array of their type.

    Raises
    ------
    ValueError
        If one is missing (None, NaN or pandas' NA or NaT) or masked, or NumPy cannot hold it as it is;
        with its row.
    TypeError
        If one is no label, or they are of several types, whole and other numbers being one.
    """
    refuse_masked(objects, argument)
    labels = [_plain(label) for label in objects.tolist()]
    for row, label in enumerate(labels):
        if _is_missing(label):
            raise ValueError(_gap(argument, "label", label, row))
        if not isinstance(label, str | int | float):
            raise TypeError(
                f"{argument} must hold labels or numbers, got {shown(label)} "
                f"({type(label).__name__}) in row {row}"
            )
    types = {type(label).__name__ for label in labels}
    if len(types) > 1 and types != {"int", "float"}:
        raise TypeError(f"{argument} must hold labels of one type, got {' and '.join(sorted(types))}")
    return label_array(labels, argument)


def label_array(labels: Sequence[Any], argument: str) -> NDArray[Any]:
    """Return labels of one type as an array that holds exactly them.

    Raises
    ------
    ValueError
        Naming the first that NumPy would change: a text that ends with a NUL, an integer that 64 bits,
        or the floats beside it, cannot hold.
    """
    array = np.array(labels)
    whole = array.dtype.kind in "fO" and all(isinstance(label, int) for label in labels)
    if whole and min(labels, default=0) >= 0 and max(labels, default=0) < 2**64:
        return np.array(labels, np.uint64)  # NumPy would make floats of 1 and 2**63
    if whole or array.dtype == object or array.tolist() != list(labels):
        held = len(labels) * [None] if whole or array.dtype == object else array.tolist()
        row, label = next((i, x) for i, x in enumerate(labels) if _is_changed(x, held[i]))
        if isinstance(label, str):
            rule = "text without the character NUL"
        elif any(isinstance(each, float) for each in labels):
            rule = "whole numbers that a float holds, beside floats"
        else:
            rule = "whole numbers from -2**63 to 2**63 - 1, or from 0 to 2**64 - 1"
        raise ValueError(f"{argument} must hold {rule}, got {shown(label)} in row {row}")
    return array


def _is_changed(label: Any, held: Any) -> bool:
    if held is not None:
        return bool(label != held)
    return isinstance(label, int) and not -(2**63) <= label < 2**63


def check_classes(classes: Iterable[Any], argument: str) -> None:
    """Refuse different labels that no file could give back.

    Raises
    ------
    ValueError
        If one is a text with a NUL or a lone surrogate, or they are too long together.
    """
    n_bytes = 0
    for label in classes:
        if isinstance(label, str):
            if "\0" in label:
                raise ValueError(
                    f"{argument} must hold text without the character NUL, got {shown(label)}"
                )
            if not label.isascii() and any("\ud800" <= character <= "\udfff" for character in label):
                raise ValueError(f"{argument} must hold text that UTF-8 can write, got {shown(label)}")
        n_bytes += len(json.dumps(label)) + 2
    if n_bytes > LONGEST:
        raise ValueError(
            f"{argument} must hold labels of at most {LONGEST:,} bytes together, got {n_bytes:,}: are "
            "they whole texts?"
        )


def warn_of_alike(
    classes: Iterable[Any], argument: str, warn: Callable[[str], object] = user_warning.warn
) -> None:
    """Warn once of labels that differ only in case or blanks: each stays a class of its own.

    Blanks are all of Unicode's, and what is not seen at all, such as a zero-width space.
    """
    alike: dict[str, list[str]] = {}
    for label in sorted({str(label) for label in classes if isinstance(label, str)}):
        seen = (c for c in label if not c.isspace() and unicodedata.category(c) != "Cf")
        alike.setdefault("".join(seen).casefold(), []).append(label)
    groups = [each for each in alike.values() if len(each) > 1]
    if groups:
        named = "; ".join(" and ".join(shown(label) for label in each) for each in groups[:5])
        more = f" and {len(groups) - 5:,} more" if len(groups) > 5 else ""
        sentence = (
            f"{argument} has classes that differ only in case or blanks: {named}{more}; do they mean "
            "the same? Each is learned as a class of its own"
        )
        warn(sentence)


def shown(label: Any) -> str:
    """Return a label for a message, at most 40 characters of it."""
    text = repr(label)
    return text if len(text) <= 40 else text[:37] + "..."


def _plain(label: Any) -> Any:
    """Return a scalar of NumPy's, or an array of one, as Python's; its own text loses a NUL in that."""
    if isinstance(label, str):
        return str.__str__(label)
    return label.item() if hasattr(label, "item") else label


def _is_missing(label: object) -> bool:
    if isinstance(label, str):
        return False
    # str first: pandas.NA is neither equal nor unequal to anything.
    return label is None or str(label) in ("<NA>", "NaT") or bool(label != label)
