"""Our estimators in skl2onnx: behind whatever scikit-learn prepares, the same graph as `to_onnx`."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.estimators.classifier import MLPClassifier
from clearprop.estimators.regressor import MLPRegressor
from clearprop.portable.onnx_graph import ML, ML_OPSET, OPSET
from clearprop.portable.program import COLUMNS, INDICATORS, Answer, program_of

if TYPE_CHECKING:
    import onnx

OPTIONS: dict[str, list[Any]] = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "raw_scores": [False, True],
    "nocl": [False],  # asked for with zipmap
}


def register() -> None:
    """Have skl2onnx convert `MLPClassifier` and `MLPRegressor`, wherever in a model they are.

    Its options ``zipmap`` and ``output_class_labels`` are as for scikit-learn's classifiers. With
    ``raw_scores`` the second output is what `decision_function` returns, as (-z, z) of two classes.

    Raises
    ------
    ImportError
        If skl2onnx is not installed: it is in the extra ``[onnx]``.
    """
    if importlib.util.find_spec("skl2onnx") is None:
        raise ImportError("register() needs the package skl2onnx: pip install 'clearprop[onnx]'")
    from skl2onnx import update_registered_converter as update

    update(MLPClassifier, "ClearpropMLPClassifier", _classifier_shapes, _convert, options=OPTIONS)
    update(MLPRegressor, "ClearpropMLPRegressor", _regressor_shapes, _convert)


def _answer(operator: Any) -> Answer:
    return program_of(operator.raw_operator.network_.model).answer


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    answer, n_rows = _answer(operator), operator.inputs[0].get_first_dimension()
    if answer.kind == COLUMNS:
        raise ValueError(
            "a classifier in skl2onnx must have one column of labels or indicators, got "
            f"{len(answer.labels)} columns of labels; to_onnx() has outputs for each"
        )
    several = answer.kind == INDICATORS
    k = answer.n_outputs if several else len(answer.labels[0])
    texts = not several and isinstance(answer.labels[0][0], str)
    shape = [n_rows, k] if several else [n_rows]
    operator.outputs[0].set_type((StringTensorType if texts else Int64TensorType)(shape))
    operator.outputs[1].type.shape = [n_rows, k]


def _regressor_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import guess_tensor_type

    made = guess_tensor_type(operator.inputs[0].type)
    made.shape = [operator.inputs[0].get_first_dimension(), _answer(operator).n_outputs]
    operator.outputs[0].set_type(made)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import guess_proto_type

    _refuse_older(container)
    graph = operator.raw_operator.to_onnx().graph
    there = _There(scope, container)
    _feed(there, operator.inputs, graph)
    there.take(graph)
    found = [there.names[each.name] for each in graph.output]
    if container.get_options(operator.raw_operator).get("raw_scores"):
        found[1] = _scores(there, operator, graph)
    for value, output in zip(found, operator.outputs, strict=True):
        there.add("Cast", value, out=output.full_name, to=guess_proto_type(output.type))


def _refuse_older(container: Any) -> None:
    for domain, name, oldest in (("", "ONNX", OPSET), (ML, ML, ML_OPSET)):
        got = container.target_opset_any_domain(domain)
        if got < oldest:
            raise ValueError(
                f"target_opset must be {oldest} or newer for {name}, as our graphs are, got {got}"
            )


class _There:
    """skl2onnx's graph, to which nodes and constants are added under names that are free in it."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container
        self.names: dict[str, str] = {"": ""}  # of our graph, in theirs; an input that is left out

    def add(self, kind: str, *inputs: str, out: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node of the opset in which our graphs are written, and return its output."""
        from onnx import defs

        out = out or self._scope.get_unique_variable_name(kind)
        how = {
            "name": self._scope.get_unique_operator_name(kind),
            "op_domain": domain,
            "op_version": defs.get_schema(kind, ML_OPSET if domain else OPSET, domain).since_version,
        }
        self._container.add_node(kind, list(inputs), [out], **how, **attributes)
        return out

    def constant(self, tensor: onnx.TensorProto) -> str:
        """Add a constant and return its name."""
        out: str = self._scope.get_unique_variable_name(tensor.name)
        content = tensor if tensor.HasField("raw_data") else list(tensor.string_data)
        self._container.add_initializer(out, tensor.data_type, list(tensor.dims), content)
        return out

    def column(self, value: str, number: int) -> str:
        """Return one column, shape (N, 1)."""
        from onnx import numpy_helper

        index = numpy_helper.from_array(np.array([number]), "column")
        return self.add("Gather", value, self.constant(index), axis=1)

    def take(self, graph: onnx.GraphProto) -> None:
        """Add all of a graph, whose inputs have names here already."""
        from onnx import helper

        for tensor in graph.initializer:
            self.names[tensor.name] = self.constant(tensor)
        for node in graph.node:
            how = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            inputs = [self.names[name] for name in node.input]
            made = self.add(node.op_type, *inputs, domain=node.domain, **how)
            self.names[node.output[0]] = made


def _feed(there: _There, inputs: list[Any], graph: onnx.GraphProto) -> None:
    """Give our graph's inputs what the step before hands on: side by side, or one for each column."""
    from onnx import TensorProto, helper
    from skl2onnx.common.data_types import guess_proto_type

    given = [(each.full_name, guess_proto_type(each.type)) for each in inputs]
    if len(given) != len(graph.input):
        values, elements = zip(*given, strict=True)
        if len(given) > 1:
            element = TensorProto.STRING if TensorProto.STRING in elements else TensorProto.DOUBLE
            cast = [there.add("Cast", value, to=element) for value in values]
            given = [(there.add("Concat", *cast, axis=1), element)]
        if len(graph.input) > 1:
            ((value, element),) = given
            given = [(there.column(value, j), element) for j in range(len(graph.input))]
    for (value, element), wanted in zip(given, graph.input, strict=True):
        kind = wanted.type.tensor_type.elem_type
        if kind != element and (kind != TensorProto.DOUBLE or element == TensorProto.STRING):
            raise ValueError(
                f"what is before the estimator must hand on {helper.tensor_dtype_to_string(kind)} as "
                f"its column {wanted.name!r}, got {helper.tensor_dtype_to_string(element)}"
            )
        there.names[wanted.name] = there.add("Cast", value, to=kind)


def _scores(there: _There, operator: Any, graph: onnx.GraphProto) -> str:
    """Return z of the output layer, as (-z, z) of two classes."""
    net = operator.raw_operator.network_
    if net.model.n_members > 1:
        raise ValueError(
            "raw_scores must be False for the mean of members, which has no weighted inputs, got "
            f"True for {net.model.n_members} members"
        )
    z = there.names[[node.output[0] for node in graph.node if node.op_type == "Gemm"][-1]]
    answer = _answer(operator)
    if answer.kind == INDICATORS or len(answer.labels[0]) != 2:
        return z
    if answer.n_outputs == 2:
        z = there.add("Sub", there.column(z, 1), there.column(z, 0))
    return there.add("Concat", there.add("Neg", z), z, axis=1)
