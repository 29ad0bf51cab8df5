"""The pass backwards: dC/da and delta, of one neuron and of a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from clearprop.explain.expression import (
    Expr,
    Frac,
    Hadamard,
    Int,
    MatVec,
    Neg,
    Prod,
    Relation,
    Sum,
    Transpose,
    substituted,
)
from clearprop.explain.forms import costs
from clearprop.explain.forms.line import (
    TERMS,
    Line,
    batch_scale,
    chosen,
    difference,
    lines_of,
    product_of,
    stands_for,
    summed,
)
from clearprop.explain.glyphs import Glyphs


def output_error(glyphs: Glyphs, last: int, j: int, row: int) -> list[Line]:
    """Return dC/da_j of an output."""
    lhs, how = glyphs.error(last, j, row), costs.written(glyphs)
    if how is None:
        return [Line(Relation((lhs, stands_for(lhs))), form) for form in ("component", "numbers")]
    slope = how.slope(costs.Output(glyphs, j, row))
    factors = slope.factors if isinstance(slope, Prod) else (slope,)
    return lines_of(lhs, product_of(costs.two(glyphs, how), batch_scale(glyphs), *factors))


def error(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return dC/da_j of a hidden neuron: BP2's first factor, S3's recursion."""
    after, n = layer + 1, glyphs.sizes[layer + 1]
    here = glyphs.at(after)
    with np.errstate(all="ignore"):
        shown = chosen(here.weights[:, j] * here.delta[row], TERMS)
    terms: list[Expr] = []
    for k in shown:
        w = glyphs.w(after, k, j)
        if after == glyphs.last and glyphs.a_minus_y:
            terms.append(product_of(w, batch_scale(glyphs), difference(glyphs, k, row)))
        elif glyphs.notation.carried == "dC_da" and not (after == glyphs.last and glyphs.softmax):
            terms.append(Prod((w, glyphs.slope(after, k, row), glyphs.error(after, k, row))))
        else:
            terms.append(Prod((w, glyphs.delta(after, k, row))))
    label = _error_label(glyphs, after, "(6)")
    return lines_of(glyphs.error(layer, j, row), summed(terms, n), label=label)


def _error_label(glyphs: Glyphs, after: int, of_hidden: str) -> str:
    """Return S0's number of dC/da, which is another one where the layer after is the last."""
    if glyphs.notation.name != "softmax-ce":
        return ""
    if after < glyphs.last:
        return of_hidden
    return "(13)" if glyphs.is_s0 else ""


