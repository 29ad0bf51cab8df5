"""A network as a table of text, what ``print(net)`` shows, and as a drawing for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.notebook import new_figure
from clearprop.page import Markup, tag

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def summary(
    architecture: Architecture, dtype: str, n_members: int = 1, shares_layers: bool = False
) -> str:
    """Return the layers, shapes, parameters, cost and multiply-adds, a line for each layer."""
    lines = ["layer      size  activation    weights           parameters"]
    lines.append(f"input {architecture.n_features:9,}")
    if architecture.embedding is not None:
        n = sum(block.size for block in architecture.blocks if block.kind == "embedding")
        lines.append(f"  ... {architecture.widths[0]:9,}  {architecture.embedding!s:30}  {n:10,}")
    for i, layer in enumerate(architecture.layers):
        n_in, n_out = architecture.widths[i], layer.size
        n = sum(b.size for b in architecture.blocks if b.layer == i and b.name.startswith("layers."))
        shape = f"{n_out} x {n_in}" + ("" if layer.bias else ", no bias")
        lines.append(f"{i + 1:5} {n_out:9,}  {layer.function.name:12}  {shape:16}  {n:10,}")
    forward, backward = architecture.multiply_adds()
    lines.append(f"{architecture.n_parameters:,} parameters ({dtype}), cost {architecture.cost}")
    lines.append(f"multiply-adds of one sample: forward {forward:,}, backward {backward:,}")
    if n_members > 1:
        lines.append(f"{n_members:,} members of these sizes, whose outputs are averaged")
    if shares_layers:
        lines[-1] += "; they share all but the input scale and the last layer"
    return "\n".join(lines)


_MOST, _NAMED = 8, 12  # neurons that are drawn of a layer, inputs that are named
_ACROSS, _DOWN, _RADIUS = 110, 24, 8


def as_html(
    architecture: Architecture,
    dtype: str,
    weights: Sequence[NDArray[Any]],
    names: Sequence[str] | None,
    n_members: int = 1,
) -> str:
    """Return the network as a drawing and the table, for a notebook."""
    pre = tag("pre", summary(architecture, dtype, n_members), style="overflow-x: auto")
    some = list(names or ())[:_NAMED]
    more = [f"and {architecture.n_features - len(some):,} more"] * (len(some) < len(names or ()))
    named = [tag("p", "inputs: " + ", ".join([*some, *more]))] if names else []
    drawing = tag("div", _drawing(architecture, weights), style="overflow-x: auto")
    return tag("div", drawing, *named, pre)


def as_figure(architecture: Architecture, weights: Sequence[NDArray[Any]]) -> Figure:
    """Return the same drawing as a matplotlib figure."""
    sizes, shown = architecture.widths, [min(size, _MOST) for size in architecture.widths]
    figure = new_figure("net.plot", figsize=(1.6 * len(sizes) + 0.6, 0.36 * (max(shown) + 1.4)))
    axes = figure.add_subplot()
    axes.set_axis_off()

    def height(layer: int, j: int) -> float:
        return (shown[layer] - 1) / 2 - j

    for layer, W in enumerate(weights):
        part = np.nan_to_num(W[: shown[layer + 1], : shown[layer]].astype(np.float64))
        largest = float(np.abs(part).max(initial=0.0)) or 1.0
        for (j, k), weight in np.ndenumerate(part):
            axes.plot(
                (layer, layer + 1), (height(layer, k), height(layer + 1, j)),
                "-" if weight >= 0 else "--", color="#1a73b8" if weight >= 0 else "#c2570c",
                linewidth=0.3 + 2 * abs(weight) / largest, zorder=1,
            )  # fmt: skip
    for layer, size in enumerate(sizes):
        ys = [height(layer, j) for j in range(shown[layer])]
        axes.scatter([layer] * len(ys), ys, s=90, color="white", edgecolors="0.2", zorder=2)
        of = "" if size <= _MOST else f"{_MOST} of "
        below = f"{_function(architecture, layer)}\n{of}{size:,}"
        axes.text(layer, -max(shown) / 2, below, ha="center", va="top")
    axes.set_ylim(-max(shown) / 2 - 1.4, max(shown) / 2)
    axes.set_xlim(-0.4, len(sizes) - 0.6)
    return figure


def _function(architecture: Architecture, layer: int) -> str:
    if layer:
        return architecture.layers[layer - 1].function.name[:16]
    return "inputs" if architecture.embedding is None else "embedded"


def _drawing(architecture: Architecture, weights: Sequence[NDArray[Any]]) -> Markup:
    """Draw the first neurons of every layer, and their weights: as wide as they are large."""
    sizes = architecture.widths
    shown = [min(size, _MOST) for size in sizes]
    height = _DOWN * (max(shown) + 1)

    def centre(layer: int, j: int) -> tuple[float, float]:
        return 40.0 + _ACROSS * layer, height / 2 + _DOWN * (j - (shown[layer] - 1) / 2)

    parts = []
    for layer, W in enumerate(weights):
        part = W[: shown[layer + 1], : shown[layer]]
        largest = float(np.max(np.abs(part), initial=0.0, where=np.isfinite(part))) or 1.0
        for (j, k), weight in np.ndenumerate(part):
            (x, y), (to_x, to_y) = centre(layer, k), centre(layer + 1, j)
            share = min(abs(float(weight)) / largest, 1.0) if np.isfinite(weight) else 1.0
            parts.append(
                tag(
                    "path", d=f"M{x:g} {y:g}L{to_x:g} {to_y:g}", stroke_width=f"{0.3 + 2 * share:.2f}",
                    stroke="#1a73b8" if weight >= 0 else "#c2570c", fill="none",
                    stroke_dasharray=None if weight >= 0 else "5 3",
                )
            )  # fmt: skip
    for layer, size in enumerate(sizes):
        for j in range(shown[layer]):
            x, y = centre(layer, j)
            pen = {"stroke": "currentColor", "fill": "Canvas", "stroke_width": 1.5}
            parts.append(tag("circle", cx=f"{x:g}", cy=f"{y:g}", r=_RADIUS, **pen))
        function = _function(architecture, layer)
        of = "" if size <= _MOST else f"{_MOST} of "
        x = centre(layer, 0)[0]
        for row, text in enumerate((function, f"{of}{size:,}")):
            parts.append(tag("text", text, x=f"{x:g}", y=height + 14 + 15 * row, text_anchor="middle"))
    width = 80 + _ACROSS * (len(sizes) - 1)
    said = f"A network {'-'.join(map(str, sizes))}; weights above 0 are whole lines, others dashed"
    return tag(
        "svg", *parts, viewBox=f"0 0 {width} {height + 36}", width=width, role="img", aria_label=said,
        style="max-width: 100%; font: 12px sans-serif; fill: currentColor",
    )  # fmt: skip
