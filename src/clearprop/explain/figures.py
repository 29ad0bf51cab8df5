"""The figures of the documents, V1 to V22, as text with the reader's own numbers.

The page draws most of them and lets them be touched; these go where only text goes: a terminal, a mail,
a docstring. Every figure is made for any network and one sample of it, in the reader's notation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clearprop.explain import document, forms, paths, steps
from clearprop.explain import notation as notations
from clearprop.explain.drawing import Edge, curve, drawn, table
from clearprop.explain.expression import Expr, Num, Prod, Relation, Sum, Word, numbers, substituted
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import Notation
from clearprop.explain.nudge import Nudge, nudge
from clearprop.explain.paths import check_index, one_sample, path_sum
from clearprop.explain.printers.text import WIDTH, TextPrinter, width
from clearprop.names import known_name

if TYPE_CHECKING:
    from clearprop.traceable import Traceable

_ROWS = 6  # of a table, where a layer has more
_WAYS = 4  # chains of one weight that are drawn
COLOURS = ("blue", "orange", "green", "purple")  # of the chains, in S1's order
_OWN = {"V14": (0, 0, 0), "V16": (0, 0, 0)}  # the weight that S1 takes


class _Shown(NamedTuple):
    """What a figure is made of; `weight` is (layer 1..L, to, from), the one that matters most."""

    net: Traceable
    x: Any
    y: Any
    glyphs: Glyphs
    weight: tuple[int, int, int]

    def text(self, node: Expr) -> str:
        return TextPrinter().inline(node).replace("\u00a0", " ")

    def number(self, node: Expr) -> str:
        return self.text(substituted(node))

    def neurons(self, layer: int) -> range:
        return range(min(self.glyphs.sizes[layer], _ROWS))


def figure(
    name: str,
    net: Traceable,
    x: Any,
    y: Any,
    notation: str | Notation = "nielsen",
    weight: tuple[int, int, int] | None = None,
) -> str:
    """Return one of the documents' figures, of one sample.

    Parameters
    ----------
    name : str
        "V1" to "V22", as `FIGURES` lists them.
    net : Network
    x, y : array-like
        One sample and its target.
    notation : str or Notation
    weight : (int, int, int), optional
        The weight it is about, ``net.weights[layer][to, source]``; without it the one that S1 takes in
        V14 and V16, of layer 1 from input 1 to neuron 1, and else that of layer 1 with the largest
        gradient.

    Raises
    ------
    ValueError
        If there is no such figure, or x and y are not one sample that fits the network.

    Examples
    --------
    >>> net = cp.Network([2, 2, 1], output="sigmoid", cost="quadratic", seed=0)
    >>> print(figure("V3", net, [0.5, 1.0], [1.0]).splitlines()[0])
    a¹₁     a²₁     a³₁ ──> C
    """
    known_name("figure", name, FIGURES)
    X, Y = one_sample(x, y)
    glyphs = Glyphs(net.trace(X, Y), notations.resolve(notation))
    if weight is None:
        weight = _OWN.get(name)
    if weight is None:
        gradient = np.abs(glyphs.at(1).weight_gradient)
        weight = (0, *divmod(int(np.nan_to_num(gradient).argmax()), gradient.shape[1]))
    for what, at, size in zip(("layer", "to", "source"), weight, _sizes(net, weight), strict=True):
        check_index(f"{what} of weight", at, size)
    return FIGURES[name][1](_Shown(net, X, Y, glyphs, (weight[0] + 1, weight[1], weight[2]))) + "\n"


def _sizes(net: Traceable, weight: tuple[int, int, int]) -> tuple[int, int, int]:
    layer = weight[0] if 0 <= weight[0] < len(net.layers) else 0
    return len(net.layers), net.sizes[layer + 1], net.sizes[layer]


# The network


def _columns(shown: _Shown, label: Callable[[int, int], str]) -> list[list[str]]:
    return [[label(layer, j) for j in range(n)] for layer, n in enumerate(shown.glyphs.sizes)]


def _a(shown: _Shown) -> Callable[[int, int], str]:
    return lambda layer, j: shown.text(shown.glyphs.a(layer, j))


def _halves(shown: _Shown) -> Callable[[int, int], str]:
    g = shown.glyphs
    return lambda layer, j: (
        shown.text(g.a(0, j))
        if layer == 0
        else f"{shown.text(g.z(layer, j))}|{shown.text(g.a(layer, j))}"
    )


def _edge(shown: _Shown, layer: int, to: int, source: int, label: str | None = None) -> Edge:
    return Edge(
        layer - 1, source, to, shown.text(shown.glyphs.w(layer, to, source)) if label is None else label
    )


def _one_weight(shown: _Shown) -> str:
    w = shown.glyphs.w(*shown.weight)
    return "\n".join(
        [
            *drawn(_columns(shown, _a(shown)), [_edge(shown, *shown.weight)]),
            f"{shown.text(w)} = {shown.number(w)}",
        ]
    )


def _labels(shown: _Shown) -> str:
    g = shown.glyphs

    def label(layer: int, j: int) -> str:
        bias = layer > 0 and g.has_bias(layer)
        return (f"{shown.text(g.b(layer, j))} → " if bias else "") + shown.text(g.a(layer, j))

    return "\n".join(drawn(_columns(shown, label)))


def _cost(shown: _Shown) -> str:
    cost = shown.glyphs.cost(0)
    lines = drawn(_columns(shown, _a(shown)), end=shown.text(cost))
    return "\n".join([*lines, f"{shown.text(cost)} = {shown.number(cost)}"])


def _in_halves(shown: _Shown) -> str:
    g = shown.glyphs

    def numbers(layer: int, j: int) -> str:
        a = shown.number(g.a(layer, j))
        return a if layer == 0 else f"{shown.number(g.z(layer, j))}|{a}"

    pair = [
        drawn(_columns(shown, label), end=end)
        for label, end in (
            (_halves(shown), shown.text(g.cost(0))),
            (numbers, shown.number(g.cost(0))),
        )
    ]
    return "\n\n".join("\n".join(lines) for lines in pair)


def _expanded(shown: _Shown) -> str:
    lines = drawn(_columns(shown, _halves(shown)), end=shown.text(shown.glyphs.cost(0)))
    printer = TextPrinter()
    for layer in range(1, shown.glyphs.last + 1):
        lines += ["", *printer.step(document.forward_step(shown.glyphs, layer, 0), "component")[1:]]
    return "\n".join(lines)


# The demon and the wave


def _demon(shown: _Shown) -> str:
    layer, to, _ = shown.weight
    return "\n\n".join(str(nudge(shown.net, shown.x, shown.y, layer - 1, to, by)) for by in (0.1, 0.01))


def _wave(frame: int) -> Callable[[_Shown], str]:
    """Return the figure of how far a change of one weight has come: V7 to V10."""

    def made(shown: _Shown) -> str:
        g, (layer, to, source) = shown.glyphs, shown.weight
        moved = nudge(shown.net, shown.x, shown.y, layer - 1, to, by := 0.01, "weight", source)
        rows = [(f"Δ{shown.text(g.w(layer, to, source))}", "", f"{by:g}", "")]
        if frame >= 1:
            rows += _moved(shown, moved, layer, "(48)")
        if frame >= 2 and layer < g.last:
            rows += _moved(shown, moved, layer + 1, "(49), (50)")
        if frame >= 3:
            for further in range(layer + 2, g.last + 1):
                rows += _moved(shown, moved, further, "(49)")
            cost = f"Δ{shown.text(g.cost(0))}"
            rows.append((cost, f"{moved.predicted:#.4g}", f"{moved.exact:#.4g}", "(47)"))
        return table(["what changes", "predicted", "actual", ""], rows)

    return made


def _moved(shown: _Shown, moved: Nudge, layer: int, number: str) -> list[tuple[str, str, str, str]]:
    made = []
    for each in moved.changes:
        if each.layer == layer - 1 and each.neuron < _ROWS:
            name = f"Δ{shown.text(shown.glyphs.a(layer, each.neuron))}"
            made.append((name, f"{each.predicted:#.4g}", f"{each.actual:#.4g}", number))
    return made


# One weight, one neuron


def _zoom(shown: _Shown) -> str:
    g, (layer, to, source) = shown.glyphs, shown.weight
    a, delta, w = g.a(layer - 1, source), g.delta(layer, to), g.weight_gradient(layer, to, source)
    return (
        f"a in ──({shown.text(g.w(layer, to, source))})──> δ out\n"
        f"{shown.text(w)} = {shown.text(a)} × {shown.text(delta)} = {shown.number(a)} × "
        f"{shown.number(delta)} = {shown.number(w)}"
    )


def _activation(shown: _Shown) -> str:
    layer, to, _ = shown.weight
    function, z = shown.glyphs.trace.architecture.layers[layer - 1].function, shown.glyphs.z(layer, to)
    part = function.parts[to] if function.parts else function
    at = float(shown.glyphs.at(layer).z[0, to])
    slope = (
        shown.number(shown.glyphs.da_dz(layer, to)) if function.elementwise else "a row of the Jacobian"
    )
    head = f"{part.name}; the dot is at {shown.text(z)} = {shown.number(z)}, where the slope is {slope}"
    return "\n".join([head, *curve(part, at)]) if part.elementwise else head


# Paths


def _paths(shown: _Shown, top: int) -> list[tuple[int, ...]]:
    layer, to, source = shown.weight
    found = path_sum(shown.net, shown.x, shown.y, layer - 1, to, source, top)
    return [path.neurons for path in found.paths]


def _along(
    shown: _Shown, way: tuple[int, ...], label: Callable[[int, int, int], str | None]
) -> list[str]:
    layer, _, source = shown.weight
    neurons = (source, *way[: shown.glyphs.last - layer + 1])
    edges = [
        _edge(shown, layer + i, to, before, label(layer + i, to, before))
        for i, (before, to) in enumerate(itertools.pairwise(neurons))
    ]
    return drawn(
        _columns(shown, _a(shown)), edges, end=shown.text(shown.glyphs.cost(0)), last=neurons[-1]
    )


def _one_path(shown: _Shown) -> str:
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


def _rates(shown: _Shown) -> str:
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


def _chains_of(shown: _Shown, layer: int, to: int, source: int) -> list[_Chain]:
    """Return the chains of a weight in S1's order, of many the largest."""
    made = []
    for way in sorted(shown.glyphs.best_paths(layer, to, _WAYS)):
        factors = forms.path_product(shown.glyphs, layer, source, way)
        product = math.prod(each.value for each in numbers(substituted(factors)))
        made.append(_Chain(layer, source, way, factors, Num("product", layer, (), np.array(product))))
    return made


