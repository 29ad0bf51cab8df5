"""Files, read with care: never a device or a pipe, never more than was declared."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from clearprop.data.remote import Remote, is_url, without_keys
from clearprop.names import absent

Source = str | os.PathLike[str]
Place = Path | Remote

MAX_BYTES = 2**33
"""What one array may need, and one file may hold once decompressed. Assign to it to change it."""

MAX_RATIO = 200
"""How many times the stored bytes a decompressed file may hold, beyond `RATIO_FREE` bytes.

Real data stay below it (MNIST's images: 5). Sorted labels do not, but they are small.
"""

RATIO_FREE = 2**26
_CHUNK = 1 << 20
_DEFLATE_RATIO = 1032  # deflate cannot do better: a larger claim is a lie, whatever its size

# the first of the two exists on Unix only, the second on Windows only
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def local_path(source: Source, argument: str = "source") -> Path:
    """Return `source` as a path, with ``~`` expanded.

    Raises
    ------
    TypeError
        If it is neither a string nor a path.
    ValueError
        If it is empty, holds a NUL, or is a URL.
    """
    text = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"{argument} must be a string or a path, got {type(source).__name__}")
    if not text or "\0" in text:
        raise ValueError(f"{argument} must be the name of a file or folder, got {text!r}")
    if is_url(text):
        raise ValueError(
            f"{argument} must be a local file or folder, got the URL {without_keys(text)!r}"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{argument} must be a file or folder, got {text!r}: {error}") from None


def place_of(source: Source, argument: str = "source") -> Place:
    """Return `source` as a path, or what a URL names.

    Raises
    ------
    TypeError, ValueError
        As `local_path` and `Remote`.
    """
    text = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return Remote(text) if isinstance(text, str) and is_url(text) else local_path(source, argument)


def state(path: Place) -> tuple[int, int, int]:
    """Return what tells that a file was changed: its bytes, when it was written, and its number.

    Raises
    ------
    OSError
        If it is not there, or cannot be asked for.
    """
    if isinstance(path, Remote):
        return *path.state(), 0
    now = status(path)
    return now.st_size, now.st_mtime_ns, now.st_ino


def status(path: Path) -> os.stat_result:
    """Return what the system says of a file.

    Raises
    ------
    FileNotFoundError
        If it is not there, with where it was looked for and what is like it there.
    """
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise FileNotFoundError(absent(str(path))) from None


@contextmanager
def open_regular(path: Place) -> Iterator[BinaryIO]:
    """Open a regular file to read; a pipe, a device or a folder is refused and never waited for.

    Raises
    ------
    OSError
        If it is no regular file, cannot be read, or was changed while it was read.
    """
    if isinstance(path, Remote):
        with path.open() as file:
            yield file
        return
    _check_regular(path, status(path))
    # between the two looks a pipe may have taken the file's place: opening must not wait for it
    descriptor = os.open(path, _OPEN)
    with open(descriptor, "rb") as file:
        before = os.fstat(file.fileno())
        _check_regular(path, before)
        yield file
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise OSError(f"{path} was changed while it was read")


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{path} must be a file, got a folder")
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(f"{path} must be a regular file, got {kind}")


def size(file: BinaryIO) -> int:
    """Return how many bytes the file has on disk, or on its filesystem."""
    raw: Any = getattr(file, "raw", None)
    if hasattr(raw, "size"):
        return int(raw.size())
    return os.fstat(file.fileno()).st_size


def is_gzip(file: BinaryIO) -> bool:
    """Return whether the file starts like a gzip file, whatever its name says."""
    start = file.read(2)
    file.seek(0)
    return start == b"\x1f\x8b"


def check_size(path: Place | str, needed: int, stored: int | None = None) -> None:
    """Refuse what would need more memory than is allowed, before any is taken.

    Parameters
    ----------
    path : Path, Remote or str
        For the message.
    needed, stored : int
        Bytes that the content declares, and the compressed bytes they are said to come from.

    Raises
    ------
    ValueError
        If `needed` is over `MAX_BYTES`, or more than compressed bytes can hold.
    """
    if needed > MAX_BYTES:
        raise ValueError(
            f"{path} must need at most {MAX_BYTES} bytes (clearprop.data.files.MAX_BYTES), "
            f"declares {needed}"
        )
    if stored is None:
        return
    if needed > _DEFLATE_RATIO * stored + _CHUNK:
        raise ValueError(f"{path} declares {needed} bytes, its {stored} compressed bytes hold fewer")
    if needed > RATIO_FREE and needed > MAX_RATIO * stored:
        raise ValueError(
            f"{path} must not be compressed more than {MAX_RATIO} times, "
            f"declares {needed} bytes in {stored}"
        )


@contextmanager
def content(file: BinaryIO, path: Place) -> Iterator[IO[bytes]]:
    """Give the file's content, decompressed if it is a gzip file.

    Raises
    ------
    ValueError
        If the compressed data are damaged, end early, or something else follows them.
    """
    if not is_gzip(file):
        yield file
        return
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast(IO[bytes], unpacked)
    except EOFError:
        raise ValueError(f"{path} ends in the middle of its gzip data: it is truncated") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        if "Not a gzipped file" in str(error):  # it began like one
            raise ValueError(f"{path} has something else behind its gzip data") from None
        raise ValueError(f"{path} has damaged gzip data: {error}") from None


def read_up_to(source: IO[bytes], n_bytes: int) -> bytearray:
    """Return the next `n_bytes` bytes, or what there is; memory grows only with what is there."""
    data = bytearray()
    while len(data) < n_bytes and (chunk := source.read(min(_CHUNK, n_bytes - len(data)))):
        data += chunk
    return data
