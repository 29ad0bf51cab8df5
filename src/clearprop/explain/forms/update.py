"""The update of weights and biases."""

from __future__ import annotations

from clearprop.explain.expression import Expr, Mat, Missing, Neg, Num, Prod, Relation, Sum, Sym
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
    return lines_of(p, moved, matrix=matrix, sign=sign, result=end)


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
