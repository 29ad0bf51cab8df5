"""Files and folders that a URL names, on pyarrow's filesystems: S3, Google Cloud, HDFS, and others.

`Remote` has of a Path what tables are read by. Nothing of it shows a key: what stands before an @ and
after a ? in a URL is left out of whatever is said.
"""

from __future__ import annotations

import fnmatch
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_KEYS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://)[^\s'\"]*:[^\s'\"]*@")
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://[^\s'\"?]*)\?[^\s'\"]*")
_AHEAD = 1 << 23  # bytes of a file that is read from its beginning, asked for together
_REASON = 300  # characters of what a filesystem says


def is_url(text: str) -> bool:
    """Return whether a text is a URL, and no path."""
    return _URL.match(text) is not None


def without_keys(text: str) -> str:
    """Return a text without the users, keys and options of the URLs in it."""
    return _QUERY.sub(r"\1", _KEYS.sub(r"\1", text))


class Remote:
    """A file or folder on a filesystem.

    Parameters
    ----------
    url : str
        As `pyarrow.fs.FileSystem.from_uri` takes it: s3://bucket/folder, gs://, hdfs://, file://.

    Attributes
    ----------
    path : str
        On the filesystem.
    name : str
        The last part of it.

    Raises
    ------
    ValueError
        If there is no such filesystem, or it has no such address.
    """

    def __init__(self, url: str) -> None:
        import pyarrow as pa
        from pyarrow.fs import FileSystem

        self._shown = without_keys(url).rstrip("/")
        try:
            self._system, path = FileSystem.from_uri(url)
        except (pa.ArrowException, ImportError, OSError) as problem:
            reason = _reason(problem).replace(url, self._shown)
            raise ValueError(
                "a URL must be one that pyarrow reads, such as s3://bucket/folder, gs://, hdfs:// or "
                f"file:///folder, its keys with %2F for a /; got {self._shown}: {without_keys(reason)}"
            ) from None
        self.path = path.rstrip("/")
        self._info: Any = None

    def __str__(self) -> str:
        return self._shown

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self._shown == other._shown

    def __hash__(self) -> int:
        return hash(self._shown)

    def __lt__(self, other: Remote) -> bool:
        return self.path < other.path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def parent(self) -> Remote:
        """The folder that it is in."""
        return self._other(self.path.rpartition("/")[0], self._shown.rpartition("/")[0])

    def _other(self, path: str, shown: str, info: Any = None) -> Remote:
        made = object.__new__(Remote)
        made._system, made.path, made._shown, made._info = self._system, path, shown, info
        return made

    # What is asked of the filesystem

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Say in a sentence, with the URL, what the filesystem says."""
        try:
            yield
        except OSError as problem:
            if self._shown in str(problem):
                raise
            raise OSError(f"{self} cannot be read: {without_keys(_reason(problem))}") from None

    def _look(self) -> Any:
        with self._sentences():
            return self._system.get_file_info(self.path)

    def state(self) -> tuple[int, int]:
        """Return the bytes of a file, and when it was written, in ns; 0 where nobody knows.

        Raises
        ------
        OSError
            If it is not there, or cannot be asked for.
        """
        info = self._look()
        if info.type.name == "NotFound":
            raise FileNotFoundError(f"there is no file or folder {self}")
        return info.size or 0, info.mtime_ns or 0

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return bool((self._info or self._look()).type.name == "Directory")

    def is_file(self) -> bool:
        """Return whether it is a file."""
        return bool((self._info or self._look()).type.name == "File")

    def iterdir(self) -> list[Remote]:
        """Return what is in a folder."""
        return self._inside(recursive=False)

    def rglob(self, pattern: str) -> Iterator[Remote]:
        """Give what is in a folder, or in one inside, whose name a pattern fits."""
        return (each for each in self._inside(True) if fnmatch.fnmatchcase(each.name, pattern))

    def _inside(self, recursive: bool) -> list[Remote]:
        from pyarrow.fs import FileSelector

        with self._sentences():
            found = self._system.get_file_info(FileSelector(self.path, recursive=recursive))
        at = len(self.path)
        return [self._other(each.path, self._shown + each.path[at:], each) for each in found]

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open a file to read; pyarrow's own is its ``raw``.

        Raises
        ------
        OSError
            If it cannot be read, or was changed while it was read.
        """
        before = self.state() if self._info is None else (self._info.size, self._info.mtime_ns or 0)
        with self._sentences():
            if self.is_dir():
                raise IsADirectoryError(f"{self} must be a file, got a folder")
            with self._system.open_input_file(self.path) as file:
                yield cast(BinaryIO, io.BufferedReader(file, _AHEAD))
            if self.state() != before:
                raise OSError(f"{self} was changed while it was read")


def _reason(problem: BaseException) -> str:
    return str(problem).partition("\n")[0][:_REASON]
