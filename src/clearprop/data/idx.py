"""IDX: the format of MNIST's files, and folders of four such files.

An IDX file is two zero bytes, a type code, the number of dimensions, each dimension as a big-endian
unsigned 32-bit integer, and then the elements, big-endian too. Source: Y. LeCun, C. Cortes and
C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Dataset
from clearprop.data.files import (
    Source,
    check_size,
    content,
    is_gzip,
    local_path,
    open_regular,
    read_up_to,
    size,
)
from clearprop.data.targets import class_target

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 8

FILES = {
    "X_train": ("train-images", "idx3"),
    "Y_train": ("train-labels", "idx1"),
    "X_test": ("t10k-images", "idx3"),
    "Y_test": ("t10k-labels", "idx1"),
}


def read_idx(path: Source) -> NDArray[Any]:
    """Return the array in an IDX file, plain or gzip (told by its first bytes, not by its name).

    The header is held against the bytes that are there before memory is taken.

    Parameters
    ----------
    path : str or path
        A regular file.

    Returns
    -------
    ndarray
        Of the dimensions that the header declares, in this machine's byte order.

    Raises
    ------
    OSError
        If `path` is no regular file that can be read.
    ValueError
        If the header is not that of an IDX file, declares another number of bytes than follow, or
        the gzip data are damaged.
    """
    path = local_path(path, "path")
    with open_regular(path) as file:
        stored, packed = size(file), is_gzip(file)
        with content(file, path) as unpacked:
            header, dtype, shape = _read_header(unpacked, path)
            body = math.prod(shape) * dtype.itemsize
            if packed:
                check_size(path, body, stored)
            else:
                _check_length(path, shape, body, stored - header)
                check_size(path, body)
            data = read_up_to(unpacked, body)
            beyond = len(unpacked.read(1))  # for gzip: reaches the end, where the checksum is
            _check_length(path, shape, body, len(data) + beyond, more=bool(beyond))
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(file: IO[bytes], path: Path) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
    start = file.read(4)
    if len(start) < 4:
        raise ValueError(f"{path} must start with the 4 bytes of an IDX header, got {len(start)}")
    if start[:2] != b"\0\0" or start[2] not in TYPES:
        raise ValueError(
            f"{path} is no IDX file: it must start with 00 00, a type code "
            f"({' '.join(f'{code:02x}' for code in TYPES)}) and the number of dimensions, "
            f"starts with {start.hex(' ')}{_guess(start)}"
        )
    n_dimensions = start[3]
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        raise ValueError(f"{path} must have 1 to {MAX_DIMENSIONS} dimensions, got {n_dimensions}")
    sizes = file.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise ValueError(
            f"{path} must have {4 * n_dimensions} bytes for its {n_dimensions} dimensions, "
            f"got {len(sizes)}"
        )
    shape = struct.unpack(f">{n_dimensions}I", sizes)
    return 4 + len(sizes), np.dtype(TYPES[start[2]]), shape


def _guess(start: bytes) -> str:
    if start[:2] == b"\x1f\x8b":
        return " (gzip inside gzip)"
    if start[2:] == b"\0\0" and start[1] in TYPES:
        return " (a little-endian header)"
    return ""


def _check_length(
    path: Path, shape: tuple[int, ...], expected: int, actual: int, *, more: bool = False
) -> None:
    if expected != actual:
        raise ValueError(
            f"{path} declares {' x '.join(map(str, shape))} elements, {expected} bytes, "
            f"but {'at least ' * more}{actual} bytes follow its header"
        )


def find_files(folder: Path) -> dict[str, Path | None]:
    """Return which file of a folder holds each of the four arrays; None where there is none.

    The names are MNIST's, in either spelling (``train-images-idx3-ubyte`` and
    ``train-images.idx3-ubyte``), plain or with ``.gz``; the plain file is taken if there are both.
    """
    found: dict[str, Path | None] = {}
    for part, (stem, kind) in FILES.items():
        names = [f"{stem}{dot}{kind}-ubyte{end}" for end in ("", ".gz") for dot in "-."]
        found[part] = next((folder / name for name in names if (folder / name).exists()), None)
    return found


def wanted_arrays(part: str | None) -> frozenset[str]:
    """Return which of the four arrays one part needs: labels are small, and say which classes occur."""
    images = {"X_train", "X_test"} if part in (None, "all") else {f"X_{part}"}
    return frozenset(images | {"Y_train", "Y_test"})


def read_idx_folder(folder: Source, part: str | None = None) -> Dataset:
    """Return the data set in a folder with the four files of MNIST, or of a set made like it.

    Parameters
    ----------
    folder : str or path
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
        and ``t10k-labels-idx1-ubyte``, or what `find_files` takes for them.
    part : {"train", "test", "all"}, optional
        The only part that is needed: the other one is left without rows.

    Returns
    -------
    Dataset
        X keeps its bytes, each image as one row; the classes are the labels that occur.

    Raises
    ------
    OSError
        If one of the files is missing or cannot be read.
    ValueError
        If one of them is damaged, images are no bytes in three dimensions, labels no integers in
        one, or two files do not belong together.
    """
    folder = local_path(folder, "folder")
    paths = find_files(folder)
    missing = [f"{FILES[part][0]}-{FILES[part][1]}-ubyte" for part in paths if not paths[part]]
    if missing:
        raise FileNotFoundError(
            f"{folder} must hold MNIST's four IDX files, plain or .gz; it lacks {', '.join(missing)}"
        )
    wanted = wanted_arrays(part)
    arrays = {name: read_idx(path) for name, path in paths.items() if path and name in wanted}
    return idx_dataset(folder.name, arrays, {name: str(path) for name, path in paths.items()}, part)


def idx_dataset(
    name: str, arrays: dict[str, NDArray[Any]], paths: dict[str, str], only: str | None = None
) -> Dataset:
    """Return the data set that IDX arrays make; `paths` names them in messages, `only` the one part."""
    for part, array in arrays.items():
        if part.startswith("X"):
            _check_images(array, paths[part])
        else:
            _check_labels(array, paths[part])
    numbers, classes = class_target(np.concatenate([arrays["Y_train"], arrays["Y_test"]]))
    n_train = len(arrays["Y_train"])
    labels = {"train": numbers[:n_train], "test": numbers[n_train:]}
    for part in ("train", "test"):
        if f"X_{part}" not in arrays:  # nobody asked for it
            arrays |= {f"X_{part}": arrays[f"X_{only}"][:0], f"Y_{part}": arrays[f"Y_{part}"][:0]}
            labels[part] = labels[part][:0]
    for X, Y in (("X_train", "Y_train"), ("X_test", "Y_test")):
        if len(arrays[X]) != len(arrays[Y]):
            raise ValueError(
                f"{paths[X]} has {len(arrays[X])} images, {paths[Y]} {len(arrays[Y])} labels"
            )
    shape, test_shape = arrays["X_train"].shape[1:], arrays["X_test"].shape[1:]
    if shape != test_shape:
        raise ValueError(
            f"{paths['X_train']} has images of {shape[0]} x {shape[1]}, "
            f"{paths['X_test']} of {test_shape[0]} x {test_shape[1]}"
        )
    return Dataset(
        name=name,
        source=str(Path(paths["X_train"]).parent),
        task="classification",
        X_train=arrays["X_train"].reshape(len(arrays["X_train"]), math.prod(shape)),
        Y_train=labels["train"],
        X_test=arrays["X_test"].reshape(len(arrays["X_test"]), math.prod(shape)),
        Y_test=labels["test"],
        classes=classes,
        image_shape=(int(shape[0]), int(shape[1])),
        divisor=255.0,
    )


def _check_images(array: NDArray[Any], path: str) -> None:
    if array.ndim != 3 or array.dtype != np.uint8:
        hint = ": is it a file of labels?" if array.ndim == 1 else ""
        raise ValueError(
            f"{path} must hold images, bytes in 3 dimensions, got {array.dtype} in {array.ndim}{hint}"
        )
    if 0 in array.shape:
        raise ValueError(f"{path} must hold at least one image of one pixel, got {array.shape}")


def _check_labels(array: NDArray[Any], path: str) -> None:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        hint = ": is it a file of images?" if array.ndim == 3 else ""
        raise ValueError(
            f"{path} must hold labels, integers in 1 dimension, got {array.dtype} in {array.ndim}{hint}"
        )
