"""What the page has before any script runs: heading, network, steps, one weight, tables, notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clearprop.explain import paths
from clearprop.explain.document import Document, contains_matrix
from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.web import curves, narration
from clearprop.explain.web.choice import Choice
from clearprop.explain.web.drawing import Drawing, too_deep
from clearprop.explain.web.formulas import Formulas
from clearprop.explain.web.numbers import Numbers
from clearprop.explain.web.working import Shown, neuron_lines, weight_lines
from clearprop.page import Markup, joined, table, tag

ROWS = 64  # of a layer's table; a longer one has the units that are drawn
CHANGES = (
    "Predicted is each change from the one before, by the derivative; actual is what a second pass "
    "gives, on the engine's own scale."
)
OUTPUTS = 3  # that the heading names


def heading(glyphs: Glyphs, numbers: Numbers, drawing: Drawing, title: str) -> Markup:
    """Return the title, what happened, and what backpropagation asks."""
    what, why = narration.lead(glyphs)
    words = tag(
        "div",
        tag("h1", title),
        tag("p", what, " ", *_answer(glyphs, numbers, drawing), class_="lead"),
        tag("p", why, class_="lead"),
    )
    return tag("header", tag("div", words, *_picture(glyphs, drawing), class_="opening"))


def _picture(glyphs: Glyphs, drawing: Drawing) -> list[Markup]:
    """Return all inputs of the first example as a picture, where not all of them are drawn."""
    if not drawing.choice.left_out(0):
        return []
    image = curves.heat_map(glyphs.trace.inputs[0], "All inputs as a picture; the table has numbers")
    embedded = glyphs.trace.architecture.embedding
    words = f"all {glyphs.sizes[0]:,} {'numbers that layer 1 sees' if embedded else 'inputs'}"
    return [tag("figure", image, tag("figcaption", words), class_="inputs")]


def _answer(glyphs: Glyphs, numbers: Numbers, drawing: Drawing) -> list[object]:
    """Return what the network answered to the first example, and what it should have answered."""
    last, n = glyphs.last, glyphs.sizes[-1]
    cost: list[object] = ["The cost of that is ", numbers.of(glyphs.cost(0), "strong"), "."]
    if n <= OUTPUTS:
        answers = joined([numbers.of(glyphs.a(last, j)) for j in range(n)], ", ")
        targets = joined([numbers.of(glyphs.y(j)) for j in range(n)], ", ")
        begin = "It answered " if glyphs.n_samples == 1 else "To the first it answered "
        return [begin, answers, ", and should have answered ", targets, ". ", *cost]
    a, y = glyphs.at(last).a[0], glyphs.trace.Y[0]
    if not np.isfinite(a).all():
        return ["Its answer is not finite; the notes say where that begins. ", *cost]
    best, right = int(a.argmax()), int(y.argmax())
    said: list[object] = [
        "Its largest output is " if glyphs.n_samples == 1 else "Its largest output for the first is ",
        tag("b", drawing.short_name(last, best)), ", ",
        numbers.of(glyphs.a(last, best)), "; ",
    ]  # fmt: skip
    if best == right:
        said.append("that is right. ")
    else:
        said += ["right would have been ", tag("b", drawing.short_name(last, right)), ", which has ",
                 numbers.of(glyphs.a(last, right)), ". "]  # fmt: skip
    return [*said, *cost]


def network(glyphs: Glyphs, numbers: Numbers, choice: Choice, drawing: Drawing) -> Markup:
    """Return the drawing with its legend, and the same numbers as tables."""
    legend = tag(
        "p",
        tag("span", "z | a", class_="key pill"), " weighted input and activation; edges: ",
        tag("b", "weights", id="edges-now"), " ",
        tag("span", "", class_="key line positive"), " above 0  ",
        tag("span", "", class_="key line negative"),
        " below 0; the wider, the larger; 0 is thin and grey",
        class_="legend quiet",
    )  # fmt: skip
    picture = tag("div", drawing.svg(), class_="scroll picture") if choice.drawn else too_deep(choice)
    tables = tag(
        "details",
        tag("summary", "The same numbers as tables"),
        *layer_tables(glyphs, numbers, choice, drawing),
        class_="twin",
    )
    return tag(
        "section",
        tag("h2", "The network and this example", id="network-title"),
        picture,
        legend,
        tables,
        class_="card figure",
        id="network",
        aria_labelledby="network-title",
    )


def layer_tables(glyphs: Glyphs, numbers: Numbers, choice: Choice, drawing: Drawing) -> list[Markup]:
    """Return a table of the neurons of every layer, and of the weights that are drawn."""
    made = []
    for layer in range(glyphs.last + 1):
        n = glyphs.sizes[layer]
        units = range(n) if n <= ROWS else choice.units[layer]
        note = f"[..., {n - len(units):,} more]" if n > len(units) else None
        name = f"Layer {glyphs.number(layer)}, {narration.layer_name(glyphs, layer)}"
        made.append(_neurons(glyphs, numbers, drawing, layer, units, name, note))
        if layer:
            made.append(_weights(glyphs, numbers, choice, drawing, layer, name))
    return made


def _neurons(
    glyphs: Glyphs,
    numbers: Numbers,
    drawing: Drawing,
    layer: int,
    units: Sequence[int],
    name: str,
    note: str | None,
) -> Markup:
    if layer == 0:
        rows = [[drawing.name(0, j), numbers.of(glyphs.a(0, j))] for j in units]
        return table(name, ["neuron", "value"], rows, note=note)
    softmax = layer == glyphs.last and glyphs.softmax
    called = narration.heads(glyphs)
    heads: list[object] = ["neuron", "z", "a", "slope", *(_head(called, x) for x in ("error", "delta"))]
    rows = []
    for j in units:
        slope = glyphs.jacobian(j, j) if softmax else glyphs.da_dz(layer, j)
        symbols = (
            glyphs.z(layer, j),
            glyphs.a(layer, j),
            slope,
            glyphs.error(layer, j),
            glyphs.delta(layer, j),
        )
        rows.append([drawing.name(layer, j), *map(numbers.of, symbols)])
    if softmax:
        heads[3] = "∂a/∂z of its own"
    return table(name, heads, rows, note=note)


def _head(called: dict[str, str], quantity: str) -> Markup:
    """Return the name of a quantity, which changes with the notation."""
    return tag("span", called[quantity], data_head=quantity)


def _weights(
    glyphs: Glyphs, numbers: Numbers, choice: Choice, drawing: Drawing, layer: int, name: str
) -> Markup:
    called, after = narration.heads(glyphs), glyphs.trace.update is not None
    w, derivative = (_head(called, each) for each in ("weight", "weight_gradient"))
    rows = []
    for j, k in choice.weights(layer):
        numbered = [glyphs.w(layer, j, k), glyphs.weight_gradient(layer, j, k)]
        end = [glyphs.weight_after(layer, j, k)] if after else []
        rows.append(
            [f"{drawing.name(layer - 1, k)} → {drawing.name(layer, j)}",
             *(numbers.of(each) for each in (*numbered, *end) if each is not None)]
        )  # fmt: skip
    size = glyphs.at(layer).weights.size
    note = f"[..., {size - len(rows):,} more weights]" if size > len(rows) else None
    heads = ["from → to", w, derivative, *([joined([w, " after the update"])] if after else [])]
    return table(f"Weights into {name}", heads, rows, note=note)


def steps(formulas: Formulas, shown: Sequence[Shown]) -> Markup:
    """Return every step with its formulas."""
    made = []
    for i, each in enumerate(shown):
        lines = [formulas.line(x) for x in each.step.lines if _at_first(x)]
        made.append(
            tag(
                "section",
                tag("h3", each.step.title),
                *([tag("p", each.said)] if each.said else []),
                *lines,
                *([tag("p", each.step.left_out, class_="quiet")] if each.step.left_out else []),
                class_="step",
                id=f"step-{i}",
                data_kind=each.step.kind + each.half,
            )
        )
    return tag(
        "section",
        tag("h2", "The pass, step by step", id="steps-title"),
        tag("div", *made, id="all-steps"),
        class_="card",
        id="steps",
        aria_labelledby="steps-title",
    )


def _at_first(line: Line) -> bool:
    """Return whether a step shows a line before another form is asked for: not chains and paths."""
    return line.form == "numbers" or (line.form == "matrix" and not contains_matrix(line.formula))


def default_weight(glyphs: Glyphs, choice: Choice) -> tuple[int, int, int]:
    """Return the weight that is looked at first: of the first layer, with the largest derivative."""
    gradient = glyphs.at(1).weight_gradient
    with np.errstate(all="ignore"):
        pairs = choice.weights(1)
        sizes = [abs(float(gradient[p])) for p in pairs]
    finite = [x if np.isfinite(x) else -1.0 for x in sizes]
    j, k = pairs[int(np.argmax(finite))]
    return 1, j, k


def one_weight(
    glyphs: Glyphs, numbers: Numbers, formulas: Formulas, choice: Choice, drawing: Drawing
) -> Markup:
    """Return one weight looked at closely: its derivative in every form, factors, paths, its neuron."""
    layer, j, k = default_weight(glyphs, choice)
    name = f"from {drawing.name(layer - 1, k)} to {drawing.name(layer, j)}"
    parts = [
        tag("h2", "One weight, looked at closely", id="closer-title"),
        tag("p", f"The weight {name}."),
    ]
    parts += [formulas.line(line) for line in weight_lines(glyphs, layer, j, k)]
    if glyphs.n_samples == 1 and not (layer == glyphs.last and (glyphs.softmax or glyphs.a_minus_y)):
        factors = [
            ("activation that comes in", glyphs.a(layer - 1, k)),
            ("slope of the neuron", glyphs.da_dz(layer, j)),
            ("error that arrives", glyphs.error(layer, j)),
            (f"their product, {narration.heads(glyphs)['weight_gradient']}",
             glyphs.weight_gradient(layer, j, k)),
        ]  # fmt: skip
        rows = [[label, numbers.of(symbol)] for label, symbol in factors]
        parts.append(table("Three factors", ["factor", "value"], rows))
    parts += [tag("h3", f"Its neuron: {drawing.name(layer, j)}")]
    parts += [formulas.line(line) for line in neuron_lines(glyphs, layer, j)]
    if glyphs.n_samples == 1:
        parts.append(_paths(glyphs, numbers, drawing, layer, j, k))
        parts.append(_changes(glyphs, numbers, choice, drawing, layer, j, k))
    return tag("section", *parts, class_="card", id="closer", aria_labelledby="closer-title")


def _paths(glyphs: Glyphs, numbers: Numbers, drawing: Drawing, layer: int, j: int, k: int) -> Markup:
    found = paths.path_sum_of(glyphs.trace, layer - 1, j, k, 8)
    rows: list[list[Any]] = []
    for path in found.paths:
        way = " → ".join(str(neuron + 1) for neuron in path.neurons)
        rows.append([way, f"{path.product:.4g}".replace("-", "−"), f"{path.share:.1%}"])
    said = f"{found.n_paths:,} path{'s' if found.n_paths != 1 else ''} of {found.n_factors} factors"
    more = found.n_paths - len(found.paths)
    if found.undefined:
        note = f"{said}. {found.undefined}"
    else:
        note = (
            f"{said}; their sum is {found.cancellation:.1%} of the sum of their absolute values. "
            f"The engine's own scale.{f' [..., {more:,} more]' if more else ''}"
        )
    return table("From this weight to the cost, path by path",
                 ["through neurons", "product", "share"], rows, note=note)  # fmt: skip


def _changes(
    glyphs: Glyphs,
    numbers: Numbers,
    choice: Choice,
    drawing: Drawing,
    layer: int,
    j: int,
    k: int,
) -> Markup:
    """Return what a change of the weight does on its way to the cost: (47) to (50) of S2."""
    trace, rows = glyphs.trace, []
    for at, unit, *pair in curves.changes_of_weight(trace, choice, layer, j, k, numbers.digits):
        name, number = "the cost", "(47)"
        if at is not None:
            name = f"a of {drawing.name(at, unit)}"
            number = {layer: "(48)", layer + 1: "(49), (50)"}.get(at, "(49)")
        rows.append([name, *pair, number])
    return table(
        f"The weight grows by {curves.CHANGE:g}: what changes, and by how much",
        ["what changes", "predicted", "actual", "S2"],
        rows,
        note=CHANGES,
    )


def notes(told: Document) -> Markup:
    """Return what the network is, scale, errata and rounding."""
    return tag(
        "section",
        tag("h2", "Notes", id="notes-title"),
        tag("ul", *(tag("li", f"{fact}.") for fact in told.facts), id="facts"),
        tag("ul", *(tag("li", f"{note}.") for note in told.footnotes), id="footnotes"),
        class_="card notes",
        id="notes",
        aria_labelledby="notes-title",
    )


def key(formulas: Formulas, told: Document) -> Markup:
    """Return the answers to the blanks."""
    math = [Markup(f"<math>{formulas.inline(each.answer)}</math>") for each in told.answers]
    return tag(
        "details",
        tag("summary", "Key to the blanks"),
        tag("ol", *(tag("li", each) for each in math)),
        class_="card",
        id="key",
    )