def _chains(shown: _Shown) -> str:
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


def _over_network(shown: _Shown, chain: _Chain, colour: str) -> list[str]:
    """Return the neurons on a chain's way, and under each part its derivative, from the cost on."""
    g, layer = shown.glyphs, chain.layer
    neurons = (chain.source, *chain.way[: g.last - layer + 1])
    parts, derivatives = [shown.text(g.a(layer - 1, chain.source))], [""]
    factors = list(chain.factors.factors)
    if g.notation.carried == "delta":
        factors.reverse()
    left = iter(factors)
    for at, (before, here) in enumerate(itertools.pairwise(neurons), start=layer):
        parts += [f"──({shown.text(g.w(at, here, before))})──>", _halves(shown)(at, here)]
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


def _two_paths(shown: _Shown) -> str:
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


# Tables


def _last_factors(shown: _Shown) -> str:
    """Return the factors of the last layer's gradients, with what each column is: V17."""
    return _of_layer(shown, shown.glyphs.last)


def _of_layer(shown: _Shown, layer: int) -> str:
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


def _hidden_factors(shown: _Shown) -> str:
    """Return the factors of the gradients before, a chain for each delta of the layer after: V18."""
    g = shown.glyphs
    if g.last == 1:
        return _last_factors(shown)
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


