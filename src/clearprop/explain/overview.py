"""A pass in a few lines: what ``print(trace)`` shows; `clearprop.explain` has every number of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clearprop.activations import Array
from clearprop.data.feature_names import NameInRow
from clearprop.explain.printers.text import printable
from clearprop.trace import Trace

_SHOWN = 5  # numbers of a layer


def overview(
    trace: Trace, feature_names: Sequence[object] | None, classes: Sequence[object] | None
) -> str:
    """Return the first sample's z, a and delta of every layer, and how large the gradients are.

    Parameters
    ----------
    trace : Trace
    feature_names, classes : sequence or None
        What the inputs and the outputs are called.
    """
    n, of = len(trace.X), trace.architecture
    lines = [
        f"Pass of {n:,} sample{'' if n == 1 else 's'} through {'-'.join(map(str, of.sizes))}, "
        f"{of.cost}: cost {trace.cost:.4g}",
        "" if n == 1 else f"Sample 1 of {n:,} is shown; gradients are of all of them.",
    ]
    if feature_names is not None:
        lines.append(_words("inputs", [getattr(each, "name", each) for each in feature_names]))
        if any(isinstance(each, NameInRow) for each in feature_names):
            raw = [getattr(each, "raw", "") for each in feature_names]
            lines.append(_words("", raw, "raw"))
    lines.append(_numbers("inputs", "a", trace.inputs[0]))
    for number, (layer, shape) in enumerate(zip(trace.layers, of.layers, strict=True), start=1):
        lines.append(_numbers(f"layer {number}", "z", layer.z[0]))
        lines.append(_numbers(f"  {shape.function.name[:10]}", "a", layer.a[0]))
        lines.append(_numbers("", "dC/dz", layer.delta[0]))
        biases = "" if layer.bias_gradient is None else f", |dC/db| {_size(layer.bias_gradient)}"
        lines.append(f"{'':12}  |dC/dw| {_size(layer.weight_gradient)}{biases}")
    if classes is not None:
        lines.append(_words("outputs", classes))
    lines.append(_numbers("target", "y", trace.Y[0]))
    return "\n".join(lines)


def _size(gradient: Array) -> str:
    return f"{np.linalg.norm(gradient):.4g}"


def _row(name: str, symbol: str, cells: Sequence[str], n: int) -> str:
    more = f"  ... {n:,} in all" if n > len(cells) else ""
    return f"{name:12}  {symbol:5}  {'  '.join(f'{each:>10}' for each in cells)}{more}".rstrip()


def _words(name: str, words: Sequence[object], symbol: str = "") -> str:
    shown = [word if len(word) <= 9 else f"{word[:8]}~" for word in map(str, words[:_SHOWN])]
    return _row(name, symbol, [printable(word) for word in shown], len(words))


def _numbers(name: str, symbol: str, values: Array) -> str:
    return _row(name, symbol, [f"{value:.4g}" for value in values[:_SHOWN]], len(values))
