"""Rows that are not all in memory: what can be read of them, and in which order an epoch passes them.

Into a buffer flow blocks of neighbouring rows, drawn at random; inside the buffer every row is drawn at
random. Which rows fill buffer k of an epoch is a function of (seed, epoch, k) and the sizes alone, so a
training can go on in the middle of an epoch, and a buffer that holds everything has the order of rows
that a training in memory has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import randomness
from clearprop.data.labels import objects_of
from clearprop.masks import refuse_masked
from clearprop.typing import Label, Sliced

Array = NDArray[Any]
Stretch = tuple[int, int]  # the first row, and the one after the last

BUFFER_BYTES = 2**27
"""What a buffer may take where its rows are not said; there are two."""

BLOCK_BYTES = 2**19  # read at once: as many as a disk gives in the time that it takes to find them
CHUNK_ROWS = 4096  # converted at once: its temporaries stay in the processor's cache


class Rows(Protocol):
    """Rows that can be read in any place; the parts of one row are asked for separately."""

    @property
    def n_rows(self) -> int:
        """Number of rows, at least 1."""
        ...

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        ...

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The labels that numbers 0, 1, ... in `Y` stand for; None where `Y` is what it is."""
        ...

    def X(self, first: int, last: int) -> Array:
        """Return rows `first` to ``last - 1``, shape (n, n_features)."""
        ...

    def Y(self, first: int, last: int) -> Array:
        """Return their targets, shape (n,) or (n, n_outputs)."""
        ...

    def weight(self, first: int, last: int) -> Array | None:
        """Return their sample weights, shape (n,); None where no row has one."""
        ...

    def fingerprint(self) -> str:
        """Return what tells these rows from others: a resumed training compares it."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows of arrays that are read piece by piece, as ``numpy.load(..., mmap_mode="r")`` gives them.

    Parameters
    ----------
    features : array-like of shape (n_rows, n_features)
    targets : array-like of shape (n_rows,) or (n_rows, n_outputs)
    weights : array-like of shape (n_rows,), optional

    Raises
    ------
    ValueError
        If there are not as many of each.
    """

    features: Sliced
    targets: Sliced
    weights: Sliced | None = None
    classes: tuple[Label, ...] | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        if len(self.features.shape) != 2 or not self.features.shape[0]:
            raise ValueError(
                "X must have 2 dimensions (n_samples, n_features) and a row, got shape "
                f"{tuple(self.features.shape)}"
            )
        for name, array in (("Y", self.targets), ("sample_weight", self.weights)):
            if array is not None and len(array) != self.n_rows:
                raise ValueError(
                    f"X and {name} must have as many rows, got {self.n_rows} and {len(array)}"
                )

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.features.shape[0])

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.features.shape[1])

    def X(self, first: int, last: int) -> Array:
        """As in `Rows`."""
        return _plain(self.features[first:last], "X")

    def Y(self, first: int, last: int) -> Array:
        """As in `Rows`."""
        return _plain(self.targets[first:last], "Y")

    def weight(self, first: int, last: int) -> Array | None:
        """As in `Rows`."""
        return None if self.weights is None else _plain(self.weights[first:last], "sample_weight")

    def fingerprint(self) -> str:
        """As in `Rows`."""
        digest = hashlib.sha256()
        for first, last in chunks(self.n_rows):
            for array in (self.X(first, last), self.Y(first, last), self.weight(first, last)):
                digest.update(b"none" if array is None else _bytes(array))
        return digest.hexdigest()


def _plain(part: ArrayLike, name: str) -> Array:
    refuse_masked(part, name)  # a variable of netCDF gives masked arrays, though it is none
    floats = isinstance(part, list) and set(map(type, part)) == {float}
    return objects_of(part) if name == "Y" and not floats else np.asarray(part)


def _bytes(array: Array) -> bytes:
    # An array of objects holds addresses.
    return repr(array.tolist()).encode() if array.dtype == object else array.tobytes()


