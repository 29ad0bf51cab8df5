"""Golden vectors: every number of a pass over rows, to hold a port in another language against.

In: a model's file and DATA. Out: the trace of its first rows, as ``docs/trace-format.md`` describes it,
as JSON and as NPZ; ``check --trace`` reads both back, and what a port writes like them.
"""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np

import clearprop as cp
from clearprop.cli import model, model_data
from clearprop.cli.arguments import Part
from clearprop.gradient_check import named_arrays

_BEGIN, _MEMBER = b'{"format": "trace/', "layers.0.z.npy"  # by which an earlier one is known


def written(
    model_file: str, data: str, part: Part, n: int, member: int | None, stem: str
) -> dict[str, bytes]:
    """Return the content of the two files by their paths, ``STEM.golden.json`` and ``STEM.golden.npz``.

    Raises
    ------
    ValueError
        If DATA has fewer rows, or something else is in the place of a file.
    """
    net = model.load_member(model_file, member)
    dataset = model_data.load_data(net, data, part=part)
    X, Y = dataset.part(part)
    if not 1 <= n <= len(X):
        name = model_data.part_name(dataset, part)
        raise ValueError(
            f"--golden must be in 1..{len(X)}, the rows of {data} in its part {name}, got {n}"
        )
    text = cp.explain(net, X[:n], net.model.encode_numbers(Y[:n]), format="json")
    arrays = {name: np.array(each, np.float64) for name, each in named_arrays(json.loads(text)).items()}
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
    made = {f"{stem}.golden.json": text.encode(), f"{stem}.golden.npz": packed.getvalue()}
    for path in made:
        _check(path)
    return made


def _check(path: str) -> None:
    """Refuse to write over what is no trace."""
    if not os.path.isdir(os.path.dirname(os.path.realpath(path))):
        raise ValueError(f"--output: there is no folder for {path}")
    if os.path.exists(path) and not _is_trace(path):
        raise ValueError(f"{path} exists and holds no trace; another --output keeps what it holds")


def _is_trace(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    if path.endswith(".npz"):
        try:
            with zipfile.ZipFile(path) as packed:
                return _MEMBER in packed.namelist()
        except (OSError, zipfile.BadZipFile):
            return False
    with open(path, "rb") as file:
        return file.read(len(_BEGIN)) == _BEGIN
