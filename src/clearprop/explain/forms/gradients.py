"""Gradients: over the batch, as chains of derivatives, and as the sum over all paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from clearprop.explain import paths
from clearprop.explain.expression import (
    BigSum,
    Expr,
    Frac,
    Hadamard,
    Int,
    MatVec,
    Prod,
    Relation,
    Sum,
    Transpose,
    shown_of,
    substituted,
)
from clearprop.explain.forms.line import (
    PATHS,
    TERMS,
    Line,
    chosen,
    difference,
    lines_of,
    product_of,
    stands_for,
    summed,
)
from clearprop.explain.glyphs import ANY, Glyphs


def mean_of(glyphs: Glyphs, total: Expr) -> Expr:
    """Return a sum over the examples with the 1/m that the notation has before it."""
    scale = Frac(Int(1), Int(glyphs.n_samples)) if glyphs.factors.outer > 1 else Int(1)
    return product_of(scale, total)


def _over_samples(glyphs: Glyphs, term: Callable[[int], Expr], sizes: Iterable[float]) -> Expr:
    return summed([term(row) for row in chosen(sizes, TERMS)], glyphs.n_samples)


def _is_difference(glyphs: Glyphs, layer: int) -> bool:
    """Return whether delta is written out as a - y, as (8) and (9) of S0 do."""
    return glyphs.notation.carried == "dC_da" and layer == glyphs.last and glyphs.a_minus_y


def _is_s0(glyphs: Glyphs, layer: int) -> bool:
    """Return whether S0 has a number for the gradients of a layer."""
    return glyphs.is_s0 or (glyphs.notation.name == "softmax-ce" and layer < glyphs.last)


def _weight_label(glyphs: Glyphs, layer: int) -> str:
    if _is_s0(glyphs, layer):
        return "(8)" if layer == glyphs.last else "(10)"
    return "BP4" if glyphs.notation.name == "nielsen" else ""


def _bias_label(glyphs: Glyphs, layer: int) -> str:
    if _is_s0(glyphs, layer):
        return "(9)" if layer == glyphs.last else "(11)"
    return "BP3" if glyphs.notation.name == "nielsen" else ""


def weight_terms(glyphs: Glyphs, layer: int, j: int, k: int) -> Expr:
    """Return the sum of a_k delta_j over the examples."""
    before = glyphs.trace.inputs if layer == 1 else glyphs.at(layer - 1).a

    def term(row: int) -> Expr:
        a = glyphs.a(layer - 1, k, row)
        if _is_difference(glyphs, layer):
            return Prod((a, difference(glyphs, j, row)))
        if _is_s0(glyphs, layer):
            return Prod((a, glyphs.error(layer, j, row), glyphs.slope(layer, j, row)))
        pair = a, glyphs.delta(layer, j, row)
        return Prod(pair if glyphs.column else pair[::-1])

    with np.errstate(all="ignore"):
        return _over_samples(glyphs, term, before[:, k] * glyphs.at(layer).delta[:, j])


def weight_gradient(glyphs: Glyphs, layer: int, j: int, k: int) -> list[Line]:
    """Return dC/dw_jk = a_k delta_j, over the batch: BP4."""
    return lines_of(
        glyphs.weight_gradient(layer, j, k),
        mean_of(glyphs, weight_terms(glyphs, layer, j, k)),
        label=_weight_label(glyphs, layer),
    )


def bias_terms(glyphs: Glyphs, layer: int, j: int) -> Expr:
    """Return the sum of delta_j over the examples."""

    def term(row: int) -> Expr:
        is_difference = _is_difference(glyphs, layer)
        return difference(glyphs, j, row) if is_difference else glyphs.delta(layer, j, row)

    return _over_samples(glyphs, term, glyphs.at(layer).delta[:, j])


def _has_own_bias(glyphs: Glyphs, layer: int) -> bool:
    """Return whether dC/db is another formula than that of delta, which may be written dC/db."""
    if not glyphs.has_bias(layer):
        return False
    s0 = layer == glyphs.last and _is_s0(glyphs, layer)
    return bool(glyphs.notation.delta_symbol) or glyphs.n_samples > 1 or s0


def bias_gradient(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return dC/db_j = delta_j, over the batch: BP3. Where delta is written dC/db, nothing is left."""
    if not _has_own_bias(glyphs, layer):
        return []
    return lines_of(
        glyphs.bias_gradient(layer, j),
        mean_of(glyphs, bias_terms(glyphs, layer, j)),
        label=_bias_label(glyphs, layer),
    )


def _whole_delta(glyphs: Glyphs, layer: int, row: int | None) -> Expr:
    if _is_s0(glyphs, layer):
        if layer == glyphs.last:
            return difference(glyphs, None, row)
        return Hadamard(glyphs.error(layer, None, row), glyphs.slope(layer, None, row))
    return glyphs.delta(layer, None, row)


