"""The pass forwards, and the cost."""

from __future__ import annotations

import numpy as np

from clearprop.explain.expression import (
    Expr,
    Fn,
    Frac,
    Int,
    MatVec,
    Prod,
    Relation,
    Sum,
    Sym,
    Transpose,
)
from clearprop.explain.forms import costs
from clearprop.explain.forms.line import TERMS, Line, chosen, lines_of, product_of, stands_for, summed
from clearprop.explain.glyphs import Glyphs


def weighted_input(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return z_j as the sum of weights times activations."""
    W, n = glyphs.at(layer).weights, glyphs.sizes[layer - 1]
    before = glyphs.trace.inputs if layer == 1 else glyphs.at(layer - 1).a
    with np.errstate(all="ignore"):
        shown = chosen(W[j] * before[row], TERMS)
    terms: list[Expr] = [Prod((glyphs.w(layer, j, k), glyphs.a(layer - 1, k, row))) for k in shown]
    total = summed(terms, n)
    if glyphs.has_bias(layer):
        parts = total.terms if isinstance(total, Sum) and not total.elided else (total,)
        total = Sum((*parts, glyphs.b(layer, j)))
    label = {"nielsen": "(23)", "dp": "", "softmax-ce": ""}.get(glyphs.notation.name, "")
    return lines_of(glyphs.z(layer, j, row), total, label=label)


def activation(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return a_j = f(z_j), for softmax written out."""
    a, f = glyphs.a(layer, j, row), glyphs.activation(layer, j, row)
    if layer < glyphs.last or not glyphs.softmax:
        return lines_of(a, f)
    n = glyphs.sizes[layer]
    e = [Fn(Sym("exp"), glyphs.z(layer, i, row)) for i in range(n)]
    shown = chosen(glyphs.at(layer).a[row], TERMS)
    return lines_of(a, Frac(e[j], summed([e[i] for i in shown], n)))


def forward_matrix(glyphs: Glyphs, layer: int, row: int) -> list[Line]:
    """Return z = W a + b and a = f(z) of a whole layer."""
    W, a = glyphs.w(layer), glyphs.a(layer - 1, None, row)
    dot = glyphs.notation.product == "dot"
    product: Expr = MatVec(W, a, dot) if glyphs.column else MatVec(a, Transpose(W), dot)
    if glyphs.has_bias(layer):
        product = Sum((product, glyphs.b(layer)))
    return [
        *lines_of(glyphs.z(layer, None, row), product, matrix=True),
        *lines_of(glyphs.a(layer, None, row), glyphs.activation(layer, None, row), matrix=True),
    ]


def cost(glyphs: Glyphs, row: int) -> list[Line]:
    """Return the cost of one sample; one that is not our own is named."""
    lhs, how = glyphs.cost(row), costs.written(glyphs)
    if how is not None:
        return lines_of(lhs, costs.of_sample(glyphs, how, row))
    name = glyphs.trace.architecture.cost.name
    sides = (lhs, Fn(Sym(name), glyphs.a(glyphs.last, None, row)), stands_for(lhs))
    return [Line(Relation(sides), form) for form in ("component", "numbers")]


def batch_cost(glyphs: Glyphs) -> list[Line]:
    """Return the cost of a batch from those of its samples."""
    m = glyphs.n_samples
    shown = chosen(np.zeros(m), TERMS)
    total = summed([glyphs.cost(row) for row in shown], m)
    return lines_of(glyphs.cost(), product_of(Frac(Int(1), Int(m)), total))
