"""OnnxGraph: the nodes of an ONNX graph as they are added, each by what it makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]

OPSET, ML_OPSET, IR = 18, 3, 8  # of late 2022: axes are inputs since 18
ML = "ai.onnx.ml"


class OnnxGraph:
    """Nodes, constants, inputs and outputs, every name once.

    Parameters
    ----------
    taken : iterable of str
        Names of inputs, which nothing else is called.
    dtype : {"float32", "float64"}
        Of the network.
    """

    def __init__(self, taken: Iterable[str], dtype: str) -> None:
        self.dtype = dtype
        self._names = set(taken)
        self._constants: dict[tuple[Any, ...], str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def name(self, wanted: str) -> str:
        """Return a name like this that nothing has yet."""
        found, number = wanted, 1
        while found in self._names:
            found, number = f"{wanted}_{number}", number + 1
        self._names.add(found)
        return found

    def tensor(self, name: str, array: Array) -> str:
        """Add a constant of this name."""
        from onnx import numpy_helper

        found = self.name(name)
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), found))
        return found

    def constant(self, value: Any, dtype: str | None = None) -> str:
        """Return a small constant, the network's dtype by default; one for all that are equal."""
        array = np.asarray(value, object if dtype == "object" else dtype or self.dtype)
        key = (array.dtype.str, array.shape, str(array.tolist()))
        if key not in self._constants:
            self._constants[key] = self.tensor("constant", array)
        return self._constants[key]

    def add(self, kind: str, *inputs: str, domain: str = "", named: str = "", **attributes: Any) -> str:
        """Add a node and return what its output is called."""
        from onnx import helper

        out = self.name(named or kind)
        node = helper.make_node(kind, list(inputs), [out], name=out, domain=domain, **attributes)
        self.nodes.append(node)
        return out

    def cast(self, value: str, dtype: str) -> str:
        """Return a value in another dtype of NumPy."""
        from onnx import helper

        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def joined(self, columns: list[str]) -> str:
        """Return columns side by side."""
        return columns[0] if len(columns) == 1 else self.add("Concat", *columns, axis=1)

    def chosen(self, value: str, columns: list[int]) -> str:
        """Return some columns, in this order."""
        return self.add("Gather", value, self.constant(columns, "int64"), axis=1)
