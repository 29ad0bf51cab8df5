"""Gradients: over the batch, as chains of derivatives, and as the sum over all paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from clearprop.explain import paths
from clearprop.explain.expression import (
    BigSum,
    Expr,
    Frac,
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
from clearprop.explain.glyphs import Glyphs


def _over_samples(glyphs: Glyphs, term: Callable[[int], Expr], sizes: Iterable[float]) -> Expr:
    m = glyphs.n_samples
    scale = Frac(Int(1), Int(m)) if glyphs.factors.outer > 1 else Int(1)
    return product_of(scale, summed([term(row) for row in chosen(sizes, TERMS)], m))


def weight_gradient(glyphs: Glyphs, layer: int, j: int, k: int) -> list[Line]:
    """Return dC/dw_jk = a_k delta_j, over the batch: BP4."""
    before = glyphs.trace.inputs if layer == 1 else glyphs.at(layer - 1).a

    def term(row: int) -> Expr:
        pair = glyphs.a(layer - 1, k, row), _delta_or_difference(glyphs, layer, j, row)
        return Prod(pair if glyphs.column else pair[::-1])

    with np.errstate(all="ignore"):
        sizes = before[:, k] * glyphs.at(layer).delta[:, j]
    label = "BP4" if glyphs.notation.name == "nielsen" else ""
    return lines_of(
        glyphs.weight_gradient(layer, j, k), _over_samples(glyphs, term, sizes), label=label
    )


def _delta_or_difference(glyphs: Glyphs, layer: int, j: int, row: int) -> Expr:
    if glyphs.notation.carried == "dC_da" and layer == glyphs.last and glyphs.a_minus_y:
        return difference(glyphs, j, row)  # (8) of S0
    return glyphs.delta(layer, j, row)


def bias_gradient(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return dC/db_j = delta_j, over the batch: BP3. Where delta is written dC/db, nothing is left."""
    if not glyphs.notation.delta_symbol and glyphs.n_samples == 1:
        return []
    total = _over_samples(glyphs, lambda row: glyphs.delta(layer, j, row), glyphs.at(layer).delta[:, j])
    label = "BP3" if glyphs.notation.name == "nielsen" else ""
    return lines_of(glyphs.bias_gradient(layer, j), total, label=label)


def gradient_matrix(glyphs: Glyphs, layer: int) -> list[Line]:
    """Return the gradient of all weights, and of all biases, of a layer."""
    m, dot = glyphs.n_samples, glyphs.notation.product == "dot"
    row = 0 if m == 1 else None  # None: the matrix of all samples, whose product is the sum
    d, a = glyphs.delta(layer, None, row), glyphs.a(layer - 1, None, row)
    product: Expr = MatVec(d, Transpose(a), dot) if glyphs.column else MatVec(Transpose(d), a, dot)
    scale = Frac(Int(1), Int(m)) if glyphs.factors.outer > 1 else Int(1)
    lhs = glyphs.weight_gradient(layer)
    in_numbers = product_of(scale, substituted(product))
    symbols = product
    if m > 1 and glyphs.column:
        symbols = BigSum(glyphs.notation.batch_axis, product)
    lines = [
        Line(Relation((lhs, product_of(scale, symbols))), "matrix"),
        Line(Relation((lhs, in_numbers, stands_for(lhs))), "matrix"),
    ]
    if glyphs.has_bias(layer) and (glyphs.notation.delta_symbol or m > 1):
        lhs = glyphs.bias_gradient(layer)
        summed: Expr = d if m == 1 else BigSum(glyphs.notation.batch_axis, d)
        lines += [
            Line(Relation((lhs, product_of(scale, summed))), "matrix"),
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


def path_product(glyphs: Glyphs, layer: int, k: int, way: tuple[int, ...]) -> Expr:
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