def delta(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return delta_j: BP1 for an output, BP2 for a hidden neuron."""
    lhs, name = glyphs.delta(layer, j, row), glyphs.notation.name
    if layer == glyphs.last:
        if glyphs.a_minus_y:
            label, end = "(7)" if glyphs.is_s0 else "", stands_for(lhs)
            if glyphs.is_s0 and glyphs.faithful:  # X34
                lhs = Prod((glyphs.jacobian(j, j, row), glyphs.error(layer, j, row)))
            product = product_of(batch_scale(glyphs), difference(glyphs, j, row))
            return lines_of(lhs, product, label=label, result=end)
        if glyphs.softmax:
            n = glyphs.sizes[-1]
            with np.errstate(all="ignore"):
                here = glyphs.at(layer)
                shown = chosen(here.error[row] * here.slope[row, :, j], TERMS)
            terms: list[Expr] = [
                Prod((glyphs.error(layer, i, row), glyphs.jacobian(i, j, row))) for i in shown
            ]
            return lines_of(lhs, summed(terms, n), label="(37)" if name == "nielsen" else "")
        label = "BP1" if name == "nielsen" else ""
        return lines_of(lhs, _in_order(glyphs, layer, j, row), label=label)
    if glyphs.notation.carried == "dC_da":
        return lines_of(
            lhs, _in_order(glyphs, layer, j, row), label="(11)" if name == "softmax-ce" else ""
        )
    after, n = layer + 1, glyphs.sizes[layer + 1]
    next_layer = glyphs.at(after)
    with np.errstate(all="ignore"):
        shown = chosen(next_layer.weights[:, j] * next_layer.delta[row], TERMS)
    back = [Prod((glyphs.w(after, k, j), glyphs.delta(after, k, row))) for k in shown]
    product = Prod((summed([*back], n), glyphs.slope(layer, j, row)))
    return lines_of(lhs, product, label="BP2" if name == "nielsen" else "")


def canonical(glyphs: Glyphs, j: int) -> list[Line]:
    """Return why delta of a softmax output under cross-entropy is a - y, (7) of S0, term by term.

    Of one example: the chain rule over all outputs (37), the derivatives in it, and the terms put
    together until the targets' sum, which is 1, is left.
    """
    last, n, y = glyphs.last, glyphs.sizes[-1], glyphs.trace.Y[0]
    shown = chosen(np.where(np.arange(n) == j, np.inf, np.abs(y)), TERMS)
    shown = [i for i in shown if i == j or y[i] != 0]
    zero = not np.delete(y, shown).any()
    lhs = glyphs.delta(last, j)
    end = stands_for(lhs)

    def of_all(make: Callable[[int], Expr]) -> Expr:
        return summed([make(i) for i in shown], n, zero)

    def signed(term: Expr, negative: bool) -> Expr:
        return Neg(term) if negative == (glyphs.notation.delta_sign == 1) else term

    one_minus_a = Sum((Int(1), Neg(glyphs.a(last, j))))

    def derivative(i: int) -> Expr:
        a = glyphs.a(last, i)
        return Prod((a, one_minus_a)) if i == j else Neg(Prod((a, glyphs.a(last, j))))

    def multiplied(i: int) -> Expr:
        a = glyphs.a(last, i)
        ratio = Frac(glyphs.y(i), a)
        return signed(Prod((a, one_minus_a if i == j else glyphs.a(last, j), ratio)), i == j)

    def cancelled(i: int) -> Expr:
        return signed(Prod((glyphs.y(i), one_minus_a if i == j else glyphs.a(last, j))), i == j)

    total = signed(Prod((glyphs.a(last, j), of_all(glyphs.y))), False)
    collected = (total, signed(glyphs.y(j), True))
    chain = of_all(lambda i: Prod((glyphs.error(last, i), glyphs.jacobian(i, j))))
    name = glyphs.notation.name
    lines = [
        Line(Relation((lhs, chain, substituted(chain), end)), "chain", "(37)" * (name == "nielsen"))
    ]
    for i in shown:
        lines += [replace(line, form="chain") for line in output_error(glyphs, last, i, 0)[1:]]
    for i in shown:
        side, slope = derivative(i), glyphs.jacobian(i, j)
        lines.append(Line(Relation((slope, side, substituted(side), stands_for(slope))), "chain"))
    sides = (
        (of_all(multiplied), ""),
        (of_all(cancelled), ""),
        (Sum(collected if glyphs.notation.delta_sign == 1 else collected[::-1]), ""),
        (difference(glyphs, j, 0), "(7)" if glyphs.is_s0 else ""),
    )
    for side, label in sides:
        lines.append(Line(Relation((lhs, side, substituted(side), end)), "chain", label))
    return lines


def _in_order(glyphs: Glyphs, layer: int, j: int, row: int) -> Expr:
    slope, error = glyphs.slope(layer, j, row), glyphs.error(layer, j, row)
    if glyphs.notation.derivative_style == "dot":
        return Prod((slope, error))
    how = costs.written(glyphs)
    if layer == glyphs.last and glyphs.notation.delta_sign == -1 and how is not None and how.scaled:
        two = costs.two(glyphs, how)
        return product_of(two, batch_scale(glyphs), difference(glyphs, j, row), slope)
    return Prod((error, slope))


def _hadamard(glyphs: Glyphs, left: Expr, right: Expr) -> Expr:
    return Hadamard(left, right, glyphs.notation.hadamard == "shown")


def _times(glyphs: Glyphs, layer: int, carried: Expr) -> Expr:
    """Return W^T times a column, or a row times W."""
    W, dot = glyphs.w(layer), glyphs.notation.product == "dot"
    return MatVec(Transpose(W), carried, dot) if glyphs.column else MatVec(carried, W, dot)


def error_matrix(glyphs: Glyphs, layer: int, row: int) -> list[Line]:
    """Return dC/da of a hidden layer."""
    after = layer + 1
    if after == glyphs.last and glyphs.a_minus_y and batch_scale(glyphs) == Int(1):
        carried = difference(glyphs, None, row)
    elif glyphs.notation.carried == "dC_da" and not (
        after == glyphs.last and (glyphs.softmax or glyphs.a_minus_y)
    ):
        pair = (glyphs.slope(after, None, row), glyphs.error(after, None, row))
        carried = _hadamard(
            glyphs, *(pair if glyphs.notation.derivative_style == "dot" else pair[::-1])
        )
    else:
        carried = glyphs.delta(after, None, row)
    label = _error_label(glyphs, after, "(12)")
    product = _times(glyphs, after, carried)
    return lines_of(glyphs.error(layer, None, row), product, matrix=True, label=label)


def delta_matrix(glyphs: Glyphs, layer: int, row: int) -> list[Line]:
    """Return delta of a whole layer."""
    lhs = glyphs.delta(layer, None, row)
    nielsen = glyphs.notation.name == "nielsen"
    if layer == glyphs.last and glyphs.a_minus_y:
        product = product_of(batch_scale(glyphs), difference(glyphs, None, row))
        return lines_of(lhs, product, matrix=True, label="(7)" if glyphs.is_s0 else "")
    if layer == glyphs.last and glyphs.softmax:
        error, jacobian = glyphs.error(layer, None, row), glyphs.jacobian(row=row)
        if glyphs.column:
            return lines_of(lhs, MatVec(Transpose(jacobian), error), matrix=True)
        return lines_of(lhs, MatVec(error, jacobian), matrix=True)
    slope = glyphs.slope(layer, None, row)
    if layer == glyphs.last or glyphs.notation.carried == "dC_da":
        error = glyphs.error(layer, None, row)
        pair = (slope, error) if glyphs.notation.derivative_style == "dot" else (error, slope)
        label = "BP1a" if nielsen and layer == glyphs.last else ""
        if glyphs.notation.name == "softmax-ce" and layer < glyphs.last:
            label = "(11)"
        return lines_of(lhs, _hadamard(glyphs, *pair), matrix=True, label=label)
    back = _times(glyphs, layer + 1, glyphs.delta(layer + 1, None, row))
    return lines_of(lhs, _hadamard(glyphs, back, slope), matrix=True, label="BP2" if nielsen else "")
