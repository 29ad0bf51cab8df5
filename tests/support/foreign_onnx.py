"""ONNX graphs as other programs write them, small."""

import numpy as np

RNG = np.random.default_rng(0)
W1, b1 = RNG.normal(size=(4, 5)).astype("f"), RNG.normal(size=5).astype("f")
W2, b2 = RNG.normal(size=(5, 3)).astype("f"), RNG.normal(size=3).astype("f")


def model(nodes, arrays=None, inputs=("x",), outputs=("y",), opset=18, width=4):
    """Return a graph of (kind, inputs, output, attributes), with W1, b1, W2, b2 as constants."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {"W1": W1, "b1": b1, "W2": W2, "b2": b2} | (arrays or {})
    made = [
        helper.make_node(kind, list(given), [out], name=f"{kind}_{k}", **attributes)
        for k, (kind, given, out, attributes) in enumerate(nodes)
    ]
    used = {name for _, given, _, _ in nodes for name in given}
    graph = helper.make_graph(
        made,
        "foreign",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(each, name) for name, each in constants.items() if name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def dense(k, x, out, activation="Relu", **attributes):
    """Return the nodes of MatMul, Add and an activation."""
    return [
        ("MatMul", (x, f"W{k}"), f"m{k}", {}),
        ("Add", (f"m{k}", f"b{k}"), f"z{k}", {}),
        (activation, (f"z{k}",), out, attributes),
    ]


def keras_like(activation="Relu", **attributes):
    return model(
        [*dense(1, "x", "a1", activation, **attributes), *dense(2, "a1", "y", "Softmax", axis=-1)]
    )


def torch_like():
    """Gemm with transposed weights, as torch.onnx.export writes it."""
    nodes = [
        ("Gemm", ("x", "V1", "b1"), "z1", {"transB": 1}),
        ("Tanh", ("z1",), "a1", {}),
        ("Gemm", ("a1", "V2", "b2"), "y", {"transB": 1}),
    ]
    return model(nodes, {"V1": W1.T.copy(), "V2": W2.T.copy()})
