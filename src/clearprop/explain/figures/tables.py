"""Figures that are tables: factors of gradients, the dynamic programme, the algorithm's steps."""

from __future__ import annotations

import math

import numpy as np

from clearprop.explain import forms, remarks, steps
from clearprop.explain import notation as notations
from clearprop.explain.drawing import table
from clearprop.explain.expression import Expr, Num, numbers, substituted
from clearprop.explain.figures.shown import Shown
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.printers.text import WIDTH, TextPrinter, width


def last_factors(shown: Shown) -> str:
    """Return the factors of the last layer's gradients, with what each column is: V17."""
    return _of_layer(shown, shown.glyphs.last)


def _of_layer(shown: Shown, layer: int) -> str:
    g = shown.glyphs
    # Of softmax, and where the slope cancels, delta is no product.
    split = not (g.softmax or g.a_minus_y)
    delta = shown.text(g.delta(layer))
    heads = [shown.text(g.error(layer)), shown.text(g.slope(layer))] if split else [delta]
    heads = ["weight", *heads, "input", shown.text(g.weight_gradient(layer)), ""]
    rows = []
    for j in shown.neurons(layer):
        for k in shown.neurons(layer - 1):
            own = [g.error(layer, j), g.da_dz(layer, j)] if split else [g.delta(layer, j)]
            symbols = [*own, g.a(layer - 1, k), g.weight_gradient(layer, j, k)]
            caption = f"output neuron {j + 1}"
            rows.append([shown.text(g.w(layer, j, k)), *map(shown.number, symbols), caption])
    groups = [("", 1), (f"{delta}, the error", 2), ("", 1), ("", 1), ("", 1)]
    return table(heads, rows, [groups] if split else ())


def hidden_factors(shown: Shown) -> str:
    """Return the factors of the gradients before, a chain for each delta of the layer after: V18."""
    g = shown.glyphs
    if g.last == 1:
        return last_factors(shown)
    layer, after = g.last - 1, g.last
    heads = [shown.text(each) for each in (g.delta(after), g.w(after), g.slope(layer))] + ["input"]
    gradient = shown.text(g.weight_gradient(layer))
    weights = [(j, k) for j in shown.neurons(layer) for k in shown.neurons(layer - 1)]

    def factors(i: int, j: int, k: int) -> list[Expr]:
        return [g.delta(after, i), g.w(after, i, j), g.da_dz(layer, j), g.a(layer - 1, k)]

    if g.sizes[after] == 2:
        captions = [(f"chain for {shown.text(g.delta(after, i))}", 4) for i in (0, 1)]
        error = (f"{shown.text(g.delta(layer))}, proportional error", 3)
        groups = [[("", 1), *captions, ("", 1)], [("", 1), error, ("", 1), error, ("", 1), ("", 1)]]
        rows = []
        for j, k in weights:
            both = [*factors(0, j, k), *factors(1, j, k), g.weight_gradient(layer, j, k)]
            rows.append([shown.text(g.w(layer, j, k)), *map(shown.number, both)])
        side_by_side = table(["weight", *heads, *heads, gradient], rows, groups)
        if max(map(width, side_by_side.splitlines())) <= WIDTH:
            return side_by_side
    rows = []
    for j, k in weights:
        sizes = g.at(after).weights[:, j] * g.at(after).delta[0]
        chosen = forms.chosen(sizes, 2)
        for n, i in enumerate(chosen):
            symbols = factors(i, j, k)
            product = math.prod(each.value for x in symbols for each in numbers(substituted(x)))
            end = shown.text(Num("product", layer, (), np.array(product)))
            name = "" if n else shown.text(g.w(layer, j, k))
            rows.append([name, shown.text(g.delta(after, i)), *map(shown.number, symbols), end])
        if more := len(sizes) - len(chosen):
            rows.append(["", f"[..., {more:,} more]", "", "", "", "", ""])
        number = shown.number(g.weight_gradient(layer, j, k))
        rows.append(["", "all", "", "", "", "sum", number])
    return table(["weight", "chain for", *heads, gradient], rows)


def dynamic(shown: Shown) -> str:
    """Return the table of the dynamic programme, filled in the order of its numbers: V22."""
    g = shown.glyphs
    rows, order = [], 0
    for layer in range(g.last, 0, -1):
        cells = [str(g.number(layer)) + (" (base case)" if layer == g.last else "")]
        bias = g.bias_gradient(layer) if g.has_bias(layer) else g.delta(layer)
        for what in (g.error(layer), bias, g.weight_gradient(layer)):
            order += 1
            value = substituted(what)
            if layer == g.last and g.a_minus_y and order == 1:
                cells.append(f"{order}. in ∂C/∂b")  # computed from z, without it
            else:
                first = getattr(value, "element", None)
                cells.append(f"{order}. {shown.text(first(0, 0))}, ..." if first else shown.text(value))
        rows.append(tuple(cells))
    heads = [g.a(g.last), g.b(g.last) if g.has_bias(g.last) else g.z(g.last), g.w(g.last)]
    bases = ["∂C/∂" + shown.text(each).rstrip("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾") for each in heads]
    return (
        table(["layer", *bases], rows)
        + "\nfilled in the order of the numbers; of each, the first element"
    )


def backwards(shown: Shown) -> str:
    """Return the pass in S1's order: delta of the outputs, their gradients, delta before, gradients."""
    printer = TextPrinter()
    told = steps.algorithm_steps(shown.glyphs, "A4")
    lines = [line for step in told for line in printer.step(step, "numbers")]
    return "\n".join(lines[1:])


def algorithm(shown: Shown) -> str:
    """Return the notation, and the seven steps of S1 by name."""
    glyphs = Glyphs(shown.glyphs.trace, notations.NOTATIONS["jordan"])
    told = steps.algorithm_steps(glyphs, "A4")
    return "\n".join([*remarks.facts(glyphs), "", *(step.title for step in told)])
