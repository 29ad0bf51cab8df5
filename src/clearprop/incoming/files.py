"""Files of other libraries with arrays or a graph in them, of which nothing is executed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from clearprop import checkpoint
from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.data.files import check_size, open_regular, size
from clearprop.data.npz import read_every_array
from clearprop.incoming.onnx_graphs import from_onnx
from clearprop.incoming.weights import from_weights
from clearprop.network import Network

Arrays = dict[str, NDArray[Any]]

_PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".sav")
_KERAS = (".h5", ".hdf5", ".keras")


def network_in(
    path: str | os.PathLike[str],
    activation: str | Activation | None = None,
    output: str | Activation | None = None,
    cost: str | Cost | None = None,
    *,
    transposed: bool | None = None,
) -> Network:
    """Return the network in a file of another library.

    Parameters
    ----------
    path : path
        An ``.onnx`` graph; or ``.safetensors`` or ``.npz`` with the weights and biases of layers, in
        the order of the numbers in their names.
    activation, output, cost, transposed
        As in `from_weights`; of a graph only the cost, for it says the others itself.

    Raises
    ------
    ValueError, OSError
        If it cannot be read, holds something else, or is pickled.
    """
    place = Path(os.path.expanduser(os.fspath(path)))
    kind = place.suffix.lower()
    _refuse(place, kind)
    if kind == ".onnx":
        if (activation, output, transposed) != (None, None, None):
            raise ValueError("an ONNX graph says its activations and weights itself: leave them out")
        return from_onnx(place, cost=cost)
    arrays = read_every_array(place) if kind == ".npz" else _safetensors(place)
    how = activation or "sigmoid", output, cost or "cross_entropy"
    return from_weights(_in_order(arrays), *how, transposed=transposed)


def _refuse(place: Path, kind: str) -> None:
    if kind in _PICKLED:
        new = place.with_suffix(".safetensors").name
        raise ValueError(
            f"{place} is pickled: to read it could execute anything; where you trust it, this brings "
            "its arrays into a file that comes in:\n"
            "    import torch, safetensors.torch\n"
            f"    safetensors.torch.save_file(torch.load({place.name!r}, weights_only=True), {new!r})"
        )
    if kind in _KERAS:
        new = place.with_suffix(".npz").name
        raise ValueError(
            f"{place} is a format of Keras; in it, numpy.savez({new!r}, *model.get_weights()) writes a "
            "file that comes in"
        )
    if kind not in (".onnx", ".safetensors", ".npz"):
        raise ValueError(f"a network must come in as .onnx, .safetensors or .npz, got {place}")


def _safetensors(place: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with open_regular(place) as file:
        check_size(place, size(file))
        content = file.read()
    try:
        found: Arrays = load(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(
            f"{place} must be a safetensors file of float arrays, got: {problem}"[:300]
        ) from None
    try:
        _, metadata = checkpoint.read_tensors(place)
    except (checkpoint.CheckpointError, OSError):
        return found
    if "architecture" in metadata:
        raise ValueError(f"{place} is a model of clearprop already: every command takes it")
    return found


def _in_order(arrays: Arrays) -> list[NDArray[Any]]:
    """Return weights and biases by the numbers in their names, those without any last."""

    def place(name: str) -> tuple[bool, list[int], bool]:
        numbers = [int(each) for each in re.findall(r"\d{1,9}", name)]
        return not numbers, numbers, name.startswith("arr_") or arrays[name].ndim != 2

    return [arrays[name] for name in sorted(arrays, key=place)]
