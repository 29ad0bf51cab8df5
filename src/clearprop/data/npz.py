"""NPZ: a zip archive of two NumPy arrays, X and y (or Y), read without pickle.

The headers of both members are read and held against the archive's sizes before memory is taken.
NumPy's own reader evaluates a header as a Python literal; here it has to match one pattern.
"""

from __future__ import annotations

import errno
import math
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Dataset, some
from clearprop.data.files import Source, check_size, local_path, open_regular, read_up_to, size
from clearprop.data.targets import (
    GAPS,
    check_task,
    is_missing,
    make_target,
    refused_gaps,
    say_gaps,
)
from clearprop.names import known_name, trim

MEMBERS = ("X.npy", "y.npy", "Y.npy")  # one of the last two
MAX_HEADER = 10_000
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_WIDTHS = {
    "b": (1,),
    "u": (1, 2, 4, 8),
    "i": (1, 2, 4, 8),
    "f": (2, 4, 8),
    "U": range(1 << 20),
}
_REFUSED = {
    "O": "Python objects (pickle)",
    "V": "structured",
    "c": "complex",
    "S": "bytes",
    "M": "dates",
}
_COMPRESSION = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DESCR = re.compile(
    r"['\"]descr['\"]\s*:\s*(?:['\"]([<>|=]?)([a-zA-Z])(\d{0,9})(?:\[\w+\])?['\"]|(\[))"
)
_ORDER = re.compile(r"['\"]fortran_order['\"]\s*:\s*(True|False)\b")
_SHAPE = re.compile(r"['\"]shape['\"]\s*:\s*\(\s*((?:\d{1,19}\s*,\s*)*(?:\d{1,19}\s*)?)\)")
_REST = re.compile(r"\s*\{[\s,]*\}\s*")


