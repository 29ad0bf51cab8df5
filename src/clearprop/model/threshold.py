"""From which probability on the second of two classes is the answer, chosen on held-out rows.

1/2 makes the fewest mistakes if probabilities are right and all mistakes cost alike. Of rare classes F1
or the balanced accuracy may matter instead, or what each kind of mistake costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.names import known_name

Floats = NDArray[np.float64]
Counts = tuple[Floats, Floats, Floats, Floats]
"""Rows of the first class that were told as the first, as the second; of the second, the same."""

_REPLICATES, _TAILS = 1000, (0.025, 0.975)


def _accuracy(counts: Counts) -> Floats:
    right, n = counts[0] + counts[3], sum(counts)
    return np.asarray(right / n)


def _balanced_accuracy(counts: Counts) -> Floats:
    a, b, c, d = counts
    return 0.5 * (a / np.maximum(a + b, 1.0) + d / np.maximum(c + d, 1.0))


def _f1(counts: Counts) -> Floats:
    _, b, c, d = counts
    return np.asarray(2.0 * d / np.maximum(2.0 * d + b + c, 1.0))


SCORES: dict[str, Callable[[Counts], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
}


def score_of(by: str | ArrayLike) -> tuple[str, Callable[[Counts], Floats]]:
    """Return the name of what is to be large, and its function of counts.

    Parameters
    ----------
    by : str or array-like of shape (2, 2)
        "accuracy", "balanced_accuracy", "f1" of the second class; or what it costs to tell a row of the
        class of a row of the matrix as the class of its column, whose mean is to be small ("cost").

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(by, str):
        return by, SCORES[known_name("threshold", by, SCORES)]
    try:
        costs = np.asarray(by, np.float64)
    except (TypeError, ValueError):
        costs = np.empty(0)
    if costs.shape != (2, 2) or not np.isfinite(costs).all():
        raise ValueError(
            f"threshold must be {', '.join(map(repr, SCORES))} or four finite costs of shape (2, 2), a "
            f"row for each true class and a column for each answer, got {by!r}"
        )

    def gain(counts: Counts) -> Floats:
        total = sum(cost * n for cost, n in zip(costs.ravel(), counts, strict=True))
        return np.asarray(-total / sum(counts))

    return "cost", gain


def choose(p: NDArray[Any], second: NDArray[np.bool_], by: str | ArrayLike) -> float:
    """Return the threshold of the best score: the second class is told above it.

    All thresholds between two probabilities that occur are tried, and those below and above all of
    them; of equally good ones the nearest to 1/2 is taken.

    Parameters
    ----------
    p : ndarray of shape (n_rows,)
        Probabilities of the second class.
    second : ndarray of bool of shape (n_rows,)
        Which rows are of it.
    by : str or array-like
        As in `score_of`.
    """
    _, score = score_of(by)
    found, place = np.unique(p.astype(np.float64), return_inverse=True)
    edges = np.concatenate([[0.0], found, [1.0]])
    tried = (edges[:-1] + edges[1:]) / 2.0  # below the first, between each two, above the last
    tried[(edges[:-1] < 0.5) & (edges[1:] > 0.5)] = 0.5
    ones = np.concatenate([[0], np.bincount(place, second).cumsum()])  # of the second class, not above
    zeros = np.concatenate([[0], np.bincount(place, ~second).cumsum()])
    scores = score((zeros, zeros[-1] - zeros, ones, ones[-1] - ones))
    best = tried[scores >= scores.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])


def judged(
    p: NDArray[Any], second: NDArray[np.bool_], threshold: float, by: str | ArrayLike
) -> dict[str, Any]:
    """Return how good a threshold is on rows that chose nothing.

    Returns
    -------
    dict
        "value", the threshold; "by", the name of the score; "score", and that "at_half"; "interval", of
        95 % by the bootstrap over rows. A "cost" is the mean of a row.
    """
    name, score = score_of(by)
    sign = -1.0 if name == "cost" else 1.0

    def counts(at: float) -> NDArray[np.int64]:
        told = p.astype(np.float64) > at
        return np.bincount(2 * second + told, minlength=4)

    found = counts(threshold)
    rng = np.random.default_rng(0)  # the same rows have the same interval
    drawn = rng.multinomial(found.sum(), found / found.sum(), _REPLICATES).T.astype(np.float64)
    low, high = np.quantile(sign * score(tuple(drawn)), _TAILS)
    return {
        "value": threshold,
        "by": name,
        "score": float(sign * score(tuple(found.astype(np.float64)))),
        "at_half": float(sign * score(tuple(counts(0.5).astype(np.float64)))),
        "interval": [float(low), float(high)],
    }