class RowStream:
    """Rows that pass through a buffer, for a training whose data do not fit in memory.

    `Network.fit` takes it in the place of X and Y.

    Parameters
    ----------
    rows : Rows
        See `of_arrays`, and `clearprop.data.stream` for files.
    buffer_rows : int, optional
        Rows in memory at a time, rounded down to whole batches; while one buffer is trained on, a
        second one is filled. None takes as many as 128 MiB hold. The larger it is, the more freely rows
        are mixed: blocks of 512 KiB are drawn from everywhere, rows inside the buffer.

    Examples
    --------
    >>> import clearprop as cp
    >>> X = np.random.default_rng(0).normal(size=(1000, 4))  # or np.load("X.npy", mmap_mode="r")
    >>> stream = RowStream.of_arrays(X, (X[:, 0] > 0).astype(int), buffer_rows=256)
    >>> net = cp.Network([4, 8, 2], seed=0)
    >>> len(net.fit(stream, epochs=2, progress=False)["cost"])
    2
    """

    def __init__(self, rows: Rows, buffer_rows: int | None = None) -> None:
        if buffer_rows is not None:
            if isinstance(buffer_rows, bool) or not isinstance(buffer_rows, int | np.integer):
                raise TypeError(f"buffer_rows must be an integer of at least 1, got {buffer_rows!r}")
            if buffer_rows < 1:
                raise ValueError(f"buffer_rows must be at least 1, got {buffer_rows}")
        self.rows, self.buffer_rows = rows, None if buffer_rows is None else int(buffer_rows)

    @classmethod
    def of_arrays(
        cls,
        X: Sliced,
        Y: Sliced,
        sample_weight: Sliced | None = None,
        *,
        buffer_rows: int | None = None,
    ) -> RowStream:
        """Return a stream of arrays that are read piece by piece: memory maps, HDF5 data sets.

        Parameters
        ----------
        X, Y, sample_weight
            As in `Network.fit`, with a shape and slices.
        buffer_rows : int, optional
            As in `RowStream`.
        """
        return cls(ArrayRows(X, Y, sample_weight), buffer_rows)

    def __len__(self) -> int:
        return self.rows.n_rows

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.rows.n_features


@dataclass(frozen=True)
class Passage:
    """How the rows of an epoch pass through buffers.

    Parameters
    ----------
    n_rows, n_trained, buffer_rows, block_rows : int
        An epoch ends after `n_trained` of the rows; `buffer_rows` are a whole number of batches.
    shuffle : bool
        Whether the order is a random one; otherwise it is that of the rows.
    first_row : int
        Of a table of which these rows are a part: they have an order of their own.
    """

    n_rows: int
    n_trained: int
    buffer_rows: int
    block_rows: int
    shuffle: bool = True
    first_row: int = 0

    @property
    def room(self) -> int:
        """Rows that a buffer has room for."""
        return min(self.buffer_rows, self.n_rows)

    @property
    def n_buffers(self) -> int:
        """How many times the buffer is filled in an epoch."""
        return -(-self.n_trained // self.buffer_rows)

    def stretches(self, seed: int, epoch: int, number: int) -> tuple[Stretch, ...]:
        """Return which rows buffer `number` of an epoch holds, as ascending stretches of rows.

        The blocks of the epoch, one behind the other in their random order, are cut into buffers.
        """
        first = number * self.buffer_rows
        last = min(first + self.buffer_rows, self.n_rows)
        if not self.shuffle:
            return ((self.first_row + first, self.first_row + last),)
        n_blocks = -(-self.n_rows // self.block_rows)
        blocks = randomness.permutation(
            seed, n_blocks, step=epoch, purpose=randomness.BLOCK_ORDER, first=self.first_row
        )
        starts = blocks * self.block_rows
        sizes = np.minimum(self.block_rows, self.n_rows - starts)
        starts += self.first_row
        ends = np.cumsum(sizes)  # of each block, in the epoch's order
        inside = slice(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, last)) + 1)
        skipped = np.maximum(first - (ends - sizes)[inside], 0)
        beyond = np.maximum(ends[inside] - last, 0)
        begins, stops = starts[inside] + skipped, (starts + sizes)[inside] - beyond
        return _joined(sorted(zip(begins.tolist(), stops.tolist(), strict=True)))

    def order(self, seed: int, epoch: int, number: int) -> NDArray[np.int64]:
        """Return the order in which the rows of a buffer, as `stretches` has them, are trained on."""
        first = number * self.buffer_rows
        n = min(self.buffer_rows, self.n_rows - first)
        if self.shuffle:
            order = randomness.permutation(seed, n, step=epoch, first=self.first_row + first)
        else:
            order = np.arange(n)
        return order[: self.n_trained - first]


def _joined(stretches: list[Stretch]) -> tuple[Stretch, ...]:
    joined: list[Stretch] = []
    for first, last in stretches:
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def chunks(last: int, first: int = 0, rows: int = CHUNK_ROWS) -> Iterator[Stretch]:
    """Return rows `first` to ``last - 1`` as stretches of at most so many rows."""
    return ((start, min(start + rows, last)) for start in range(first, last, rows))
