"""Figures of the network, of a change as it spreads, of one weight and of one neuron."""

from __future__ import annotations

from collections.abc import Callable

from clearprop.explain import document
from clearprop.explain.drawing import curve, drawn, table
from clearprop.explain.figures.shown import ROWS, Shown, columns, edge, halves, named
from clearprop.explain.nudge import Nudge, nudge
from clearprop.explain.printers.text import TextPrinter


def one_weight(shown: Shown) -> str:
    """Return the network with the weight marked, and its value: V1."""
    w = shown.glyphs.w(*shown.weight)
    return "\n".join(
        [
            *drawn(columns(shown, named(shown)), [edge(shown, *shown.weight)]),
            f"{shown.text(w)} = {shown.number(w)}",
        ]
    )


def labels(shown: Shown) -> str:
    """Return biases and activations at their neurons: V2."""
    g = shown.glyphs

    def label(layer: int, j: int) -> str:
        bias = layer > 0 and g.has_bias(layer)
        return (f"{shown.text(g.b(layer, j))} → " if bias else "") + shown.text(g.a(layer, j))

    return "\n".join(drawn(columns(shown, label)))


def cost(shown: Shown) -> str:
    """Return the outputs as they lead to the cost: V3."""
    cost = shown.glyphs.cost(0)
    lines = drawn(columns(shown, named(shown)), end=shown.text(cost))
    return "\n".join([*lines, f"{shown.text(cost)} = {shown.number(cost)}"])


def in_halves(shown: Shown) -> str:
    """Return each neuron in two halves, z and a, once as symbols and once as numbers: V13."""
    g = shown.glyphs

    def numbers(layer: int, j: int) -> str:
        a = shown.number(g.a(layer, j))
        return a if layer == 0 else f"{shown.number(g.z(layer, j))}|{a}"

    pair = [
        drawn(columns(shown, label), end=end)
        for label, end in (
            (halves(shown), shown.text(g.cost(0))),
            (numbers, shown.number(g.cost(0))),
        )
    ]
    return "\n\n".join("\n".join(lines) for lines in pair)


def expanded(shown: Shown) -> str:
    """Return all the mathematics of the forward pass in the network: V15."""
    lines = drawn(columns(shown, halves(shown)), end=shown.text(shown.glyphs.cost(0)))
    printer = TextPrinter()
    for layer in range(1, shown.glyphs.last + 1):
        lines += ["", *printer.step(document.forward_step(shown.glyphs, layer, 0), "component")[1:]]
    return "\n".join(lines)


def demon(shown: Shown) -> str:
    """Return a change of z at one neuron, and what it does to the cost: V4."""
    layer, to, _ = shown.weight
    return "\n\n".join(str(nudge(shown.net, shown.x, shown.y, layer - 1, to, by)) for by in (0.1, 0.01))


def wave(frame: int) -> Callable[[Shown], str]:
    """Return the figure of how far a change of one weight has come: V7 to V10."""

    def made(shown: Shown) -> str:
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


def _moved(shown: Shown, moved: Nudge, layer: int, number: str) -> list[tuple[str, str, str, str]]:
    made = []
    for each in moved.changes:
        if each.layer == layer - 1 and each.neuron < ROWS:
            name = f"Δ{shown.text(shown.glyphs.a(layer, each.neuron))}"
            made.append((name, f"{each.predicted:#.4g}", f"{each.actual:#.4g}", number))
    return made


def zoom(shown: Shown) -> str:
    """Return the weight between the a that comes in and the δ behind it: V5."""
    g, (layer, to, source) = shown.glyphs, shown.weight
    a, delta, w = g.a(layer - 1, source), g.delta(layer, to), g.weight_gradient(layer, to, source)
    return (
        f"a in ──({shown.text(g.w(layer, to, source))})──> δ out\n"
        f"{shown.text(w)} = {shown.text(a)} × {shown.text(delta)} = {shown.number(a)} × "
        f"{shown.number(delta)} = {shown.number(w)}"
    )


def activation(shown: Shown) -> str:
    """Return the activation function, with a dot where the neuron is: V6."""
    layer, to, _ = shown.weight
    here, z = shown.glyphs.at(layer), shown.glyphs.z(layer, to)
    function, part, at = here.function, here.of_neuron(to), float(here.z[0, to])
    slope = (
        shown.number(shown.glyphs.da_dz(layer, to)) if function.elementwise else "a row of the Jacobian"
    )
    head = f"{part.name}; the dot is at {shown.text(z)} = {shown.number(z)}, where the slope is {slope}"
    return "\n".join([head, *curve(part, at)]) if part.elementwise else head


def symmetry(shown: Shown) -> str:
    """Return equal weights, and what equal they keep: V21."""
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
