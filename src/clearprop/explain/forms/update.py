"""The update of weights and biases."""

from __future__ import annotations

from clearprop.explain.expression import (
    BigSum,
    Expr,
    Frac,
    Int,
    Mat,
    Neg,
    Num,
    Prod,
    Relation,
    Sum,
    Sym,
    substituted,
)
from clearprop.explain.forms.gradients import (
    bias_terms,
    matrix_bias_terms,
    matrix_weight_terms,
    weight_terms,
)
from clearprop.explain.forms.line import Line, lines_of
from clearprop.explain.glyphs import Glyphs
from clearprop.optimizers import SGD


def plain_descent(glyphs: Glyphs) -> bool:
    """Return whether the update is the learning rate times the gradient."""
    update = glyphs.trace.update
    if update is None:
        return True
    alike = all(block.lr_factor == 1 for block in glyphs.trace.architecture.blocks)
    return alike and isinstance(update.optimizer, SGD) and not update.optimizer.nesterov


def over_m(glyphs: Glyphs) -> bool:
    """Return whether the rule has eta / m and the sum over the examples, as that of S2."""
    return glyphs.n_samples > 1 and glyphs.notation.reduction_in == "update"


def updated(
    glyphs: Glyphs,
    p: Sym,
    gradient: Expr,
    terms: tuple[Expr, Expr],
    after: Num | Mat | None,
    matrix: bool,
) -> list[Line]:
    """Return the update of p; `terms` is the sum over the examples, in symbols and in numbers."""
    sign = "→" if glyphs.notation.update_style == "arrow" else ":="
    forms = ("matrix",) if matrix else ("component", "numbers")
    if after is not None and not plain_descent(glyphs):
        return [Line(Relation((p, after), sign), form) for form in forms]

    def moved(total: Expr) -> Expr:
        rate: Expr = glyphs.learning_rate()
        if over_m(glyphs):
            rate, step = Frac(rate, Int(glyphs.n_samples)), total
        else:
            step = gradient
        product = Prod((rate, step))
        return Sum((p, product if glyphs.notation.delta_sign == -1 else Neg(product)))

    in_symbols, in_numbers = map(moved, terms)
    if after is None:
        return [Line(Relation((p, in_symbols), sign), form) for form in forms]
    if matrix:
        in_columns = over_m(glyphs) and isinstance(terms[1], BigSum)  # no product of matrices
        sides = (p, after) if in_columns else (p, substituted(in_numbers), after)
        return [Line(Relation((p, in_symbols), sign), "matrix"), Line(Relation(sides, sign), "matrix")]
    return lines_of(p, in_symbols, sign=sign, result=after)


def update_weight(glyphs: Glyphs, layer: int, j: int, k: int) -> list[Line]:
    """Return the update of one weight."""
    p, gradient = glyphs.w(layer, j, k), glyphs.weight_gradient(layer, j, k)
    terms = weight_terms(glyphs, layer, j, k)
    return updated(glyphs, p, gradient, (terms, terms), glyphs.weight_after(layer, j, k), matrix=False)


def update_bias(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return the update of one bias."""
    p, gradient = glyphs.b(layer, j), glyphs.bias_gradient(layer, j)
    terms = bias_terms(glyphs, layer, j)
    return updated(glyphs, p, gradient, (terms, terms), glyphs.bias_after(layer, j), matrix=False)


def update_matrix(glyphs: Glyphs, layer: int) -> list[Line]:
    """Return the update of all weights of a layer, and of its biases."""
    p, gradient = glyphs.w(layer), glyphs.weight_gradient(layer)
    terms = matrix_weight_terms(glyphs, layer)
    lines = updated(glyphs, p, gradient, terms, glyphs.weight_after(layer), matrix=True)
    if glyphs.has_bias(layer):
        p, gradient = glyphs.b(layer), glyphs.bias_gradient(layer)
        terms = matrix_bias_terms(glyphs, layer)
        lines += updated(glyphs, p, gradient, terms, glyphs.bias_after(layer), matrix=True)
    return lines
