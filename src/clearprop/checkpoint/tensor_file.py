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
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint.atomic_file import FilePath, kind_of, replace_file
from clearprop.checkpoint.errors import CheckpointError

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
    "U64": np.dtype("<u8"),
    "BOOL": np.dtype("?"),
}
LARGEST_HEADER = 10_000_000  # bytes
MOST_TENSORS = 100_000
LONGEST_NAME = 256  # characters
HIGHEST_RANK = 8
DEEPEST_JSON = 32

_CODES = {dtype: code for code, dtype in DTYPES.items()}
_COMPARED = 2**24  # bytes at a time
_NO_CHECKSUM = "sha256:" + 64 * "0"
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
# A string that never ends is taken to the end of the text: to fail there would cost quadratic time.
_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_NESTING = np.zeros(256, np.int8)
_NESTING[list(b"[{")] = 1
_NESTING[list(b"]}")] = -1
_MAGIC = (
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle file"),
    (re.compile(rb"PK[\x03\x05\x07][\x04\x06\x08]"), "a zip archive (.npz, PyTorch or Keras)"),
    (re.compile(rb"\x1f\x8b"), "a gzip file"),
    (re.compile(rb"BZh[1-9]"), "a bzip2 file"),
    (re.compile(rb"\xfd7zXZ\x00"), "an xz file"),
    (re.compile(rb"\x93NUMPY"), "a NumPy .npy file"),
    (re.compile(rb"\x89HDF\r\n"), "an HDF5 file"),
    (re.compile(rb"\x89PNG\r\n"), "a PNG image"),
    (re.compile(rb"\xff\xd8\xff"), "a JPEG image"),
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"\x7fELF"), "a program"),
    (re.compile(rb"PAR1"), "a Parquet file"),
    (re.compile(rb"[\t\n\r\x20-\x7e]+\Z"), "a text file"),
)


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
    mode = os.stat(name).st_mode
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


class _Entry(NamedTuple):
    """Where the array of one name lies in the data block."""

    begin: int
    end: int
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class _Header(NamedTuple):
    """What stands before the data block."""

    size: int  # of the file
    text: bytes
    entries: list[_Entry]
    metadata: dict[str, Any]
    checksum: str


def _read_header(file: io.RawIOBase) -> _Header:
    size = os.fstat(file.fileno()).st_size
    start = _take(file, min(size, 16))
    length = _header_length(start, size)
    text = (start + _take(file, max(0, 8 + length - len(start))))[8 : 8 + length]
    entries, metadata = _parse_header(text, size - 8 - length)
    checksum = metadata.pop("checksum", None)
    if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum):
        raise CheckpointError(f"checksum must be 'sha256:' and 64 digits, got {_short(checksum)}")
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
            raise CheckpointError(f"every byte of the BOOL tensor {_short(name)} must be 0 or 1")
    return tensors, metadata


def _header_length(start: bytes, size: int) -> int:
    length = int.from_bytes(start[:8], "little")
    largest = min(size - 8, LARGEST_HEADER)
    if size >= 10 and 2 <= length <= largest and start[8:9] == b"{":
        return length
    # Only now: the length of a sound header may well begin like a pickle (80 02: 640 bytes).
    for magic, kind in _MAGIC:
        if magic.match(start):
            raise CheckpointError(f"must be a safetensors file, looks like {kind}: not opened")
    if size < 10:
        raise CheckpointError(f"the file must have at least 10 bytes, got {size}")
    if not 2 <= length <= largest:
        raise CheckpointError(f"header length must be from 2 to {largest} bytes, got {length}")
    raise CheckpointError(f"header must begin with '{{', got {start[8:9]!r}")


def _parse_header(header: bytes, data_size: int) -> tuple[list[_Entry], dict[str, Any]]:
    content = _parse_json(header, "header")
    annotations = content.pop("__metadata__", None)
    if not isinstance(annotations, dict) or list(annotations) != ["clearprop"]:
        raise CheckpointError(
            "'__metadata__' must hold the entry 'clearprop' alone: clearprop did not write this file"
        )
    text = annotations["clearprop"]
    if not isinstance(text, str):
        raise CheckpointError(f"entry 'clearprop' must be text, got {_short(text)}")
    # Lone surrogates can be escaped in JSON; they are no text that we write, and cannot be encoded.
    metadata = _parse_json(text.encode(errors="surrogatepass"), "entry 'clearprop'")
    if len(content) > MOST_TENSORS:
        raise CheckpointError(f"the file must hold at most {MOST_TENSORS} tensors, got {len(content)}")
    entries = sorted(_parse_entry(name, entry) for name, entry in content.items())
    end = 0
    for entry in entries:
        if entry.begin != end:
            what = "overlaps the tensor before it" if entry.begin < end else "leaves a hole before it"
            raise CheckpointError(
                f"tensor {_short(entry.name)} must begin at {end}, got {entry.begin}: it {what}"
            )
        end = entry.end
    if end != data_size:
        what = "the file is cut short" if end > data_size else "there is more behind them"
        raise CheckpointError(f"the tensors must take {data_size} bytes, got {end}: {what}")
    return entries, metadata


