"""The page put together."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from typing import Any

from clearprop.explain import notation as notations
from clearprop.explain import paths, steps
from clearprop.explain.document import Document
from clearprop.explain.expression import Num, shown_of
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import NOTATIONS, Notation
from clearprop.explain.step import EXAMPLES
from clearprop.explain.telling import explained
from clearprop.explain.web import curves, panels, working
from clearprop.explain.web.choice import Choice, choose
from clearprop.explain.web.drawing import Drawing
from clearprop.explain.web.formulas import Formulas
from clearprop.explain.web.numbers import Numbers
from clearprop.explain.web.trees import Trees, binds
from clearprop.page import Markup, joined, module, tag
from clearprop.page import document as whole_document
from clearprop.trace import Trace

SCRIPTS = (
    "script/state.js",
    "script/numbers.js",
    "script/formula.js",
    "script/elements.js",
    "script/network.js",
    "script/steps.js",
    "script/update.js",
    "script/closer.js",
    "script/paths.js",
    "script/nudge.js",
    "script/main.js",
)
PATHS = 8  # of a neuron that the page lists


def page(
    trace: Trace,
    notation: str | Notation | None = None,
    *,
    form: str | None = None,
    algorithm: str | None = None,
    digits: int = 4,
    blanks: bool = False,
    faithful: bool = False,
    feature_names: Sequence[object] | None = None,
    classes: Sequence[object] | None = None,
) -> str:
    """Return one pass as a page: a whole HTML document that needs nothing but itself.

    Parameters
    ----------
    trace : Trace
    notation : str or Notation
        In which it opens; the reader can choose another.
    form, algorithm, digits, blanks, faithful
        As `clearprop.explain.explain`.
    feature_names, classes : sequence, optional
        What inputs and outputs are called; any text.

    Returns
    -------
    str
        The same bytes for the same trace.
    """
    if notation is None:
        notation = steps.NOTATION_OF.get(algorithm or "", "nielsen")
    given = notations.resolve(notation)
    how: dict[str, Any] = {"algorithm": algorithm, "digits": digits, "faithful": faithful}
    how |= {"feature_names": feature_names, "classes": classes}
    told = explained(trace, given, blanks=blanks, **how)
    whole = explained(trace, given, **how) if blanks else told
    glyphs, choice = told.glyphs, choose(trace)
    numbers, formulas = Numbers(glyphs, digits), Formulas(digits)
    drawing = Drawing(glyphs, numbers, choice, feature_names, classes)
    shown = working.shown_steps(glyphs, told.steps)
    parts = [
        panels.heading(glyphs, numbers, drawing, _title(told)),
        tag(
            "main",
            tag(
                "div",
                panels.network(glyphs, numbers, choice, drawing),
                panels.steps(formulas, shown),
                class_="pass",
            ),
            *([panels.key(formulas, told)] if blanks else []),
            panels.one_weight(glyphs, numbers, formulas, choice, drawing),
            panels.notes(told),
        ),
    ]
    data = _data(whole, choice, drawing, numbers, digits, how)
    data |= {
        "blanks": blanks,
        "form": form or "numbers",
        "selected": ",".join(map(str, panels.default_weight(glyphs, choice))),
    }
    return whole_document(
        _title(told),
        joined(parts, "\n"),
        style=_text("web.css"),
        script=module("clearprop.explain.web", [each for each in SCRIPTS if needs(trace, each)]),
        data=data,
        description=f"One pass of a network {'-'.join(map(str, glyphs.sizes))}, with every number",
    )


def needs(trace: Trace, script: str) -> bool:
    """Return whether a page has a script: a learning rate is asked for where there was none."""
    return script != "script/update.js" or trace.update is None


def _title(told: Document) -> str:
    return told.title if told.title != "Backpropagation" else "Backpropagation, shown"


def _text(name: str) -> str:
    return importlib.resources.files("clearprop.explain.web").joinpath(name).read_text("utf-8")


def fragment(
    trace: Trace,
    *,
    feature_names: Sequence[object] | None = None,
    classes: Sequence[object] | None = None,
) -> str:
    """Return the drawing and the tables for a notebook's cell, in the first notation."""
    glyphs, choice = Glyphs(trace, notations.NIELSEN), choose(trace)
    numbers = Numbers(glyphs, 4)
    drawing = Drawing(glyphs, numbers, choice, feature_names, classes)
    shown = panels.network(glyphs, numbers, choice, drawing)
    return tag("div", Markup(f"<style>{_scoped_style()}</style>"), shown, class_="clearprop-trace")


