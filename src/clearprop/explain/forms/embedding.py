"""What an embedding makes of an input, and the gradients of it, with letters of its own.

Of input k: u the input, phi its basis, V and b its map, h before the function, E what layer 1 sees; c
and r of a wave, p the edges of a bin. D is dC/dh, G dC/dphi, P dC/dphase, of each example's own cost.
"""

from __future__ import annotations

import math

import numpy as np

from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.explain.expression import Expr, Fn, Frac, Int, Neg, Num, Prod, Sum, Sym
from clearprop.explain.forms import categories
from clearprop.explain.forms.line import TERMS, Line, chosen, lines_of, product_of, summed
from clearprop.explain.glyphs import Glyphs
from clearprop.input_embedding import Embedding
from clearprop.trace import TraceEmbedding

_SHOWN = 2  # inputs, numbers and basis functions of each
FORWARD = (
    "u is an input, φ its basis, V and b its map; of a category, numbered as its first input, u is a "
    "one-hot column and Q a value's vector. E is what layer 1 sees."
)
BACKWARD = (
    "Z is dC/dz of layer 1's neurons, D is dC/dh, G is dC/dφ and P is dC/dphase, F is dC/dE of a "
    "category, of each example's own cost as the network has it; d before a letter is its gradient. "
    "The update is that of the layers."
)
SHARED = " V and b are one for all inputs: their gradients are sums over these too."


class Letters:
    """The symbols of one embedded input, of which `k` is the place among them."""

    def __init__(self, glyphs: Glyphs, k: int) -> None:
        trace, its = glyphs.trace.embedding, glyphs.trace.architecture.embedding
        assert trace is not None
        assert its is not None
        self.glyphs, self.k = glyphs, k
        self.trace: TraceEmbedding = trace
        self.its: Embedding = its
        self.input = (its.columns or ())[k]  # counted from 0

    def _symbol(
        self, base: str, name: str, index: tuple[int, ...], array: Array, row: int | None, *sub: int
    ) -> Sym:
        value = Num(f"embedding.{name}", 0, index if row is None else (row, *index), array)
        of_all = self.its.shared and base.removeprefix("d") in ("V", "b")
        below = (*(() if of_all else (str(self.input + 1),)), *(str(each + 1) for each in sub))
        return Sym(base, self.glyphs.of_example(row), below, value=value)

    def u(self, row: int) -> Sym:
        """Return the input."""
        return self._symbol("u", "x", (self.k,), self.trace.x, row)

    def phi(self, s: int, row: int) -> Sym:
        """Return a basis function."""
        return self._symbol("φ", "basis", (self.k, s), self.trace.basis, row, s)

    def h(self, j: int, row: int) -> Sym:
        """Return a number before its function."""
        return self._symbol("h", "h", (self.k, j), self.trace.h, row, j)

    def E(self, j: int, row: int) -> Sym:
        """Return a number that layer 1 sees."""
        at = int(self.its.places[self.k, j])
        return self._symbol("E", "a", (at,), self.trace.a, row, j)

    def error(self, base: str, s: int, row: int) -> Sym:
        """Return D, G or P."""
        found = {
            "D": ("delta", self.trace.delta),
            "G": ("basis_error", self.trace.basis_error),
            "P": ("phase_error", self.trace.phase_error),
        }
        name, array = found[base]
        assert array is not None
        return self._symbol(base, name, (self.k, s), array, row, s)

    def above(self, i: int, row: int) -> Sym:
        """Return dC/dz of a neuron of layer 1, of the example's own cost."""
        value = Num("delta", 1, (row, i), self.glyphs.at(1).delta)
        return Sym("Z", self.glyphs.of_example(row), (str(i + 1),), value=value)

    def parameter(self, name: str, *index: int, gradient: bool = False) -> Sym:
        """Return V, b, c or r; or its gradient."""
        own = () if name in ("weight", "bias") and self.its.shared else (self.k,)
        base = {"weight": "V", "bias": "b", "frequency": "c", "phase": "r"}[name]
        arrays = self.trace.gradient if gradient else self.trace.parameters
        what = f"{name}_gradient" if gradient else name
        return self._symbol(
            f"d{base}" if gradient else base, what, (*own, *index), arrays[name], None, *index
        )

    def edge(self, t: int) -> Sym:
        """Return an edge of a bin."""
        return self._symbol("p", "edges", (self.k, t), edges(self.its), None, t)


