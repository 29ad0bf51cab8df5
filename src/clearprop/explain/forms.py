"""What is said of one pass: forward, cost, errors, deltas, gradients, update, each as formulas.

A formula is written once, with symbols that carry their numbers; the forms are ways to look at it:

    matrix      whole layers
    component   one neuron or weight, in symbols
    numbers     the same with the numbers put in
    chain       a gradient as the product of derivatives along the chain rule
    path        a gradient as the sum over all paths to the cost
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from clearprop.explain import paths
from clearprop.explain.expression import (
    BigSum,
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
    Pow,
    Prod,
    Relation,
    Sum,
    Sym,
    Transpose,
    has_symbols,
    shown_of,
    substituted,
)
from clearprop.explain.glyphs import Glyphs
from clearprop.optimizers import SGD

FORMS = ("matrix", "component", "numbers", "chain", "path")
NEURONS, TERMS, INPUTS, PATHS = 3, 4, 2, 4  # that are shown of more


@dataclass(frozen=True)
class Line:
    """One formula in one form.

    `label` is the equation's name in its book. `form` is one of `FORMS`, or "numbers" for one that
    shows symbols, substituted numbers, and result.
    """

    formula: Relation
    form: str
    label: str = ""


def chosen(sizes: Iterable[float], limit: int) -> list[int]:
    """Return the indices of the largest |values| in ascending order; NaN counts as largest."""
    values = np.abs(np.asarray(list(sizes), np.float64))
    n = shown_of(len(values), limit)
    if n == len(values):
        return list(range(n))
    order = np.argsort(-np.where(np.isnan(values), np.inf, values), kind="stable")
    return sorted(int(each) for each in order[:n])


def neurons(glyphs: Glyphs, layer: int, row: int = 0) -> list[int]:
    """Return the neurons of a layer that are shown: all of a small one, else those that matter most."""
    return chosen(glyphs.at(layer).delta[row], NEURONS)


def stands_for(lhs: Expr) -> Expr:
    """Return the number or matrix that a symbol stands for, or that it was not computed."""
    value = getattr(lhs, "value", None)
    return value if isinstance(value, Num | Mat) else Missing()


def _lines(
    lhs: Expr,
    *sides: Expr,
    label: str = "",
    matrix: bool = False,
    sign: str = "=",
    result: Expr | None = None,
) -> list[Line]:
    """Return a formula's lines: symbols alone, and symbols, numbers, result."""
    end = stands_for(lhs) if result is None else result
    in_numbers = substituted(sides[-1])
    alone = isinstance(in_numbers, Num | Mat)  # δ = 0.1 = 0.1 says it twice
    middle = () if has_symbols(in_numbers) or alone else (in_numbers,)
    if matrix:
        return [
            Line(Relation((lhs, *sides), sign), "matrix", label),
            Line(Relation((lhs, *middle, end), sign), "matrix"),
        ]
    return [
        Line(Relation((lhs, *sides), sign), "component", label),
        Line(Relation((lhs, *sides, *middle, end), sign), "numbers", label),
    ]


def _product(*factors: Expr) -> Expr:
    kept = tuple(each for each in factors if each != Int(1))
    return kept[0] if len(kept) == 1 else Prod(kept)


def _summed(terms: list[Expr], n: int) -> Expr:
    return terms[0] if n == 1 else Sum(tuple(terms), n - len(terms))


def _batch_scale(glyphs: Glyphs) -> Expr:
    """Return the 1/m that stands in delta, or nothing."""
    n = glyphs.n_samples
    return Frac(Int(1), Int(n)) if n > 1 and glyphs.notation.reduction_in == "delta" else Int(1)


def _difference(glyphs: Glyphs, j: int | None, row: int | None) -> Expr:
    a, y = glyphs.a(glyphs.last, j, row), glyphs.y(j, row)
    return Sum((a, Neg(y))) if glyphs.notation.delta_sign == 1 else Sum((y, Neg(a)))