def _scoped_style() -> str:
    """Return the pages' style for one element alone, by CSS nesting: a notebook has its own."""
    shared = importlib.resources.files("clearprop.page").joinpath("page.css").read_text("utf-8")
    own = "& { background: var(--card); color: var(--ink); font-family: var(--serif); }\n"
    return ".clearprop-trace {\n" + shared.replace(":root", "&") + _text("web.css") + own + "}\n"


# What the script gets


def _data(
    told: Document,
    choice: Choice,
    drawing: Drawing,
    numbers: Numbers,
    digits: int,
    how: dict[str, Any],
) -> dict[str, Any]:
    glyphs, trees = told.glyphs, Trees(digits)
    trace = glyphs.trace
    notes = [_in_notation(glyphs, told, choice, trees, digits)]
    for other in NOTATIONS.values():
        if other.name != glyphs.given.name:
            notes += _in_other(trace, other, choice, trees, digits, how)
    words: dict[str, int] = {}  # what is said of a step is often the same in all notations
    for step in (step for each in notes for step in each["steps"]):
        for name in ("title", "said"):
            step[name] = words.setdefault(step[name], len(words))
    every = [(l, j) for l in range(len(choice.units)) for j in choice.units[l]]  # noqa: E741
    curve_list, curve_of = _curves(trace, choice)
    data: dict[str, Any] = {
        "format": "page/1",
        "sizes": list(choice.sizes),
        "units": [list(units) for units in choice.units],
        "drawn": choice.drawn,
        "samples": glyphs.n_samples,
        "rows": shown_of(glyphs.n_samples, EXAMPLES),
        "softmax": glyphs.softmax,
        "a_minus_y": glyphs.a_minus_y,
        "cost": trace.architecture.cost.name,
        "single": str(trace.layers[0].z.dtype) == "float32",
        "digits": digits,
        "updated": trace.update is not None,
        **({} if trace.update else {"rate_factors": _rate_factors(trace)}),
        "biases": [glyphs.has_bias(l) for l in range(1, glyphs.last + 1)],  # noqa: E741
        "names": {f"{l},{j}": drawing.name(l, j) for l, j in every},  # noqa: E741
        "functions": [layer.function.name[:40] for layer in trace.architecture.layers],
        "binds": binds(),
        "nodes": [],
        "notations": notes,
        "words": list(words),
        "curves": curve_list,
        "curve_of": curve_of,
        "nudges": list(curves.NUDGES),
        "nudged": _nudged(trace, choice),
        "change": curves.CHANGE,
        "changes": _changes(glyphs, choice, digits),
        "paths": _paths(glyphs, choice, numbers) if glyphs.n_samples == 1 else {},
        "heat": _heat(trace, choice),
    }
    _keep_rows(glyphs, choice, numbers, data["rows"])
    if trace.update is None:
        _keep_biases(glyphs, choice, numbers)
    data["nodes"], data["values"] = trees.nodes, numbers.values
    return data


def _rate_factors(trace: Trace) -> list[list[float]]:
    """Return what the learning rate is multiplied by, for the weights and biases of each layer."""
    factors = {each.name: each.lr_factor for each in trace.architecture.blocks}
    names = (f"layers.{i}" for i in range(len(trace.layers)))
    return [[factors[f"{name}.weight"], factors.get(f"{name}.bias", 1.0)] for name in names]


def _in_notation(
    glyphs: Glyphs, told: Document, choice: Choice, trees: Trees, digits: int
) -> dict[str, Any]:
    return working.told(glyphs, working.shown_steps(glyphs, told.steps), choice, trees, digits)


def _in_other(
    trace: Trace, other: Notation, choice: Choice, trees: Trees, digits: int, how: dict[str, Any]
) -> list[dict[str, Any]]:
    try:
        told = explained(trace, other, **how)
    except ValueError:  # an algorithm that cannot be told in it
        return []
    return [_in_notation(told.glyphs, told, choice, trees, digits)]


def _curves(trace: Trace, choice: Choice) -> tuple[list[Any], dict[str, int]]:
    """Return the different activation curves, and which of them each drawn neuron has."""
    found: dict[Any, int] = {}
    of: dict[str, int] = {}
    for layer, units in enumerate(choice.units):
        if layer == 0:
            continue
        here = trace.layers[layer - 1]
        cached: dict[str, int] = {}
        for j in units:
            own = here.of_neuron(j)
            if own.name not in cached:
                curve = curves.activation_curve(own, here.z[0])
                cached[own.name] = -1 if curve is None else found.setdefault(curve, len(found))
            of[f"{layer},{j}"] = cached[own.name]
    return [list(curve) for curve in found], of


