"""The network, drawn: neurons split into z and a, edges as wide as their weights, the cost.

Positive weights are solid and blue, negative ones dashed and red, those of exactly 0 thin and
grey. The script finds a neuron by ``data-unit="layer,j"`` and an edge by
``data-edge="layer,to,from"``, layers counted from 0, the input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from clearprop.data.feature_names import NameInRow
from clearprop.explain.expression import Num, Sym
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.web.choice import DEEP, Choice
from clearprop.explain.web.narration import layer_name, unit_name
from clearprop.explain.web.numbers import Numbers
from clearprop.page import Markup, joined, tag

LABELS = 9  # edges between two layers that have room for their numbers
LEFT, TOP, BOTTOM = 64, 66, 26
HALF, PILL, PITCH = 90, 34, 68  # of a neuron: width of a half, height, least distance
INPUT = 40  # half the width of an input
TARGETS, COST = 78, 52  # the room for the targets, and half the width of the cost


class Plan(NamedTuple):
    """Where everything is."""

    width: float
    height: float
    at: dict[tuple[int, int], tuple[float, float]]  # of a unit, its middle
    columns: tuple[float, ...]
    more: dict[int, tuple[float, float]]  # where it says how many are left out


def plan(choice: Choice) -> Plan:
    """Return where the neurons stand."""
    last = len(choice.units) - 1
    rows = max(len(units) + bool(choice.left_out(i)) for i, units in enumerate(choice.units))
    pitch = max(PITCH, min(150.0, 340.0 / rows))
    inner = max(rows * pitch, 200.0)
    gap = {1: 400.0, 2: 306.0}.get(last, 286.0)
    columns = tuple(LEFT + layer * gap - (HALF - INPUT) * bool(layer) for layer in range(last + 1))
    at, more = {}, {}
    for layer, units in enumerate(choice.units):
        n = len(units) + bool(choice.left_out(layer))
        step = min(inner / n, 160.0)
        start = TOP + inner / 2 - step * (n - 1) / 2
        for i, unit in enumerate(units):
            at[layer, unit] = (columns[layer], start + i * step)
        if choice.left_out(layer):
            more[layer] = (columns[layer], start + (n - 1) * step)
    return Plan(columns[-1] + HALF + TARGETS + 2 * COST + 6, TOP + inner + BOTTOM, at, columns, more)


def too_deep(choice: Choice) -> Markup:
    """Return what is said of a network that is not drawn."""
    return tag(
        "p",
        f"This network has {len(choice.sizes) - 1} layers of weights; a drawing has room for {DEEP}. "
        "The tables and formulas below have its numbers.",
        class_="too-large",
    )


def _edge_style(value: float, largest: float, widest: float) -> tuple[str, str]:
    """Return class and width of an edge."""
    if not math.isfinite(value):
        return "nan", "3"
    share = abs(value) / largest if largest else 0.0
    sign = "negative" if value < 0 else "positive" if value > 0 else "zero"
    return sign, f"{0.6 + widest * share**0.7:.2f}"


def _at(*coordinates: float) -> str:
    """Return coordinates, to a tenth."""
    return " ".join(f"{round(each, 1):g}" for each in coordinates)


class Drawing:
    """Draws one network.

    Parameters
    ----------
    glyphs : Glyphs
    numbers : Numbers
    choice : Choice
    features, classes : sequence of str or None
        What inputs and outputs are called.
    """

    def __init__(
        self,
        glyphs: Glyphs,
        numbers: Numbers,
        choice: Choice,
        features: Sequence[object] | None = None,
        classes: Sequence[object] | None = None,
    ) -> None:
        self.glyphs, self.numbers, self.choice = glyphs, numbers, choice
        self.features, self.classes = features, classes
        self.plan = plan(choice)
        self.digits = min(numbers.digits, 3 if self._dense() else 4)

    def svg(self) -> Markup:
        """Return the picture."""
        p = self.plan
        layers = range(1, self.glyphs.last + 1)
        edges = [self._edges(layer) for layer in layers]
        units = [
            self._unit(layer, j) for layer in range(len(p.columns)) for j in self.choice.units[layer]
        ]
        return tag(
            "svg",
            tag("g", *(self._caption(layer) for layer in range(len(p.columns))), class_="captions"),
            tag("g", *edges, class_="edges"),
            tag("g", *self._to_cost(), class_="to-cost"),
            tag("g", *units, class_="units"),
            tag("g", *(self._more(layer) for layer in p.more), class_="more"),
            self._cost(),
            viewBox=f"0 0 {p.width:g} {p.height:g}",
            width=f"{p.width:g}",
            height=f"{p.height:g}",
            role="img",
            aria_label=self._alt(),
            class_="net" + (" dense" if self._dense() else ""),
        )

    def _dense(self) -> bool:
        return max(map(len, self.choice.units)) > 5

    def _alt(self) -> str:
        sizes = "-".join(map(str, self.glyphs.sizes))
        return f"The network {sizes}, with the numbers of this pass; the table has the same numbers"

    def name(self, layer: int, j: int) -> str:
        """Return a neuron's name with that of its feature or class."""
        name = unit_name(self.glyphs, layer, j)
        called = self.short_name(layer, j)
        return name if called == name else f"{name} ({called})"

    def short_name(self, layer: int, j: int) -> str:
        """Return the name of a neuron's feature or class, or else its own."""
        called = self._called(layer, j)
        if called and layer:
            return f"class {called}"
        return called or unit_name(self.glyphs, layer, j)

    def _called(self, layer: int, j: int) -> str:
        names = None
        if layer == 0:
            names = self.features
        elif layer == self.glyphs.last and self.glyphs.sizes[-1] > 1:
            names = self.classes
        return str(names[j]) if names is not None and j < len(names) else ""

    def _caption(self, layer: int) -> Markup:
        x, glyphs = self.plan.columns[layer], self.glyphs
        number = tag("tspan", str(glyphs.number(layer)), data_layer=layer)
        n = glyphs.sizes[layer]
        what = (
            f"{n:,}"
            if layer == 0
            else f"{n:,} {glyphs.trace.architecture.layers[layer - 1].function.name}"
        )
        if len(what) > 24:
            what = what[:22] + "…"
        name = layer_name(glyphs, layer)
        return joined(
            [
                tag("text", name, x=x, y=20, class_="layer-name"),
                tag("text", "layer ", number, f" · {what}", x=x, y=39, class_="layer-what"),
            ]
        )

    def _edges(self, layer: int) -> Markup:
        glyphs, choice = self.glyphs, self.choice
        pairs = choice.weights(layer)
        labelled = len(pairs) <= LABELS
        widest = 5.2 if labelled else 3.2
        W, G = glyphs.at(layer).weights, glyphs.at(layer).weight_gradient
        largest = [
            max((abs(float(M[p])) for p in pairs if math.isfinite(M[p])), default=0.0) for M in (W, G)
        ]
        update = glyphs.trace.update
        lines, labels = [], []
        for j, k in pairs:
            (x1, y1), (x2, y2) = self.plan.at[layer - 1, k], self.plan.at[layer, j]
            x1, x2 = x1 + (INPUT if layer == 1 else HALF), x2 - HALF
            sign, width = _edge_style(float(W[j, k]), largest[0], widest)
            g_sign, g_width = _edge_style(float(G[j, k]), largest[1], widest)
            after = None
            if update is not None:
                after = _edge_style(float(update.weights[layer - 1][j, k]), largest[0], widest)
            middle = (x1 + x2) / 2
            path = (
                f"M{_at(x1, y1)}L{_at(x2, y2)}"
                if labelled
                else f"M{_at(x1, y1)}C{_at(middle, y1, middle, y2, x2, y2)}"
            )
            line = tag("path", d=path, class_=f"line {sign}", stroke_width=width)
            hit = tag("path", d=path, class_="hit")
            lines.append(
                tag(
                    "g",
                    hit,
                    line,
                    class_="edge",
                    data_edge=f"{layer},{j},{k}",
                    data_w=f"{sign} {width}",
                    data_g=f"{g_sign} {g_width}",
                    data_u=None if after is None else " ".join(after),
                )
            )
            if labelled:
                labels.append(self._edge_label(layer, j, k, x1, y1, x2, y2))
        return tag("g", *lines, *labels, class_="between", data_layer=layer)

    def _edge_label(
        self, layer: int, j: int, k: int, x1: float, y1: float, x2: float, y2: float
    ) -> Markup:
        t = 0.27 if y1 != y2 else 0.4
        x, y = x1 + t * (x2 - x1), y1 + t * (y2 - y1) - 6
        where = {"x": _at(x), "y": _at(y)}
        w, g = self.glyphs.w(layer, j, k), self.glyphs.weight_gradient(layer, j, k)
        after = self.glyphs.weight_after(layer, j, k)
        made = [
            self.numbers.of(w, "text", self.digits, class_="weight", **where),
            self.numbers.of(g, "text", self.digits, class_="gradient", **where),
        ]
        if after is not None:
            made.append(self.numbers.of(after, "text", self.digits, class_="after", **where))
        return tag("g", *made, class_="edge-label", data_of=f"{layer},{j},{k}")

    def _unit(self, layer: int, j: int) -> Markup:
        x, y = self.plan.at[layer, j]
        parts = self._input(j, x, y) if layer == 0 else self._neuron(layer, j, x, y)
        return tag("g", *parts, class_="unit input" if layer == 0 else "unit", data_unit=f"{layer},{j}")

    def _input(self, j: int, x: float, y: float) -> list[Markup]:
        wide = INPUT
        called = self._called(0, j) or f"input {j + 1}"
        feature, raw = None if self.features is None else self.features[j], None
        if isinstance(feature, NameInRow):
            called, raw = feature.name, feature.raw
        below = {"x": x, "y": y + PILL / 2 + 14, "class_": "called"}
        return [
            tag("title", self.name(0, j)),
            tag(
                "rect",
                x=x - wide,
                y=y - PILL / 2,
                width=2 * wide,
                height=PILL,
                rx=PILL / 2,
                class_="body",
            ),
            self.numbers.of(self.glyphs.a(0, j), "text", self.digits, x=x, y=y + 5, class_="value a"),
            tag("text", _cut(called, 13), x=x, y=y - PILL / 2 - 5, class_="called"),
            *([] if raw is None else [tag("text", _cut(raw, 13), **below)]),
        ]

    def _neuron(self, layer: int, j: int, x: float, y: float) -> list[Markup]:
        glyphs, top = self.glyphs, y - PILL / 2
        r = PILL / 2
        left = f"M{x} {top}H{x - HALF + r}a{r} {r} 0 0 0 0 {PILL}H{x}Z"
        right = f"M{x} {top}H{x + HALF - r}a{r} {r} 0 0 1 0 {PILL}H{x}Z"
        called = self._called(layer, j)
        name = called or str(j + 1)
        delta = tag("tspan", "δ", class_="symbol")
        return [
            tag("title", self.name(layer, j)),
            tag("path", d=left, class_="half z"),
            tag("path", d=right, class_="half a"),
            tag("text", "z", x=x - HALF + 12, y=y + 4, class_="letter"),
            self._value(glyphs.z(layer, j), "z", x - 7, y + 5),
            tag("text", "a", x=x + 9, y=y + 4, class_="letter"),
            self._value(glyphs.a(layer, j), "a", x + HALF - 12, y + 5),
            tag("text", _cut(name, 18), x=x, y=top - 5, class_="called"),
            tag("text", delta, " ", self.numbers.of(glyphs.delta(layer, j), "tspan", self.digits),
                x=x, y=y + PILL / 2 + 15, class_="delta"),
        ]  # fmt: skip

    def _value(self, symbol: Sym, half: str, x: float, y: float) -> Markup:
        value = symbol.value
        is_long = isinstance(value, Num) and len(self.numbers.text(value, self.digits)) > 6
        kind = f"value {half} long" if is_long else f"value {half}"
        return self.numbers.of(symbol, "text", self.digits, x=x, y=y, class_=kind)

    def _more(self, layer: int) -> Markup:
        x, y = self.plan.more[layer]
        n = self.choice.left_out(layer)
        return tag("text", f"… {n:,} more", x=x, y=y + 4, class_="left-out")

    def _to_cost(self) -> list[Markup]:
        x, y = self._cost_at()
        made = []
        for j in self.choice.units[-1]:
            x1, y1 = self.plan.at[self.glyphs.last, j]
            x1 += HALF
            made.append(
                tag(
                    "path",
                    d=f"M{_at(x1, y1)}C{_at(x1 + 0.6 * TARGETS, y1, x - COST - 14, y, x - COST, y)}",
                )
            )
            target = tag("tspan", "target ", class_="symbol")
            clear_of_it = y1 - 7 if y1 <= y else y1 + 16  # the line goes to the middle
            made.append(
                tag("text", target, self.numbers.of(self.glyphs.y(j), "tspan"),
                    x=x1 + 4, y=clear_of_it, class_="target")
            )  # fmt: skip
        return made

    def _cost_at(self) -> tuple[float, float]:
        return self.plan.width - COST - 6, TOP + (self.plan.height - TOP - BOTTOM) / 2

    def _cost(self) -> Markup:
        x, y = self._cost_at()
        return tag(
            "g",
            tag("rect", x=x - COST, y=y - 25, width=2 * COST, height=50, rx=6, class_="body"),
            tag("text", "cost ", tag("tspan", self.glyphs.notation.cost_symbol, class_="cost-symbol"),
                x=x, y=y - 7, class_="letter"),
            self.numbers.of(self.glyphs.cost(0), "text", x=x, y=y + 13, class_="value"),
            class_="cost",
        )  # fmt: skip


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