@dataclass(frozen=True)
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    n_bytes: int  # of the header itself

    @property
    def body(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def held(self) -> int:
        """Bytes in memory: whole numbers and booleans become float64, but for bytes."""
        widened = self.dtype.kind in "bui" and self.dtype != np.uint8
        return math.prod(self.shape) * (8 if widened else self.dtype.itemsize)


def read_npz(
    path: Source,
    *,
    task: str | None = None,
    need_target: bool = True,
    target_gaps: str = "drop",
) -> Dataset:
    """Return the data set in an NPZ file with the arrays X and y (or Y), as ``numpy.savez`` writes it.

    Parameters
    ----------
    path : str or path
        A regular file.
    task : {"classification", "regression"}, optional
        As in `read_table`. A y of two dimensions is a regression.
    need_target : bool
        False: y may be absent; where it has gaps, all rows are there, and none has a target.
    target_gaps : {"drop", "refuse"}
        Whether rows whose y is missing (NaN, in text a word of `targets.MISSING`; of several, any) are
        left out, and counted in a warning, or refused.

    Returns
    -------
    Dataset
        X of bytes, float32 and float64 is kept, any other becomes float64 (float16: float32). An X
        of shape (n_samples, rows, columns) is images; those of bytes are divided by 255.

    Raises
    ------
    OSError
        If `path` is no regular file that can be read.
    ValueError
        If it is no such archive, is damaged, needs too much memory (`files.MAX_BYTES`,
        `files.MAX_RATIO`), or X or y has a type, shape or value that cannot be trained on.
    """
    check_task(task)
    known_name("target_gaps", target_gaps, GAPS)
    path = local_path(path, "path")
    arrays = _read_arrays(path, need_target)
    X, image_shape = _features(arrays["X"], path)
    Y, classes, with_target = None, None, None
    if "y" in arrays:
        y = _column(arrays["y"], path)
        if len(X) != len(y):
            raise ValueError(f"{path} must have a y for each row of X, got {len(X)} X, {len(y)} y")
        present = _present(y, path)
        if present.all():
            Y, classes = _target(y, task, path)
        elif need_target:
            _tell_gaps(y, present, target_gaps, path)
            Y, classes = _target(y[present], task, path)
            X, with_target = X[present], present
    found = "classification" if classes is not None else "regression"
    return Dataset(
        name=path.stem,
        source=str(path),
        task=found if Y is not None else task or found,
        X_train=X,
        Y_train=Y,
        classes=classes,
        image_shape=image_shape,
        divisor=255.0 if image_shape and X.dtype == np.uint8 else None,
        with_target=with_target,
    )


def _read_arrays(path: Path, need_target: bool) -> dict[str, NDArray[Any]]:
    arrays = _read_chosen(path, lambda archive: _members(archive, path, need_target))
    return {"X" if name == "X" else "y": values for name, values in arrays.items()}


def read_every_array(path: Source) -> dict[str, NDArray[Any]]:
    """Return all arrays of an NPZ file by their names, whatever these are.

    Raises
    ------
    OSError, ValueError
        As `read_npz`; or if an array is there twice, or none is.
    """
    path = local_path(path, "path")

    def chosen(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        members = _once_each(archive, path)
        if not members:
            raise ValueError(f"{path} must hold arrays, got an archive without any")
        if other := [each.filename for each in members if not each.filename.endswith(".npy")]:
            raise ValueError(f"{path} must hold NumPy arrays alone, got also {some(other)}")
        return members

    return _read_chosen(path, chosen)


def _read_chosen(
    path: Path, choose: Callable[[zipfile.ZipFile], list[zipfile.ZipInfo]]
) -> dict[str, NDArray[Any]]:
    with open_regular(path) as file:
        stored = size(file)
        with _readable(path):
            archive = zipfile.ZipFile(file)
        with archive:
            members = choose(archive)
            for member in members:
                _check_member(member, path, stored)
            headers = [_read_header(archive, member, path) for member in members]
            check_size(path, sum(header.held for header in headers))
            return {
                member.filename.removesuffix(".npy"): _read_body(archive, member, header, path)
                for member, header in zip(members, headers, strict=True)
            }


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # zipfile and zlib raise a dozen kinds for a damaged archive
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # a fault of the disk, not of the archive
        outside = "an offset points outside the file"
        reason = outside if isinstance(error, OSError) else str(error).partition("\n")[0][:200]
        raise ValueError(f"{path} could not be read as NPZ: {reason or type(error).__name__}") from None


def _once_each(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    twice = [name for name, n in Counter(each.filename for each in members).items() if n > 1]
    if twice:
        raise ValueError(f"{path} must hold each array once, got {some(twice)} more than once")
    return members


def _members(archive: zipfile.ZipFile, path: Path, need_target: bool) -> list[zipfile.ZipInfo]:
    members = _once_each(archive, path)
    names = [member.filename for member in members]
    extra = [name for name in names if name not in MEMBERS]
    if extra:
        raise ValueError(f"{path} must hold the arrays X and y alone, got also {some(extra)}")
    targets = [name for name in MEMBERS[1:] if name in names]
    if len(targets) > 1:
        raise ValueError(f"{path} must hold one target, y or Y, got both")
    missing = ["X"] * (MEMBERS[0] not in names) + ["y"] * (need_target and not targets)
    if missing:
        raise ValueError(f"{path} must hold the arrays X and y, lacks {' and '.join(missing)}")
    return members


def _check_member(member: zipfile.ZipInfo, path: Path, stored: int) -> None:
    what = f"{member.filename} in {path}"
    if member.flag_bits & 0x1:
        raise ValueError(f"{what} must not be encrypted")
    if member.compress_type not in _COMPRESSION:
        raise ValueError(f"{what} must be stored or deflated, got method {member.compress_type}")
    if member.compress_size > stored:
        raise ValueError(f"{what} declares {member.compress_size} bytes in a file of {stored}")
    check_size(path, member.file_size, member.compress_size)


def _read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> _Header:
    what = f"{member.filename} in {path}"
    with _readable(path), archive.open(member) as source:
        start = source.read(12 + MAX_HEADER)
    if start[:6] != b"\x93NUMPY" or len(start) < 12 or start[6] not in _LENGTH_BYTES:
        raise ValueError(f"{what} is no NumPy array, starts with {start[:8].hex(' ')}")
    first = 8 + _LENGTH_BYTES[start[6]]
    length = int.from_bytes(start[8:first], "little")
    if length > MAX_HEADER:
        raise ValueError(f"{what} must have a header of at most {MAX_HEADER} bytes, got {length}")
    text = start[first : first + length].decode("latin-1")
    header = _parse_header(text, first + length, what)
    if header.n_bytes + header.body != member.file_size:
        raise ValueError(
            f"{what} declares shape {header.shape} of {header.dtype}, {header.body} bytes, "
            f"but {member.file_size - header.n_bytes} follow its header"
        )
    return header


def _parse_header(text: str, n_bytes: int, what: str) -> _Header:
    found = [pattern.search(text) for pattern in (_DESCR, _ORDER, _SHAPE)]
    descr, order, shape = found
    if descr is not None and (descr.group(4) or descr.group(2) not in _WIDTHS):
        kind = "V" if descr.group(4) else descr.group(2)
        raise ValueError(
            f"{what} must be numbers, booleans or text, got {_REFUSED.get(kind, f'of kind {kind!r}')}"
        )
    rest = text
    for match in found:
        rest = rest.replace(match.group(), "", 1) if match else rest
    if descr is None or order is None or shape is None or not _REST.fullmatch(rest):
        raise ValueError(
            f"{what} must declare descr, fortran_order and shape, declares {text.strip()[:120]!r}"
        )
    byte_order, kind, width = descr.groups()[:3]
    if int(width or 0) not in _WIDTHS[kind]:
        raise ValueError(f"{what} has the unknown type {kind + width!r}")
    dtype = np.dtype(f"{byte_order}{kind}{int(width)}")
    sizes = tuple(int(n) for n in shape.group(1).replace(",", " ").split())
    if len(sizes) > 3:
        raise ValueError(f"{what} must have at most 3 dimensions, got {len(sizes)}")
    return _Header(dtype, sizes, order.group(1) == "True", n_bytes)


def _read_body(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: _Header, path: Path
) -> NDArray[Any]:
    with _readable(path), archive.open(member) as source:
        data: IO[bytes] = source
        data.read(header.n_bytes)
        body = read_up_to(data, header.body)
        if len(body) != header.body:
            raise ValueError(f"{member.filename} ends after {len(body)} of {header.body} bytes")
        if header.body == 0:
            return np.empty(header.shape, header.dtype.newbyteorder("="))
        flat = np.frombuffer(body, header.dtype)
        if header.dtype.kind == "b" and max(body) > 1:
            raise ValueError(f"{member.filename} holds a boolean of {max(body)}")
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return np.asarray(array, dtype=header.dtype.newbyteorder("="), order="C")


def _features(X: NDArray[Any], path: Path) -> tuple[NDArray[Any], tuple[int, int] | None]:
    if X.dtype.kind not in "buif":
        raise ValueError(f"X in {path} must hold numbers, got {X.dtype}")
    if X.ndim not in (2, 3) or 0 in X.shape:
        raise ValueError(
            f"X in {path} must have shape (n_samples, n_features) or (n_samples, rows, columns), "
            f"each at least 1, got {X.shape}"
        )
    image_shape = (int(X.shape[1]), int(X.shape[2])) if X.ndim == 3 else None
    flat = X.reshape(len(X), -1)
    _check_values(flat, "X", path)
    if flat.dtype == np.float16:
        return flat.astype(np.float32), image_shape
    keep = flat.dtype in (np.uint8, np.float32, np.float64)
    return (flat if keep else flat.astype(np.float64)), image_shape


def _check_values(values: NDArray[Any], name: str, path: Path) -> None:
    """Refuse what is not finite, or what float64 cannot keep exactly."""
    if values.dtype.kind == "f":
        wrong = ~np.isfinite(values)
        rule = "finite numbers"
    elif values.dtype.itemsize == 8:
        wrong = (values > 2**53) | (values < -(2**53)) if values.dtype.kind == "i" else values > 2**53
        rule = "whole numbers up to 2**53"
    else:
        return
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"row {place[0]}" + "".join(f", column {i}" for i in place[1:])
        raise ValueError(f"{name} in {path} must hold {rule}, got {values[place]}: {where}")


def _column(y: NDArray[Any], path: Path) -> NDArray[Any]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2) or 0 in y.shape:
        raise ValueError(f"y in {path} must have shape (n_samples,), at least 1, got {y.shape}")
    return y


def _present(y: NDArray[Any], path: Path) -> NDArray[np.bool_]:
    """Return which rows have a target."""
    if y.dtype.kind == "f":
        found: NDArray[np.bool_] = ~np.isnan(y.reshape(len(y), -1)).any(axis=1)
        return found
    if y.dtype.kind == "U" and y.ndim == 1:
        with _readable(path):  # damaged text need not be Unicode
            words, codes = np.unique(y, return_inverse=True)
            return np.array([not is_missing(word) for word in words.tolist()])[codes]
    return np.ones(len(y), bool)


def _tell_gaps(y: NDArray[Any], present: NDArray[np.bool_], how: str, path: Path) -> None:
    """Say which rows have no target, or refuse them."""
    gaps = Counter(trim(str(word)) if y.dtype.kind == "U" else "" for word in y[~present])
    if how == "refuse":
        place = f"the first in row {int(np.argmin(present))}"
        raise ValueError(refused_gaps(str(path), "y", f"{gaps.total():,}", place))
    say_gaps(str(path), "y", gaps, len(y))


def _target(y: NDArray[Any], task: str | None, path: Path) -> tuple[NDArray[Any], Any]:
    if y.dtype.kind == "f":
        _check_values(y, "y", path)
    if y.ndim == 2:
        return _outputs(y, task, path), None
    with _readable(path):  # damaged text need not be Unicode
        distinct, codes = np.unique(y, return_inverse=True)
        values = distinct.tolist()
    return make_target(values, codes, task, f"y in {path}")


def _outputs(y: NDArray[Any], task: str | None, path: Path) -> NDArray[np.float64]:
    if y.dtype.kind not in "buif":
        raise ValueError(f"y in {path} must have shape (n_samples,) for labels, got {y.shape}")
    one_hot = bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
    if task == "classification" or (task is None and one_hot):
        raise ValueError(
            f"y in {path} must have shape (n_samples,) for a classification, got {y.shape}: "
            "give class labels, such as y.argmax(axis=1)"
        )
    _check_values(y, "y", path)
    return y.astype(np.float64)
