"""Data files for the tests, written without the package's help."""

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

IDX_NAMES = {
    "X_train": "train-images-idx3-ubyte",
    "Y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "Y_test": "t10k-labels-idx1-ubyte",
}


def idx_bytes(array, code=0x08):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def images(n=7, rows=5, columns=4):
    return (np.arange(n * rows * columns) * 7 % 256).astype(np.uint8).reshape(n, rows, columns)


def idx_set():
    """Four arrays like MNIST's: 7 images to train on, 3 to test on, labels 1, 5 and 200."""
    return {
        "X_train": images(7),
        "Y_train": np.array([5, 1, 200, 1, 5, 5, 1], dtype=np.uint8),
        "X_test": images(3),
        "Y_test": np.array([1, 200, 5], dtype=np.uint8),
    }


def write_idx_folder(folder, arrays, pack=False):
    folder.mkdir(exist_ok=True)
    for part, array in arrays.items():
        content = array if isinstance(array, bytes) else idx_bytes(array)
        name = IDX_NAMES[part] + (".gz" if pack else "")
        (folder / name).write_bytes(gzip.compress(content) if pack else content)
    return folder


def npy_bytes(header, body=b"", version=1):
    text = header.encode("latin-1")
    width = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(width, len(text)) + text + body


def array_bytes(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def npz_bytes(members, compression=zipfile.ZIP_STORED):
    """An archive of (name, bytes) pairs, in which a name may occur twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def real_mnist():
    """The folder of MNIST's files, or skip the test."""
    folders = [Path(__file__).parents[3] / "shared" / "data" / "mnist"]
    if named := os.environ.get("CLEARPROP_DATA"):
        folders = [Path(named), Path(named) / "mnist", *folders]
    for folder in folders:
        if any(folder.glob("train-images*")):
            return folder
    pytest.skip("MNIST's files are not on this machine: set CLEARPROP_DATA to their folder")
