"""What a figure is made of: one sample's pass and the weight it is about, with its symbols as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from clearprop.explain.drawing import Edge
from clearprop.explain.expression import Expr, substituted
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.printers.text import TextPrinter

if TYPE_CHECKING:
    from clearprop.traceable import Traceable

ROWS = 6  # of a table, where a layer has more


class Shown(NamedTuple):
    """What a figure is made of; `weight` is (layer 1..L, to, from), the one that matters most."""

    net: Traceable
    x: Any
    y: Any
    glyphs: Glyphs
    weight: tuple[int, int, int]

    def text(self, node: Expr) -> str:
        """Return a formula in a line of text."""
        return TextPrinter().inline(node).replace("\u00a0", " ")

    def number(self, node: Expr) -> str:
        """Return it with its numbers put in."""
        return self.text(substituted(node))

    def neurons(self, layer: int) -> range:
        """Return the neurons of a layer that a table has rows of."""
        return range(min(self.glyphs.sizes[layer], ROWS))


def columns(shown: Shown, label: Callable[[int, int], str]) -> list[list[str]]:
    """Return what stands at each neuron, a list for each layer."""
    return [[label(layer, j) for j in range(n)] for layer, n in enumerate(shown.glyphs.sizes)]


def named(shown: Shown) -> Callable[[int, int], str]:
    """Return what writes a neuron as its activation."""
    return lambda layer, j: shown.text(shown.glyphs.a(layer, j))


def halves(shown: Shown) -> Callable[[int, int], str]:
    """Return what writes a neuron as its z and its activation."""
    g = shown.glyphs
    return lambda layer, j: (
        shown.text(g.a(0, j))
        if layer == 0
        else f"{shown.text(g.z(layer, j))}|{shown.text(g.a(layer, j))}"
    )


def edge(shown: Shown, layer: int, to: int, source: int, label: str | None = None) -> Edge:
    """Return a weight as an edge of a drawing, with its symbol if nothing else."""
    return Edge(
        layer - 1, source, to, shown.text(shown.glyphs.w(layer, to, source)) if label is None else label
    )
