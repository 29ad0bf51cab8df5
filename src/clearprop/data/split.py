"""Rows put aside for validation."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.masks import refuse_masked
from clearprop.randomness import HOLDOUT, check_seed, permutation

Rows = NDArray[np.int64]

_TRIED = 16  # groups of which every choice is looked at
_DIVIDED = 2  # the step of the draws that divide held-out rows; streams use those before it


def holdout(labels: int | ArrayLike, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Return the rows to train on and those held out for validation.

    ``round(fraction * n)`` rows are held out: the same ones for the same seed, on any machine. Where
    there are class labels and each class has at least two rows, every class gives its share (the
    largest remainders are rounded up) and keeps at least one row to train on.

    Parameters
    ----------
    labels : int or array of shape (n_samples,) or (n_samples, n_outputs)
        The number of rows, or the targets; those of integers, booleans or text are class labels.
    fraction : float
        Between 0 and 1, both excluded.
    seed : int
        At least 0.

    Returns
    -------
    train, validation : ndarray of int64
        Row numbers, ascending; together every row once.

    Raises
    ------
    TypeError
        If `fraction` is not a number, or a single `labels` no integer.
    ValueError
        If `fraction` is not between 0 and 1, or leaves no row on one of the sides.

    Examples
    --------
    >>> train, validation = holdout(np.array([0, 0, 0, 0, 1, 1]), 0.5, seed=0)
    >>> len(train), len(validation), int((validation >= 4).sum())
    (3, 3, 1)
    """
    if isinstance(fraction, bool | np.bool_) or not isinstance(fraction, int | float | np.number):
        raise TypeError(f"fraction must be a number between 0 and 1, got {fraction!r}")
    share = float(fraction)
    if not 0 < share < 1:
        raise ValueError(f"fraction must be between 0 and 1, both excluded, got {fraction}")
    refuse_masked(labels, "labels")
    values = np.asarray(labels)
    n = operator.index(values.item()) if values.ndim == 0 else len(values)
    classes = _class_numbers(values)
    n_held = round(share * n)
    if not 1 <= n_held <= n - 1:
        raise ValueError(
            f"fraction must leave at least one row to train on and one to validate on, "
            f"got {fraction} of {n} rows"
        )
    order = permutation(check_seed(seed), n, step=0, purpose=HOLDOUT)
    held = order[:n_held] if classes is None else _stratified(order, classes, n_held)
    is_held = np.zeros(n, dtype=bool)
    is_held[order[:n_held] if held is None else held] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def divide(
    labels: int | ArrayLike,
    share: float,
    seed: int,
    *,
    groups: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> tuple[Rows, Rows]:
    """Return the held-out rows that choose (epoch, temperature, threshold) and those that judge.

    A row that chose among networks is one on which the chosen network looks better than it is; what is
    printed is of rows that chose nothing. They are divided as rows are held out: every class gives its
    share; whole groups stay together; of rows in time, the latest judge.

    Parameters
    ----------
    labels : int or array of shape (n_held,)
        As in `holdout`.
    share : float
        Of the rows that judge, between 0 and 1. One row at least does, and one at least chooses.
    seed : int
        Other rows are drawn than `holdout` draws of it.
    groups, times : array of shape (n_held,), optional
        What stays together; or the rows' order.

    Returns
    -------
    choosing, judging : ndarray of int64
        Row numbers, ascending; together every row once.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or two groups.

    Examples
    --------
    >>> choosing, judging = divide(5, 0.5, 0, times=[9.0, 1.0, 8.0, 2.0, 3.0])
    >>> choosing.tolist(), judging.tolist()
    ([1, 3, 4], [0, 2])
    """
    values = np.asarray(labels)
    n = operator.index(values.item()) if values.ndim == 0 else len(values)
    if n < 2:
        raise ValueError(f"at least 2 rows must be held out, to choose and to judge, got {n}")
    n_judging = min(max(round(share * n), 1), n - 1)
    judges = np.zeros(n, bool)
    if times is not None:
        judges[np.argsort(np.asarray(times), kind="stable")[-n_judging:]] = True
    elif groups is not None:
        codes, sizes = _group_codes(groups)
        if len(sizes) < 2:
            raise ValueError("at least 2 groups must be held out, to choose and to judge, got 1")
        order = permutation(check_seed(seed), len(sizes), step=_DIVIDED, purpose=HOLDOUT)
        judges = whole_groups(sizes, share, order)[codes]
    else:
        order, classes = permutation(seed, n, step=_DIVIDED, purpose=HOLDOUT), _class_numbers(values)
        drawn = None if classes is None else _stratified(order, classes, n_judging)
        judges[order[:n_judging] if drawn is None else drawn] = True
    return np.flatnonzero(~judges), np.flatnonzero(judges)


def _group_codes(groups: ArrayLike) -> tuple[Rows, Rows]:
    """Return each row's group, numbered in the order in which they come, and the groups' sizes."""
    _, first, codes = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    codes = np.argsort(np.argsort(first))[codes]  # whatever they are called
    return codes, np.bincount(codes)


def whole_groups(
    sizes: ArrayLike, fraction: float, order: ArrayLike, least: int = 1
) -> NDArray[np.bool_]:
    """Return which groups to hold out so that their rows come as near to a share as whole groups can.

    In a random order each group is held out that still fits; of the last 16 those are that come
    nearest together, so that up to 16 groups come as near as any choice of them. One is held out at
    least (or `least`), and one is left.

    Parameters
    ----------
    sizes : array of shape (n_groups,)
        The rows of each group; at least two groups.
    fraction : float
        Between 0 and 1, both excluded.
    order : array of shape (n_groups,)
        A permutation of the groups: of equally good choices another one is taken for another order.
    least : int
        Groups to hold out at least; fewer than there are.

    Examples
    --------
    >>> whole_groups([50, 30, 20], 0.2, [2, 0, 1]).tolist()
    [False, False, True]
    """
    rows, places = np.asarray(sizes, np.int64), np.asarray(order, np.int64)
    wanted, held = fraction * int(rows.sum()), np.zeros(len(rows), bool)
    first, last = places[:-_TRIED], places[-_TRIED:]
    total = 0
    for group, n in zip(first.tolist(), rows[first].tolist(), strict=True):
        if total + n <= wanted:
            held[group], total = True, total + n
    choices = np.arange(2 ** len(last))[:, None] >> np.arange(len(last)) & 1
    n_held = int(held.sum()) + choices.sum(axis=1)
    distance = np.abs(total + choices @ rows[last] - wanted)
    distance[(n_held < least) | (n_held == len(rows))] = np.inf
    held[last] = choices[int(np.argmin(distance))] == 1
    return held


def _class_numbers(values: NDArray[Any]) -> Rows | None:
    if values.ndim != 1 or values.dtype.kind not in "biuUT":
        return None
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _stratified(order: Rows, classes: Rows, n_held: int) -> Rows | None:
    """Return the rows held out, or None where some class cannot give and keep its share."""
    counts = np.bincount(classes)
    if counts.min() < 2 or n_held > len(classes) - len(counts):
        return None
    share = counts * (n_held / len(classes))
    take = np.floor(share).astype(np.int64)
    by_remainder = np.argsort(take - share, kind="stable")
    while missing := n_held - int(take.sum()):
        able = by_remainder[take[by_remainder] < counts[by_remainder] - 1][:missing]
        take[able] += 1
    grouped = order[np.argsort(classes[order], kind="stable")]  # by class, each in random order
    rank = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return grouped[rank < np.repeat(take, counts)]
