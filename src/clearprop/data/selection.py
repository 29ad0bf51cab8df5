"""Exact quantiles of columns that are too long for memory, by counting instead of sorting.

Numbers are compared digit by digit: as unsigned integers whose order is that of the numbers, 16 bits at
a time. One pass over the rows counts the first digit of each number and so finds that of the order
statistics; the next pass counts the second digit of those numbers that share it, and so on: two passes
for float32, four for float64 (most significant digit first; Knuth, The Art of Computer Programming 3,
section 5.2.5). Where there are many columns, digits have 8 bits: the counts take less memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Blocks = Callable[[], Iterable[tuple[Array, Array | None]]]

_MANY = 32  # columns


def quantiles(blocks: Blocks, shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Return quantiles of every column, by linear interpolation as `numpy.quantile` has it.

    Parameters
    ----------
    blocks : callable
        Begins a pass: gives blocks of rows, finite, float32 or float64, shape (n, n_columns), each with
        weights or None. A row of weight w counts as w rows, one of weight 0 as none.
    shares : tuple of float
        In [0, 1].

    Returns
    -------
    ndarray of shape (len(shares), n_columns)
        Equal to ``numpy.quantile(rows.astype(float64), shares, axis=0)`` where there are no weights.

    Raises
    ------
    ValueError
        If there is no row.
    """
    total = 0.0
    for rows, weight in blocks():
        total += len(rows) if weight is None else float(np.sum(weight, dtype=np.float64))
    if total <= 0.0:
        raise ValueError("there must be a row to take quantiles of, got none")
    at = np.array(shares) * max(total - 1.0, 0.0)
    below = np.floor(at)
    above = np.minimum(below + 1.0, max(total - 1.0, 0.0))
    ranks, where = np.unique(np.concatenate([below, above]), return_inverse=True)
    found = _order_statistics(blocks, ranks)
    low, high = found[where[: len(shares)]], found[where[len(shares) :]]
    return _between(low, high, (at - below)[:, None])


def _between(low: Array, high: Array, share: Array) -> NDArray[np.float64]:
    """Return numbers on the way from low to high, rounded as `numpy.quantile` rounds them."""
    width = high - low
    out = low + width * share
    return np.where(share >= 0.5, high - width * (1 - share), out)


def _order_statistics(blocks: Blocks, ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers of every column that so many others are before, shape (n_ranks, n_columns)."""
    prefix: Array = np.zeros((len(ranks), 1), np.uint64)
    left = ranks[:, None].copy()  # numbers before it among those with the same prefix
    shift, bits, dtype = -1, 16, np.dtype(np.float64)
    while shift != 0:
        counts: list[dict[int, Array]] = []
        for rows, weight in blocks():
            if not counts:
                n, dtype = rows.shape[1], rows.dtype
                bits = 16 if n <= _MANY else 8
                shift = (8 * dtype.itemsize if shift < 0 else shift) - bits
                prefix = np.broadcast_to(prefix, (len(ranks), n)).copy()
                left = np.broadcast_to(left, (len(ranks), n)).copy()
                counts = [{int(p): np.zeros(1 << bits) for p in prefix[:, j]} for j in range(n)]
            _count(rows, weight, shift, bits, counts)
        for j, known in enumerate(counts):
            for i in range(len(ranks)):
                ends = np.cumsum(known[int(prefix[i, j])])
                digit = min(int(np.searchsorted(ends, left[i, j], side="right")), _last(ends))
                left[i, j] -= ends[digit - 1] if digit else 0.0
                prefix[i, j] = np.uint64(int(prefix[i, j]) << bits | digit)
    return _numbers(prefix, dtype)


def _last(ends: Array) -> int:
    """Return the last digit that occurs: where rounded weights leave a rank beyond all of them."""
    return int(np.searchsorted(ends, ends[-1], side="left"))


def _count(
    rows: Array, weight: Array | None, shift: int, bits: int, counts: list[dict[int, Array]]
) -> None:
    """Count the digits above `shift` of the numbers that share what is known of an order statistic."""
    n_digits = 1 << bits
    for j, known in enumerate(counts):
        keys = _keys(np.ascontiguousarray(rows[:, j]))
        digits = (keys >> keys.dtype.type(shift)) & keys.dtype.type(n_digits - 1)
        if shift + bits == 8 * keys.dtype.itemsize:
            for total in known.values():
                total += np.bincount(digits, weight, n_digits)
            continue
        prefixes = keys >> keys.dtype.type(shift + bits)
        for prefix, total in known.items():
            same = prefixes == prefix
            total += np.bincount(digits[same], None if weight is None else weight[same], n_digits)


def _keys(column: Array) -> Array:
    """Return unsigned integers in the order of the numbers; both zeros are one number."""
    unsigned = np.dtype(f"u{column.dtype.itemsize}")
    bits = (column + column.dtype.type(0.0)).view(unsigned)  # -0.0 + 0.0 is 0.0
    top = unsigned.type(1 << (8 * unsigned.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top)


def _numbers(keys: Array, dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Return the numbers that belong to the keys."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    narrow = keys.astype(unsigned)
    top = unsigned.type(1 << (8 * unsigned.itemsize - 1))
    return np.where(narrow & top, narrow ^ top, ~narrow).view(dtype).astype(np.float64)