def _dynamic(shown: _Shown) -> str:
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


def _backwards(shown: _Shown) -> str:
    """Return the pass in S1's order: delta of the outputs, their gradients, delta before, gradients."""
    printer = TextPrinter()
    told = steps.algorithm_steps(shown.glyphs, "A4")
    lines = [line for step in told for line in printer.step(step, "numbers")]
    return "\n".join(lines[1:])


def _algorithm(shown: _Shown) -> str:
    """Return the notation, and the seven steps of S1 by name."""
    glyphs = Glyphs(shown.glyphs.trace, notations.NOTATIONS["jordan"])
    told = steps.algorithm_steps(glyphs, "A4")
    return "\n".join([*document.facts(glyphs), "", *(step.title for step in told)])


def _symmetry(shown: _Shown) -> str:
    net = shown.net.copy("float64")
    rows = []
    for what in ("equal", "one weight larger by 0.1"):
        for W, b in zip(net.weights, net.biases, strict=True):
            W[:] = 0.5
            if b is not None:
                b[:] = 0.1
        if what != "equal":
            net.weights[0][0, 0] += 0.1
        trace = net.trace(shown.x, shown.y)
        for j in shown.neurons(1):
            a, delta = (float(each[0, j]) for each in (trace.layers[0].a, trace.layers[0].delta))
            rows.append((what, str(j + 1), f"{a:.4g}", f"{delta:.4g}"))
    return table(["weights", "hidden neuron", "a", "δ"], rows)


FIGURES: dict[str, tuple[str, Callable[[_Shown], str]]] = {
    "V1": ("a network with one weight marked", _one_weight),
    "V2": ("biases and activations at their neurons", _labels),
    "V3": ("the outputs lead to the cost", _cost),
    "V4": ("the demon at a neuron changes its z", _demon),
    "V5": ("one weight: a in, δ out", _zoom),
    "V6": ("the activation function, with a dot where this neuron is", _activation),
    "V7": ("a change of one weight", _wave(0)),
    "V8": ("it changes the activation of its neuron", _wave(1)),
    "V9": ("and that all activations of the next layer", _wave(2)),
    "V10": ("and so on, to the cost", _wave(3)),
    "V11": ("a change along one path, and along another", _one_path),
    "V12": ("the rates on the edges of a path, and the sum over paths", _rates),
    "V13": ("each neuron in two halves, z and a", _in_halves),
    "V14": ("the chains of derivatives over the network", _chains),
    "V15": ("all the mathematics in the network", _expanded),
    "V16": ("the paths of a first weight through both outputs", _two_paths),
    "V17": ("the factors of the last layer's gradients", _last_factors),
    "V18": ("the factors of the layer before", _hidden_factors),
    "V19": ("backpropagation, step by step", _backwards),
    "V20": ("the notation and the seven steps", _algorithm),
    "V21": ("equal weights stay equal", _symmetry),
    "V22": ("the table of the dynamic programme", _dynamic),
}
