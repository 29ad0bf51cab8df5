"""Rows written to disk once, encoded, in order to be read in any order as often as there are epochs.

The files have no name: they are gone with the process, whatever ends it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.row_stream import chunks
from clearprop.typing import Label

Array = NDArray[Any]

_SPARE = 2**26  # bytes that are left free on the disk


def default_folder() -> str:
    """Return where temporary files go: TMPDIR, or /var/tmp, which is a disk where /tmp is memory."""
    if "TMPDIR" not in os.environ and os.access("/var/tmp", os.W_OK):
        return "/var/tmp"
    return tempfile.gettempdir()


class _Column:
    """Rows of one shape and type in a file."""

    def __init__(self, width: int | None, dtype: str, folder: str) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            self._descriptor = os.dup(file.fileno())
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self.head = f"{width} {dtype}".encode()
        self.digest = hashlib.sha256(self.head)
        self._shape: tuple[int, ...] = () if width is None else (width,)
        self.dtype = np.dtype(dtype)
        self.row_bytes = self.dtype.itemsize * (1 if width is None else width)

    def append(self, rows: Array) -> None:
        data = np.ascontiguousarray(rows, self.dtype)
        _write(self._descriptor, data, None)
        self.digest.update(_bytes(data))

    def read(self, first: int, last: int) -> Array:
        out = np.empty((last - first, *self._shape), self.dtype)
        view, at = _bytes(out), first * self.row_bytes
        while view:
            n = os.preadv(self._descriptor, [view], at)
            if not n:
                raise OSError(errno.EIO, "a temporary file has been cut short")
            view, at = view[n:], at + n
        return out

    def write(self, first: int, rows: Array) -> None:
        _write(self._descriptor, np.ascontiguousarray(rows, self.dtype), first * self.row_bytes)

    def close(self) -> None:
        self._close()


def _bytes(array: Array) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def _write(descriptor: int, data: Array, at: int | None) -> None:
    view = _bytes(data)
    while view:
        n = os.write(descriptor, view) if at is None else os.pwrite(descriptor, view, at)
        view, at = view[n:], None if at is None else at + n


class Spool:
    """Encoded rows on disk; see `Rows` for how they are read.

    Parameters
    ----------
    n_features : int
    dtype : str
        Of X.
    target_dtype : str
        Of Y, one number a row: int32 for class numbers, float64 for quantities.
    weighted : bool
        Whether rows have weights.
    classes : tuple, optional
        The labels of the class numbers.
    folder : path, optional
        Where; None is `default_folder`.

    Raises
    ------
    OSError
        If no temporary file can be made there.
    """

    def __init__(
        self,
        n_features: int,
        dtype: str,
        *,
        target_dtype: str = "float64",
        weighted: bool = False,
        classes: tuple[Label, ...] | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.folder = os.fspath(folder) if folder is not None else default_folder()
        self._X = _Column(n_features, dtype, self.folder)
        self._Y = _Column(None, target_dtype, self.folder)
        self._weight = _Column(None, "float64", self.folder) if weighted else None
        self._n_features, self._classes, self._n_rows = n_features, classes, 0

    @property
    def n_rows(self) -> int:
        """Rows so far."""
        return self._n_rows

    @property
    def n_features(self) -> int:
        """As in `Rows`."""
        return self._n_features

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """As in `Rows`."""
        return self._classes

    @property
    def dtype(self) -> str:
        """Of X."""
        return self._X.dtype.name

    @property
    def row_bytes(self) -> int:
        """Bytes on disk of a row."""
        return sum(each.row_bytes for each in self._columns)

    @property
    def _columns(self) -> list[_Column]:
        return [self._X, self._Y] + ([self._weight] if self._weight else [])

    def check_space(self, n_rows: int) -> None:
        """Refuse to begin what the disk cannot hold.

        Raises
        ------
        OSError
            With the bytes that are needed and those that are free.
        """
        status, needed = os.statvfs(self.folder), n_rows * self.row_bytes
        free = status.f_bavail * status.f_frsize
        if needed + _SPARE > free:
            raise OSError(
                errno.ENOSPC,
                f"{n_rows:,} encoded rows take {needed / 1e9:.1f} GB of disk during a training, "
                f"{max(free - _SPARE, 0) / 1e9:.1f} GB are free (TMPDIR names another folder)",
                self.folder,
            )

    def expect(self, n_rows: int) -> tuple[int, int]:
        """Be told how many rows there are; return the first that is to be added, and the end."""
        return 0, n_rows

    def finish(self) -> None:
        """Be told that all rows have come."""

    def append(self, X: Array, Y: Array, weight: Array | None = None) -> None:
        """Add some rows."""
        for column, rows in ((self._X, X), (self._Y, Y), (self._weight, weight)):
            if column is not None:
                assert rows is not None
                try:
                    column.append(rows)
                except OSError as problem:
                    raise self._refused(problem) from None
        self._n_rows += len(X)

    def _refused(self, problem: OSError) -> OSError:
        reason = problem.strerror or str(problem)
        return OSError(
            problem.errno or errno.EIO,
            f"encoded rows cannot be kept there during a training: {reason} (TMPDIR names another "
            "folder)",
            self.folder,
        )

    def X(self, first: int, last: int) -> Array:
        """As in `Rows`."""
        return self._X.read(first, last)

    def Y(self, first: int, last: int) -> Array:
        """As in `Rows`."""
        return self._Y.read(first, last)

    def weight(self, first: int, last: int) -> Array | None:
        """As in `Rows`."""
        return None if self._weight is None else self._weight.read(first, last)

    def transform(self, X: Callable[[Array], Array], Y: Callable[[Array], Array] | None = None) -> None:
        """Replace every row by what a function of rows makes of it."""
        for first, last in chunks(self._n_rows):
            self._X.write(first, X(self._X.read(first, last)))
            if Y is not None:
                self._Y.write(first, Y(self._Y.read(first, last)))

    def fingerprint(self) -> str:
        """Return a SHA-256 over all rows as they were added."""
        parts = "".join(column.digest.hexdigest() for column in self._columns)
        return hashlib.sha256(parts.encode()).hexdigest()

    def close(self) -> None:
        """Give the disk back."""
        for column in self._columns:
            column.close()
