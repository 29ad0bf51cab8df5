"""What an embedding makes of a category, and the gradients of its vectors, with letters of its own.

Of a category, which is numbered as the first of its inputs: u its one-hot columns, Q its vectors, E
what layer 1 sees, and F is dC/dE, of each example's own cost.
"""

from __future__ import annotations

import numpy as np

from clearprop.activations import Array
from clearprop.category_embedding import Categories
from clearprop.explain.expression import Expr, Num, Prod, Sym
from clearprop.explain.forms.line import TERMS, Line, chosen, lines_of, product_of, summed
from clearprop.explain.glyphs import Glyphs
from clearprop.input_embedding import Embedding
from clearprop.trace import TraceEmbedding

_SHOWN = 2  # categories, numbers and values of each


class Letters:
    """The symbols of one category, of which `k` is the place among them."""

    def __init__(self, glyphs: Glyphs, k: int) -> None:
        trace, its = glyphs.trace.embedding, glyphs.trace.architecture.embedding
        assert trace is not None
        assert its is not None
        self.glyphs, self.k, self.its = glyphs, k, its
        self.trace: TraceEmbedding = trace
        self.of: Categories = its.categories
        self.first, self.inputs = self.of.rows[k].start, self.of.groups[k]

    def _symbol(
        self, base: str, name: str, index: tuple[int, ...], array: Array, row: int | None, *sub: int
    ) -> Sym:
        value = Num(f"embedding.{name}", 0, index if row is None else (row, *index), array)
        below = tuple(str(each + 1) for each in sub)
        return Sym(base, self.glyphs.of_example(row), below, value=value)

    def u(self, value: int, row: int) -> Sym:
        """Return the one-hot column of a value."""
        at = self.first + value
        return self._symbol("u", "one_hot", (at,), self.trace.one_hot, row, self.inputs[value])

    def Q(self, value: int, j: int, gradient: bool = False) -> Sym:
        """Return a number of a value's vector, or its gradient."""
        arrays = self.trace.gradient if gradient else self.trace.parameters
        base, name = ("dQ", "vectors_gradient") if gradient else ("Q", "vectors")
        index = self.first + value, j
        return self._symbol(base, name, index, arrays["vectors"], None, self.inputs[value], j)

    def E(self, j: int, row: int) -> Sym:
        """Return a number that layer 1 sees."""
        return self._symbol("E", "a", (self.at(j),), self.trace.a, row, self.inputs[0], j)

    def F(self, j: int, row: int) -> Sym:
        """Return dC/dE."""
        error = self.trace.vector_error
        return self._symbol("F", "vector_error", (self.k, j), error, row, self.inputs[0], j)

    def at(self, j: int) -> int:
        """Return where a number stands in what layer 1 sees."""
        return int(self.its.vectors[self.k, j])

    def values(self, row: int) -> list[int]:
        """Return the values whose columns are not 0: one, or none of those that are known."""
        of_row = self.trace.one_hot[row, self.of.rows[self.k]]
        return chosen(of_row, TERMS) if np.count_nonzero(of_row) > 1 else [int(of_row.argmax())]

    def numbers(self) -> list[int]:
        """Return the numbers that are shown."""
        return chosen(self.trace.vector_error[0, self.k], _SHOWN)


def shown(glyphs: Glyphs) -> list[Letters]:
    """Return the categories that are shown: all of a few, else those that matter most."""
    trace, its = glyphs.trace.embedding, glyphs.trace.architecture.embedding
    if trace is None or its is None:
        return []
    with np.errstate(all="ignore"):
        found = chosen(np.abs(trace.vector_error).sum(axis=(0, 2)), _SHOWN)
    return [Letters(glyphs, k) for k in found]


def n_categories(its: Embedding | None) -> int:
    """Return how many there are."""
    return 0 if its is None else len(its.categories.groups)


def forward(glyphs: Glyphs, row: int) -> list[Line]:
    """Return what is looked up for the categories that are shown."""
    lines: list[Line] = []
    for letters in shown(glyphs):
        for j in letters.numbers():
            terms: list[Expr] = [
                Prod((letters.u(value, row), letters.Q(value, j))) for value in letters.values(row)
            ]
            lines += lines_of(letters.E(j, row), summed(terms, len(letters.inputs), zero=True))
    return lines


def errors(letters: Letters, row: int) -> list[Line]:
    """Return F of the numbers that are shown, from layer 1; an input scale would stand in between."""
    glyphs, lines = letters.glyphs, []
    W, delta = glyphs.at(1).weights, glyphs.at(1).delta
    for j in letters.numbers() if not glyphs.trace.architecture.input_scale else ():
        at = letters.at(j)
        terms: list[Expr] = []
        with np.errstate(all="ignore"):
            largest = chosen(W[:, at] * delta[row], TERMS)
        for i in largest:
            of_neuron = Num("delta", 1, (row, i), delta)
            Z = Sym("Z", glyphs.of_example(row), (str(i + 1),), value=of_neuron)
            terms.append(Prod((glyphs.w(1, i, at), Z)))
        lines += lines_of(letters.F(j, row), summed(terms, delta.shape[1]))
    return lines


def gradients(letters: Letters, over: Expr) -> list[Line]:
    """Return the gradients of the vectors of some values that are there, over the batch."""
    m, lines = letters.glyphs.n_samples, []
    there = [value for row in range(min(m, TERMS)) for value in letters.values(row)]
    for value in sorted(set(there[:_SHOWN])):
        of_value = letters.trace.one_hot[:, letters.first + value]
        for j in letters.numbers():
            terms: list[Expr] = [
                Prod((letters.u(value, row), letters.F(j, row))) for row in chosen(of_value, TERMS)
            ]
            right = product_of(over, summed(terms, m))
            lines += lines_of(letters.Q(value, j, gradient=True), right)
    return lines
