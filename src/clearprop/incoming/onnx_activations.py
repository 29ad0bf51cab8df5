"""Activations in an ONNX graph: one node of ONNX, or the several that `to_onnx` makes one of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from clearprop.incoming.onnx_tensors import array_of, attributes
from clearprop.portable.onnx_functions import NAMES, activated
from clearprop.portable.onnx_graph import OnnxGraph

if TYPE_CHECKING:
    import onnx

Constants = Mapping[str, "onnx.TensorProto"]
Consumers = Mapping[str, list["onnx.NodeProto"]]


# One node


def _plain(name: str) -> Callable[[dict[str, Any]], str | None]:
    return lambda how: name


def _with(
    name: str, attribute: str, wanted: float, default: float
) -> Callable[[dict[str, Any]], str | None]:
    """Return the activation of a name where an attribute has the value that ours has, to float32."""

    def found(how: dict[str, Any]) -> str | None:
        value = how.get(attribute, default)
        close = isinstance(value, int | float) and abs(value - wanted) <= 1e-6 * abs(wanted)
        return name if close else None

    return found


def _selu(how: dict[str, Any]) -> str | None:
    scale = _with("selu", "gamma", 1.0507009873554805, 1.0507010221481323)(how)
    return scale and _with("selu", "alpha", 1.6732632423543772, 1.6732631921768188)(how)


ONE_NODE: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "Elu": _with("elu", "alpha", 1.0, 1.0),
    "Exp": _plain("exp"),
    "Gelu": lambda how: "gelu" if how.get("approximate", b"none") == b"none" else None,
    "LeakyRelu": _with("leaky_relu", "alpha", 0.01, 0.01),
    "Mish": _plain("mish"),
    "Relu": _plain("relu"),
    "Selu": _selu,
    "Sigmoid": _plain("sigmoid"),
    "Softmax": lambda how: "softmax" if how.get("axis", -1) in (-1, 1) else None,
    "Softplus": _plain("softplus"),
    "Tanh": _plain("tanh"),
}
"""Our name by the operator and its attributes; None where they are of another function."""


# Several nodes


class _Pattern(NamedTuple):
    """The nodes that `to_onnx` writes for an activation of z."""

    name: str
    nodes: list[onnx.NodeProto]
    constants: dict[str, float]
    output: str


@functools.cache
def _patterns() -> list[_Pattern]:
    """Return the patterns, those that may hold others in them first."""
    found = []
    for name in NAMES:
        for dtype in ("float32", "float64"):
            graph = OnnxGraph(["z"], dtype)
            output = activated(graph, name, "z")
            constants = {each.name: array_of(each).item() for each in graph.initializers}
            if len(graph.nodes) > 1:
                found.append(_Pattern(name, graph.nodes, constants, output))
    return sorted(found, key=lambda each: -len(each.nodes))


def several_nodes(z: str, consumers: Consumers, constants: Constants) -> tuple[str, str] | None:
    """Return the activation that several nodes make of z, and what its output is called, if they do.

    Parameters
    ----------
    z : str
    consumers : mapping of str to list of NodeProto
        The nodes that take each value.
    constants : mapping of str to TensorProto
    """
    if len(consumers.get(z, ())) == 0:
        return None
    for pattern in _patterns():
        output = _found(pattern, z, consumers, constants)
        if output is not None:
            return pattern.name, output
    return None


def _found(pattern: _Pattern, z: str, consumers: Consumers, constants: Constants) -> str | None:
    """Return the output of a pattern that begins at z, of which nothing else takes a part."""
    named, taken = {"z": z}, []
    for wanted in pattern.nodes:
        start = next(named[name] for name in wanted.input if name in named)
        for node in consumers.get(start, ()):
            if node not in taken and _fits(node, wanted, named, pattern.constants, constants):
                break
        else:
            return None
        taken.append(node)
        named[wanted.output[0]] = node.output[0]
    output = named.pop(pattern.output)
    whole = all(node in taken for name in named.values() for node in consumers.get(name, ()))
    return output if whole else None


def _fits(
    node: onnx.NodeProto,
    wanted: onnx.NodeProto,
    named: Mapping[str, str],
    known: Mapping[str, float],
    constants: Constants,
) -> bool:
    same = node.op_type == wanted.op_type and len(node.input) == len(wanted.input)
    if not same or len(node.output) != 1 or attributes(node) != attributes(wanted):
        return False
    for name, one in zip(node.input, wanted.input, strict=True):
        if one in named:
            if name != named[one]:
                return False
        elif name not in constants or array_of(constants[name]).tolist() not in (
            known[one],
            [known[one]],
        ):
            return False
    return True
