"""Tensors, nodes and notes of an ONNX graph that anybody may have made.

What is declared is held against what is there before memory is taken.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]


def array_of(tensor: onnx.TensorProto) -> Array:
    """Return the numbers of a tensor, held against its dims before memory is taken."""
    from onnx import TensorProto, numpy_helper

    name = tensor.name[:80]
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError(
            f"tensor {name!r} must be in the file itself, it says that it is in another one, which is "
            "not looked for: onnx.save(onnx.load(FILE), NEW) brings both into one"
        )
    kinds = {TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8, TensorProto.FLOAT16: 2}
    if tensor.data_type not in kinds:
        raise ValueError(f"tensor {name!r} must hold floats, got data type {tensor.data_type}")
    n = math.prod(tensor.dims)
    held = (
        len(tensor.raw_data) / kinds[tensor.data_type]
        if tensor.HasField("raw_data")
        else max(len(tensor.float_data), len(tensor.double_data), len(tensor.int32_data))
    )
    if any(each < 0 for each in tensor.dims) or n != held or not n:
        raise ValueError(
            f"tensor {name!r} must have as many numbers as its dims {list(tensor.dims)[:9]} say, got "
            f"{held:g}"
        )
    found: Array = numpy_helper.to_array(tensor)
    found = found.astype(np.float32) if found.dtype.itemsize < 4 else found
    if not np.isfinite(found).all():
        raise ValueError(f"tensor {name!r} must be finite, it holds NaN or infinity")
    return found


def noted(model: onnx.ModelProto) -> dict[str, str]:
    """Return the metadata of a model; Protocol Buffers give bytes where a text is none."""
    return {_text(each.key): _text(each.value) for each in model.metadata_props}


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def told(node: onnx.NodeProto) -> str:
    """Return what a node is called in sentences."""
    name = node.name or (node.output[0] if node.output else "")
    return f"node {name[:80]!r} ({node.op_type[:40]})"


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by their names."""
    from onnx import helper

    try:
        return {each.name: helper.get_attribute_value(each) for each in node.attribute}
    except ValueError:
        raise ValueError(f"{told(node)} must have attributes that ONNX knows") from None
