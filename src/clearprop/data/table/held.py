"""Which rows of a streamed table are held out to validate on: a function of each row."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.data import split
from clearprop.data.table.quantiles import Quantiles
from clearprop.data.table.source import TableSource
from clearprop.data.table.time_choices import question
from clearprop.data.table.values import NUMBER, TIME

Mask = NDArray[np.bool_]
_MOST_GROUPS = 100_000  # that are counted; of more, draws come near to any share by their number
_FEW = 10_000  # rows up to which draws are looked at: of more, none is held out by no accident
_FAR = 0.1  # of the share that was asked, from which on the one that was got is said
HeldRows = Callable[[Any, int], Mask]  # of a batch and the number of its first row


def none_held(batch: Any, first: int) -> Mask:
    """Return that no row is held out."""
    return np.zeros(batch.num_rows, bool)


def all_held(batch: Any, first: int) -> Mask:
    """Return that every row is held out."""
    return np.ones(batch.num_rows, bool)


def random_rows(seed: int, share: float, n_rows: int) -> HeldRows:
    """Hold out a share of the rows, each by a draw of its own.

    Of few rows the draws may leave none on one side, where the share is one or more: then two, to
    choose and to judge, are held out whatever was drawn, and one is not.
    """
    if 3 <= n_rows <= _FEW and share * n_rows >= 1.0:
        draws = np.sort(randomness.uniform(seed, n_rows, purpose=randomness.HOLDOUT))
        share = float(np.clip(share, np.nextafter(draws[1], 1.0), draws[-1]))

    def held(batch: Any, first: int) -> Mask:
        draws = randomness.uniform(seed, batch.num_rows, purpose=randomness.HOLDOUT, first=first)
        mask: Mask = draws < share
        return mask

    return held


def refuse_few_groups(source: TableSource, column: str, least: int) -> None:
    """Refuse a column of groups of which not so many can be held out that one is left.

    Raises
    ------
    ValueError
    """
    found = source.profile[column]
    if (n := found.n_distinct + (found.n_missing > 0)) <= least:
        held = "one can be held out" if least == 1 else "two can be held out, to choose and to judge"
        raise ValueError(
            f"the group {column!r} of {source.where} must have at least {least + 1} different values, "
            f"so that the rows of {held}, has {n}"
        )


def told_groups(column: str, got: float, asked: float) -> str:
    """Return how whole groups were held out; with which share of the rows, if it is not that asked."""
    far = abs(got - asked) > _FAR * asked
    share = f": {100 * got:.3g} % of the rows, {100 * asked:.3g} % asked" if far else ""
    return f"whole groups of {column!r}{share}"


def whole_groups(source: TableSource, column: str, share: float, seed: int, least: int = 1) -> HeldRows:
    """Hold out groups with all of their rows, as near to a share of them as whole groups come.

    One pass over them tells their sizes; of very many, each is held out by a draw of its own. Rows
    without a group are one.

    Raises
    ------
    ValueError
        If there are not more groups than `least`, which are held out at least.
    """
    refuse_few_groups(source, column, least)
    key = seed.to_bytes(8, "little")

    def draw(group: Any) -> float:
        digest = hashlib.blake2b(str(group).encode(), key=key, digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2.0**64

    sizes = _group_sizes(source, column)
    chosen: set[Any] | None = None
    if sizes is not None:
        order = randomness.permutation(seed, len(sizes), step=0, purpose=randomness.HOLDOUT)
        mask = split.whole_groups(list(sizes.values()), share, order, least)
        chosen = {group for group, taken in zip(sizes, mask.tolist(), strict=True) if taken}

    def held(batch: Any, first: int) -> Mask:
        encoded = batch.column(column).dictionary_encode("encode")
        groups = encoded.dictionary.to_pylist()
        taken = [draw(group) < share if chosen is None else group in chosen for group in groups]
        mask: Mask = np.array(taken)[encoded.indices.to_numpy(zero_copy_only=False)]
        return mask

    return held


def _group_sizes(source: TableSource, column: str) -> Counter[Any] | None:
    """Return the rows of every group, in the order in which they come; None of very many."""
    import pyarrow.compute as pc

    sizes: Counter[Any] = Counter()
    for batch in source.batches([column]):
        counted = pc.value_counts(batch.column(column))
        found = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
        for group, n in found:
            sizes[group] += n
        if len(sizes) > _MOST_GROUPS:
            return None
    return sizes


def latest_rows(
    source: TableSource, column: str, share: float, quantiles: Callable[[], Quantiles]
) -> HeldRows:
    """Hold out the latest share of the rows, by one pass over their times.

    Raises
    ------
    ValueError
        If the column holds neither numbers nor points in time, has gaps, or is always the same.
    """
    if source.types[column].split(" ")[0] not in (NUMBER, TIME):
        raise ValueError(f"the time {column!r} of {source.where} must hold dates or numbers, got text")
    if (found := source.profile[column]).ambiguous:
        raise ValueError(f"the time {column!r} of {source.where} is undecided: {question(found)}")
    sketch, low, high, first = quantiles(), math.inf, -math.inf, 0
    for batch in source.batches([column]):
        times = times_of(batch, column)
        if np.isnan(times).any():
            row = first + int(np.argmax(np.isnan(times)))
            raise ValueError(
                f"{source.where} must have no missing values in the time {column!r}, got one: "
                f"{source.place(row)}"
            )
        sketch.add(times)
        low, high, first = (
            min(low, float(times.min())),
            max(high, float(times.max())),
            first + len(times),
        )
    if not low < high:
        raise ValueError(f"the time {column!r} of {source.where} must vary, is always the same")
    # The last moment itself is held out where so many rows share it that the cut would leave none.
    cut = min(sketch.quantile(1.0 - share), np.nextafter(high, low))

    def held(batch: Any, first: int) -> Mask:
        mask: Mask = times_of(batch, column) > cut
        return mask

    return held


def times_of(batch: Any, column: str) -> NDArray[np.float64]:
    """Return the times or numbers of a column, shape (n_rows,)."""
    import pyarrow as pa

    times = batch.column(column)
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.int64())
    numbers: NDArray[np.float64] = times.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers
