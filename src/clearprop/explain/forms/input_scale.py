"""What the learned input scale makes of what it multiplies, and its gradient, with letters of its own.

s is the scale, TabM's r where members have one each; E what it multiplies, an input or a number that
an embedding makes of one; a what layer 1 sees. T is dC/da, of each example's own cost.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from clearprop.activations import Array
from clearprop.explain.expression import Expr, Num, Prod, Sym
from clearprop.explain.forms.embedding import over_batch
from clearprop.explain.forms.line import TERMS, Line, chosen, lines_of, product_of, summed
from clearprop.explain.glyphs import Glyphs
from clearprop.trace import TraceScale

FORWARD = "s is the learned input scale, E what it multiplies."
BACKWARD = (
    "T is dC/da of what layer 1 sees, of each example's own cost; Z is dC/dz of layer 1's neurons."
)


def _scale(glyphs: Glyphs) -> TraceScale:
    assert glyphs.trace.scale is not None
    return glyphs.trace.scale


def _symbol(glyphs: Glyphs, base: str, name: str, array: Array, j: int, row: int | None) -> Sym:
    index = (j,) if row is None else (row, j)
    value = Num(f"input_scale.{name}", 0, index, array)
    return Sym(base, glyphs.of_example(row), (str(j + 1),), value=value)


def shown(glyphs: Glyphs) -> list[int]:
    """Return the inputs that are shown: all of a few, else those that matter most."""
    return chosen(_scale(glyphs).gradient, TERMS)


def forward(glyphs: Glyphs, row: int) -> list[Line]:
    """Return what layer 1 sees of the inputs that are shown."""
    its, lines = _scale(glyphs), []
    for j in shown(glyphs):
        s = _symbol(glyphs, "s", "scale", its.scale, j, None)
        E = _symbol(glyphs, "E", "below", its.below, j, row)
        lines += lines_of(glyphs.a(0, j, row), Prod((s, E)))
    return lines


def _error(glyphs: Glyphs, j: int, row: int) -> list[Line]:
    """Return T of an input, from layer 1."""
    W, delta = glyphs.at(1).weights, glyphs.at(1).delta
    with np.errstate(all="ignore"):
        largest = chosen(W[:, j] * delta[row], TERMS)
    terms: list[Expr] = []
    for i in largest:
        value = Num("delta", 1, (row, i), delta)
        Z = Sym("Z", glyphs.of_example(row), (str(i + 1),), value=value)
        terms.append(Prod((glyphs.w(1, i, j), Z)))
    T = _symbol(glyphs, "T", "error", _scale(glyphs).error, j, row)
    return lines_of(T, summed(terms, delta.shape[1]))


def backward(glyphs: Glyphs, n_rows: int) -> list[Line]:
    """Return T of some examples, and the gradient, of the inputs that are shown."""
    its, m, lines = _scale(glyphs), glyphs.n_samples, []
    over = over_batch(glyphs.trace.architecture, m)
    E, T = (
        partial(_symbol, glyphs, base, name, array)
        for base, name, array in (("E", "below", its.below), ("T", "error", its.error))
    )
    for j in shown(glyphs):
        for row in range(n_rows):
            lines += _error(glyphs, j, row)
        terms: list[Expr] = [Prod((E(j, i), T(j, i))) for i in chosen(np.zeros(m), TERMS)]
        ds = _symbol(glyphs, "ds", "gradient", its.gradient, j, None)
        lines += lines_of(ds, product_of(over, summed(terms, m)))
    return lines
