"""A pass told from input to update: steps, each with its formulas, and what must be said with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clearprop.costs import CLASSES
from clearprop.explain import forms
from clearprop.explain.expression import (
    Blank,
    Expr,
    Mat,
    Num,
    Relation,
    children,
    shown_of,
)
from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.input_steps import (
    embedding_gradient_step,
    embedding_step,
    scale_gradient_step,
    scale_step,
)
from clearprop.explain.step import EXAMPLES, Step, example, more


@dataclass(frozen=True)
class Document:
    """Everything a printer needs.

    Attributes
    ----------
    glyphs : Glyphs
    title : str
    facts : tuple of str
        Of the network and the batch.
    steps : tuple of Step
    footnotes : tuple of str
    answers : tuple of Blank
        The key, where numbers are left out.
    """

    glyphs: Glyphs
    title: str
    facts: tuple[str, ...]
    steps: tuple[Step, ...]
    footnotes: tuple[str, ...]
    answers: tuple[Blank, ...] = ()


def count_factors(sizes: Sequence[int]) -> int:
    """Return the factors of all chains of a network's weights: 8 for 1-1-1, 52 for 2-2-2 (C13)."""
    last = len(sizes) - 1
    return sum(
        sizes[l] * sizes[l - 1] * math.prod(sizes[l + 1 :]) * (3 + 2 * (last - l))
        for l in range(1, last + 1)  # noqa: E741 - the layer
    )


# Steps


def _contains(node: Expr, part: Expr) -> bool:
    return node == part or any(_contains(each, part) for each in children(node))


def _where_m_stands(glyphs: Glyphs, kind: str, lines: Sequence[Line] = ()) -> str:
    """Return where the 1/m of a batch is in a step, as a sentence."""
    m, place = glyphs.n_samples, glyphs.notation.reduction_in
    if m == 1:
        return ""
    here = f"1/m, with m = {m:,}, stands here"
    match kind, place:
        case "cost", "none":
            return f"{here}: the cost is the mean over the examples. In the gradient it is dropped."
        case "cost", _:
            return f"{here}: the cost is the mean over the examples."
        case (("error" | "delta"), "delta"):
            is_here = any(_contains(line.formula, forms.batch_scale(glyphs)) for line in lines)
            where = f"{here}, in δ of the output layer: all that is computed from it has it."
            return where if is_here else ""
        case "gradient", "delta":
            return "No 1/m stands here: δ has it already. The examples are added up."
        case "gradient", "none":
            return "No 1/m stands here: it is dropped. The examples are added up."
        case "gradient", _:
            return f"{here}, before the sum over the examples: δ of one example has none."
        case "update", "update" if forms.over_m(glyphs):
            return f"{here}, beside η, before the sum over the examples."
    return ""


def input_step(glyphs: Glyphs, row: int) -> Step:
    """Return what goes in and what should come out."""
    lines = []
    for symbol in (glyphs.a(0, None, row), glyphs.y(None, row)):
        value = symbol.value
        if isinstance(value, Mat):
            lines.append(Line(Relation((symbol, value)), "matrix"))
    n_in, n_out = glyphs.sizes[0], glyphs.sizes[-1]
    with np.errstate(all="ignore"):
        inputs = forms.chosen(glyphs.trace.inputs[row], forms.TERMS)
        targets = forms.chosen(glyphs.trace.Y[row], forms.TERMS)
    for symbol in (
        *(glyphs.a(0, k, row) for k in inputs),
        *(glyphs.y(j, row) for j in targets),
    ):
        if symbol.value is not None:
            lines += [Line(Relation((symbol, symbol.value)), form) for form in ("component", "numbers")]
    left_out = " ".join(
        each
        for each in (more(n_in, len(inputs), "inputs"), more(n_out, len(targets), "targets"))
        if each
    )
    return Step("input", f"Input and target{example(glyphs, row)}", 0, row, tuple(lines), left_out)


def _of_neurons(
    glyphs: Glyphs,
    layer: int,
    row: int,
    make: Sequence[Callable[[Glyphs, int, int, int], list[Line]]],
) -> tuple[list[Line], str]:
    shown = forms.neurons(glyphs, layer, row)
    lines = [line for j in shown for each in make for line in each(glyphs, layer, j, row)]
    return lines, more(glyphs.sizes[layer], len(shown), "neurons")


_FORWARD = forms.weighted_input, forms.activation, forms.mixed


def forward_step(glyphs: Glyphs, layer: int, row: int) -> Step:
    """Return z and a of one layer."""
    name = glyphs.trace.architecture.layers[layer - 1].function.name
    lines, left_out = _of_neurons(glyphs, layer, row, _FORWARD)
    title = f"Forward, layer {glyphs.number(layer)}: {short_name(name)}{example(glyphs, row)}"
    return Step(
        "forward", title, layer, row, (*forms.forward_matrix(glyphs, layer, row), *lines), left_out
    )


