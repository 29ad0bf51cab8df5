"""The pass backwards: dC/da and delta, of one neuron and of a layer."""

from __future__ import annotations

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
)
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
    name = glyphs.trace.architecture.cost.name
    lhs, a, y = glyphs.error(last, j, row), glyphs.a(last, j, row), glyphs.y(j, row)
    if name in ("quadratic", "squared_error"):
        two = Int(2) if glyphs.notation.cost_scale == 1.0 else Int(1)
        return lines_of(lhs, product_of(two, batch_scale(glyphs), difference(glyphs, j, row)))
    if name == "cross_entropy" and glyphs.softmax:
        ratio: Expr = Frac(y, a)
        ratio = ratio if glyphs.notation.delta_sign == -1 else Neg(ratio)
        return lines_of(lhs, product_of(batch_scale(glyphs), ratio))
    one = Int(1)
    if name in ("cross_entropy", "binary_cross_entropy"):
        parts: tuple[Expr, Expr] = (
            Frac(Sum((one, Neg(y))), Sum((one, Neg(a)))),
            Neg(Frac(y, a)),
        )
        if glyphs.notation.delta_sign == -1:
            parts = (Frac(y, a), Neg(parts[0]))
        return lines_of(lhs, product_of(batch_scale(glyphs), Sum(parts)))
    return [Line(Relation((lhs, stands_for(lhs))), form) for form in ("component", "numbers")]


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
    label = {"softmax-ce": "(13)" if after == glyphs.last and glyphs.a_minus_y else "(6)"}
    return lines_of(
        glyphs.error(layer, j, row), summed(terms, n), label=label.get(glyphs.notation.name, "")
    )


def delta(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return delta_j: BP1 for an output, BP2 for a hidden neuron."""
    lhs, name = glyphs.delta(layer, j, row), glyphs.notation.name
    if layer == glyphs.last:
        if glyphs.a_minus_y:
            label = "(7)" if name == "softmax-ce" else ""
            return lines_of(
                lhs, product_of(batch_scale(glyphs), difference(glyphs, j, row)), label=label
            )
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


def _in_order(glyphs: Glyphs, layer: int, j: int, row: int) -> Expr:
    slope, error = glyphs.slope(layer, j, row), glyphs.error(layer, j, row)
    if glyphs.notation.derivative_style == "dot":
        return Prod((slope, error))
    quadratic = glyphs.trace.architecture.cost.name in ("quadratic", "squared_error")
    if layer == glyphs.last and glyphs.notation.delta_sign == -1 and quadratic:
        two = Int(2) if glyphs.notation.cost_scale == 1.0 else Int(1)
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
    if after == glyphs.last and glyphs.a_minus_y and glyphs.n_samples == 1:
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
    return lines_of(glyphs.error(layer, None, row), _times(glyphs, after, carried), matrix=True)


def delta_matrix(glyphs: Glyphs, layer: int, row: int) -> list[Line]:
    """Return delta of a whole layer."""
    lhs = glyphs.delta(layer, None, row)
    nielsen = glyphs.notation.name == "nielsen"
    if layer == glyphs.last and glyphs.a_minus_y:
        product = product_of(batch_scale(glyphs), difference(glyphs, None, row))
        return lines_of(lhs, product, matrix=True)
    if layer == glyphs.last and glyphs.softmax:
        error, jacobian = glyphs.error(layer, None, row), glyphs.jacobian(row=row)
        if glyphs.column:
            return lines_of(lhs, MatVec(Transpose(jacobian), error), matrix=True)
        return lines_of(lhs, MatVec(error, jacobian), matrix=True)
    slope = glyphs.slope(layer, None, row)
    if layer == glyphs.last or glyphs.notation.carried == "dC_da":
        error = glyphs.error(layer, None, row)
        pair = (slope, error) if glyphs.notation.derivative_style == "dot" else (error, slope)
        return lines_of(
            lhs,
            _hadamard(glyphs, *pair),
            matrix=True,
            label="BP1a" if nielsen and layer == glyphs.last else "",
        )
    back = _times(glyphs, layer + 1, glyphs.delta(layer + 1, None, row))
    return lines_of(lhs, _hadamard(glyphs, back, slope), matrix=True, label="BP2" if nielsen else "")
