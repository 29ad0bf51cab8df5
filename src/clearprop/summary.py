"""A network as a table of text: what ``print(net)`` shows."""

from __future__ import annotations

from clearprop.architecture import Architecture


def summary(architecture: Architecture, dtype: str) -> str:
    """Return the layers, shapes, parameters, cost and multiply-adds, a line for each layer."""
    lines = ["layer      size  activation    weights           parameters"]
    lines.append(f"input {architecture.n_features:9,}")
    for i, layer in enumerate(architecture.layers):
        n_in, n_out = architecture.sizes[i], layer.size
        n = n_out * n_in + (n_out if layer.bias else 0)
        shape = f"{n_out} x {n_in}" + ("" if layer.bias else ", no bias")
        lines.append(f"{i + 1:5} {n_out:9,}  {layer.function.name:12}  {shape:16}  {n:10,}")
    forward, backward = architecture.multiply_adds()
    lines.append(f"{architecture.n_parameters:,} parameters ({dtype}), cost {architecture.cost}")
    lines.append(f"multiply-adds of one sample: forward {forward:,}, backward {backward:,}")
    return "\n".join(lines)