def edges(its: Embedding) -> Array:
    """Return the edges of the bins of each embedded input, the last one again where there are fewer."""
    given = getattr(its, "edges", ())
    most = max(map(len, given), default=0)
    return np.array([[*each, *[each[-1]] * (most - len(each))] for each in given])


def turn() -> Expr:
    """Return 2 pi."""
    return Prod((Int(2), Sym("π", value=Num("embedding.pi", 0, (), np.array(math.pi)))))


def _times(*factors: Expr) -> Expr:
    """Return a product, the factors of a product among them for themselves."""
    flat = [each for one in factors for each in (one.factors if isinstance(one, Prod) else (one,))]
    return product_of(*flat)


def inputs_shown(glyphs: Glyphs) -> list[int]:
    """Return the embedded inputs that are shown: all of a few, else those that matter most."""
    trace = glyphs.trace.embedding
    assert trace is not None
    with np.errstate(all="ignore"):
        return chosen(np.abs(trace.delta).sum(axis=(0, 2)), _SHOWN)


def numbers_shown(letters: Letters, row: int = 0) -> list[int]:
    """Return the numbers of an input that are shown."""
    return chosen(letters.trace.delta[row, letters.k], _SHOWN)


def terms_shown(letters: Letters, row: int = 0) -> list[int]:
    """Return the basis functions of an input that are shown: the largest."""
    return chosen(letters.trace.basis[row, letters.k], TERMS)


def phase(letters: Letters, q: int, row: int) -> Expr:
    """Return the phase of a wave."""
    turns = _times(turn(), letters.parameter("frequency", q), letters.u(row))
    if "phase" not in letters.trace.parameters:
        return turns
    return Sum((turns, letters.parameter("phase", q)))


def basis(letters: Letters, s: int, row: int) -> list[Line]:
    """Return a basis function of the input."""
    its, phi = letters.its, letters.phi(s, row)
    if its.n_waves:
        name = "cos" if s < its.n_waves else "sin"
        return lines_of(phi, Fn(Sym(name), phase(letters, s % its.n_waves, row)))
    if s == 0:
        return lines_of(phi, letters.u(row))
    left, right = letters.edge(s - 1), letters.edge(s)
    share = letters.trace.basis[row, letters.k, s]
    n_bins = len(its.edges[letters.k]) - 1  # type: ignore[attr-defined]
    if s > n_bins or (share == 0 and s > 1) or (share == 1 and s < n_bins):
        return []  # below the bin, above it, or none: 0 or 1 by rule
    return lines_of(phi, Frac(Sum((letters.u(row), Neg(left))), Sum((right, Neg(left)))))


def mapped(letters: Letters, j: int, row: int) -> list[Line]:
    """Return h of a number, and what layer 1 sees."""
    its, h = letters.its, letters.h(j, row)
    terms: list[Expr] = [
        Prod((letters.parameter("weight", s, j), letters.phi(s, row)))
        for s in terms_shown(letters, row)
    ]
    total = summed(terms, its.n_basis)
    parts = total.terms if isinstance(total, Sum) and not total.elided else (total,)
    lines = lines_of(h, Sum((*parts, letters.parameter("bias", j))))
    f: Expr = Fn(Sym(its.function.name), h) if its.function.kinks else h
    return lines + lines_of(letters.E(j, row), f)


def appended(letters: Letters, row: int) -> list[Line]:
    """Return that the input itself is the last of its numbers, where it is."""
    return lines_of(letters.E(letters.its.size - 1, row), letters.u(row)) if letters.its.appends else []


def output_errors(letters: Letters, row: int) -> list[Line]:
    """Return D of the numbers that are shown, from layer 1; an input scale would stand in between."""
    its, glyphs, lines = letters.its, letters.glyphs, []
    W, delta = glyphs.at(1).weights, glyphs.at(1).delta[row]
    for j in numbers_shown(letters) if not glyphs.trace.architecture.input_scale else ():
        at = int(its.places[letters.k, j])
        with np.errstate(all="ignore"):
            shown = chosen(W[:, at] * delta, TERMS)
        terms: list[Expr] = [Prod((glyphs.w(1, i, at), letters.above(i, row))) for i in shown]
        right = summed(terms, len(delta))
        if its.function.kinks:
            slope = Fn(Sym(its.function.name), letters.h(j, row), "prime")
            right = Prod((slope, right))
        lines += lines_of(letters.error("D", j, row), right)
    return lines