def _parse_entry(name: str, entry: object) -> _Entry:
    _check_name(name, CheckpointError)
    where = f"tensor {_short(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where} must be its dtype, shape and data_offsets, got {_short(entry)}")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError(f"{where}: dtype must be one of {', '.join(DTYPES)}, got {_short(dtype)}")
    if not _is_list_of_sizes(shape) or len(shape) > HIGHEST_RANK:
        raise CheckpointError(
            f"{where}: shape must be at most {HIGHEST_RANK} integers from 0, got {_short(shape)}"
        )
    if not _is_list_of_sizes(span) or len(span) != 2 or span[0] > span[1]:
        raise CheckpointError(f"{where}: data_offsets must be [begin, end], got {_short(span)}")
    itemsize = DTYPES[dtype].itemsize
    # The product without zeros: NumPy refuses (0, 2**62) although it has no elements.
    if math.prod(max(n, 1) for n in shape) * itemsize >= 2**63 or span[1] >= 2**63:
        raise CheckpointError(f"{where} must have less than 2**63 bytes, got shape {_short(shape)}")
    if math.prod(shape) * itemsize != span[1] - span[0]:
        raise CheckpointError(
            f"{where}: shape {_short(shape)} of {dtype} must take {math.prod(shape) * itemsize} bytes, "
            f"got {span[1] - span[0]}"
        )
    return _Entry(span[0], span[1], name, DTYPES[dtype], tuple(shape))


def _is_list_of_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _check_name(name: object, kind: type[ValueError]) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a tensor must be a str, got {name!r}")
    rule = (
        0 < len(name) <= LONGEST_NAME
        and name.isprintable()
        and not any(part in name for part in ("/", "\\", ".."))
        and name != "__metadata__"
    )
    if not rule:
        raise kind(
            f"the name of a tensor must be 1 to {LONGEST_NAME} printable characters "
            f"without '/', '\\' and '..', got {_short(name)}"
        )


def _parse_json(data: bytes, what: str) -> dict[str, Any]:
    """Return the object that is the whole of `data`, parsed strictly."""
    try:
        text = data.decode()
        _check_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError, int() of too many digits, ...
        raise CheckpointError(f"{what} must be JSON as clearprop writes it: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} must be a JSON object, got {_short(value)}")
    return value


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser, which recurses on the C stack, meets it."""
    characters = np.frombuffer(_JSON_STRING.sub("", text).encode(), np.uint8)
    depth = int(np.cumsum(_NESTING[characters], dtype=np.int32).max(initial=0))
    if depth > DEEPEST_JSON:
        raise ValueError(f"it must be nested at most {DEEPEST_JSON} deep, got {depth}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for name, value in pairs:
        if name in unique:
            raise ValueError(f"every name must stand once, got {_short(name)} twice")
        unique[name] = value
    return unique


def _refuse_constant(name: str) -> float:
    raise ValueError(f"every number must be finite, got {name}")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"every number must be finite, got {digits[:40]}")
    return value


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


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


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
        _check_name(name, ValueError)
        if not isinstance(array, np.ndarray):
            raise TypeError(f"tensors[{_short(name)}] must be an ndarray, got {type(array).__name__}")
        dtype = array.dtype.newbyteorder("<")
        if dtype not in DTYPES.values():
            kinds = ", ".join(known.name for known in DTYPES.values())
            raise TypeError(f"tensors[{_short(name)}] must be one of {kinds}, got {array.dtype}")
        if array.ndim > HIGHEST_RANK:
            raise ValueError(
                f"tensors[{_short(name)}] must have at most {HIGHEST_RANK} dimensions, got {array.ndim}"
            )
        # Not ascontiguousarray: it gives an array without dimensions one.
        arrays[name] = np.asarray(array, dtype, order="C")
    return arrays


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    content = dict(metadata)
    if "checksum" in content:
        raise ValueError("metadata must leave the key 'checksum' to write_tensors")
    _check_json(content, "metadata", 1)
    # The checksum stands first, so that a reader finds it before anything that looks like it.
    return json.dumps({"checksum": _NO_CHECKSUM, **content}, separators=(",", ":"), allow_nan=False)


def _check_json(value: object, where: str, depth: int) -> None:
    if depth > DEEPEST_JSON and isinstance(value, dict | list | tuple):  # as `_check_depth` counts
        raise ValueError(f"metadata must be nested at most {DEEPEST_JSON} deep, got {where[:80]}...")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"every key of {where} must be a str, got {key!r}")
            _check_json(item, f"{where}[{_short(key)}]", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_json(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} must be finite, got {value}")
    elif not isinstance(value, str | int | float | None):
        raise TypeError(f"{where} must be what JSON can hold, got {type(value).__name__}")


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