def cost_step(glyphs: Glyphs, row: int) -> Step:
    """Return the cost of one sample."""
    cost = glyphs.trace.architecture.cost
    lines, left_out = tuple(forms.cost(glyphs, row)), ""
    if glyphs.softmax and cost.kind == CLASSES:
        zeros = int((glyphs.trace.Y[row] == 0).sum())
        if zeros == 1:
            left_out = "[the other target is 0, and so is its term]"
        elif zeros:
            left_out = f"[the {zeros:,} other targets are 0, and so are their terms]"
    how = forms.written(glyphs)
    said = how.said if how is not None else ""
    return Step("cost", f"Cost: {cost.name}{example(glyphs, row)}", 0, row, lines, left_out, said)


def batch_cost_step(glyphs: Glyphs) -> Step:
    """Return the cost of the batch."""
    lines = tuple(forms.batch_cost(glyphs))
    said = _where_m_stands(glyphs, "cost")
    return Step("cost", f"Cost of the batch of {glyphs.n_samples:,}", lines=lines, said=said)


def error_step(glyphs: Glyphs, layer: int, row: int) -> Step:
    """Return dC/da of one layer."""
    if layer == glyphs.last:
        lines, left_out = _of_neurons(glyphs, layer, row, (forms.output_error,))
        matrix: list[Line] = []
    else:
        lines, left_out = _of_neurons(glyphs, layer, row, (forms.error,))
        matrix = forms.error_matrix(glyphs, layer, row)
    title = f"Backward, layer {glyphs.number(layer)}: the error arriving at a{example(glyphs, row)}"
    said = _where_m_stands(glyphs, "error", lines)
    return Step("error", title, layer, row, (*matrix, *lines), left_out, said)


def delta_step(glyphs: Glyphs, layer: int, row: int) -> Step:
    """Return delta of one layer."""
    lines, left_out = _of_neurons(glyphs, layer, row, (forms.delta, forms.mixed_slope))
    what = (
        "delta" if glyphs.notation.delta_symbol else "the derivative by z, shared by weights and bias"
    )
    said = _where_m_stands(glyphs, "delta", lines)
    if layer == glyphs.last and glyphs.softmax and glyphs.a_minus_y and glyphs.n_samples == 1:
        sizes = np.abs(glyphs.at(layer).delta[row])
        j = int(np.nan_to_num(sizes).argmax())
        lines += forms.canonical(glyphs, j)
        difference = "a − y" if glyphs.notation.delta_sign == 1 else "y − a"
        said = (
            f"Why it is {difference} is shown by the chain rule, for output {j + 1}: the sum over all "
            "outputs, the derivatives in it, the terms put together; the targets add up to one."
        )
    lines = [*forms.delta_matrix(glyphs, layer, row), *lines]
    title = f"Backward, layer {glyphs.number(layer)}: {what}{example(glyphs, row)}"
    return Step("delta", title, layer, row, tuple(lines), left_out, said)


def shown_weights(glyphs: Glyphs, layer: int) -> list[tuple[int, int]]:
    """Return the weights of a layer that are shown: all of a small one, else the largest gradients."""
    gradient = glyphs.at(layer).weight_gradient
    pairs = []
    for j in forms.neurons(glyphs, layer):
        limit = forms.INPUTS if gradient.shape[1] > forms.TERMS else forms.TERMS
        pairs += [(j, k) for k in forms.chosen(gradient[j], limit)]
    return pairs


def gradient_step(glyphs: Glyphs, layer: int) -> Step:
    """Return the gradient of one layer's weights and biases."""
    pairs = shown_weights(glyphs, layer)
    lines = [
        *forms.gradient_matrix(glyphs, layer),
        *(line for j, k in pairs for line in forms.weight_gradient(glyphs, layer, j, k)),
    ]
    left_out = more(glyphs.at(layer).weights.size, len(pairs), "weights")
    if glyphs.has_bias(layer):
        for j in forms.neurons(glyphs, layer):
            lines += forms.bias_gradient(glyphs, layer, j)
    for j in forms.neurons(glyphs, layer):
        lines += forms.share_gradient(glyphs, layer, j)
    if glyphs.n_samples == 1:
        every = glyphs.at(layer).weights.size <= 4
        for j, k in pairs if every else pairs[:1]:
            lines += forms.chain(glyphs, layer, j, k)
            if layer < glyphs.last:  # there, the chain is the one path
                lines += forms.path(glyphs, layer, j, k)
    over = f" over the batch of {glyphs.n_samples:,}" if glyphs.n_samples > 1 else ""
    title = f"Gradient, layer {glyphs.number(layer)}{over}"
    said = _where_m_stands(glyphs, "gradient")
    return Step("gradient", title, layer, None, tuple(lines), left_out, said)


