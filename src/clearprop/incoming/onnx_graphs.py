"""A network from an ONNX graph: dense layers in a row, their activations, and a scaling before them.

What is declared is held against what is there before memory is taken; weights in other files are not
looked for; what is no layer of ours is named by its node.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.costs import Cost
from clearprop.data.dataset import some
from clearprop.data.files import open_regular, size
from clearprop.data.scaling import Scaling
from clearprop.incoming.onnx_activations import ONE_NODE, several_nodes
from clearprop.incoming.onnx_notes import notes_of, take_notes
from clearprop.incoming.onnx_tensors import array_of, attributes, told
from clearprop.incoming.onnx_whole import whole_of
from clearprop.incoming.weights import ForeignLayer, network_of
from clearprop.model.inputs import Inputs
from clearprop.model.model import Model
from clearprop.network import Network
from clearprop.user_warning import warn

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]

OLDEST = 7  # the first opset whose operators broadcast as NumPy does
MOST_BYTES = 2**31 - 1  # of a file: Protocol Buffers know no larger message
_KEPT = ("Identity", "Cast", "Dropout", "Flatten", "Reshape", "Squeeze")  # what changes no number
_HEADS = ("ArgMax", "ArrayFeatureExtractor", "Cast", "Concat", "Gather", "Greater", "Identity", "Sub",
          "LabelEncoder", "Normalizer", "Reshape", "Squeeze", "ZipMap")  # fmt: skip
"""What makes labels of outputs: the network ends before it. What else follows is refused, or noted."""


def from_onnx(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto, *, cost: str | Cost | None = None
) -> Network:
    """Return the network in an ONNX graph of dense layers in a row.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
        Float32 or float64, with one input, or columns that are laid side by side first. Before the
        first layer numbers may be shifted and scaled; behind the last one only labels may be made. What
        `to_onnx` wrote comes back whole, if nothing but numbers was changed in it.
    cost : str or Cost, optional
        To train on with. None is its own where clearprop wrote the graph, otherwise what goes with the
        outputs: cross-entropy with probabilities, or quadratic. With another one a graph of clearprop's
        comes in as those of others do, with its calibration, threshold and bounds.

    Raises
    ------
    ImportError
        If onnx is not installed: it is in the extra ``[onnx]``.
    ValueError, OSError
        If it cannot be read, or is another kind of network; the sentence names the node.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("an ONNX model needs the package onnx: pip install 'clearprop[onnx]'")
    model = _read(source)
    if cost is None and (found := whole_of(model)) is not None:
        return found
    notes = notes_of(model)
    try:
        graph = _Graph(model, "chosen" in notes)
        net = network_of(graph.layers(), cost)
    except ValueError as problem:
        whole = "; clearprop wrote this graph, and cp.load(FILE) brings the model's own file whole"
        raise ValueError(f"{problem}{whole if notes else ''}") from None
    if graph.scaling is not None:
        net.model = _scaled(net.model, graph.scaling)
    if graph.names is not None:
        net.feature_names = graph.names
    take_notes(net, notes)
    return net


def _scaled(model: Model, scaling: Scaling) -> Model:
    return dataclasses.replace(model, inputs=Inputs((scaling,)))


def _read(source: Any) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    if isinstance(source, onnx.ModelProto):
        return source
    if isinstance(source, bytes):
        content, where = source, "the ONNX model"
    else:
        path = Path(os.path.expanduser(os.fspath(source)))
        with open_regular(path) as file:
            if (n := size(file)) > MOST_BYTES:
                raise ValueError(
                    f"{path} must be smaller than 2 GB, as ONNX files are, got {n:,} bytes"
                )
            content, where = file.read(), str(path)
    try:
        return onnx.ModelProto.FromString(content)
    except (DecodeError, RuntimeError, ValueError):
        raise ValueError(f"{where} must be an ONNX model, got something else") from None