def matrix_weight_terms(glyphs: Glyphs, layer: int) -> tuple[Expr, Expr]:
    """Return the sum of delta a^T over the examples, in symbols and for its numbers."""
    m, dot = glyphs.n_samples, glyphs.notation.product == "dot"
    # With columns it is written as a sum; with rows the product of all of them is that sum.
    row = 0 if m == 1 else ANY if glyphs.column else None
    d, a = _whole_delta(glyphs, layer, row), glyphs.a(layer - 1, None, row)
    product: Expr = MatVec(d, Transpose(a), dot) if glyphs.column else MatVec(Transpose(d), a, dot)
    in_sum = m > 1 and glyphs.column
    return BigSum(glyphs.notation.batch_axis, product) if in_sum else product, product


def matrix_bias_terms(glyphs: Glyphs, layer: int) -> tuple[Expr, Expr]:
    """Return the sum of delta over the examples, in symbols and for its numbers."""
    if glyphs.n_samples == 1:
        delta = glyphs.delta(layer, None, 0)
        if layer == glyphs.last and _is_s0(glyphs, layer):
            delta = difference(glyphs, None, 0)
        return delta, delta
    total = BigSum(glyphs.notation.batch_axis, glyphs.delta(layer, None, ANY))
    return total, total


def gradient_matrix(glyphs: Glyphs, layer: int) -> list[Line]:
    """Return the gradient of all weights, and of all biases, of a layer."""
    lhs = glyphs.weight_gradient(layer)
    symbols, numbers = (mean_of(glyphs, each) for each in matrix_weight_terms(glyphs, layer))
    s0 = _is_s0(glyphs, layer)
    lines = [
        Line(Relation((lhs, symbols)), "matrix", _weight_label(glyphs, layer) if s0 else ""),
        Line(Relation((lhs, substituted(numbers), stands_for(lhs))), "matrix"),
    ]
    if _has_own_bias(glyphs, layer):
        lhs = glyphs.bias_gradient(layer)
        symbols = mean_of(glyphs, matrix_bias_terms(glyphs, layer)[0])
        lines += [
            Line(Relation((lhs, symbols)), "matrix", _bias_label(glyphs, layer) if s0 else ""),
            Line(Relation((lhs, stands_for(lhs))), "matrix"),
        ]
    return lines


def chain(glyphs: Glyphs, layer: int, j: int, k: int) -> list[Line]:
    """Return dC/dw_jk of one sample by the chain rule, local to the neuron: three factors."""
    dz_dw = glyphs.dz_dw(layer, j, k)

    def in_order(*factors: Expr) -> Expr:
        return Prod(factors if glyphs.notation.carried == "delta" else factors[::-1])

    if layer == glyphs.last and glyphs.softmax:
        n = glyphs.sizes[-1]
        here = glyphs.at(layer)
        with np.errstate(all="ignore"):
            sizes = here.error[0] * here.slope[0, :, j]
        shown = chosen(sizes, TERMS)
        shown = [i for i in shown if sizes[i] != 0] or shown[:1]
        terms = [in_order(glyphs.error(layer, i), glyphs.jacobian(i, j), dz_dw) for i in shown]
        # Of cross-entropy only the target's class has dC/da: what is left out is nothing.
        zero = not np.delete(sizes, shown).any()
        product = summed(terms, n, zero)
    else:
        product = in_order(glyphs.error(layer, j), glyphs.da_dz(layer, j), dz_dw)
    return [
        Line(each.formula, "chain", each.label)
        for each in lines_of(glyphs.weight_gradient(layer, j, k), product)[1:]
    ]


def path_product(glyphs: Glyphs, layer: int, k: int, way: tuple[int, ...]) -> Prod:
    """Return the derivatives along one path from a weight to the cost, as S1 writes them."""
    factors = [glyphs.dz_dw(layer, way[0], k)]
    for depth, at in enumerate(range(layer, glyphs.last + 1)):
        if depth:
            factors.append(glyphs.dz_da(at, way[depth], way[depth - 1]))
        if at == glyphs.last and glyphs.softmax:
            factors.append(glyphs.jacobian(way[-1], way[depth]))
        else:
            factors.append(glyphs.da_dz(at, way[depth]))
    factors.append(glyphs.error(glyphs.last, way[-1]))
    return Prod(tuple(factors[::-1] if glyphs.notation.carried == "delta" else factors))


def path(glyphs: Glyphs, layer: int, j: int, k: int, limit: int = PATHS) -> list[Line]:
    """Return dC/dw_jk of one sample as the sum over all paths, the largest ones shown: (53)."""
    n = paths.count_paths(glyphs.trace, layer - 1)
    ways = glyphs.best_paths(layer, j, shown_of(n, limit))
    if not ways:
        return []
    total = summed([path_product(glyphs, layer, k, way) for way in sorted(ways)], n)
    if len(ways) < n and not isinstance(total, Sum):
        total = Sum((total,), n - 1)
    label = "(53)" if glyphs.notation.name == "nielsen" else ""
    return [
        Line(each.formula, "path", label)
        for each in lines_of(glyphs.weight_gradient(layer, j, k), total)[1:]
    ]
