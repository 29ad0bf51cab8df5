"""A whole model from the ONNX graph that clearprop wrote of it: columns, embeddings, members and all.

Beside the graph stands the model as its own file describes it; its parameters are the constants of the
graph. Both are held against each other: what comes back would be written as the same graph again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import description
from clearprop.checkpoint.strict_json import parse_json
from clearprop.incoming.onnx_tensors import array_of, noted
from clearprop.model import file
from clearprop.network import Network
from clearprop.portable.onnx_model import graph_of
from clearprop.portable.program import program_of

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]

_PARAMETER = re.compile(
    r"(?:members\.(\d{1,6})\.)?((?:layers\.\d{1,6}|embedding)\.[a-z]+)(?:_\d{1,6})?"
)


def whole_of(model: onnx.ModelProto) -> Network | None:
    """Return the network that a graph was written of; None where it is another's, or was changed."""
    said = noted(model)
    if model.producer_name != "clearprop" or "clearprop.model" not in said:
        return None
    try:
        described, beside = (
            parse_json(said.get(f"clearprop.{name}", "{}").encode(), name)
            for name in ("model", "arrays")
        )
        tensors = _parameters(model.graph) | {
            name: np.array(each, np.float64) for name, each in beside.items()
        }
        description.check(described, tensors)
        made = file.parts_of("the ONNX model", tensors, described, ()).model
        again = graph_of(program_of(made))
    except (ImportError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None
    return Network.of(made) if _same(again, model.graph) else None


def _parameters(graph: onnx.GraphProto) -> dict[str, Array]:
    """Return the parameters in a graph as a model's file has them: of members as one array each."""
    found: dict[str, dict[int, list[Array]]] = {}
    for each in graph.initializer:
        if name := _PARAMETER.fullmatch(each.name):
            of_members = found.setdefault(name[2], {})
            of_members.setdefault(int(name[1] or 0), []).append(array_of(each))
    several = any(len(each) > 1 for each in found.values())
    return {name: _one(each, several) for name, each in found.items()}


def _one(of_members: dict[int, list[Array]], several: bool) -> Array:
    # the vectors of each group of categories are an array of its own in a graph
    arrays = [np.concatenate(of_members[k]) for k in sorted(of_members)]
    return np.stack(arrays) if several else arrays[0]


def _same(one: onnx.GraphProto, other: onnx.GraphProto) -> bool:
    """Return whether two graphs have the same nodes, constants, inputs and outputs, to the bit."""
    return all(
        [each.SerializeToString(deterministic=True) for each in getattr(one, part)]
        == [each.SerializeToString(deterministic=True) for each in getattr(other, part)]
        for part in ("node", "initializer", "input", "output")
    )
