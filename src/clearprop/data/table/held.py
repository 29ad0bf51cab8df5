"""Which rows of a streamed table are held out to validate on: a function of each row, not of all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.data.table.quantiles import Quantiles
from clearprop.data.table.source import TableSource
from clearprop.data.table.values import NUMBER, TIME

Mask = NDArray[np.bool_]
HeldRows = Callable[[Any, int], Mask]  # of a batch and the number of its first row


def none_held(batch: Any, first: int) -> Mask:
    """Return that no row is held out."""
    return np.zeros(batch.num_rows, bool)


def all_held(batch: Any, first: int) -> Mask:
    """Return that every row is held out."""
    return np.ones(batch.num_rows, bool)


def random_rows(seed: int, share: float) -> HeldRows:
    """Hold out a share of the rows, each by a draw of its own."""

    def held(batch: Any, first: int) -> Mask:
        draws = randomness.uniform(seed, batch.num_rows, purpose=randomness.HOLDOUT, first=first)
        mask: Mask = draws < share
        return mask

    return held


def whole_groups(seed: int, share: float, column: str) -> HeldRows:
    """Hold out a share of the groups, each with all of its rows; rows without a group are kept."""
    key = seed.to_bytes(8, "little")

    def draw(group: Any) -> float:
        digest = hashlib.blake2b(str(group).encode(), key=key, digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2.0**64

    def held(batch: Any, first: int) -> Mask:
        encoded = batch.column(column).dictionary_encode()
        groups = encoded.dictionary.to_pylist()
        chosen = np.array([draw(group) < share for group in groups] + [False])
        mask: Mask = chosen[encoded.indices.fill_null(len(groups)).to_numpy(zero_copy_only=False)]
        return mask

    return held


def latest_rows(
    source: TableSource, column: str, share: float, quantiles: Callable[[], Quantiles]
) -> HeldRows:
    """Hold out the latest share of the rows, by one pass over their times; those without are kept.

    Raises
    ------
    ValueError
        If the column holds neither numbers nor points in time, or is always the same.
    """
    if source.types[column].split(" ")[0] not in (NUMBER, TIME):
        raise ValueError(f"the time {column!r} of {source.where} must hold dates or numbers, got text")
    sketch, low, high = quantiles(), math.inf, -math.inf
    for batch in source.batches([column]):
        times = _times(batch, column)
        times = times[~np.isnan(times)]
        if len(times):
            sketch.add(times)
            low, high = min(low, float(times.min())), max(high, float(times.max()))
    if not low < high:
        raise ValueError(f"the time {column!r} of {source.where} must vary, is always the same")
    # The last moment itself is held out where so many rows share it that the cut would leave none.
    cut = min(sketch.quantile(1.0 - share), np.nextafter(high, low))

    def held(batch: Any, first: int) -> Mask:
        mask: Mask = _times(batch, column) > cut  # NaN is not
        return mask

    return held


def _times(batch: Any, column: str) -> NDArray[np.float64]:
    import pyarrow as pa

    times = batch.column(column)
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.int64())
    numbers: NDArray[np.float64] = times.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers
