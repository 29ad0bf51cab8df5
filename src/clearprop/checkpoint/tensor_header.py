"""The header of a model file: what it must be, and where each array lies; none of it is believed."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.strict_json import parse_json, short

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


class Entry(NamedTuple):
    """Where the array of one name lies in the data block."""

    begin: int
    end: int
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def header_length(start: bytes, size: int) -> int:
    """Return how many bytes the header takes, of a file's first bytes and its size."""
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


def parse_header(header: bytes, data_size: int) -> tuple[list[Entry], dict[str, Any]]:
    """Return where the arrays lie, which fill the data without holes, and the metadata."""
    content = parse_json(header, "header")
    annotations = content.pop("__metadata__", None)
    if not isinstance(annotations, dict) or list(annotations) != ["clearprop"]:
        raise CheckpointError(
            "'__metadata__' must hold the entry 'clearprop' alone: clearprop did not write this file"
        )
    text = annotations["clearprop"]
    if not isinstance(text, str):
        raise CheckpointError(f"entry 'clearprop' must be text, got {short(text)}")
    # Lone surrogates can be escaped in JSON; they are no text that we write, and cannot be encoded.
    metadata = parse_json(text.encode(errors="surrogatepass"), "entry 'clearprop'")
    if len(content) > MOST_TENSORS:
        raise CheckpointError(f"the file must hold at most {MOST_TENSORS} tensors, got {len(content)}")
    entries = sorted(_parse_entry(name, entry) for name, entry in content.items())
    end = 0
    for entry in entries:
        if entry.begin != end:
            what = "overlaps the tensor before it" if entry.begin < end else "leaves a hole before it"
            raise CheckpointError(
                f"tensor {short(entry.name)} must begin at {end}, got {entry.begin}: it {what}"
            )
        end = entry.end
    if end != data_size:
        what = "the file is cut short" if end > data_size else "there is more behind them"
        raise CheckpointError(f"the tensors must take {data_size} bytes, got {end}: {what}")
    return entries, metadata


def _parse_entry(name: str, entry: object) -> Entry:
    check_name(name, CheckpointError)
    where = f"tensor {short(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where} must be its dtype, shape and data_offsets, got {short(entry)}")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError(f"{where}: dtype must be one of {', '.join(DTYPES)}, got {short(dtype)}")
    if not _is_list_of_sizes(shape) or len(shape) > HIGHEST_RANK:
        raise CheckpointError(
            f"{where}: shape must be at most {HIGHEST_RANK} integers from 0, got {short(shape)}"
        )
    if not _is_list_of_sizes(span) or len(span) != 2 or span[0] > span[1]:
        raise CheckpointError(f"{where}: data_offsets must be [begin, end], got {short(span)}")
    itemsize = DTYPES[dtype].itemsize
    # The product without zeros: NumPy refuses (0, 2**62) although it has no elements.
    if math.prod(max(n, 1) for n in shape) * itemsize >= 2**63 or span[1] >= 2**63:
        raise CheckpointError(f"{where} must have less than 2**63 bytes, got shape {short(shape)}")
    if math.prod(shape) * itemsize != span[1] - span[0]:
        raise CheckpointError(
            f"{where}: shape {short(shape)} of {dtype} must take {math.prod(shape) * itemsize} bytes, "
            f"got {span[1] - span[0]}"
        )
    return Entry(span[0], span[1], name, DTYPES[dtype], tuple(shape))


def _is_list_of_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def check_name(name: object, kind: type[ValueError]) -> None:
    """Refuse a name that no tensor may have."""
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
            f"without '/', '\\' and '..', got {short(name)}"
        )
