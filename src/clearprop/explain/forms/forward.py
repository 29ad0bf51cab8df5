"""The pass forwards, and the cost."""

from __future__ import annotations

import numpy as np

from clearprop.explain.expression import (
    Expr,
    Fn,
    Frac,
    Int,
    MatVec,
    Neg,
    Pow,
    Prod,
    Relation,
    Sum,
    Sym,
    Transpose,
)
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
    """Return the cost of one sample."""
    name, n, last = glyphs.trace.architecture.cost.name, glyphs.sizes[-1], glyphs.last
    lhs = glyphs.cost(row)

    def a(j: int) -> Sym:
        return glyphs.a(last, j, row)

    def y(j: int) -> Sym:
        return glyphs.y(j, row)

    if name in ("quadratic", "squared_error"):
        with np.errstate(all="ignore"):
            shown = chosen(glyphs.at(last).a[row] - glyphs.trace.Y[row], TERMS)
        squares: list[Expr] = [Pow(Sum((a(j), Neg(y(j)))), 2) for j in shown]
        half = Frac(Int(1), Int(2)) if glyphs.notation.cost_scale == 0.5 else Int(1)
        return lines_of(lhs, product_of(half, summed(squares, n)))
    if name == "cross_entropy" and glyphs.softmax:
        targets = glyphs.trace.Y[row]
        terms = int((targets != 0).sum()) or n  # the others are 0 ln a = 0
        shown = [j for j in chosen(targets, TERMS) if targets[j] != 0 or terms == n]
        logs: list[Expr] = [Prod((y(j), Fn(Sym("ln"), a(j)))) for j in shown]
        return lines_of(lhs, Neg(summed(logs, terms)))
    if name in ("cross_entropy", "binary_cross_entropy"):
        shown = chosen(np.abs(glyphs.at(last).delta[row]), TERMS)
        pairs: list[Expr] = [
            Sum(
                (
                    Prod((y(j), Fn(Sym("ln"), a(j)))),
                    Prod((Sum((Int(1), Neg(y(j)))), Fn(Sym("ln"), Sum((Int(1), Neg(a(j))))))),
                )
            )
            for j in shown
        ]
        return lines_of(lhs, Neg(summed(pairs, n)))
    sides = (lhs, Fn(Sym(name), glyphs.a(last, None, row)), stands_for(lhs))
    return [Line(Relation(sides), form) for form in ("component", "numbers")]


def batch_cost(glyphs: Glyphs) -> list[Line]:
    """Return the cost of a batch from those of its samples."""
    m = glyphs.n_samples
    shown = chosen(np.zeros(m), TERMS)
    total = summed([glyphs.cost(row) for row in shown], m)
    return lines_of(glyphs.cost(), product_of(Frac(Int(1), Int(m)), total))