def weighted_input(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return z_j as the sum of weights times activations."""
    W, n = glyphs.at(layer).weights, glyphs.sizes[layer - 1]
    before = glyphs.trace.X if layer == 1 else glyphs.at(layer - 1).a
    with np.errstate(all="ignore"):
        shown = chosen(W[j] * before[row], TERMS)
    terms: list[Expr] = [Prod((glyphs.w(layer, j, k), glyphs.a(layer - 1, k, row))) for k in shown]
    total = _summed(terms, n)
    if glyphs.has_bias(layer):
        parts = total.terms if isinstance(total, Sum) and not total.elided else (total,)
        total = Sum((*parts, glyphs.b(layer, j)))
    label = {"nielsen": "(23)", "dp": "", "softmax-ce": ""}.get(glyphs.notation.name, "")
    return _lines(glyphs.z(layer, j, row), total, label=label)


def activation(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return a_j = f(z_j), for softmax written out."""
    a, f = glyphs.a(layer, j, row), glyphs.activation(layer, j, row)
    if layer < glyphs.last or not glyphs.softmax:
        return _lines(a, f)
    n = glyphs.sizes[layer]
    e = [Fn(Sym("exp"), glyphs.z(layer, i, row)) for i in range(n)]
    shown = chosen(glyphs.at(layer).a[row], TERMS)
    return _lines(a, Frac(e[j], _summed([e[i] for i in shown], n)))


def forward_matrix(glyphs: Glyphs, layer: int, row: int) -> list[Line]:
    """Return z = W a + b and a = f(z) of a whole layer."""
    W, a = glyphs.w(layer), glyphs.a(layer - 1, None, row)
    dot = glyphs.notation.product == "dot"
    product: Expr = MatVec(W, a, dot) if glyphs.column else MatVec(a, Transpose(W), dot)
    if glyphs.has_bias(layer):
        product = Sum((product, glyphs.b(layer)))
    return [
        *_lines(glyphs.z(layer, None, row), product, matrix=True),
        *_lines(glyphs.a(layer, None, row), glyphs.activation(layer, None, row), matrix=True),
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
        return _lines(lhs, _product(half, _summed(squares, n)))
    if name == "cross_entropy" and glyphs.softmax:
        targets = glyphs.trace.Y[row]
        terms = int((targets != 0).sum()) or n  # the others are 0 ln a = 0
        shown = [j for j in chosen(targets, TERMS) if targets[j] != 0 or terms == n]
        logs: list[Expr] = [Prod((y(j), Fn(Sym("ln"), a(j)))) for j in shown]
        return _lines(lhs, Neg(_summed(logs, terms)))
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
        return _lines(lhs, Neg(_summed(pairs, n)))
    sides = (lhs, Fn(Sym(name), glyphs.a(last, None, row)), stands_for(lhs))
    return [Line(Relation(sides), form) for form in ("component", "numbers")]


def batch_cost(glyphs: Glyphs) -> list[Line]:
    """Return the cost of a batch from those of its samples."""
    m = glyphs.n_samples
    shown = chosen(np.zeros(m), TERMS)
    total = _summed([glyphs.cost(row) for row in shown], m)
    return _lines(glyphs.cost(), _product(Frac(Int(1), Int(m)), total))


def output_error(glyphs: Glyphs, last: int, j: int, row: int) -> list[Line]:
    """Return dC/da_j of an output."""
    name = glyphs.trace.architecture.cost.name
    lhs, a, y = glyphs.error(last, j, row), glyphs.a(last, j, row), glyphs.y(j, row)
    if name in ("quadratic", "squared_error"):
        two = Int(2) if glyphs.notation.cost_scale == 1.0 else Int(1)
        return _lines(lhs, _product(two, _batch_scale(glyphs), _difference(glyphs, j, row)))
    if name == "cross_entropy" and glyphs.softmax:
        ratio: Expr = Frac(y, a)
        ratio = ratio if glyphs.notation.delta_sign == -1 else Neg(ratio)
        return _lines(lhs, _product(_batch_scale(glyphs), ratio))
    one = Int(1)
    if name in ("cross_entropy", "binary_cross_entropy"):
        parts: tuple[Expr, Expr] = (
            Frac(Sum((one, Neg(y))), Sum((one, Neg(a)))),
            Neg(Frac(y, a)),
        )
        if glyphs.notation.delta_sign == -1:
            parts = (Frac(y, a), Neg(parts[0]))
        return _lines(lhs, _product(_batch_scale(glyphs), Sum(parts)))
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
            terms.append(_product(w, _batch_scale(glyphs), _difference(glyphs, k, row)))
        elif glyphs.notation.carried == "dC_da" and not (after == glyphs.last and glyphs.softmax):
            terms.append(Prod((w, glyphs.slope(after, k, row), glyphs.error(after, k, row))))
        else:
            terms.append(Prod((w, glyphs.delta(after, k, row))))
    label = {"softmax-ce": "(13)" if after == glyphs.last and glyphs.a_minus_y else "(6)"}
    return _lines(
        glyphs.error(layer, j, row), _summed(terms, n), label=label.get(glyphs.notation.name, "")
    )


def delta(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return delta_j: BP1 for an output, BP2 for a hidden neuron."""
    lhs, name = glyphs.delta(layer, j, row), glyphs.notation.name
    if layer == glyphs.last:
        if glyphs.a_minus_y:
            label = "(7)" if name == "softmax-ce" else ""
            return _lines(lhs, _product(_batch_scale(glyphs), _difference(glyphs, j, row)), label=label)
        if glyphs.softmax:
            n = glyphs.sizes[-1]
            with np.errstate(all="ignore"):
                here = glyphs.at(layer)
                shown = chosen(here.error[row] * here.slope[row, :, j], TERMS)
            terms: list[Expr] = [
                Prod((glyphs.error(layer, i, row), glyphs.jacobian(i, j, row))) for i in shown
            ]
            return _lines(lhs, _summed(terms, n), label="(37)" if name == "nielsen" else "")
        label = "BP1" if name == "nielsen" else ""
        return _lines(lhs, _in_order(glyphs, layer, j, row), label=label)
    if glyphs.notation.carried == "dC_da":
        return _lines(
            lhs, _in_order(glyphs, layer, j, row), label="(11)" if name == "softmax-ce" else ""
        )
    after, n = layer + 1, glyphs.sizes[layer + 1]
    next_layer = glyphs.at(after)
    with np.errstate(all="ignore"):
        shown = chosen(next_layer.weights[:, j] * next_layer.delta[row], TERMS)
    back = [Prod((glyphs.w(after, k, j), glyphs.delta(after, k, row))) for k in shown]
    product = Prod((_summed([*back], n), glyphs.slope(layer, j, row)))
    return _lines(lhs, product, label="BP2" if name == "nielsen" else "")


def _in_order(glyphs: Glyphs, layer: int, j: int, row: int) -> Expr:
    slope, error = glyphs.slope(layer, j, row), glyphs.error(layer, j, row)
    if glyphs.notation.derivative_style == "dot":
        return Prod((slope, error))
    quadratic = glyphs.trace.architecture.cost.name in ("quadratic", "squared_error")
    if layer == glyphs.last and glyphs.notation.delta_sign == -1 and quadratic:
        two = Int(2) if glyphs.notation.cost_scale == 1.0 else Int(1)
        return _product(two, _batch_scale(glyphs), _difference(glyphs, j, row), slope)
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
        carried = _difference(glyphs, None, row)
    elif glyphs.notation.carried == "dC_da" and not (
        after == glyphs.last and (glyphs.softmax or glyphs.a_minus_y)
    ):
        pair = (glyphs.slope(after, None, row), glyphs.error(after, None, row))
        carried = _hadamard(
            glyphs, *(pair if glyphs.notation.derivative_style == "dot" else pair[::-1])
        )
    else:
        carried = glyphs.delta(after, None, row)
    return _lines(glyphs.error(layer, None, row), _times(glyphs, after, carried), matrix=True)


def delta_matrix(glyphs: Glyphs, layer: int, row: int) -> list[Line]:
    """Return delta of a whole layer."""
    lhs = glyphs.delta(layer, None, row)
    nielsen = glyphs.notation.name == "nielsen"
    if layer == glyphs.last and glyphs.a_minus_y:
        product = _product(_batch_scale(glyphs), _difference(glyphs, None, row))
        return _lines(lhs, product, matrix=True)
    if layer == glyphs.last and glyphs.softmax:
        error, jacobian = glyphs.error(layer, None, row), glyphs.jacobian(row=row)
        if glyphs.column:
            return _lines(lhs, MatVec(Transpose(jacobian), error), matrix=True)
        return _lines(lhs, MatVec(error, jacobian), matrix=True)
    slope = glyphs.slope(layer, None, row)
    if layer == glyphs.last or glyphs.notation.carried == "dC_da":
        error = glyphs.error(layer, None, row)
        pair = (slope, error) if glyphs.notation.derivative_style == "dot" else (error, slope)
        return _lines(
            lhs,
            _hadamard(glyphs, *pair),
            matrix=True,
            label="BP1a" if nielsen and layer == glyphs.last else "",
        )
    back = _times(glyphs, layer + 1, glyphs.delta(layer + 1, None, row))
    return _lines(lhs, _hadamard(glyphs, back, slope), matrix=True, label="BP2" if nielsen else "")


def _over_samples(glyphs: Glyphs, term: Callable[[int], Expr], sizes: Iterable[float]) -> Expr:
    m = glyphs.n_samples
    scale = Frac(Int(1), Int(m)) if glyphs.factors.outer > 1 else Int(1)
    return _product(scale, _summed([term(row) for row in chosen(sizes, TERMS)], m))


def weight_gradient(glyphs: Glyphs, layer: int, j: int, k: int) -> list[Line]:
    """Return dC/dw_jk = a_k delta_j, over the batch: BP4."""
    before = glyphs.trace.X if layer == 1 else glyphs.at(layer - 1).a

    def term(row: int) -> Expr:
        pair = glyphs.a(layer - 1, k, row), _delta_or_difference(glyphs, layer, j, row)
        return Prod(pair if glyphs.column else pair[::-1])

    with np.errstate(all="ignore"):
        sizes = before[:, k] * glyphs.at(layer).delta[:, j]
    label = "BP4" if glyphs.notation.name == "nielsen" else ""
    return _lines(glyphs.weight_gradient(layer, j, k), _over_samples(glyphs, term, sizes), label=label)


def _delta_or_difference(glyphs: Glyphs, layer: int, j: int, row: int) -> Expr:
    if glyphs.notation.carried == "dC_da" and layer == glyphs.last and glyphs.a_minus_y:
        return _difference(glyphs, j, row)  # (8) of S0
    return glyphs.delta(layer, j, row)


def bias_gradient(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return dC/db_j = delta_j, over the batch: BP3. Where delta is written dC/db, nothing is left."""
    if not glyphs.notation.delta_symbol and glyphs.n_samples == 1:
        return []
    total = _over_samples(glyphs, lambda row: glyphs.delta(layer, j, row), glyphs.at(layer).delta[:, j])
    label = "BP3" if glyphs.notation.name == "nielsen" else ""
    return _lines(glyphs.bias_gradient(layer, j), total, label=label)


def gradient_matrix(glyphs: Glyphs, layer: int) -> list[Line]:
    """Return the gradient of all weights, and of all biases, of a layer."""
    m, dot = glyphs.n_samples, glyphs.notation.product == "dot"
    row = 0 if m == 1 else None  # None: the matrix of all samples, whose product is the sum
    d, a = glyphs.delta(layer, None, row), glyphs.a(layer - 1, None, row)
    product: Expr = MatVec(d, Transpose(a), dot) if glyphs.column else MatVec(Transpose(d), a, dot)
    scale = Frac(Int(1), Int(m)) if glyphs.factors.outer > 1 else Int(1)
    lhs = glyphs.weight_gradient(layer)
    in_numbers = _product(scale, substituted(product))
    symbols = product
    if m > 1 and glyphs.column:
        symbols = BigSum(glyphs.notation.batch_axis, product)
    lines = [
        Line(Relation((lhs, _product(scale, symbols))), "matrix"),
        Line(Relation((lhs, in_numbers, stands_for(lhs))), "matrix"),
    ]
    if glyphs.has_bias(layer) and (glyphs.notation.delta_symbol or m > 1):
        lhs = glyphs.bias_gradient(layer)
        summed: Expr = d if m == 1 else BigSum(glyphs.notation.batch_axis, d)
        lines += [
            Line(Relation((lhs, _product(scale, summed))), "matrix"),
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
        product = _summed(terms, n)
    else:
        product = in_order(glyphs.error(layer, j), glyphs.da_dz(layer, j), dz_dw)
    return [
        Line(each.formula, "chain", each.label)
        for each in _lines(glyphs.weight_gradient(layer, j, k), product)[1:]
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
    ways = paths.best_paths(glyphs.trace, layer - 1, j, shown_of(n, limit))
    if not ways:
        return []
    total = _summed([path_product(glyphs, layer, k, way) for way in sorted(ways)], n)
    if len(ways) < n and not isinstance(total, Sum):
        total = Sum((total,), n - 1)
    label = "(53)" if glyphs.notation.name == "nielsen" else ""
    return [
        Line(each.formula, "path", label)
        for each in _lines(glyphs.weight_gradient(layer, j, k), total)[1:]
    ]


def plain_descent(glyphs: Glyphs) -> bool:
    """Return whether the update is the learning rate times the gradient."""
    update = glyphs.trace.update
    if update is None:
        return True
    return isinstance(update.optimizer, SGD) and not update.optimizer.nesterov


def _update(
    glyphs: Glyphs, p: Sym, gradient: Expr, after: Num | Mat | None, matrix: bool
) -> list[Line]:
    sign = "→" if glyphs.notation.update_style == "arrow" else ":="
    end: Expr = Missing() if after is None else after
    if not plain_descent(glyphs):
        return [
            Line(Relation((p, end), sign), form)
            for form in (("matrix",) if matrix else ("component", "numbers"))
        ]
    step = Prod((glyphs.learning_rate(), gradient))
    moved = Sum((p, step if glyphs.notation.delta_sign == -1 else Neg(step)))
    if after is None:
        forms = ("matrix",) if matrix else ("component", "numbers")
        return [Line(Relation((p, moved, end), sign), form) for form in forms]
    return _lines(p, moved, matrix=matrix, sign=sign, result=end)


def update_weight(glyphs: Glyphs, layer: int, j: int, k: int) -> list[Line]:
    """Return the update of one weight."""
    p, gradient = glyphs.w(layer, j, k), glyphs.weight_gradient(layer, j, k)
    return _update(glyphs, p, gradient, glyphs.weight_after(layer, j, k), matrix=False)


def update_bias(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return the update of one bias."""
    p, gradient = glyphs.b(layer, j), glyphs.bias_gradient(layer, j)
    return _update(glyphs, p, gradient, glyphs.bias_after(layer, j), matrix=False)


def update_matrix(glyphs: Glyphs, layer: int) -> list[Line]:
    """Return the update of all weights of a layer, and of its biases."""
    p, gradient = glyphs.w(layer), glyphs.weight_gradient(layer)
    lines = _update(glyphs, p, gradient, glyphs.weight_after(layer), matrix=True)
    if glyphs.has_bias(layer):
        p, gradient = glyphs.b(layer), glyphs.bias_gradient(layer)
        lines += _update(glyphs, p, gradient, glyphs.bias_after(layer), matrix=True)
    return lines
