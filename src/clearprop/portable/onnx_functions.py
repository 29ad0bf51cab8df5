"""Activations in an ONNX graph, in the network's dtype.

ONNX keeps the constants of its own Selu and LeakyRelu as float32, and has neither expm1 nor log1p: what
is not exact there to the last digits of a double is put together from what is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from clearprop.portable.onnx_graph import OnnxGraph


def activated(graph: OnnxGraph, name: str, z: str) -> str:
    """Add the activation of that name and return its output."""
    return _FUNCTIONS[name](graph, z)


def _scaled_tanh(graph: OnnxGraph, z: str) -> str:
    inner = graph.add("Tanh", graph.add("Mul", z, graph.constant(2.0 / 3.0)))
    return graph.add("Mul", inner, graph.constant(1.7159))


def _leaky_relu(graph: OnnxGraph, z: str) -> str:
    return graph.add("Max", z, graph.add("Mul", z, graph.constant(0.01)))


def _expm1(graph: OnnxGraph, z: str) -> str:
    """Return ``e^z - 1`` for z below 0: 2 t / (1 - t) of t = tanh(z / 2), which cancels nothing."""
    below = graph.add("Min", z, graph.constant(0.0))
    t = graph.add("Tanh", graph.add("Mul", below, graph.constant(0.5)))
    rest = graph.add("Sub", graph.constant(1.0), t)
    return graph.add("Div", graph.add("Mul", t, graph.constant(2.0)), rest)


def _is_positive(graph: OnnxGraph, z: str) -> str:
    return graph.add("Greater", z, graph.constant(0.0))


def _elu(graph: OnnxGraph, z: str) -> str:
    return graph.add("Where", _is_positive(graph, z), z, _expm1(graph, z))


def _selu(graph: OnnxGraph, z: str) -> str:
    below = graph.add("Mul", _expm1(graph, z), graph.constant(1.6732632423543772))
    made = graph.add("Where", _is_positive(graph, z), z, below)
    return graph.add("Mul", made, graph.constant(1.0507009873554805))


def _gelu(graph: OnnxGraph, z: str) -> str:
    return graph.add("Mul", z, (_normal if graph.dtype == "float64" else _normal_by_erf)(graph, z))


def _normal(graph: OnnxGraph, z: str) -> str:
    """Return the normal distribution below z, as `engines.elementary.normal`.

    onnx's own evaluator computes Erf in float32, and onnxruntime has no kernel for doubles.
    """
    from clearprop.engines.elementary import TAIL64  # which loads LLVM: not for the command's help

    x, four = graph.add("Abs", z), graph.constant(4.0)
    one = graph.constant(1.0)
    e = graph.add("Exp", graph.add("Mul", graph.add("Mul", x, x), graph.constant(-0.5)))
    t = graph.add("Div", one, graph.add("Add", x, four))
    u = graph.add("Mul", graph.add("Sub", four, x), t)
    made = graph.constant(TAIL64[0])
    for coefficient in TAIL64[1:]:
        made = graph.add("Add", graph.add("Mul", made, u), graph.constant(coefficient))
    tail = graph.add("Mul", e, graph.add("Mul", t, made))
    below = graph.add("Less", z, graph.constant(0.0))
    return graph.add("Where", below, tail, graph.add("Sub", one, tail))


def _normal_by_erf(graph: OnnxGraph, z: str) -> str:
    erf = graph.add("Erf", graph.add("Mul", z, graph.constant(math.sqrt(0.5))))
    return graph.add("Mul", graph.add("Add", erf, graph.constant(1.0)), graph.constant(0.5))


def _silu(graph: OnnxGraph, z: str) -> str:
    return graph.add("Mul", z, graph.add("Sigmoid", z))


def _softplus(graph: OnnxGraph, z: str) -> str:
    """Return ``max(z, 0) + log1p(e)``, e = e^-|z|; with u = 1 + e, log1p(e) = e ln(u) / (u - 1)."""
    one = graph.constant(1.0)
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    u = graph.add("Add", e, one)
    scaled = graph.add("Mul", e, graph.add("Log", u))
    log1p = graph.add("Where", graph.add("Equal", u, one), e,
                      graph.add("Div", scaled, graph.add("Sub", u, one)))  # fmt: skip
    return graph.add("Add", graph.add("Relu", z), log1p)


def _mish(graph: OnnxGraph, z: str) -> str:
    return graph.add("Mul", z, graph.add("Tanh", _softplus(graph, z)))


def _one_node(kind: str, **attributes: Any) -> Callable[[OnnxGraph, str], str]:
    return lambda graph, z: graph.add(kind, z, **attributes)


_FUNCTIONS: dict[str, Callable[[OnnxGraph, str], str]] = {
    "identity": lambda graph, z: z,
    "sigmoid": _one_node("Sigmoid"),
    "softplus": _softplus,
    "tanh": _one_node("Tanh"),
    "relu": _one_node("Relu"),
    "softmax": _one_node("Softmax", axis=1),
    "scaled_tanh": _scaled_tanh,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "exp": _one_node("Exp"),
}

NAMES = tuple(_FUNCTIONS)
