"""Networks of others: from arrays, ONNX files and PyTorch modules into a `Network`."""

from clearprop.incoming.onnx_graphs import from_onnx
from clearprop.incoming.torch_modules import from_torch
from clearprop.incoming.weights import from_weights

__all__ = ["from_onnx", "from_torch", "from_weights"]
