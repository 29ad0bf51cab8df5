"""The pass in every notation: steps, what is said of them, the formulas of each neuron and weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from clearprop.explain import forms, remarks
from clearprop.explain.expression import Sym
from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.step import Step
from clearprop.explain.web import narration
from clearprop.explain.web.choice import Choice
from clearprop.explain.web.trees import Trees

WRITTEN = 200  # weights whose sums over paths are written out; of more, the paths are a table


class Shown(NamedTuple):
    """A step of the page: a step of the document, or the z or a half of one forwards."""

    step: Step
    half: str
    said: str

    @property
    def key(self) -> str:
        """What is the same step in every notation."""
        row = "" if self.step.row is None else self.step.row
        return f"{self.step.kind}{self.half}/{self.step.layer}/{row}"


def shown_steps(glyphs: Glyphs, steps: Iterable[Step]) -> list[Shown]:
    """Return the steps of the page; those forwards are cut into z and a."""
    made = []
    for step in steps:
        # The page begins with what layer 1 sees, and its facts say so.
        if step.kind in ("embedding", "scale"):
            continue
        if step.kind != "forward":
            said = " ".join(each for each in (narration.said(glyphs, step), step.said) if each)
            made.append(Shown(step, "", said))
            continue
        for half in ("z", "a"):
            lines = tuple(line for line in step.lines if _is_of(line, half))
            title = step.title.replace("Forward, ", f"Forward, {_HALVES[half]}, ")
            said = narration.said(glyphs, step, half)
            made.append(Shown(replace(step, lines=lines, title=title), half, said))
    return made


_HALVES = {"z": "the weighted inputs z", "a": "the activations a"}


def _is_of(line: Line, half: str) -> bool:
    first = line.formula.sides[0]
    return isinstance(first, Sym) and first.base == half


def chip(glyphs: Glyphs, shown: Shown) -> Any:
    """Return the symbol that stands for a step in the row of all steps, as an expression."""
    layer, row = shown.step.layer, shown.step.row
    match shown.step.kind:
        case "input":
            return glyphs.a(0, None, row)
        case "forward":
            return glyphs.z(layer, None, row) if shown.half == "z" else glyphs.a(layer, None, row)
        case "cost":
            return Sym(glyphs.notation.cost_symbol)
        case "error":
            return glyphs.error(layer, None, row)
        case "delta":
            return glyphs.delta(layer, None, row)
        case "gradient":
            return glyphs.weight_gradient(layer)
        case "update":
            return Sym(glyphs.notation.matrix_symbol, glyphs.weight_sup(layer))
    return Sym("…")


def neuron_lines(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return all that the pass has of one neuron, for the first example."""
    if layer == 0:
        return []
    lines = [*forms.weighted_input(glyphs, layer, j, 0), *forms.activation(glyphs, layer, j, 0)]
    lines += forms.mixed(glyphs, layer, j, 0)
    if layer < glyphs.last:
        lines += forms.error(glyphs, layer, j, 0)
    elif not glyphs.a_minus_y:
        lines += forms.output_error(glyphs, layer, j, 0)
    lines += [*forms.delta(glyphs, layer, j, 0), *forms.mixed_slope(glyphs, layer, j, 0)]
    if glyphs.has_bias(layer):
        lines += forms.bias_gradient(glyphs, layer, j)
        lines += forms.update_bias(glyphs, layer, j)
    return [line for line in lines if line.form == "numbers"]


def weight_lines(glyphs: Glyphs, layer: int, j: int, k: int, in_paths: bool = True) -> list[Line]:
    """Return the derivative of one weight in every form, and its update."""
    lines = [line for line in forms.weight_gradient(glyphs, layer, j, k) if line.form == "numbers"]
    if glyphs.n_samples == 1:
        lines += forms.chain(glyphs, layer, j, k)
        if in_paths and (layer < glyphs.last or glyphs.softmax):
            lines += forms.path(glyphs, layer, j, k)
    update = forms.update_weight(glyphs, layer, j, k)
    return lines + [replace(line, form="update") for line in update if line.form == "numbers"]


def told(
    glyphs: Glyphs, steps: list[Shown], choice: Choice, trees: Trees, digits: int
) -> dict[str, Any]:
    """Return the pass in one notation, for the script."""
    n, f = glyphs.given, glyphs.factors
    neurons, weights = {}, {}
    n_weights = sum(len(choice.weights(layer)) for layer in range(1, glyphs.last + 1))
    in_paths = n_weights <= WRITTEN
    # Where there is no drawing, only what is shown at first can be looked at.
    for layer in range(1, glyphs.last + 1 if choice.drawn else 2):
        for j in choice.units[layer]:
            lines = neuron_lines(glyphs, layer, j)
            neurons[f"{layer},{j}"] = [trees.line(line) for line in lines]
        for j, k in choice.weights(layer):
            lines = weight_lines(glyphs, layer, j, k, in_paths)
            weights[f"{layer},{j},{k}"] = [trees.line(line) for line in lines]
    return {
        "name": n.name,
        "source": n.source,
        "factors": {
            "cost": f.cost,
            "sample_cost": f.sample_cost,
            "delta": f.delta,
            "error": f.delta,
            "weight_gradient": f.gradient,
            "bias_gradient": f.gradient,
            "share_gradient": f.gradient,
        },
        "layer_numbers": [glyphs.number(layer) for layer in range(glyphs.last + 1)],
        "cost_symbol": glyphs.notation.cost_symbol,
        "heads": narration.heads(glyphs),
        "steps": [_step(glyphs, each, trees) for each in steps],
        "neurons": neurons,
        "weights": weights,
        "footnotes": list(remarks.footnotes(glyphs, [each.step for each in steps], digits)),
    }


def _step(glyphs: Glyphs, shown: Shown, trees: Trees) -> dict[str, Any]:
    step = shown.step
    return {
        "key": shown.key,
        "kind": step.kind + shown.half,
        "layer": step.layer,
        "row": step.row,
        "title": step.title,
        "said": shown.said,
        "left_out": step.left_out,
        "chip": trees.add(chip(glyphs, shown)),
        # Those in symbols alone are the beginning of those with numbers.
        "lines": [trees.line(line) for line in step.lines if line.form != "component"],
    }
