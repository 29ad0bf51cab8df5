"""How many different values there are: exactly up to a bound, then by the smallest of their hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_KEPT = 1 << 16  # hashes: exact up to here, then within 0.4 % (1 / sqrt(kept))
_TEXT_BYTES = 1 << 22  # hashed together
_PRIME = np.uint64(0x100000001B3)


class Distinct:
    """Counts different values that are shown to it as hashes, in bounded memory.

    The k smallest of n different hashes, the largest of them at a share s of the range, say that n is
    about (k - 1) / s (Bar-Yossef et al. 2002).
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept, self._smallest, self._full = kept, np.zeros(0, np.uint64), False

    def add(self, hashes: Hashes) -> None:
        """Take note of values."""
        if self._full:
            hashes = hashes[hashes < self._smallest[-1]]
        if not len(hashes):
            return
        merged = np.unique(np.concatenate([self._smallest, hashes]))
        self._full = self._full or len(merged) > self._kept
        self._smallest = merged[: self._kept]

    @property
    def exact(self) -> bool:
        """Whether the count is no estimate."""
        return not self._full

    @property
    def count(self) -> int:
        """The number of different values."""
        if not self._full:
            return len(self._smallest)
        share = float(self._smallest[-1]) / 2.0**64
        return round((len(self._smallest) - 1) / share)


def hash_numbers(values: NDArray[np.float64]) -> Hashes:
    """Return a hash of each number; 0.0 and -0.0 are one."""
    return _mixed((values + 0.0).view(np.uint64))


def hash_text(text: Any) -> Hashes:
    """Return a hash of each string of an Arrow array without nulls."""
    import pyarrow as pa

    parts = []
    start, n = 0, len(text)
    while start < n:
        size = n - start
        while size > 1 and text.slice(start, size).nbytes > 2 * _TEXT_BYTES:
            size = (size + 1) // 2
        parts.append(_hash_slice(pa.concat_arrays([text.slice(start, size)])))
        start += size
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _hash_slice(text: Any) -> Hashes:
    """Hash strings as polynomials in a prime, modulo 2**64."""
    _, offsets_buffer, data_buffer = text.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[text.offset : text.offset + len(text) + 1]
    lengths = np.diff(offsets)
    hashes = lengths.astype(np.uint64)
    filled = np.flatnonzero(lengths)
    if len(filled) and data_buffer is not None:
        data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]].astype(
            np.uint64
        ) + np.uint64(1)
        starts = (offsets[:-1] - offsets[0])[filled]
        place = np.arange(len(data)) - np.repeat(starts, lengths[filled])
        powers = np.cumprod(np.full(int(lengths.max()) + 1, _PRIME, np.uint64))
        hashes[filled] += np.add.reduceat(data * powers[place], starts)
    return _mixed(hashes)


def _mixed(x: Hashes) -> Hashes:
    """Spread bits evenly (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
