"""Which rows are held out: at random with every class's share, whole groups, or the latest."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from clearprop.data.split import divide
from clearprop.tuning.examples import Examples

Rows = NDArray[np.int64]


class Fold(NamedTuple):
    """Rows to learn from and rows to measure on, each ascending."""

    repeat: int  # both count from 1
    number: int
    train: Rows
    held: Rows


def make_folds(examples: Examples, n_folds: int, repeats: int, seed: int) -> list[Fold]:
    """Return the folds of all repeats.

    Of k folds each holds out a k-th of the rows and learns from all others. In time order the rows are
    cut into k + 1 parts: each but the first is held out, and learned from are those before it.

    Parameters
    ----------
    examples : Examples
        With groups, each is whole in one fold; of classes every fold has its share, as far as its
        groups let it.
    n_folds, repeats : int
        At least 2 and 1. Each repeat cuts anew.
    seed : int

    Raises
    ------
    ValueError
        Naming the argument, its rule and the value.
    """
    check_counts(n_folds, repeats)
    _check(examples, n_folds, repeats)
    found = []
    for repeat in range(repeats):
        with warnings.catch_warnings():  # some folds go without a class of few rows: it is measured so
            warnings.filterwarnings("ignore", "The least populated class in y has only")
            cuts = list(_cuts(examples, n_folds, seed + repeat))
        found += [
            Fold(repeat + 1, number + 1, np.sort(train), np.sort(held))
            for number, (train, held) in enumerate(cuts)
        ]
    return found


def hold_out(examples: Examples, share: float, seed: int) -> tuple[Rows, Rows]:
    """Return rows to learn from and a share to hold out: of every class, whole groups, or the latest.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or two groups.
    """
    labels = len(examples) if examples.codes is None else examples.codes
    return divide(labels, share, seed, groups=examples.groups, times=examples.times)


def described(examples: Examples) -> str:
    """Return in words how rows are held out."""
    if examples.times is not None:
        return "in time order"
    by = "stratified" if examples.codes is not None else "at random"
    return by if examples.groups is None else f"whole groups, {by}"


def check_counts(n_folds: int, repeats: int) -> None:
    """Refuse what no rows could be cut into.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """
    for name, value, least in (("folds", n_folds, 2), ("repeats", repeats, 1)):
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def _check(examples: Examples, n_folds: int, repeats: int) -> None:
    n = len(examples)
    if examples.times is not None and repeats > 1:
        raise ValueError(f"repeats must be 1 in time order, which is one order, got {repeats}")
    if examples.groups is not None:
        n_groups = len(np.unique(examples.groups))
        if n_folds > n_groups:
            raise ValueError(f"folds must be at most the {n_groups} groups, got {n_folds}")
    elif examples.times is not None and n_folds + 1 > n:
        raise ValueError(f"folds must be fewer than the {n} rows in time order, got {n_folds}")
    elif examples.codes is not None and n_folds > (most := int(np.bincount(examples.codes).max())):
        raise ValueError(
            f"folds must be at most {most}, the rows of the most frequent class, got {n_folds}"
        )
    elif n_folds > n:
        raise ValueError(f"folds must be at most the {n} rows, got {n_folds}")


def _cuts(examples: Examples, n_folds: int, seed: int) -> Any:
    """Return scikit-learn's splits of one repeat."""
    nothing, codes, groups = np.zeros(len(examples)), examples.codes, examples.groups
    if examples.times is not None:
        order = np.argsort(examples.times, kind="stable")
        cuts = TimeSeriesSplit(n_folds).split(nothing)
        return ((order[train], order[held]) for train, held in cuts)
    how = {"n_splits": n_folds, "shuffle": True, "random_state": seed % 2**32}
    if groups is not None:
        kind = GroupKFold if codes is None else StratifiedGroupKFold
        return kind(**how).split(nothing, codes, groups)
    return (KFold if codes is None else StratifiedKFold)(**how).split(nothing, codes)
