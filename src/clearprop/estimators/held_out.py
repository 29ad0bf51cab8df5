"""Which rows of X are set aside, to choose an epoch on and to judge what was chosen."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from clearprop.data.split import divide, whole_groups
from clearprop.estimators.options import Options

Array = NDArray[Any]


def check(options: Options, validation: tuple[Any, Any], groups: Any, incremental: bool) -> Options:
    """Return the options, in partial_fit without a preset's early stopping.

    Raises
    ------
    ValueError
        If arguments contradict each other.
    """
    if incremental and "early_stopping" not in options.given:
        options = dataclasses.replace(options, early_stopping=False)
    if incremental and options.early_stopping:
        raise ValueError("partial_fit does not support early_stopping=True")
    for name, value in options.chosen.items() if incremental else ():
        raise ValueError(f"partial_fit does not support {name}, got {value!r}: it holds out no rows")
    if (validation[0] is None) != (validation[1] is None):
        raise ValueError("X_val and y_val must be given together")
    if groups is not None and (not options.sets_aside or validation[0] is not None):
        raise ValueError(
            "groups are for the part of X that early_stopping=True sets aside, and there is none"
        )
    if (
        options.scoring is not None
        and not options.early_stopping
        and validation[0] is None
        and not incremental
    ):
        raise ValueError(
            "scoring needs early_stopping=True, or X_val and y_val, to be computed on, got "
            f"scoring={options.scoring!r}"
        )
    return options


def split(
    options: Options,
    groups: Any,
    n: int,
    strata: Array | None,
    weight: Array | None,
    state: np.random.RandomState,
) -> tuple[Array, Array]:
    """Return the rows to train on and those set aside, each in their order.

    Rows of weight 0 are in neither, as if they were not there.
    """
    if weight is not None and not (weight > 0).all():
        there = np.flatnonzero(weight > 0)
        strata = None if strata is None else strata[there]
        groups = None if groups is None else np.asarray(groups)[there]
        rows, held = split(options, groups, len(there), strata, None, state)
        return there[rows], there[held]
    if groups is not None:
        try:
            found, first, codes = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
        except TypeError:
            raise ValueError("groups must hold values of one type, without gaps") from None
        least = 2 if options.test_share else 1
        if len(found) <= least:
            raise ValueError(
                f"groups must hold at least {least + 1} groups, to set {'two' if least > 1 else 'one'} "
                f"aside, got {len(found)}"
            )
        codes = np.argsort(np.argsort(first))[codes]  # in their order of rows, whatever they are called
        order, sizes = state.permutation(len(found)), np.bincount(codes)
        chosen = whole_groups(sizes, options.validation_fraction, order, least)[codes]
        rows, held = np.flatnonzero(~chosen), np.flatnonzero(chosen)
    else:
        size = options.validation_fraction
        if not options.like_sklearn and n >= 4:
            size = max(2, math.ceil(size * n))
        rows, held = train_test_split(
            np.arange(n),
            test_size=size,
            random_state=state,
            stratify=strata if options.like_sklearn else None,
        )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small: validation_fraction="
            f"{options.validation_fraction} of {n} samples leaves {len(held)}, at least 2 are "
            "needed"
        )
    return np.sort(rows), np.sort(held)


def parts(
    options: Options,
    groups: Any,
    n: int,
    strata: Array | None,
    weight: Array | None,
    state: np.random.RandomState,
    seed: int,
) -> tuple[Array, Array, Array | None]:
    """Return the rows to train on, those that choose, and those that judge: None without `test_share`.

    `seed` is of which of the rows set aside judge; what else is given, `split` takes.
    """
    rows, held = split(options, groups, n, strata, weight, state)
    if not options.test_share:
        return rows, held, None
    together = None if groups is None else np.asarray(groups)[held]
    labels = len(held) if strata is None else strata[held]
    choosing, judging = divide(labels, options.test_share, seed, groups=together)
    return rows, held[choosing], held[judging]


def divide_given(
    options: Options, validation: tuple[Any, Any], seed: int
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the caller's validation data that choose, and those that judge, each as X and y."""
    X, y = validation
    if X is None or not options.test_share:
        return validation, (None, None)
    labels = np.asarray(y)
    parts = divide(labels if labels.ndim == 1 else len(labels), options.test_share, seed)
    choosing, judging = ((rows_of(X, rows), rows_of(y, rows)) for rows in parts)
    return choosing, judging


def rows_of(X: Any, rows: Array) -> Any:
    """Return some rows of what a caller has given, as the same kind of thing."""
    return _safe_indexing(X.tocsr() if hasattr(X, "tocsr") else X, rows)  # not every format has rows
