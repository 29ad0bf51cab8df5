"""Model files: arrays and JSON metadata in one safetensors file, verified before it is used.

Layout of a file, all of it safetensors, so that every safetensors reader opens it too::

    8 bytes          length of the header, little-endian
    header           JSON: {"__metadata__": {"clearprop": TEXT}, NAME: {"dtype": ..., "shape": ...,
                     "data_offsets": [begin, end]}, ...}
    data             the arrays, C-contiguous and little-endian, one after the other without holes

TEXT is the metadata as JSON, with the entry ``"checksum": "sha256:<64 digits>"`` before the others. The
digits are the SHA-256 of the whole file in which they themselves stand as zeros: names, dtypes, shapes,
metadata, padding and data are all covered, and no byte can change unnoticed. It finds damage; it is no
signature, so what is read is checked as if it came from an enemy.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint.atomic_file import FilePath, kind_of, replace_file
from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.strict_json import check_json, short
from clearprop.checkpoint.tensor_header import (
    DTYPES,
    HIGHEST_RANK,
    LARGEST_HEADER,
    MOST_TENSORS,
    Entry,
    check_name,
    header_length,
    parse_header,
)
from clearprop.names import absent

_CODES = {dtype: code for code, dtype in DTYPES.items()}
_COMPARED = 2**24  # bytes at a time
_NO_CHECKSUM = "sha256:" + 64 * "0"
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


def read_tensors(path: FilePath) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the metadata of a file that `write_tensors` wrote.

    The file is opened once, and everything in it is checked before anything is returned. Nothing but
    safetensors is read, whatever the file is called, and nothing that the file names is looked up.

    Parameters
    ----------
    path : str or path-like
        A regular file. A link to one is followed.

    Returns
    -------
    tensors : dict of str to ndarray
        Owned, aligned and writable; the bits are the ones that were written.
    metadata : dict

    Raises
    ------
    CheckpointError
        If the path is not a regular file, or its content is not exactly as it was written.
    OSError
        If the file cannot be opened or read.
    """
    with _opened(path) as file:
        return _read(file)


def read_checksum(path: FilePath) -> str:
    """Return the checksum that a file has, which tells it from every other one; it is not verified.

    Raises
    ------
    CheckpointError
        If the path is not a regular file, or the file is none that `write_tensors` wrote.
    OSError
        If the file cannot be opened or read.
    """
    with _opened(path) as file:
        return _read_header(file).checksum


@contextlib.contextmanager
def _opened(path: FilePath) -> Iterator[io.FileIO]:
    """Yield a regular file; what is wrong with it is told with its name."""
    name = os.fsdecode(path)
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(absent(name)) from None
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"path must be a regular file, got {kind_of(mode)}: {name!r}")
    with open(name, "rb", buffering=0, opener=_open_without_waiting) as file:
        try:
            yield file
        except CheckpointError as error:
            raise CheckpointError(f"{name!r}: {error}") from None
        except MemoryError:
            size = os.fstat(file.fileno()).st_size
            raise CheckpointError(f"{name!r}: the file must fit in memory, got {size} bytes") from None


class _Header(NamedTuple):
    """What stands before the data block."""

    size: int  # of the file
    text: bytes
    entries: list[Entry]
    metadata: dict[str, Any]
    checksum: str


def _read_header(file: io.RawIOBase) -> _Header:
    size = os.fstat(file.fileno()).st_size
    start = _take(file, min(size, 16))
    length = header_length(start, size)
    text = (start + _take(file, max(0, 8 + length - len(start))))[8 : 8 + length]
    entries, metadata = parse_header(text, size - 8 - length)
    checksum = metadata.pop("checksum", None)
    if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum):
        raise CheckpointError(f"checksum must be 'sha256:' and 64 digits, got {short(checksum)}")
    return _Header(size, text, entries, metadata, checksum)


def _read(file: io.RawIOBase) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    size, header, entries, metadata, checksum = _read_header(file)
    digest = hashlib.sha256(len(header).to_bytes(8, "little"))
    digest.update(header.replace(checksum.encode(), _NO_CHECKSUM.encode(), 1))
    tensors = {}
    file.seek(8 + len(header))
    for entry in entries:
        array: NDArray[Any] = np.empty(entry.shape, entry.dtype)
        _fill(file, _bytes_of(array))
        digest.update(_bytes_of(array).data)
        tensors[entry.name] = array
    if file.read(1):
        raise CheckpointError(
            f"the file must keep its size while it is read, got more than {size} bytes"
        )
    if checksum != "sha256:" + digest.hexdigest():
        raise CheckpointError(
            f"checksum must be that of the content, sha256:{digest.hexdigest()}, got {checksum}: "
            "the file was damaged or changed after it was written"
        )
    for name, array in tensors.items():
        if array.dtype == bool and (_bytes_of(array) > 1).any():
            raise CheckpointError(f"every byte of the BOOL tensor {short(name)} must be 0 or 1")
    return tensors, metadata


def _open_without_waiting(name: str, flags: int) -> int:
    # A FIFO that took the file's place since it was looked at must not hang us.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _take(file: io.RawIOBase, size: int) -> bytes:
    content = np.empty(size, np.uint8)
    _fill(file, content)
    return content.tobytes()


