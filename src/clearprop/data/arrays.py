"""The caller's arrays, checked and converted once: inputs, targets and sample weights."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.activations import Array
from clearprop.data.labels import as_labels, check_classes, objects_of
from clearprop.masks import refuse_masked
from clearprop.typing import Label
from clearprop.user_warning import warn

Classes = tuple[Label, ...]
_ROWS = 4096  # rows looked at together: a check needs no copy of a large array


def as_inputs(X: ArrayLike, n_features: int, dtype: str, argument: str = "X") -> Array:
    """Return X as a C-contiguous array of `dtype`, shape (n_samples, n_features), all finite.

    The caller's array is never changed; it is returned itself where nothing has to be converted.

    Raises
    ------
    TypeError
        If it is sparse, complex, text, dates or anything else that is no table of real numbers.
    ValueError
        If its shape is another, or a value is NaN, infinite, or too large for `dtype`; with the row
        and column.
    """
    if is_table(X, n_features, np.dtype(dtype)) and len(X) <= _ROWS and np.isfinite(X).all():
        ready: Array = X  # one row at a time: microseconds count
        return ready
    array = _real(X, argument)
    if array.ndim != 2:
        hint = (
            "; one sample is X.reshape(1, -1), one feature X.reshape(-1, 1)" if array.ndim == 1 else ""
        )
        raise ValueError(
            f"{argument} must have 2 dimensions (n_samples, n_features), got shape {array.shape}{hint}"
        )
    if array.shape[0] == 0:
        raise ValueError(f"{argument} must have at least 1 row, got shape {array.shape}")
    if array.shape[1] != n_features:
        raise ValueError(
            f"{argument} has {array.shape[1]} features, but the network is expecting {n_features}"
        )
    converted = _cast(array, dtype)
    _refuse_non_finite(array, converted, argument)
    return converted


def is_table(X: object, n_features: int, dtype: np.dtype[Any]) -> TypeGuard[Array]:
    """Return whether X is of the shape and dtype wanted: only its values are to be looked at."""
    return (
        type(X) is np.ndarray
        and X.dtype == dtype
        and X.ndim == 2
        and X.shape[1] == n_features
        and X.shape[0] > 0
        and X.flags.c_contiguous
    )


def _real(values: object, argument: str) -> NDArray[Any]:
    if hasattr(values, "tocsr"):
        raise TypeError(
            f"{argument} must be a dense array, got a sparse {type(values).__name__}; "
            f"use {argument}.toarray()"
        )
    refuse_masked(values, argument)
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{argument} must be a rectangular table, got rows of unequal lengths"
        ) from None
    if array.dtype == object:
        refuse_masked(array, argument)  # which a table of objects may hold
        array = _numbers_in_objects(array, argument)
    if array.dtype.kind not in "buif":
        kinds = {"c": "complex numbers", "U": "text", "S": "bytes", "M": "dates", "m": "time spans"}
        raise TypeError(
            f"{argument} must hold real numbers, got {kinds.get(array.dtype.kind, 'values')} "
            f"(dtype {array.dtype})"
        )
    if array.dtype.kind in "ui" and array.dtype.itemsize == 8 and array.size:
        _warn_of_lost_digits(max(abs(int(array.max())), abs(int(array.min()))), argument)
    return array


def _warn_of_lost_digits(top: int, argument: str) -> None:
    if top > 2**53:
        warn(
            f"{argument} holds integers above 2**53, which lose digits as floats (got {top})",
            UserWarning,
        )


def _numbers_in_objects(array: NDArray[Any], argument: str) -> NDArray[Any]:
    top = 0
    for index, value in np.ndenumerate(array):
        if isinstance(value, str | bytes | complex | np.datetime64 | np.timedelta64) or value is None:
            where = f" in row {index[0]}" if index else ""
            where += f", column {index[1]}" if len(index) > 1 else ""
            raise TypeError(f"{argument} must hold real numbers, got {value!r}{where}")
        if isinstance(value, int):
            top = max(top, abs(value))
    try:
        converted = array.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise TypeError(f"{argument} must hold real numbers, got objects: {problem}") from None
    except OverflowError:
        raise ValueError(f"{argument} holds an integer too large for float64") from None
    _warn_of_lost_digits(top, argument)
    return converted


def _cast(array: NDArray[Any], dtype: str) -> Array:
    with np.errstate(all="ignore"):  # a value that overflows is found, and named, below
        return np.ascontiguousarray(array, dtype=dtype)


def _refuse_non_finite(array: NDArray[Any], converted: Array, argument: str) -> None:
    if array.dtype.kind in "bui" and array.dtype.itemsize < 8:
        return
    for first in range(0, len(converted), _ROWS):
        finite = np.isfinite(converted[first : first + _ROWS])
        if finite.all():
            continue
        index = np.unravel_index(int(np.argmin(finite)), finite.shape)
        row = int(index[0]) + first
        value = array[(row, *index[1:])]
        where = f"row {row}" + (f", column {int(index[1])}" if len(index) > 1 else "")
        if np.isfinite(value):
            raise ValueError(
                f"{argument} must fit in {converted.dtype}, got {value} in {where}; scale it, or use "
                "dtype='float64'"
            )
        name = "NaN" if np.isnan(value) else f"infinity ({value})"
        raise ValueError(f"{argument} must be finite, got {name} in {where}")


def as_targets(
    Y: ArrayLike | None,
    n_outputs: int,
    dtype: str,
    classes: Classes | None,
    *,
    labelled: bool,
    learn: bool = False,
    argument: str = "Y",
) -> tuple[Array, Classes | None]:
    """Return targets as an array of `dtype`, shape (n_samples, n_outputs), and the classes.

    A table with one column for each output is taken as it is. One value for each sample is taken as
    class labels where there are several outputs or `labelled` says so (one output: two classes, 0 and
    1), else as the only column. Labels are looked up in `classes`. Where there are none yet, they are
    0 to n_outputs - 1; with `learn`, others become the classes, sorted, if there is one for each
    output.

    Raises
    ------
    TypeError, ValueError
        If the shape does not fit, a value is missing or not finite, labels are of mixed types or
        unknown to `classes`, or there are not as many of them as outputs.
    """
    if is_table(Y, n_outputs, np.dtype(dtype)) and len(Y) <= _ROWS and np.isfinite(Y).all():
        ready: Array = Y  # as in `as_inputs`
        return ready, classes
    if hasattr(Y, "tocsr"):
        _real(Y, argument)
    refuse_masked(Y, argument)
    try:
        array = np.asarray(Y)
    except ValueError:
        raise ValueError(
            f"{argument} must be a rectangular table, got rows of unequal lengths"
        ) from None
    if array.ndim == 2 and array.shape[1] == 1 and n_outputs > 1:
        warn(
            f"{argument} is a column of shape {array.shape}; labels are expected as shape (n_samples,)",
            UserWarning,
        )
        array = array[:, 0]
    if array.shape[:1] == (0,) or array.ndim == 0:
        raise ValueError(f"{argument} must have at least 1 row, got shape {array.shape}")
    n_classes = max(n_outputs, 2)
    if array.ndim == 1 and (n_outputs > 1 or (labelled and _is_labels(array, classes))):
        given = as_labels(objects_of(Y).reshape(array.shape), argument)
        codes, classes = _codes(given, n_classes, classes, learn, argument)
        if n_outputs == 1:
            return codes[:, None].astype(dtype), classes
        table: Array = np.zeros((len(codes), n_outputs), dtype)
        table[np.arange(len(codes)), codes] = 1.0
        return table, classes
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != n_outputs:
        raise ValueError(
            f"{argument} must have shape (n_samples, {n_outputs}), or (n_samples,) for labels, "
            f"got {array.shape}"
        )
    array = _real(array, argument)
    converted = _cast(array, dtype)
    _refuse_non_finite(array, converted, argument)
    return converted, classes


def is_one_hot(targets: Array) -> bool:
    """Return whether each row says one class of several."""
    if targets.shape[1] < 2:
        return False
    return bool(((targets == 0) | (targets == 1)).all() and (targets.sum(axis=1) == 1).all())


def _is_labels(array: NDArray[Any], classes: Classes | None) -> bool:
    return classes is not None or array.dtype.kind in "USbO"


def _codes(
    array: NDArray[Any], n_classes: int, classes: Classes | None, learn: bool, argument: str
) -> tuple[NDArray[np.int64], Classes | None]:
    labels = _plain_labels(array, argument)
    if classes is None and labels.dtype.kind in "ui" and 0 <= labels.min() <= labels.max() < n_classes:
        return labels.astype(np.int64), tuple(range(n_classes)) if learn else None
    found = np.unique(labels)
    if classes is None:
        shown = ", ".join(repr(label) for label in found[:5].tolist()) + (
            ", ..." if len(found) > 5 else ""
        )
        if not learn:
            raise ValueError(
                f"{argument} must hold labels from 0 to {n_classes - 1} as long as the network knows "
                f"no others, got {shown}; fit it, or set its classes"
            )
        if len(found) != n_classes:
            raise ValueError(
                f"{argument} must have as many classes as the network has outputs, {n_classes}, got "
                f"{len(found)} ({shown}); if some are missing here, set the network's classes to all"
            )
        classes = tuple(found.tolist())
        check_classes(classes, argument)
    known = {label: code for code, label in enumerate(classes)}
    unknown = [label for label in found.tolist() if label not in known]
    if unknown:
        raise ValueError(
            f"{argument} must hold labels that the network knows, {list(classes)[:20]}, "
            f"got {unknown[:20]}"
        )
    code_of_found = np.array([known[label] for label in found.tolist()])
    return code_of_found[np.searchsorted(found, labels)], classes


def _plain_labels(array: NDArray[Any], argument: str) -> NDArray[Any]:
    """Return labels as integers, booleans or text: floats have to be whole."""
    if array.dtype.kind == "f":
        if not (np.abs(array) < 2.0**63).all():
            row = int(np.argmin(np.abs(array) < 2.0**63))
            raise ValueError(f"{argument} must hold class labels, got {array[row]} in row {row}")
        whole = np.floor(array) == array
        if not whole.all():
            value = array[int(np.argmin(whole))]
            raise ValueError(
                f"{argument} must hold class labels, one for each sample, got the number {value}"
            )
        return array.astype(np.int64)
    return array


def as_sample_weight(weight: ArrayLike | None, n_samples: int, dtype: str) -> Array | None:
    """Return sample weights rescaled to mean 1, or None where there are none.

    Raises
    ------
    TypeError, ValueError
        If they are not numbers, one for each sample, finite, at least 0, and not all 0.
    """
    if weight is None:
        return None
    array = _real(weight, "sample_weight")
    if array.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), a number for each sample, got {array.shape}"
        )
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all():
        row = int(np.argmin(np.isfinite(wide)))
        raise ValueError(f"sample_weight must be finite, got {wide[row]} in row {row}")
    if (wide < 0).any():
        row = int(np.argmax(wide < 0))
        raise ValueError(f"sample_weight must be at least 0, got {wide[row]} in row {row}")
    if not wide.any():
        raise ValueError("sample_weight must not be all zero")
    wide /= wide.max()  # so that the mean neither overflows nor vanishes
    return (wide / wide.mean()).astype(dtype)