def _nudged(trace: Trace, choice: Choice) -> dict[str, list[float | str]]:
    made = {}
    for layer, units in enumerate(choice.units):
        for j in units if layer else ():
            costs = curves.nudged_costs(trace, layer, j)
            made[f"{layer},{j}"] = [_plain(float(each)) for each in costs]
    return made


def _changes(glyphs: Glyphs, choice: Choice, digits: int) -> dict[str, list[list[Any]]]:
    """Return what a change of each drawn weight does on its way to the cost, of not too many."""
    layers = range(1, glyphs.last + 1 if choice.drawn else 2)
    weights = [(layer, *pair) for layer in layers for pair in choice.weights(layer)]
    if glyphs.n_samples > 1 or len(weights) > working.WRITTEN:
        return {}
    return {
        f"{layer},{j},{k}": curves.changes_of_weight(glyphs.trace, choice, layer, j, k, digits)
        for layer, j, k in weights
    }


def _plain(value: float) -> float | str:
    text = repr(value)
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, value)


def _paths(glyphs: Glyphs, choice: Choice, numbers: Numbers) -> dict[str, Any]:
    """Return the largest paths from each drawn neuron on; a weight's first factor comes before them."""
    trace, made = glyphs.trace, {}
    for layer, units in enumerate(choice.units):
        for j in units if layer else ():
            found = paths.path_sum_of(trace, layer - 1, j, None, PATHS)
            ways = []
            for path in found.paths:
                ways.append(list(path.neurons))
                for number in _factors(glyphs, layer, path.neurons):
                    numbers.keep(number)
            made[f"{layer},{j}"] = {
                "n": found.n_paths,
                "factors": found.n_factors,
                "absolute": _plain(found.absolute_total),
                "ways": ways,
            }
    return made


def _factors(glyphs: Glyphs, layer: int, way: tuple[int, ...]) -> list[Num]:
    """Return the numbers along a path, as `paths` multiplies them; the script names the same ones."""
    trace, made = glyphs.trace, []
    for depth, at in enumerate(range(layer, glyphs.last + 1)):
        here = trace.layers[at - 1]
        if depth:
            made.append(Num("weight", at, (way[depth], way[depth - 1]), here.weights))
        index = (0, way[depth]) if here.slope.ndim == 2 else (0, way[-1], way[depth])
        made.append(Num("slope", at, index, here.slope))
    return [*made, Num("error", glyphs.last, (0, way[-1]), trace.layers[-1].error)]


def _heat(trace: Trace, choice: Choice) -> dict[str, list[str]]:
    """Return pictures of the weights into a drawn neuron, and of their derivatives, of wide layers."""
    made = {}
    for layer, units in enumerate(choice.units):
        if layer == 0 or not choice.left_out(layer - 1):
            continue
        here = trace.layers[layer - 1]
        for j in units:
            made[f"{layer},{j}"] = [
                curves.picture(here.weights[j]), curves.picture(here.weight_gradient[j])
            ]  # fmt: skip
    return made


def _keep_biases(glyphs: Glyphs, choice: Choice, numbers: Numbers) -> None:
    """Keep what a learning rate that a reader gives is for, besides the weights."""
    for layer in range(1, glyphs.last + 1):
        here = glyphs.at(layer)
        for name, array in (("bias", here.biases), ("bias_gradient", here.bias_gradient)):
            if array is not None:
                for j in choice.units[layer]:
                    numbers.keep(Num(name, layer, (j,), array))


def _keep_rows(glyphs: Glyphs, choice: Choice, numbers: Numbers, rows: int) -> None:
    """Keep what the drawing shows of each example, for all that can be stepped through."""
    for row in range(rows):
        for layer, units in enumerate(choice.units):
            for j in units:
                symbols = [glyphs.a(layer, j, row)]
                if layer:
                    symbols += [glyphs.z(layer, j, row), glyphs.delta(layer, j, row)]  # type: ignore[list-item]
                    if not (layer == glyphs.last and glyphs.softmax):
                        symbols.append(glyphs.slope(layer, j, row))  # type: ignore[arg-type]
                    symbols.append(glyphs.error(layer, j, row))  # type: ignore[arg-type]
                if layer == glyphs.last:
                    symbols.append(glyphs.y(j, row))
                for symbol in symbols:
                    if isinstance(symbol.value, Num):
                        numbers.keep(symbol.value)
        number = glyphs.cost(row).value
        if isinstance(number, Num):
            numbers.keep(number)
