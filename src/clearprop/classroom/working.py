"""The steps of a pass with blanks in them, and what a sheet says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from clearprop.explain import document
from clearprop.explain.expression import Blank, Expr, Num, Relation, Sym, has_symbols
from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.step import Step
from clearprop.trace import Trace, TraceLayer, Update

_Record = TypeVar("_Record", Trace, TraceLayer, Update)

BLANKS = ("forward", "deltas", "gradients", "update")
_KINDS = {
    "forward": "forward", "cost": "forward", "error": "deltas", "delta": "deltas",
    "gradient": "gradients", "update": "update",
}  # fmt: skip

# What a student has to know of an activation; {f} is what the notation calls it.
_FORMULAS = {
    "sigmoid": "{f}(z) = 1/(1 + exp(−z)), with the derivative {f}(z) (1 − {f}(z))",
    "tanh": "{f}(z) = tanh(z), with the derivative 1 − {f}(z) {f}(z)",
    "relu": "{f}(z) = z where z > 0 and 0 elsewhere, with the derivative 1 or 0",
    "leaky_relu": "{f}(z) = z where z > 0 and 0.01 z elsewhere, with the derivative 1 or 0.01",
    "identity": "{f}(z) = z, with the derivative 1",
    "softmax": "the outputs are exp(z), divided by the sum of all of them",
}
ACTIVATIONS = tuple(_FORMULAS)


def shortened(trace: Trace) -> Trace:
    """Return a trace whose numbers are rounded to 13 digits: short ones are seen to be short."""
    layers = tuple(_shortened(layer) for layer in trace.layers)
    update = None if trace.update is None else _shortened(trace.update)
    return replace(_shortened(trace), layers=layers, update=update)


def _shortened(made: _Record) -> _Record:
    """Return a dataclass with its arrays, and tuples of arrays, rounded."""
    new: dict[str, Any] = {}
    for field in fields(made):
        value = getattr(made, field.name)
        if isinstance(value, np.ndarray | float):
            new[field.name] = _rounded(value)
        elif isinstance(value, tuple) and any(isinstance(each, np.ndarray) for each in value):
            new[field.name] = tuple(None if each is None else _rounded(each) for each in value)
    return replace(made, **new)


def _rounded(value: Any) -> Any:
    array = np.asarray(value)
    made = np.array([float(f"{each:.13g}") for each in array.reshape(-1)]).reshape(array.shape)
    return float(made) if isinstance(value, float) else made


def told(glyphs: Glyphs) -> list[Step]:
    """Return what is given, and the steps of the pass, each with the lines that have numbers."""
    steps = [_given(glyphs)]
    for step in document.pass_steps(glyphs):
        if step.kind == "update" and glyphs.trace.update is None:
            continue
        lines = tuple(line for line in step.lines if line.form == "numbers")
        steps.append(replace(step, lines=lines, said=document.said_of(step, lines)))
    return steps


def with_blanks(steps: Sequence[Step], asked: Sequence[str]) -> tuple[list[Step], list[Line]]:
    """Return the steps as far as something is asked, and the lines of them that end in a blank.

    From the first blank on, what is given is given without the numbers that it comes from: they would
    be answers.
    """
    last = max(n for n, step in enumerate(steps) if _KINDS.get(step.kind) in asked)
    made: list[Step] = []
    blanks: list[Line] = []
    for step in steps[: last + 1]:
        lines = []
        for line in step.lines:
            end = line.formula.sides[-1]
            if _KINDS.get(step.kind) in asked and isinstance(end, Num):
                line = _in_symbols(line, Blank(len(blanks) + 1, end))
                blanks.append(line)
            elif blanks and step.kind != "input":
                line = _in_symbols(line, end)
            lines.append(line)
        made.append(replace(step, lines=tuple(lines)))
    return made, blanks


def given(steps: Sequence[Step]) -> Iterator[Num]:
    """Yield the numbers that a sheet gives as results."""
    for step in steps:
        for line in step.lines:
            if isinstance(end := line.formula.sides[-1], Num):
                yield end


def _in_symbols(line: Line, end: Expr) -> Line:
    first, *sides = line.formula.sides[:-1]
    kept = (first, *(side for side in sides if has_symbols(side)))
    return replace(line, formula=Relation((*kept, end), line.formula.sign))


def _given(glyphs: Glyphs) -> Step:
    symbols = []
    for layer in range(1, glyphs.last + 1):
        symbols.append(glyphs.w(layer))
        if glyphs.has_bias(layer):
            symbols.append(glyphs.b(layer))
    if glyphs.trace.update is not None:
        symbols.append(glyphs.learning_rate())
    lines = (Line(Relation((_bare(each), each.value)), "numbers") for each in symbols if each.value)
    to, source = glyphs.notation.index_names
    said = (
        f"Row {to} of a matrix has the weights that lead to unit {to}, column {source} those that come "
        f"from unit {source}."
    )
    return Step("given", "Weights and biases", lines=tuple(lines), said=said)


def _bare(symbol: Sym) -> Sym:
    return replace(symbol, value=None)


def facts(glyphs: Glyphs, digits: int) -> tuple[str, ...]:
    """Return what the network is, what its functions are, and how to round."""
    architecture, n = glyphs.trace.architecture, glyphs.notation
    said = [
        f"Network {'-'.join(map(str, glyphs.sizes))}, cost {architecture.cost.name}. "
        f"Layers are numbered from {n.layer_base}, the input"
    ]
    layers: dict[str, list[str]] = {}
    for layer in range(1, glyphs.last + 1):
        name = glyphs.at(layer).function.name
        layers.setdefault(name, []).append(str(glyphs.number(layer)))
    for name, numbers in layers.items():
        where = f"layer{'s' if len(numbers) > 1 else ''} {' and '.join(numbers)}"
        said.append(f"In {where}, {name}: " + _FORMULAS[name].format(f=n.activation_symbol))
    said.append(
        f"Give every result with {digits} significant digits, as 0.01234 has 4, and go on with the "
        "rounded numbers"
    )
    return tuple(said)