def _fill(file: io.RawIOBase, destination: NDArray[np.uint8]) -> None:
    view = destination.data
    while view:
        count = file.readinto(view)
        if not count:
            raise CheckpointError(
                f"the file must keep its size while it is read, lost {len(view)} bytes"
            )
        view = view[count:]


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the memory of a C-contiguous array, shape (nbytes,)."""
    return array.reshape(-1).view(np.uint8)


def write_tensors(
    path: FilePath,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, Any],
    *,
    sync: bool = True,
) -> str:
    r"""Write arrays and metadata to a file, so that the path holds the old file or the new one, whole.

    A temporary file in the same folder is written, synced, read back and compared with the arrays, and
    renamed onto the target; then the folder is synced. Whatever fails or interrupts this before the
    rename leaves the old file as it was. A link stays a link to the file that is replaced; mode and,
    where the system lets us, owner and group of an existing file are kept, other hard links to it keep
    the old content. Temporaries that a killed process left in the folder are removed.

    Parameters
    ----------
    path : str or path-like
    tensors : mapping of str to ndarray
        float32, float64, int64, uint8, uint64 or bool, in any memory layout and byte order. Names have
        1 to 256 printable characters, without '/', '\' and '..'.
    metadata : mapping
        What JSON can hold: str, int, finite float, bool, None, lists and dicts with str keys. A tuple
        comes back as a list. The key ``checksum`` is ours.
    sync : bool
        Whether to wait until the disk has the file. Without it the file is safe from a killed process,
        but not from a power loss.

    Returns
    -------
    str
        The checksum of the file.

    Raises
    ------
    TypeError, ValueError
        If a name, an array or an entry of the metadata is not as above, or the header is too large.
    CheckpointError
        If the path is something else than a regular file, or the file does not read back as written.
    OSError
        If the system refuses (no space, no permission, no such folder): it names the path and the
        bytes that were needed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checksum = write_tensors(folder + "/m.safetensors", {"bias": np.zeros(2)}, {"epoch": 3})
    ...     read_tensors(folder + "/m.safetensors")
    ({'bias': array([0., 0.])}, {'epoch': 3})
    """
    name = os.fsdecode(path)
    pieces = _serialize(_contiguous(tensors), _metadata_text(metadata))

    def check(temporary: str) -> None:
        if not _reads_back(temporary, pieces):
            raise CheckpointError(
                f"{name!r}: the file must read back as it was written; it was not saved"
            )

    replace_file(name, pieces, check, sync=sync)
    return f"sha256:{bytes(pieces[1]).decode()}"


def _contiguous(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    if len(tensors) > MOST_TENSORS:
        raise ValueError(f"tensors must be at most {MOST_TENSORS}, got {len(tensors)}")
    arrays = {}
    for name, array in tensors.items():
        check_name(name, ValueError)
        if not isinstance(array, np.ndarray):
            raise TypeError(f"tensors[{short(name)}] must be an ndarray, got {type(array).__name__}")
        dtype = array.dtype.newbyteorder("<")
        if dtype not in DTYPES.values():
            kinds = ", ".join(known.name for known in DTYPES.values())
            raise TypeError(f"tensors[{short(name)}] must be one of {kinds}, got {array.dtype}")
        if array.ndim > HIGHEST_RANK:
            raise ValueError(
                f"tensors[{short(name)}] must have at most {HIGHEST_RANK} dimensions, got {array.ndim}"
            )
        # Not ascontiguousarray: it gives an array without dimensions one.
        arrays[name] = np.asarray(array, dtype, order="C")
    return arrays


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    content = dict(metadata)
    if "checksum" in content:
        raise ValueError("metadata must leave the key 'checksum' to write_tensors")
    check_json(content, "metadata", 1)
    # The checksum stands first, so that a reader finds it before anything that looks like it.
    return json.dumps({"checksum": _NO_CHECKSUM, **content}, separators=(",", ":"), allow_nan=False)


def _serialize(arrays: Mapping[str, NDArray[Any]], text: str) -> Sequence[memoryview]:
    """Return the bytes of the file in pieces: the header in three, then the arrays as they lie.

    The library copies every array twice: of a checkpoint, six times the parameters.
    """
    if len(text) > LARGEST_HEADER:
        raise ValueError(f"metadata must take at most {LARGEST_HEADER} bytes as JSON, got {len(text)}")
    content: dict[str, Any] = {"__metadata__": {"clearprop": text}}
    # The largest elements first, as the library does, so that each array is aligned.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    end = 0
    for name, array in ordered:
        span = [end, end := end + array.nbytes]
        code = _CODES[array.dtype]
        content[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": span}
    header = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LARGEST_HEADER:
        raise ValueError(
            f"metadata and names must take at most {LARGEST_HEADER} bytes in the header, "
            f"got {len(header)}"
        )
    start = len(header).to_bytes(8, "little") + header
    data = [_bytes_of(array).data for _, array in ordered]
    digest = hashlib.sha256(start)
    for piece in data:
        digest.update(piece)
    before, after = start.split(_NO_CHECKSUM.encode()[-64:], 1)
    return [memoryview(piece) for piece in (before, digest.hexdigest().encode(), after)] + data


def _reads_back(temporary: str, pieces: Sequence[memoryview]) -> bool:
    with open(temporary, "rb") as file:
        for piece in pieces:
            for first in range(0, len(piece), _COMPARED):
                part = piece[first : first + _COMPARED]
                if file.read(len(part)) != part:
                    return False
        return not file.read(1)