class _Graph:
    """A graph whose nodes are followed from the input on, layer by layer."""

    def __init__(self, model: onnx.ModelProto, is_noted: bool) -> None:
        _check_opset(model)
        graph = model.graph
        self._constants = {each.name: each for each in graph.initializer}
        self._nodes = [node for node in graph.node if not self._take_constant(node)]
        inputs = [each.name for each in graph.input if each.name not in self._constants]
        if not inputs:
            raise ValueError("an ONNX graph must have one input, got none")
        self.names = tuple(inputs) if len(inputs) > 1 else None
        self._at = inputs[0] if self.names is None else self._joined(inputs)
        self._consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in self._nodes:
            for name in dict.fromkeys(node.input):
                self._consumers.setdefault(name, []).append(node)
        self._shift: Array = np.zeros(())
        self._factor: Array = np.ones(())
        self._layers: list[ForeignLayer] = []
        self.scaling: Scaling | None = None
        self._is_noted = is_noted  # whether what follows the network is known besides

    def _joined(self, inputs: list[str]) -> str:
        """Return what columns side by side are called, if that is the first that becomes of them."""
        takers = [node for node in self._nodes if not set(inputs).isdisjoint(node.input)]
        if len(takers) == 1 and takers[0].op_type == "Concat" and list(takers[0].input) == inputs:
            return takers[0].output[0]
        raise ValueError(
            f"an ONNX graph must have one input, got {some(inputs)}, which no Concat lays side by side"
        )

    def _take_constant(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "Constant":
            return False
        for each in node.attribute:
            if each.name == "value":
                self._constants[node.output[0]] = each.t
                return True
        raise ValueError(f"{told(node)} must hold a tensor, got another kind of constant")

    # Following the nodes

    def layers(self) -> list[ForeignLayer]:
        """Return the layers; `scaling` is what comes before them."""
        for _ in range(len(self._nodes) + 1):  # a circle ends too
            if self._take_several():
                continue
            node = self._next()
            if node is None:
                break
            self._take(node)
            self._at = node.output[0]
        else:
            raise ValueError("an ONNX graph must not lead back into itself")
        if not self._layers:
            raise ValueError("an ONNX graph must have a layer (Gemm or MatMul), got none that follows "
                             "from its input")  # fmt: skip
        self._finish_scaling()
        return self._layers

    def _next(self) -> onnx.NodeProto | None:
        found = self._consumers.get(self._at, [])
        taken = [node for node in found if node.op_type in _TAKEN]
        others = [node for node in found if node.op_type not in _TAKEN]
        if self._layers and all(node.op_type in _HEADS for node in found) and not self._goes_on():
            self._look_after()
            return None
        if others:
            raise ValueError(f"{told(others[0])} cannot come in: {_WHAT}")
        if len(taken) > 1:
            raise ValueError(
                f"{told(taken[0])} and {told(taken[1])} both take {self._at[:80]!r}, which cannot "
                "come in: layers must follow one after another, without residuals"
            )
        return taken[0] if taken else None

    def _goes_on(self) -> bool:
        """Return whether a layer follows from here."""
        return any(node.op_type in ("Gemm", "MatMul") for node in self._after())

    def _look_after(self) -> None:
        """Refuse what changes the outputs and is not noted; warn of a threshold that is left out."""
        if self._is_noted:
            return
        for node in self._after():
            if node.op_type not in _HEADS:
                raise ValueError(
                    f"{told(node)} cannot come in: behind the last layer only labels may be made"
                )
            if node.op_type == "Greater" and (self._array(node.input[1], node) != 0.5).any():
                warn(f"{told(node)} is left out: labels go by 1/2 again, not by its threshold")

    def _after(self) -> Iterator[onnx.NodeProto]:
        """Yield the nodes that follow from here."""
        seen, waiting = set(), [self._at]
        while waiting:
            for node in self._consumers.get(waiting.pop(), []):
                yield node
                new = [name for name in node.output if name not in seen]
                seen.update(new)
                waiting += new

    def _take(self, node: onnx.NodeProto) -> None:
        if not node.output:
            raise ValueError(f"{told(node)} must have an output, has none")
        if node.op_type in _KEPT:
            return
        if node.op_type in ("Gemm", "MatMul"):
            self._take_product(node)
        elif node.op_type in _ARITHMETIC:
            self._take_arithmetic(node)
        else:
            self._take_activation(node)

    def _take_several(self) -> bool:
        """Take an activation that is several nodes, if one begins here."""
        if not self._layers or self._layers[-1].activation != "identity":
            return False
        found = several_nodes(self._at, self._consumers, self._constants)
        if found is None:
            return False
        name, self._at = found
        self._layers[-1] = self._layers[-1]._replace(activation=name)
        return True

    def _take_product(self, node: onnx.NodeProto) -> None:
        if node.input[0] != self._at or len(node.input) < 2:
            raise ValueError(f"{told(node)} must multiply activations by weights, in this order")
        W = self._array(node.input[1], node)
        how = attributes(node)
        if W.ndim != 2 or how.pop("transA", 0):
            raise ValueError(f"{told(node)} must have weights of two axes, got shape {W.shape}")
        turned = bool(how.pop("transB", 0))
        alpha, beta = how.pop("alpha", 1.0), how.pop("beta", 1.0)
        W = (W if turned else W.T) * W.dtype.type(alpha)
        b = None
        if len(node.input) > 2 and node.input[2]:
            b = self._of_neurons(self._array(node.input[2], node) * W.dtype.type(beta), len(W), node)
        if self._layers and W.shape[1] != len(self._layers[-1].weights):
            raise ValueError(
                f"{told(node)} must take the {len(self._layers[-1].weights)} numbers of the layer "
                f"before it, got weights for {W.shape[1]}"
            )
        self._layers.append(ForeignLayer(W, b, "identity"))

    def _of_neurons(self, array: Array, n: int, node: onnx.NodeProto) -> Array:
        try:
            return np.broadcast_to(array, (1, n))[0]
        except ValueError:
            raise ValueError(
                f"{told(node)} must have a number for each of {n} neurons, got shape {array.shape}"
            ) from None

    def _take_arithmetic(self, node: onnx.NodeProto) -> None:
        if len(node.input) != 2 or self._at not in node.input or node.input[0] == node.input[1]:
            raise ValueError(f"{told(node)} must take activations and a constant")
        first = node.input[0] == self._at
        constant = self._array(node.input[1 if first else 0], node)
        kind = node.op_type
        if self._layers:
            last = self._layers[-1]
            if kind != "Add" or last.biases is not None or last.activation != "identity":
                raise ValueError(f"{told(node)} cannot come in: {_WHAT}")
            biases = self._of_neurons(constant, len(last.weights), node)
            self._layers[-1] = last._replace(biases=biases)
            return
        if (kind in ("Sub", "Div") and not first) or (kind == "Div" and not constant.all()):
            raise ValueError(f"{told(node)} cannot come in: numbers may be shifted and scaled alone")
        wide = constant.astype(np.float64)
        # (x - shift) * factor, then + c is (x - (shift - c / factor)) * factor
        try:
            if kind in ("Add", "Sub"):
                self._shift = self._shift - (wide if kind == "Add" else -wide) / self._factor
            else:
                self._factor = self._factor * (wide if kind == "Mul" else 1.0 / wide)
        except ValueError:
            raise ValueError(f"{told(node)} must fit the numbers that it scales") from None
        if not self._factor.all():
            raise ValueError(f"{told(node)} must scale by numbers that are not 0")

    def _finish_scaling(self) -> None:
        n = self._layers[0].weights.shape[1]
        if not self._shift.any() and (self._factor == 1.0).all():
            return
        try:
            shift, factor = (
                np.broadcast_to(np.asarray(each, np.float64), (1, n))[0].copy()
                for each in (self._shift, self._factor)
            )
        except ValueError:
            raise ValueError(f"what scales the input must have a number for each of its {n}") from None
        self.scaling = Scaling(shift, factor)

    def _take_activation(self, node: onnx.NodeProto) -> None:
        if not self._layers or self._layers[-1].activation != "identity":
            raise ValueError(f"{told(node)} must come behind a layer, and be its only activation")
        name = ONE_NODE[node.op_type](attributes(node))
        if name is None:
            raise ValueError(f"{told(node)} cannot come in with these attributes, of all its kind")
        self._layers[-1] = self._layers[-1]._replace(activation=name)

    def _array(self, name: str, node: onnx.NodeProto) -> Array:
        if name not in self._constants:
            raise ValueError(f"{told(node)} must take a constant as {name[:80]!r}, which is none")
        return array_of(self._constants[name])


def _check_opset(model: onnx.ModelProto) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    found = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(found) != 1 or not OLDEST <= found[0] <= newest:
        got = found[0] if len(found) == 1 else "none" if not found else "several"
        raise ValueError(
            f"an ONNX model must be of an opset from {OLDEST} to {newest}, the newest that the "
            f"installed onnx knows, got {got}"
        )


_ARITHMETIC = ("Add", "Sub", "Mul", "Div")
_TAKEN = {*_KEPT, *_ARITHMETIC, *ONE_NODE, "Gemm", "MatMul"}
_WHAT = "dense layers (Gemm, MatMul) and their activations can"