def update_step(glyphs: Glyphs, layer: int) -> Step:
    """Return the update of one layer's parameters; the rule alone where it was not computed."""
    update, lines, left_out = glyphs.trace.update, forms.update_matrix(glyphs, layer), ""
    by = (
        "not computed: no learning rate was given"
        if update is None
        else type(update.optimizer).__name__
    )
    if update is not None:
        pairs = shown_weights(glyphs, layer)
        lines += [line for j, k in pairs for line in forms.update_weight(glyphs, layer, j, k)]
        left_out = more(glyphs.at(layer).weights.size, len(pairs), "weights")
        if glyphs.has_bias(layer):
            for j in forms.neurons(glyphs, layer):
                lines += forms.update_bias(glyphs, layer, j)
    if update is not None and any(b.lr_factor != 1 for b in glyphs.trace.architecture.blocks):
        by += ", each block with a rate of its own"
    title = f"Update, layer {glyphs.number(layer)} ({by})"
    said = _where_m_stands(glyphs, "update")
    return Step("update", title, layer, None, tuple(lines), left_out, said)


def short_name(name: str) -> str:
    """Return a name in at most 40 characters."""
    return name if len(name) <= 40 else name[:37] + "..."


def pass_steps(glyphs: Glyphs) -> list[Step]:
    """Return all steps, forwards, backwards, and the update after the last gradient (X36)."""
    steps: list[Step] = []
    last, m = glyphs.last, glyphs.n_samples
    rows = range(shown_of(m, EXAMPLES))
    for row in rows:
        if glyphs.trace.embedding is not None:
            steps.append(embedding_step(glyphs, row))
        if glyphs.trace.scale is not None:
            steps.append(scale_step(glyphs, row))
        steps.append(input_step(glyphs, row))
        steps += [forward_step(glyphs, layer, row) for layer in range(1, last + 1)]
        steps.append(cost_step(glyphs, row))
        for layer in range(last, 0, -1):
            steps += backward_steps(glyphs, layer, row)
    if m > len(rows):
        steps.append(Step("note", f"[..., {m - len(rows):,} more examples]"))
    if m > 1:
        steps.append(batch_cost_step(glyphs))
    steps += [gradient_step(glyphs, layer) for layer in range(last, 0, -1)]
    if glyphs.trace.scale is not None:
        steps.append(scale_gradient_step(glyphs))
    if glyphs.trace.embedding is not None:
        steps.append(embedding_gradient_step(glyphs))
    steps += [update_step(glyphs, layer) for layer in range(1, last + 1)]
    return steps


def backward_steps(glyphs: Glyphs, layer: int, row: int) -> list[Step]:
    """Return dC/da and delta of one layer, as far as the notation has both."""
    if layer == glyphs.last and glyphs.a_minus_y:
        return [delta_step(glyphs, layer, row)]  # computed from z, without dC/da
    if layer == glyphs.last or glyphs.notation.carried == "dC_da":
        return [error_step(glyphs, layer, row), delta_step(glyphs, layer, row)]
    return [delta_step(glyphs, layer, row)]


# Blanks


def with_blanks(document: Document) -> Document:
    """Return the document with the results of backward pass and gradients left out, and a key (E7).

    Chains and paths, which end in the same results, are left out whole, as on the page.
    """
    answers: list[Blank] = []
    steps = []
    for step in document.steps:
        lines = []
        told = [line for line in step.lines if line.form not in ("chain", "path")]
        for line in told:
            sides = line.formula.sides
            end = sides[-1]
            if (
                step.kind in ("error", "delta", "gradient")
                and line.form == "numbers"
                and isinstance(end, Num)
            ):
                blank = Blank(len(answers) + 1, end)
                answers.append(blank)
                line = replace(line, formula=Relation((*sides[:-1], blank), line.formula.sign))
            lines.append(line)
        steps.append(replace(step, lines=tuple(lines), said=said_of(step, told)))
    return replace(document, steps=tuple(steps), answers=tuple(answers))


def contains_matrix(node: Expr) -> bool:
    """Return whether a formula has a matrix of numbers."""
    return isinstance(node, Mat) or any(contains_matrix(each) for each in children(node))


def said_of(step: Step, shown: Sequence[Line]) -> str:
    """Return what is said of a step whose lines are these; of its chain only where they have it."""
    derived = step.kind == "delta" and any(line.form == "chain" for line in step.lines)
    return "" if derived and not any(line.form == "chain" for line in shown) else step.said


def wanted(line: Line, form: str | None) -> bool:
    """Return whether a line belongs to a form; None is the usual mixture."""
    if form is not None:
        return line.form == form
    if line.form == "matrix":
        return not contains_matrix(line.formula)
    return line.form in ("numbers", "chain", "path")
