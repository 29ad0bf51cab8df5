"""Which rows of X are set aside to validate on."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from clearprop.data.split import whole_groups
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
    if (validation[0] is None) != (validation[1] is None):
        raise ValueError("X_val and y_val must be given together")
    if groups is not None and (not options.early_stopping or validation[0] is not None):
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
        if len(found) < 2:
            raise ValueError(f"groups must hold at least 2 groups, to set one aside, got {len(found)}")
        codes = np.argsort(np.argsort(first))[codes]  # in their order of rows, whatever they are called
        order, sizes = state.permutation(len(found)), np.bincount(codes)
        chosen = whole_groups(sizes, options.validation_fraction, order)[codes]
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
