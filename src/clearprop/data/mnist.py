"""MNIST: found on this machine, or fetched once; checked either way."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Dataset
from clearprop.data.files import local_path
from clearprop.data.idx import FILES, find_files, idx_dataset, read_idx, wanted_arrays

FOLDER_VARIABLE = "CLEARPROP_DATA"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SECONDS = 20  # without an answer, before a mirror is given up

# of the .gz files as published, and of what is in them: a copy may be compressed anew
PUBLISHED_MD5 = {
    "X_train": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "Y_train": "d53e105ee54ea40749a09fcbcd1e9432",
    "X_test": "9fb629c4189551a2d022fa330f9573f3",
    "Y_test": "ec29112dd5afa0611ce80d1b7f02629c",
}
CONTENT_MD5 = {
    "X_train": "6bbc9ace898e44ae57da46a324031adb",
    "Y_train": "a25bea736e30d166cdddb491f175f624",
    "X_test": "2646ac647ad5339dbf082846283269ea",
    "Y_test": "27ae3e4e09519cfbb04c329615203637",
}


def read_mnist(part: str | None = None) -> Dataset:
    """Return MNIST: 60,000 images to train on and 10,000 to test on, of 28 x 28 bytes.

    The four files are looked for in the folder that the environment variable ``CLEARPROP_DATA``
    names, or in its subfolder ``mnist``, then in the user's cache; else they are fetched into that
    cache. They must be MNIST's: the content of each is checked by its MD5.

    Parameters
    ----------
    part : {"train", "test", "all"}, optional
        The only part that is needed: the other one is left without rows.

    Raises
    ------
    OSError
        If they are in neither place and cannot be fetched.
    ValueError
        If one of them is damaged or is another set's.
    """
    paths = _find() or _fetch()
    arrays = {name: read_idx(paths[name]) for name in paths if name in wanted_arrays(part)}
    for name, array in arrays.items():
        if (found := _content_md5(array)) != CONTENT_MD5[name]:
            raise ValueError(
                f"{paths[name]} must be MNIST's, of MD5 {CONTENT_MD5[name]}, got {found}: "
                "for another data set give the path of its folder"
            )
    return idx_dataset("mnist", arrays, {name: str(path) for name, path in paths.items()}, part)


def _content_md5(array: NDArray[Any]) -> str:
    if array.dtype != np.uint8:
        return f"elements of {array.dtype}"
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the folder of the user's cache that MNIST is kept in."""
    import pooch

    return Path(pooch.os_cache("clearprop")) / "mnist"


def _find() -> dict[str, Path] | None:
    folders = [cache_folder()]
    if named := os.environ.get(FOLDER_VARIABLE):
        folder = local_path(named, FOLDER_VARIABLE)
        folders = [folder, folder / "mnist", *folders]
    for folder in folders:
        found = {part: path for part, path in find_files(folder).items() if path is not None}
        if len(found) == len(FILES):
            return found
    return None


def _fetch() -> dict[str, Path]:
    import pooch

    folder, reason = cache_folder(), ""
    download = pooch.HTTPDownloader(timeout=SECONDS)
    for mirror in MIRRORS:
        try:
            return {
                part: Path(
                    pooch.retrieve(
                        f"{mirror}{stem}-{kind}-ubyte.gz",
                        known_hash=f"md5:{PUBLISHED_MD5[part]}",
                        fname=f"{stem}-{kind}-ubyte.gz",
                        path=folder,
                        downloader=download,
                    )
                )
                for part, (stem, kind) in FILES.items()
            }
        except (OSError, ValueError) as error:  # no network, no such page, or not the file meant
            reason = type(error).__name__
    raise OSError(
        f"mnist is neither in the folder named by {FOLDER_VARIABLE} "
        f"({os.environ.get(FOLDER_VARIABLE) or 'not set'}) nor in {folder}, and could not be fetched "
        f"({reason}): put its four IDX files in one of them"
    )
