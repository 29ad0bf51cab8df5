"""Documents as JSON: the arrays of the trace in full, and formulas whose numbers refer to them.

The format is closed and versioned, ``trace/2``; `schema` returns its JSON Schema and
docs/trace-format.md explains it. ``trace/1`` always had the formulas. Weight layers are numbered 1..L
whatever the notation prints. Numbers are doubles that read back to the same bits; those that JSON
lacks are the strings "NaN", "Infinity" and "-Infinity". What was not computed is absent.
"""

from __future__ import annotations

import importlib.resources
import json
import math
from dataclasses import fields
from typing import Any

import numpy as np

from clearprop.activations import Array
from clearprop.costs import Cost
from clearprop.explain.document import Document, count_factors, said_of, wanted
from clearprop.explain.expression import (
    BigSum,
    Blank,
    Expr,
    Fn,
    Frac,
    Hadamard,
    Int,
    Mat,
    MatVec,
    Missing,
    Neg,
    Num,
    Partial,
    Pow,
    Prod,
    Relation,
    Sum,
    Sym,
    Transpose,
    Word,
)
from clearprop.explain.forms.embedding import edges
from clearprop.piecewise_linear import PiecewiseLinear
from clearprop.trace import Trace
from clearprop.user_warning import warn

FORMAT = "trace/2"
ALL = "all"  # forms of every formula
LARGE = 2_000_000  # numbers; more are said before they are written
_BYTES = 20  # of a number


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the format."""
    file = importlib.resources.files("clearprop.explain") / "trace-2.schema.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def count_numbers(trace: Trace) -> int:
    """Return how many numbers of the arrays are written."""
    arrays: list[Array | None] = [trace.inputs, trace.Y, trace.sample_costs]
    for layer in trace.layers:
        arrays += [getattr(layer, each.name) for each in fields(layer) if each.name != "function"]
    if trace.embedding is not None:
        of = trace.embedding
        arrays += [of.x, of.basis, of.h, of.a, of.delta, of.basis_error, of.phase_error]
        arrays += [of.one_hot, of.vector_error]
        arrays += [*of.parameters.values(), *of.gradient.values()]
    if trace.scale is not None:
        arrays += [getattr(trace.scale, each.name) for each in fields(trace.scale)]
    if trace.update is not None:
        arrays += [*trace.update.weights, *trace.update.biases]
    return sum(each.size for each in arrays if each is not None)


class JsonPrinter:
    """Prints documents as JSON; formulas where a form of them is asked for, or `ALL`."""

    def document(self, document: Document, form: str | None = None) -> str:
        """Return the whole document; a warning says how large it is with more than `LARGE` numbers."""
        n = count_numbers(document.glyphs.trace)
        if n > LARGE:
            warn(
                f"the JSON of this pass has {n:,} numbers, about {n * _BYTES / 1e6:,.0f} MB: it holds "
                "every number in full; text, HTML, LaTeX and MathML show those that matter most",
            )
        return json.dumps(self.value(document, form), ensure_ascii=False, allow_nan=False) + "\n"

    def value(self, document: Document, form: str | None = None) -> dict[str, Any]:
        """Return the document as dicts, lists, strings and numbers."""
        glyphs, trace = document.glyphs, document.glyphs.trace
        given, factors = glyphs.given, glyphs.factors
        architecture = trace.architecture
        forward, backward = trace.multiply_adds
        value: dict[str, Any] = {
            "format": FORMAT,
            "title": document.title,
            "facts": list(document.facts),
            "dtype": str(trace.layers[0].z.dtype),
            "net": {
                "sizes": list(glyphs.sizes),
                "activations": [layer.function.name for layer in architecture.layers],
            },
            "cost": _cost(architecture.cost),
            "notation": {
                "name": given.name,
                "layer_base": given.layer_base,
                "weight_owner": given.weight_owner,
                "carried": given.carried,
                "delta_sign": given.delta_sign,
                "factors": {
                    "cost": factors.cost,
                    "sample_cost": factors.sample_cost,
                    "delta": factors.delta,
                    "gradient": factors.gradient,
                },
            },
            "batch": {"n_samples": glyphs.n_samples, "x": _listed(trace.inputs), "y": _listed(trace.Y)},
            "layers": [self._layer(trace, number) for number in range(1, glyphs.last + 1)],
            "cost_value": _number(trace.cost),
            "sample_costs": _listed(trace.sample_costs),
            "counts": {
                "multiply_adds_forward": forward,
                "multiply_adds_backward": backward,
                "chain_factors": count_factors(glyphs.sizes),
            },
            "footnotes": list(document.footnotes),
        }
        if trace.embedding is not None:
            value["embedding"] = _embedding(trace)
        if (scale := trace.scale) is not None:
            value["input_scale"] = {f.name: _listed(getattr(scale, f.name)) for f in fields(scale)}
        if trace.update is not None:
            value["update"] = _update(trace)
        if form is None:
            return value
        value["steps"] = [self._step(step, form) for step in document.steps]
        if document.answers:
            value["answers"] = [
                {"number": each.number, "answer": self.node(each.answer)} for each in document.answers
            ]
        return value

    @staticmethod
    def _layer(trace: Trace, number: int) -> dict[str, Any]:
        layer = trace.layers[number - 1]
        arrays = {
            "weight": layer.weights,
            "bias": layer.biases,
            "z": layer.z,
            "a": layer.a,
            "slope": layer.slope,
            "error": layer.error,
            "delta": layer.delta,
            "weight_gradient": layer.weight_gradient,
            "bias_gradient": layer.bias_gradient,
            "share": layer.shares,
            "share_gradient": layer.share_gradient,
        }
        listed = {name: _listed(array) for name, array in arrays.items() if array is not None}
        return {"layer": number, **listed}

    def _step(self, step: Any, form: str) -> dict[str, Any]:
        chosen = [line for line in step.lines if form == ALL or wanted(line, form)]
        lines = [
            {"form": line.form, "label": line.label, "formula": self.node(line.formula)}
            for line in chosen
        ]
        made = {"kind": step.kind, "title": step.title, "layer": step.layer, "lines": lines}
        if step.row is not None:
            made["sample"] = step.row
        if step.left_out:
            made["left_out"] = step.left_out
        if said := said_of(step, chosen):
            made["said"] = said
        return made

    def node(self, node: Expr) -> dict[str, Any]:
        """Return a formula."""
        match node:
            case Num(quantity, layer, index, _, factor):
                made: dict[str, Any] = {"t": "num", "quantity": quantity, "layer": layer}
                return made | {"index": list(index), "factor": _number(factor)}
            case Mat(quantity, layer, _, row, transposed, factor):
                made = {"t": "mat", "quantity": quantity, "layer": layer, "transposed": transposed}
                made["factor"] = _number(factor)
                return made if row is None else made | {"sample": row}
            case Int(number):
                return {"t": "int", "number": number}
            case Word(text):
                return {"t": "word", "text": text}
            case Missing():
                return {"t": "missing"}
            case Blank(number):
                return {"t": "blank", "number": number}
            case Sym(base, sup, sub, vector, value):
                made = {"t": "sym", "base": base, "sup": sup, "sub": list(sub), "vector": vector}
            case Fn(name, arg, prime, value):
                made = {"t": "fn", "name": self.node(name), "arg": self.node(arg), "prime": prime}
            case Partial(top, bottom, value):
                made = {"t": "partial", "top": self.node(top), "bottom": self.node(bottom)}
            case Neg(arg, value):
                made = {"t": "neg", "arg": self.node(arg)}
            case Sum(terms, elided, zero):
                made = {"t": "sum", "terms": [self.node(each) for each in terms], "elided": elided}
                return made | {"elided_zero": True} if zero else made
            case Prod(factors):
                return {"t": "prod", "factors": [self.node(each) for each in factors]}
            case Hadamard(left, right, is_shown):
                made = {"t": "hadamard", "left": self.node(left), "right": self.node(right)}
                return made | {"shown": is_shown}
            case MatVec(left, right, dot):
                made = {"t": "matvec", "left": self.node(left), "right": self.node(right)}
                return made | {"dot": dot}
            case Transpose(arg):
                return {"t": "transpose", "arg": self.node(arg)}
            case Frac(top, bottom):
                return {"t": "frac", "top": self.node(top), "bottom": self.node(bottom)}
            case Pow(arg, exponent):
                return {"t": "pow", "arg": self.node(arg), "exponent": exponent}
            case BigSum(index, arg):
                return {"t": "bigsum", "index": index, "arg": self.node(arg)}
            case Relation(sides, sign):
                return {"t": "relation", "sign": sign, "sides": [self.node(each) for each in sides]}
        return made if value is None else made | {"value": self.node(value)}


def _cost(cost: Cost) -> dict[str, Any]:
    made: dict[str, Any] = {"name": cost.name, "reduction": cost.reduction}
    numbers = {name: value for name, value in cost.parameters.items() if name != "groups"}
    return made | ({"parameter": float(*numbers.values())} if numbers else {})


def _update(trace: Trace) -> dict[str, Any]:
    update = trace.update
    if update is None:
        raise TypeError("there is no update")
    layers = []
    every = zip(update.weights, update.biases, update.shares, strict=True)
    for number, (W, b, s) in enumerate(every, start=1):
        there = {"weight_after": W, "bias_after": b, "share_after": s}
        listed = {name: _listed(each) for name, each in there.items() if each is not None}
        layers.append({"layer": number} | listed)
    return {
        "optimizer": type(update.optimizer).__name__,
        "learning_rate": _number(float(update.learning_rate)),
        "layers": layers,
    }


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _embedding(trace: Trace) -> dict[str, Any]:
    made, its = trace.embedding, trace.architecture.embedding
    assert made is not None
    assert its is not None
    names = ["x", "basis", "h", "a", "delta", "basis_error", "phase_error"]
    names += ["one_hot", "vector_error"] if its.categories.groups else []
    arrays = {name: getattr(made, name) for name in names} | made.parameters
    arrays |= {f"{name}_gradient": each for name, each in made.gradient.items()}
    if its.kind == PiecewiseLinear.kind:
        arrays["edges"] = edges(its)
    listed = {name: _listed(each) for name, each in arrays.items() if each is not None}
    return {"kind": its.kind, "columns": list(its.columns or ()), "pi": math.pi} | listed


def _listed(array: Array) -> Any:
    wide = array.astype(np.float64)
    if np.isfinite(wide).all():
        return wide.tolist()
    return _named(wide.tolist())


def _named(value: Any) -> Any:
    return [_named(each) for each in value] if isinstance(value, list) else _number(value)
