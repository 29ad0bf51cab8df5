"""Which columns go together, so that one could stand in for the other.

Between two columns of numbers it is Spearman's rank correlation, between two of categories Cramer's V
with Bergsma's correction (2013), between a number and categories the root of the share of the ranks'
variance that the categories explain, less what chance would (epsilon squared, Kelley 1935).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from clearprop.data.table.columns import words_of
from clearprop.reporting.slices import raw_numbers
from clearprop.reporting.subject import RawColumn, Subject

Array = NDArray[Any]

STRONG = 0.8  # from which on columns are said to go together
_ROWS = 2000  # that it is seen on
_MOST_COLUMNS = 200
_WORDS = 30  # categories of a column that are told apart


def together(subject: Subject) -> list[list[RawColumn]]:
    """Return groups of at least two columns that go together; of very many columns none."""
    columns = subject.columns
    if not 2 <= len(columns) <= _MOST_COLUMNS:
        return []
    found = associations(columns, subject.sample(_ROWS, 3))
    away = squareform(1.0 - found, checks=False)
    labels = fcluster(linkage(away, "average"), 1.0 - STRONG, "distance")
    groups = [[columns[k] for k in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    return [group for group in groups if len(group) > 1]


def associations(columns: tuple[RawColumn, ...], rows: Array) -> Array:
    """Return how far each two columns go together, in [0, 1], shape (n_columns, n_columns)."""
    seen = [_ranks_or_codes(each, rows) for each in columns]
    found = np.eye(len(columns))
    for i, one in enumerate(seen):
        for j, other in enumerate(seen[:i]):
            found[i, j] = found[j, i] = _association(one, other)
    return found


def _ranks_or_codes(column: RawColumn, rows: Array) -> Array:
    """Return centred ranks, float64, 0 where there is no number; or numbers of categories, int64."""
    numbers = raw_numbers(column)
    if numbers is not None:
        numbers = numbers[rows]
        there = ~np.isnan(numbers)
        ranks = np.zeros(len(rows))
        ranks[there] = rankdata(numbers[there])
        ranks[there] -= ranks[there].mean() if there.any() else 0.0
        return ranks
    encoded = words_of(column.cells.take(rows)).dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes)
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(counts), np.int64)
    place[order] = np.arange(len(counts))
    found: Array = np.minimum(place[codes], _WORDS - 1)
    return found


def _association(one: Array, other: Array) -> float:
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        norm = float(np.sqrt((one @ one) * (other @ other)))
        return min(abs(float(one @ other)) / norm, 1.0) if norm > 0 else 0.0
    if one.dtype.kind == "f":
        return _explained(one, other)
    return _explained(other, one) if other.dtype.kind == "f" else _cramer(one, other)


def _explained(ranks: Array, codes: Array) -> float:
    counts = np.bincount(codes)
    k, n = int((counts > 0).sum()), len(codes)
    total = float(ranks @ ranks)
    if k < 2 or n <= k or total == 0:
        return 0.0
    sums = np.bincount(codes, ranks)
    between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
    within = (total - between) / (n - k)
    return float(np.sqrt(min(max((between - (k - 1) * within) / total, 0.0), 1.0)))


def _cramer(one: Array, other: Array) -> float:
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1.0)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    (r, k), n = table.shape, table.sum()
    if min(r, k) < 2 or n < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    phi = float((((table - expected) ** 2) / expected).sum() / n)
    phi = max(phi - (r - 1) * (k - 1) / (n - 1), 0.0)
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(min(phi / least, 1.0))) if least > 0 else 0.0
