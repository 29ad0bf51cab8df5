"""A model as an ONNX graph, from raw row to answer.

Inputs have the names of the table, shape (N, 1) each; or there is one, X. Outputs are `label` and
`probabilities`, or `prediction`. Numbers are prepared in double and cast to the network's dtype.
"""

from __future__ import annotations

import importlib.util
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.data.scaling import Scaling
from clearprop.embeddings import PBLD, Periodic
from clearprop.input_embedding import TURN, Embedding
from clearprop.piecewise_linear import PiecewiseLinear
from clearprop.portable.onnx_columns import numbers_of
from clearprop.portable.onnx_functions import activated
from clearprop.portable.onnx_graph import IR, ML, ML_OPSET, OPSET, OnnxGraph
from clearprop.portable.program import (
    CLASSES,
    COLUMNS,
    INDICATORS,
    NUMBERS,
    QUANTITIES,
    TIMES,
    VALUES,
    DenseLayer,
    Member,
    Program,
)

if TYPE_CHECKING:
    import onnx

MOST_BYTES = 2**31 - 2**20  # of a file of Protocol Buffers, with room for what is no number


def model_of(program: Program, written_by: str = "Written by clearprop") -> onnx.ModelProto:
    """Return a program as an ONNX model, checked, its shapes inferred.

    Parameters
    ----------
    program : Program
    written_by : str
        What the documentation of the graph says.

    Raises
    ------
    ImportError
        If onnx is not installed.
    ValueError
        If it would be larger than an ONNX file may be, or a column has no name.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("an ONNX model needs the package onnx: pip install 'clearprop[onnx]'")
    from onnx import checker, helper, shape_inference

    _refuse_large(program)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
    model = helper.make_model(
        graph_of(program),
        producer_name="clearprop",
        doc_string=written_by,
        ir_version=IR,
        opset_imports=opsets,
    )
    helper.set_model_props(model, _metadata(program))
    checker.check_model(model, full_check=True)
    return shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def graph_of(program: Program) -> onnx.GraphProto:
    """Return a program as a graph, as `model_of` writes it."""
    return _Writer(program).graph()


def _refuse_large(program: Program) -> None:
    arrays = [
        each
        for member in program.members
        for layer in member.layers
        for each in (layer.weights, layer.biases)
        if each is not None
    ]
    n_bytes = sum(each.nbytes for each in arrays)
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"an ONNX file must be smaller than 2 GB, the parameters alone are {n_bytes:,} bytes"
        )


def _metadata(program: Program) -> dict[str, str]:
    answer = program.answer
    columns = [
        {"name": raw.name, "holds": raw.holds, "value": VALUES[raw.holds], **raw.column.fields()}
        for raw in program.columns
    ]
    found: dict[str, Any] = {"task": answer.kind, "dtype": program.dtype}
    found["model"] = json.dumps(program.described, ensure_ascii=False)
    found["arrays"] = json.dumps({name: each.tolist() for name, each in program.arrays.items()})
    if columns:
        found["columns"] = json.dumps(columns, ensure_ascii=False)
    if answer.labels:
        found["classes"] = json.dumps(answer.labels, ensure_ascii=False)
    if answer.names:
        found["names"] = json.dumps(answer.names, ensure_ascii=False)
    chosen = answer.chosen
    if answer.low is not None and answer.high is not None:
        chosen = {"low": answer.low.tolist(), "high": answer.high.tolist()}
    if chosen:
        found["chosen"] = json.dumps(chosen)
    return {f"clearprop.{name}": value for name, value in found.items()}


class _Writer:
    """What adds the parts of a program to a graph, from the inputs to the answers."""

    def __init__(self, program: Program) -> None:
        self._program = program
        names = [raw.name for raw in program.columns] or ["X"]
        if not all(names):
            raise ValueError("every column of an exported model must have a name, one has none")
        self._g = OnnxGraph(names, program.dtype)
        self._outputs: list[tuple[str, str, list[Any]]] = []  # name, dtype, shape

    def graph(self) -> onnx.GraphProto:
        """Return the whole graph."""
        from onnx import helper

        X = self._prepared()
        each = [self._network(member, X, k) for k, member in enumerate(self._program.members)]
        self._answer(each[0] if len(each) == 1 else self._mean(each))
        inputs = [
            helper.make_tensor_value_info(name, _type(dtype), ["N", width], doc_string=VALUES[holds])
            for name, dtype, width, holds in self._inputs()
        ]
        outputs = [helper.make_tensor_value_info(n, _type(d), s) for n, d, s in self._outputs]
        g = self._g
        return helper.make_graph(g.nodes, "clearprop", inputs, outputs, g.initializers)

    def _inputs(self) -> list[tuple[str, str, int, str]]:
        program = self._program
        if not program.columns:
            return [("X", "float64", program.n_features, NUMBERS)]
        dtypes = {NUMBERS: "float64", TIMES: "int64"}
        return [(raw.name, dtypes.get(raw.holds, "object"), 1, raw.holds) for raw in program.columns]

    def _prepared(self) -> str:
        """Return what the network sees of the inputs."""
        g, program = self._g, self._program
        numbers = [each for raw in program.columns for each in numbers_of(g, raw, raw.name)]
        x = g.cast(g.joined(numbers or ["X"]), program.dtype)
        for step in program.steps:
            if isinstance(step, Scaling):
                shift, factor = (s.astype(program.dtype) for s in (step.shift, step.factor))
                x = g.add("Sub", x, g.tensor("shift", shift))
                x = g.add("Mul", x, g.tensor("factor", factor))
            else:
                x = self._clipped(x)
        return x

    def _clipped(self, x: str) -> str:
        g = self._g
        part = g.add("Div", x, g.constant(3.0))
        square = g.add("Add", g.add("Mul", part, part), g.constant(1.0))
        return g.add("Div", x, g.add("Sqrt", square))

    def _network(self, member: Member, x: str, number: int) -> str:
        g, program = self._g, self._program
        before = f"members.{number}." if len(program.members) > 1 else ""
        if program.embedding is not None:
            x = self._embedded(program.embedding, member, x, before)
        if member.scale is not None:
            x = g.add("Mul", x, g.tensor(f"{before}layers.0.scale", member.scale))
        for l, layer in enumerate(member.layers):  # noqa: E741 - the layer, as in the equations
            x = self._layer(layer, x, f"{before}layers.{l}.")
        if program.answer.kind == COLUMNS:
            x = g.joined([g.add("Softmax", part, axis=1) for part in self._groups(x)])
        return x

    def _layer(self, layer: DenseLayer, a: str, name: str) -> str:
        g = self._g
        arrays = [g.tensor(f"{name}weight", layer.weights)]
        if layer.biases is not None:
            arrays.append(g.tensor(f"{name}bias", layer.biases))
        z = g.add("Gemm", a, *arrays, transB=1, named=f"{name}z")
        if len(layer.functions) == 1:
            a = activated(g, layer.functions[0], z)
        else:
            a = self._of_each_neuron(layer.functions, z)
        if layer.shares is not None:
            away = g.add("Mul", g.add("Sub", a, z), g.tensor(f"{name}share", layer.shares))
            a = g.add("Add", z, away)
        return a

    def _of_each_neuron(self, functions: tuple[str, ...], z: str) -> str:
        g = self._g
        groups = {f: [j for j, each in enumerate(functions) if each == f] for f in functions}
        made = g.joined([activated(g, f, g.chosen(z, mine)) for f, mine in groups.items()])
        order = [j for mine in groups.values() for j in mine]
        return g.chosen(made, np.argsort(order).tolist())

    def _embedded(self, its: Embedding, member: Member, x: str, before: str) -> str:
        g = self._g
        columns = list(its.columns or ())
        arrays = {
            name: g.tensor(f"{before}embedding.{name}", p)
            for name, p in member.embedding.items()
            if name != "vectors"
        }
        parts, n = [x], its.n_features or 0
        if columns:
            parts.append(self._of_numbers(its, arrays, x))
        for group, rows in zip(its.categories.groups, its.categories.rows, strict=True):
            Q = g.tensor(f"{before}embedding.vectors", member.embedding["vectors"][rows])
            parts.append(g.add("MatMul", g.chosen(x, list(group)), Q))
        order = np.arange(its.n_outputs)
        order[its.first] = np.arange(n)
        made = n + np.arange(len(columns) * its.n_mapped).reshape(len(columns), its.n_mapped)
        order[its.places[:, : its.n_mapped]] = made
        if its.appends:
            order[its.places[:, -1]] = columns
        order[its.vectors] = n + made.size + np.arange(its.vectors.size).reshape(its.vectors.shape)
        return g.chosen(g.joined(parts), order.tolist())

    def _of_numbers(self, its: Embedding, arrays: dict[str, str], x: str) -> str:
        g = self._g
        columns = list(its.columns or ())
        e = g.add("Unsqueeze", g.chosen(x, columns), g.constant([2], "int64"))
        phi = self._basis(its, arrays, e)
        turned = g.add("Transpose", phi, perm=[1, 0, 2])
        h = g.add("Transpose", g.add("MatMul", turned, arrays["weight"]), perm=[1, 0, 2])
        h = g.add("Add", h, arrays["bias"])
        if isinstance(its, Periodic):
            h = g.add("Relu", h)
        return g.add("Reshape", h, g.constant([-1, len(columns) * its.n_mapped], "int64"))

    def _basis(self, its: Embedding, arrays: dict[str, str], e: str) -> str:
        g = self._g
        if isinstance(its, PiecewiseLinear):
            slope, shift, least, most = (
                g.tensor(name, each.astype(g.dtype))
                for name, each in zip(("slope", "intercept", "least", "most"), its.bins, strict=True)
            )
            line = g.add("Add", g.add("Mul", e, slope), shift)
            inside = g.add("Min", g.add("Max", line, least), most)
            return g.add("Concat", e, inside, axis=2)
        rows = g.add("Unsqueeze", arrays["frequency"], g.constant([0], "int64"))
        phase = g.add("Mul", g.add("Mul", e, rows), g.constant(TURN))
        if isinstance(its, PBLD):
            return g.add("Cos", g.add("Add", phase, arrays["phase"]))
        return g.add("Concat", g.add("Cos", phase), g.add("Sin", phase), axis=2)

    def _mean(self, each: list[str]) -> str:
        g = self._g
        total = g.add("Sum", *(g.cast(a, "float64") for a in each))
        return g.cast(g.add("Div", total, g.constant(float(len(each)), "float64")), g.dtype)

    # Answers

    def _groups(self, a: str) -> list[str]:
        edges = np.cumsum([0, *self._program.answer.sizes]).tolist()
        return [self._g.chosen(a, list(range(first, last))) for first, last in pairwise(edges)]

    def _put(self, name: str, value: str, dtype: str, shape: list[Any]) -> None:
        out = self._g.add("Identity", value, named=name)
        self._outputs.append((out, dtype, shape))

    def _answer(self, a: str) -> None:
        g, answer = self._g, self._program.answer
        n = answer.n_outputs
        if answer.kind == QUANTITIES:
            self._put("prediction", self._middle(self._bounded(a)), g.dtype, ["N", answer.n_answers])
        elif answer.kind == INDICATORS:
            there = g.cast(g.add("Greater", a, g.constant(0.5)), "int64")
            self._put("label", there, "int64", ["N", n])
            self._put("probabilities", a, g.dtype, ["N", n])
        elif answer.kind == COLUMNS:
            for k, part in enumerate(self._groups(a)):
                told = g.add("ArgMax", part, axis=1, keepdims=0)
                self._label(f"label_{k + 1}", told, k)
                self._put(f"probabilities_{k + 1}", part, g.dtype, ["N", answer.sizes[k]])
        else:
            assert answer.kind == CLASSES
            self._classes(a)

    def _classes(self, a: str) -> None:
        g, answer = self._g, self._program.answer
        k, one_output = len(answer.labels[0]), answer.n_outputs == 1
        if k == 1:
            p = g.add("Div", a, a)
            p = g.add("Where", g.add("IsNaN", p), g.constant(1.0), g.constant(1.0))
        else:
            p = g.joined([g.add("Sub", g.constant(1.0), a), a]) if one_output else a
        if answer.temperature is not None:
            p = self._calibrated(p, k)
        if answer.threshold is not None:
            second = g.cast(g.chosen(p, [1]), "float64")
            told = self._side(second, g.constant(answer.threshold, "float64"))
        elif one_output and k > 1:
            told = self._side(a, g.constant(0.5))
        else:
            told = g.add("ArgMax", a, axis=1, keepdims=0)
        self._label("label", told, 0)
        name = "probabilities" if answer.probable or k == 1 else "outputs"
        self._put(name, p, g.dtype, ["N", k])

    def _side(self, value: str, threshold: str) -> str:
        g = self._g
        above = g.cast(g.add("Greater", value, threshold), "int64")
        return g.add("Reshape", above, g.constant([-1], "int64"))

    def _label(self, name: str, told: str, column: int) -> None:
        labels = np.array(self._program.answer.labels[column])
        dtype = "object" if labels.dtype.kind == "U" else labels.dtype.name
        known = self._g.constant(labels.astype(dtype), dtype)
        self._put(name, self._g.add("Gather", known, told), dtype, ["N"])

    def _calibrated(self, p: str, k: int) -> str:
        g, answer = self._g, self._program.answer
        smoothing = answer.smoothing or 0.0

        def double(value: float) -> str:
            return g.constant(value, "float64")

        eps = double(float(np.finfo(g.dtype).eps))
        slope, below, left = map(double, answer.taken_back or (1.0, 0.0, 0.0))
        above = g.add("Max", g.add("Sub", g.cast(p, "float64"), below), double(0.0))
        sharpened = g.add("Add", g.add("Mul", above, slope), left)
        logs = g.add("Log", g.add("Max", sharpened, eps))
        q = g.add("Softmax", g.add("Div", logs, double(float(answer.temperature or 1.0))), axis=1)
        mixed = g.add("Add", g.add("Mul", q, double(1.0 - smoothing)), double(smoothing / k))
        return g.cast(mixed, g.dtype)

    def _middle(self, a: str) -> str:
        """Return of three quantiles the middle one, ``max(min(a, b), min(max(a, b), c))``."""
        if not self._program.answer.middle:
            return a
        g = self._g
        one, two, three = (g.chosen(a, [j]) for j in range(3))
        below_high = g.add("Min", g.add("Max", one, two), three)
        return g.add("Max", g.add("Min", one, two), below_high)

    def _bounded(self, a: str) -> str:
        g, answer = self._g, self._program.answer
        if answer.low is None or answer.high is None:
            return a
        low, high = (g.tensor(n, b) for n, b in (("low", answer.low), ("high", answer.high)))
        inside = g.add("Min", g.add("Max", g.cast(a, "float64"), low), high)
        return g.cast(inside, g.dtype)


def _type(dtype: str) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
