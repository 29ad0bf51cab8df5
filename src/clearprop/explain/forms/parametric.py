"""Parametric activations: a and f' with the share of a neuron, and the gradient of the share."""

from __future__ import annotations

from clearprop.explain.expression import Expr, Fn, Int, Neg, Num, Prod, Sum, Sym
from clearprop.explain.forms.gradients import mean_of
from clearprop.explain.forms.line import TERMS, Line, chosen, lines_of, summed
from clearprop.explain.forms.update import updated
from clearprop.explain.glyphs import Glyphs


def _plain(glyphs: Glyphs, layer: int) -> Sym | None:
    """Return the function that a parametric layer mixes with the identity; None of another layer."""
    plain = glyphs.at(layer).function.plain
    return None if plain is None else Sym(plain.name)


def share(glyphs: Glyphs, layer: int, j: int) -> Sym:
    """Return the share of a neuron."""
    array = glyphs.at(layer).shares
    assert array is not None
    return Sym("s", glyphs.sup(layer), (str(j + 1),), value=Num("share", layer, (j,), array))


def _bend(glyphs: Glyphs, layer: int, f: Sym, j: int, row: int) -> Expr:
    """Return f(z) - z."""
    z = glyphs.z(layer, j, row)
    return Sum((Fn(f, z), Neg(z)))


def mixed(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return ``a = z + s (f(z) - z)``; nothing of another activation."""
    f = _plain(glyphs, layer)
    if f is None:
        return []
    bend = Prod((share(glyphs, layer, j), _bend(glyphs, layer, f, j, row)))
    return lines_of(glyphs.a(layer, j, row), Sum((glyphs.z(layer, j, row), bend)))


def mixed_slope(glyphs: Glyphs, layer: int, j: int, row: int) -> list[Line]:
    """Return ``a' = 1 + s (f'(z) - 1)``; nothing of another activation."""
    f = _plain(glyphs, layer)
    if f is None:
        return []
    fallen = Sum((Fn(f, glyphs.z(layer, j, row), "prime"), Neg(Int(1))))
    bend = Prod((share(glyphs, layer, j), fallen))
    return lines_of(glyphs.slope(layer, j, row), Sum((Int(1), bend)))


def share_gradient(glyphs: Glyphs, layer: int, j: int) -> list[Line]:
    """Return ``dC/ds = dC/da (f(z) - z)`` over the batch, as BP3, and the update."""
    f, update = _plain(glyphs, layer), glyphs.trace.update
    array = glyphs.at(layer).share_gradient
    if f is None or array is None:
        return []

    def term(row: int) -> Expr:
        return Prod((glyphs.error(layer, j, row), _bend(glyphs, layer, f, j, row)))

    rows = chosen(glyphs.at(layer).error[:, j], TERMS)
    total = summed([term(row) for row in rows], glyphs.n_samples)
    s = share(glyphs, layer, j)
    gradient = glyphs.gradient_by(s, Num("share_gradient", layer, (j,), array, glyphs.factors.gradient))
    lines = lines_of(gradient, mean_of(glyphs, total))
    after = None if update is None else update.shares[layer - 1]
    if after is not None:
        moved = Num("share_after", layer, (j,), after)
        lines += updated(glyphs, s, gradient, (total, total), moved, matrix=False)
    return lines