def errors(letters: Letters, row: int) -> list[Line]:
    """Return D, and G and P of the waves that are shown."""
    its, lines = letters.its, output_errors(letters, row)
    numbers = chosen(letters.trace.delta[row, letters.k], TERMS)
    waves = chosen(letters.trace.parameters["frequency"][letters.k], _SHOWN) if its.n_waves else []
    for q in waves:
        both = (q, q + its.n_waves) if its.n_basis > its.n_waves else (q,)
        for s in both:
            terms: list[Expr] = [
                Prod((letters.parameter("weight", s, j), letters.error("D", j, row))) for j in numbers
            ]
            lines += lines_of(letters.error("G", s, row), summed(terms, its.n_mapped))
        P, G = letters.error("P", q, row), letters.error("G", q, row)
        if len(both) == 2:
            cos, sin = (letters.phi(s, row) for s in both)
            of_sin = Prod((cos, letters.error("G", both[1], row)))
            lines += lines_of(P, Sum((of_sin, Neg(Prod((sin, G))))))
        else:
            lines += lines_of(P, Neg(Prod((Fn(Sym("sin"), phase(letters, q, row)), G))))
    return lines


def gradients(letters: Letters) -> list[Line]:
    """Return the gradients of an input's parameters, over the batch."""
    its, m, lines = letters.its, letters.glyphs.n_samples, []
    if its.shared:
        return shared_gradients(letters)
    over = over_batch(letters.glyphs.trace.architecture, m)
    rows = chosen(np.zeros(m), TERMS)
    for j in numbers_shown(letters)[:1]:
        for s in terms_shown(letters)[:_SHOWN]:
            terms: list[Expr] = [Prod((letters.phi(s, i), letters.error("D", j, i))) for i in rows]
            lines += lines_of(
                letters.parameter("weight", s, j, gradient=True), _times(over, summed(terms, m))
            )
        terms = [letters.error("D", j, i) for i in rows]
        lines += lines_of(letters.parameter("bias", j, gradient=True), _times(over, summed(terms, m)))
    return lines + _wave_gradients(letters, over, rows)


def shared_gradients(letters: Letters) -> list[Line]:
    """Return the gradients of an input's own parameters where the map is that of all inputs."""
    m = letters.glyphs.n_samples
    over = over_batch(letters.glyphs.trace.architecture, m)
    return _wave_gradients(letters, over, chosen(np.zeros(m), TERMS))


def _wave_gradients(letters: Letters, over: Expr, rows: list[int]) -> list[Line]:
    its, m, lines = letters.its, letters.glyphs.n_samples, []
    waves = chosen(letters.trace.parameters["frequency"][letters.k], _SHOWN) if its.n_waves else []
    for q in waves:
        terms: list[Expr] = [Prod((letters.u(i), letters.error("P", q, i))) for i in rows]
        right = _times(turn(), over, summed(terms, m))
        lines += lines_of(letters.parameter("frequency", q, gradient=True), right)
        if "phase" in letters.trace.parameters:
            terms = [letters.error("P", q, i) for i in rows]
            right = _times(over, summed(terms, m))
            lines += lines_of(letters.parameter("phase", q, gradient=True), right)
    return lines


def over_batch(architecture: Architecture, m: int) -> Expr:
    """Return 1/m where the cost is a mean."""
    return Frac(Int(1), Int(m)) if m > 1 and architecture.cost.reduction == "mean" else Int(1)


def forward(glyphs: Glyphs, row: int) -> list[Line]:
    """Return what the embedding makes of the inputs that are shown."""
    lines: list[Line] = []
    for k in inputs_shown(glyphs):
        letters = Letters(glyphs, k)
        for s in terms_shown(letters, row):
            lines += basis(letters, s, row)
        for j in numbers_shown(letters, row):
            lines += mapped(letters, j, row)
        lines += appended(letters, row)
    return lines + categories.forward(glyphs, row)


def backward(glyphs: Glyphs, n_rows: int) -> list[Line]:
    """Return the errors of some examples, and the gradients, of the inputs that are shown."""
    lines: list[Line] = []
    for k in inputs_shown(glyphs):
        letters = Letters(glyphs, k)
        for row in range(n_rows):
            lines += errors(letters, row)
        lines += gradients(letters)
    over = over_batch(glyphs.trace.architecture, glyphs.n_samples)
    for of_category in categories.shown(glyphs):
        for row in range(n_rows):
            lines += categories.errors(of_category, row)
        lines += categories.gradients(of_category, over)
    return lines
