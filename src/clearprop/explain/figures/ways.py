"""Figures of the ways from a weight to the cost: each drawn over the network, with its derivatives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from clearprop.explain import forms, paths
from clearprop.explain.drawing import drawn
from clearprop.explain.expression import Num, Prod, Relation, Sum, Word, numbers, substituted
from clearprop.explain.figures.shown import Shown, columns, edge, halves, named
from clearprop.explain.nudge import nudge
from clearprop.explain.paths import path_sum
from clearprop.explain.printers.text import WIDTH, TextPrinter, width

_WAYS = 4  # chains of one weight that are drawn
COLOURS = ("blue", "orange", "green", "purple")  # of the chains, in S1's order


def _paths(shown: Shown, top: int) -> list[tuple[int, ...]]:
    layer, to, source = shown.weight
    found = path_sum(shown.net, shown.x, shown.y, layer - 1, to, source, top)
    return [path.neurons for path in found.paths]


def _along(
    shown: Shown, way: tuple[int, ...], label: Callable[[int, int, int], str | None]
) -> list[str]:
    layer, _, source = shown.weight
    neurons = (source, *way[: shown.glyphs.last - layer + 1])
    edges = [
        edge(shown, layer + i, to, before, label(layer + i, to, before))
        for i, (before, to) in enumerate(itertools.pairwise(neurons))
    ]
    return drawn(
        columns(shown, named(shown)), edges, end=shown.text(shown.glyphs.cost(0)), last=neurons[-1]
    )


def one_path(shown: Shown) -> str:
    """Return two paths, each with what a change of the weight does along it: (51)."""
    layer, to, source = shown.weight
    moved = nudge(shown.net, shown.x, shown.y, layer - 1, to, 0.01, "weight", source)
    cost, w = (f"Δ{shown.text(each)}" for each in (shown.glyphs.cost(0), shown.glyphs.w(*shown.weight)))
    blocks = []
    for path in moved.paths.paths[:2] if moved.paths else ():
        along = f"{path.product:#.4g} × {moved.by:g} = {moved.along(path):#.4g}"
        said = f"along it {cost} ≈ {path.product:#.4g} {w}; for {w} = {moved.by:g}, {along}  (51)"
        blocks.append("\n".join([*_along(shown, path.neurons, lambda *_: None), said]))
    return "\n\n".join(blocks)


def rates(shown: Shown) -> str:
    """Return the rates on the edges of a path, and the sum over paths: V12."""
    g, first = shown.glyphs, shown.weight[0]

    def rate(layer: int, to: int, source: int) -> str | None:
        if layer == first or (layer == g.last and g.softmax):
            return None
        slope = float(g.at(layer).slope[0, to])
        return f"{slope * float(g.at(layer).weights[to, source]):.4g}"

    lines = [line for way in _paths(shown, 1) for line in _along(shown, way, rate)]
    layer, to, source = shown.weight
    found = path_sum(shown.net, shown.x, shown.y, layer - 1, to, source, 5)
    return "\n".join([*lines, "", "on an edge stands ∂a/∂a, the rate along it", "", str(found)])


class _Chain(NamedTuple):
    """The derivatives along one way from the cost back to a weight, and what they multiply to."""

    layer: int
    source: int
    way: tuple[int, ...]
    factors: Prod
    product: Num


def _chains_of(shown: Shown, layer: int, to: int, source: int) -> list[_Chain]:
    """Return the chains of a weight in S1's order, of many the largest."""
    made = []
    for way in sorted(shown.glyphs.best_paths(layer, to, _WAYS)):
        factors = forms.path_product(shown.glyphs, layer, source, way)
        product = math.prod(each.value for each in numbers(substituted(factors)))
        made.append(_Chain(layer, source, way, factors, Num("product", layer, (), np.array(product))))
    return made


def chains(shown: Shown) -> str:
    """Return the chains of a last weight and of the weight, each over the neurons on its way: V14."""
    g, (layer, to, source) = shown.glyphs, shown.weight
    weights = [(g.last, 0, 0)] if layer < g.last else []
    blocks = []
    for weight in [*weights, (layer, to, source)]:
        chains = _chains_of(shown, *weight)
        n = paths.count_paths(g.trace, weight[0] - 1)
        what = shown.text(g.weight_gradient(*weight))
        of = f", the sum of {n:,} chains" if n > 1 else ""
        blocks.append(f"{what} = {shown.number(g.weight_gradient(*weight))}{of}")
        blocks += [
            "\n".join(_over_network(shown, chain, colour))
            for chain, colour in zip(chains, COLOURS, strict=False)
        ]
        if n > len(chains):
            blocks.append(f"[..., {n - len(chains):,} more chains]")
    return "\n\n".join(blocks)


def _over_network(shown: Shown, chain: _Chain, colour: str) -> list[str]:
    """Return the neurons on a chain's way, and under each part its derivative, from the cost on."""
    g, layer = shown.glyphs, chain.layer
    neurons = (chain.source, *chain.way[: g.last - layer + 1])
    parts, derivatives = [shown.text(g.a(layer - 1, chain.source))], [""]
    factors = list(chain.factors.factors)
    if g.notation.carried == "delta":
        factors.reverse()
    left = iter(factors)
    for at, (before, here) in enumerate(itertools.pairwise(neurons), start=layer):
        parts += [f"──({shown.text(g.w(at, here, before))})──>", halves(shown)(at, here)]
        derivatives += [shown.text(next(left)), shown.text(next(left))]
    parts += ["──>", shown.text(g.cost(0))]
    derivatives += [shown.text(next(left)), ""]
    values = ["", *map(shown.number, factors), ""]
    wide = [max(map(width, cells)) for cells in zip(parts, derivatives, values, strict=True)]
    whole = Relation((Word(colour), substituted(chain.factors), chain.product))
    if sum(wide) + len(wide) > WIDTH:
        sides = (Word(colour), chain.factors, *whole.sides[1:])
        return TextPrinter().formula(Relation(sides))

    def line(cells: list[str], fill: str = " ") -> str:
        spaces = [(w - width(cell), cell) for w, cell in zip(wide, cells, strict=True)]
        return fill.join(fill * (n // 2) + cell + fill * (n - n // 2) for n, cell in spaces).rstrip()

    back = " " * (wide[0] + 1) + "<" + "─" * (sum(wide[1:-1]) + len(wide) - 4) + f" {colour}"
    return [line(parts), back, line(derivatives), line(values), *TextPrinter().formula(whole)]


def two_paths(shown: Shown) -> str:
    """Return the ways of a first weight, each in its colour with its chain, and their sum: V16."""
    g, (layer, to, source) = shown.glyphs, shown.weight
    printer, blocks = TextPrinter(), []
    chains = _chains_of(shown, layer, to, source)
    for chain, colour in zip(chains, COLOURS, strict=False):
        sides = (Word(colour), chain.factors, substituted(chain.factors), chain.product)
        drawing = _along(shown, chain.way, lambda *_: None)
        blocks.append("\n".join([*drawing, *printer.formula(Relation(sides))]))
    n, gradient = paths.count_paths(g.trace, layer - 1), g.weight_gradient(layer, to, source)
    if chains and n > 1:
        words = Sum(tuple(map(Word, COLOURS[: len(chains)])), n - len(chains))
        products = Sum(tuple(chain.product for chain in chains), n - len(chains))
        whole = Relation((gradient, words, products, forms.stands_for(gradient)))
        blocks.append("\n".join(printer.formula(whole)))
    return "\n\n".join(blocks) or f"{shown.text(gradient)} = {shown.number(gradient)}"
