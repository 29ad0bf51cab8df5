"""What rounding may do to a right gradient, in the precision in which it can have been computed.

How precise numbers are is told by themselves, whatever holds them: a float32 that went through a list,
JSON or a text is still one. How far rounding carries them is measured: passes in which every operation
is off by as much as rounding can make it, at random (stochastic arithmetic; Parker 1997).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop, penalties
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.flat_vector import Block
from clearprop.input_embedding import Delta
from clearprop.parametric_activations import share_delta

SINGLE, DOUBLE = 2.0**-24, 2.0**-53  # the largest relative error of one rounding
_SHORT = {8: 2.0**-8, 11: 2.0**-11}  # bfloat16 and float16, by the bits of their significands
_PASSES = 16  # so that the spread of no number is underestimated by more than a factor of 3
_SPREADS = 8.0  # that a right number may be off by: the most in 198 draws by hand (2026-11) was 3.4
# In float64 there is room to spare: the mildest mistake that must be found is 1e-9.
_SPARE, _AT_MOST = 1000.0, 1e-10
_SMALLEST, _SMALLEST_OF_SHORT = {DOUBLE: 2.0**-1022}, 2.0**-126  # below it numbers become 0
_TOLERANCE = {DOUBLE: 5e-10}  # relative, half of what must be found
_TOLERANCE_OF_SHORT = 5e-5
_DIGITS_OF_SINGLE, _DIGITS_OF_DOUBLE = 9, 15  # decimals that tell all numbers of a precision apart
_CHANGED = 0.75  # of the numbers of a block, at least: rounding leaves hardly any alone
_LOOKED_AT = 1000  # numbers, before all of them are printed


class Problem(Protocol):
    """The cost whose gradient was claimed."""

    architecture: Architecture
    parameters: Array
    X: Array
    Y: Array
    sample_weight: Array | None


class Precision(NamedTuple):
    """How precise numbers are, as far as they show it."""

    eps: float  # of the arithmetic that can have made them
    half_place: Array  # what printing can have changed: half a unit of the last decimal; 0 if all are
    tolerance: float  # relative


class Spread(NamedTuple):
    """How far one rounding in every operation carries the numbers of a pass, for rounding to 1."""

    gradient: Array
    z: tuple[Array, ...]
    a: tuple[Array, ...]
    error: tuple[Array, ...]
    delta: tuple[Array, ...]


def precision(numbers: Sequence[Array]) -> Precision:
    """Return how precise numbers are that came as these arrays, from elsewhere."""
    flat = np.concatenate([each.ravel() for each in numbers]).astype(np.float64)
    half_place, digits = _printed(flat)
    eps = SINGLE if digits <= _DIGITS_OF_SINGLE else DOUBLE
    for each in numbers:
        bits = _bits(each.astype(np.float64))
        if bits.size and bits.max() <= 24 and bits.max() > 16:  # fewer are those of a simple number
            eps = SINGLE
    bits = _bits(flat)
    for most, short in _SHORT.items():
        if bits.size >= 16 and bits.max() <= most and np.mean(bits >= most - 2) > 0.5:
            eps = short
            break
    printed = (
        1e3 * float(np.median(half_place[flat != 0] / np.abs(flat[flat != 0]))) if flat.any() else 0
    )
    return Precision(eps, half_place, min(max(tolerance(eps), printed), _TOLERANCE_OF_SHORT))


def tolerance(eps: float) -> float:
    """Return the relative error at which a number passes."""
    return _TOLERANCE.get(eps, _TOLERANCE_OF_SHORT)


def bound(spread: Array, eps: float, size: Array) -> Array:
    """Return what rounding may do to numbers of a size, from how far it carries them."""
    found = _SPREADS * eps * spread
    if eps == DOUBLE:
        found = np.maximum(found, np.minimum(_SPARE * eps * spread, _AT_MOST * np.abs(size)))
    return found + np.where(spread > 0, _SMALLEST.get(eps, _SMALLEST_OF_SHORT), 0.0)


def _bits(numbers: Array) -> NDArray[np.int64]:
    """Return how many bits the significands of the numbers need that are finite and not 0."""
    held = numbers[np.isfinite(numbers) & (numbers != 0)]
    whole = np.abs(np.ldexp(np.frexp(held)[0], 53)).astype(np.int64)
    lowest: NDArray[np.int64] = np.frexp((whole & -whole).astype(np.float64))[1].astype(np.int64)
    return 54 - lowest


def _printed(flat: Array) -> tuple[Array, int]:
    """Return half a unit of the last decimal that the numbers have, and the most digits of any.

    Rounded to so many digits, or to so many decimals: whichever it was, the other says less.
    """
    places = np.zeros(flat.shape)
    held = np.flatnonzero(np.isfinite(flat) & (flat != 0))
    if not held.size:
        return places, _DIGITS_OF_DOUBLE + 2
    with np.errstate(all="ignore"):
        single = bool((flat[held].astype(np.float32) == flat[held]).all())
    limit = 7 if single else _DIGITS_OF_DOUBLE  # numbers that nobody rounded to decimals have more
    most = 0
    for chosen in (held[:: max(1, held.size // _LOOKED_AT)], held):
        read = [_digits(np.float32(v) if single else v) for v in flat[chosen]]
        digits, last = (np.array(each) for each in zip(*read, strict=True))
        most = int(digits.max())
        if most > limit:
            return places, most
    by_digits = np.floor(np.log10(np.abs(flat[held]))) + 1 - most
    lowest = float(last.min())
    places[flat == 0] = 0.5 * 10.0**lowest  # 0.0000 stands for all that is smaller
    places[held] = 0.5 * 10.0 ** np.maximum(by_digits, lowest)
    return places, most


def _digits(number: np.floating) -> tuple[int, int]:
    """Return how many digits the shortest decimal of a number has, and the place of its last one."""
    mantissa, exponent = np.format_float_scientific(number, trim="-").split("e")
    digits = len(mantissa.lstrip("-").replace(".", ""))
    return digits, int(exponent) - digits + 1


def looks_like(problem: Problem, claimed: Array, exact: Array, spread: Array) -> NDArray[np.bool_]:
    """Return in which layers' numbers a float64 gradient has the rounding of float32.

    Rounding leaves hardly any number of a layer alone, weights or biases, and does not change all of
    them by one factor; a mistake in one number, or one block, does.
    """
    found = np.zeros(claimed.shape, dtype=bool)
    with np.errstate(all="ignore"):
        error = claimed - exact
        size = np.abs(error)
        seen = (size > bound(spread, DOUBLE, exact)) & (size <= bound(spread, SINGLE, exact))

    def are_factor(at: NDArray[np.intp]) -> bool:
        """Return whether numbers are the exact ones times one factor."""
        e, t = error[at], exact[at]
        left = e - float(e @ t) / (float(t @ t) or 1.0) * t
        return not float(left @ left) >= 1e-4 * float(e @ e) > 0

    doubtful = []
    for blocks, free in zip(_by_layer(problem.architecture), _has_exact_delta(problem), strict=True):
        live = [np.arange(b.offset, b.offset + b.size)[spread[b.slice] > 0] for b in blocks]
        rounded = [bool(part.size) and np.mean(seen[part]) >= _CHANGED for part in live]
        if not all(
            was or not part.size or (free and b.kind == "biases")
            for was, part, b in zip(rounded, live, blocks, strict=True)
        ):
            continue
        if not any(rounded):
            continue
        looked_at = np.concatenate([part for was, part in zip(rounded, live, strict=True) if was])
        if are_factor(looked_at):
            doubtful.append((looked_at, live))
        else:
            found[np.concatenate(live)] = True
    if doubtful and (found.any() or not are_factor(np.concatenate([at for at, _ in doubtful]))):
        for _, live in doubtful:
            found[np.concatenate(live)] = True
    return found


def may_be_half(claimed: Array, exact: Array, spread: Array) -> bool:
    """Return whether nearly all numbers are off, and none by more than half precision explains."""
    live = spread > 0
    with np.errstate(all="ignore"):
        off = np.abs(claimed - exact)[live]
        changed = off > bound(spread, SINGLE, exact)[live]
        within = off <= bound(spread, max(_SHORT.values()), exact)[live]
    return bool(live.any() and np.mean(changed) >= _CHANGED and within.all())


def _has_exact_delta(problem: Problem) -> list[bool]:
    """Return in which layers delta, and so the biases' gradient, need not have any rounding.

    A cost whose derivative is -1 or 1 gives none, slopes of 0 and 1 add none.
    """
    architecture = problem.architecture
    free = [not architecture.cost.smooth]
    passed = backprop.forward(architecture, problem.parameters, problem.X)
    functions = architecture.functions(problem.parameters)
    for function, z in zip(functions[-2::-1], passed.z[-2::-1], strict=True):
        slope = function.slope
        free.insert(0, free[0] and np.array_equal(slope(z), slope(z * (1 + SINGLE))))
    return free


def _by_layer(architecture: Architecture) -> Iterator[list[Block]]:
    for layer in range(len(architecture.layers)):
        yield [b for b in architecture.blocks if b.layer == layer]


def spread(problem: Problem, l2: float = 0.0, l1: float = 0.0) -> Spread:
    """Return how far rounding carries each number of a pass, measured in passes that are shaken."""
    architecture, right = problem.architecture, _Shaken(problem, None)
    squares = [np.zeros_like(each) for each in right.numbers()]
    for number in range(_PASSES):
        shaken = _Shaken(problem, np.random.default_rng(number))
        for square, one, other in zip(squares, shaken.numbers(), right.numbers(), strict=True):
            with np.errstate(all="ignore"):
                square += ((one - other) / SINGLE) ** 2
    with np.errstate(all="ignore"):
        found = [np.nan_to_num(np.sqrt(each / _PASSES), nan=math.inf) for each in squares]
        penalty = np.zeros_like(problem.parameters)
        penalties.add_gradient(architecture, penalty, problem.parameters, l2, l1)
        found[0] += np.abs(right.numbers()[0]) + np.abs(penalty)
    n = len(architecture.layers)
    parts = [tuple(found[1 + k * n : 1 + (k + 1) * n]) for k in range(4)]
    return Spread(found[0], *parts)


class _Shaken:
    """A pass in which each operation is off by the rounding of float32; by nothing without `rng`."""

    def __init__(self, problem: Problem, rng: np.random.Generator | None) -> None:
        self.problem, self.rng = problem, rng
        with np.errstate(all="ignore"):
            self.forward()
            self.backward()
            self.gradient = self.sums()

    def numbers(self) -> list[Array]:
        return [self.gradient, *self.z, *self.a[1:], *self.error, *self.delta]

    def off(self, values: Array, size: Array | None = None) -> Array:
        """Return values that are off by the rounding of numbers of a size, their own unless given."""
        if self.rng is None:
            return values
        made: Array = self.rng.uniform(-SINGLE, SINGLE, values.shape)
        return values + made * (np.abs(values) if size is None else size)

    def product(self, one: Array, other: Array, bias: Array | None = None) -> Array:
        """Return ``one @ other``, off by what sums of so many terms are."""
        made: Array = one @ other
        size = np.abs(one) @ np.abs(other)
        if bias is not None:
            made, size = made + bias, size + np.abs(bias)
        return self.off(made, size * math.sqrt(len(other)))

    def forward(self) -> None:
        architecture = self.problem.architecture
        self.parameters = self.off(self.problem.parameters)
        self.W, b = architecture.views(self.parameters)
        self.functions = architecture.functions(self.parameters)
        scale = architecture.scale_view(self.parameters)
        self.x = source = self.off(self.problem.X)
        self.embedded = None
        if architecture.embedding is not None:
            views = architecture.embedding_views(self.parameters)
            self.embedded = architecture.embedding.forward(views, self.x)
            size = np.abs(self.embedded.out)
            n_terms = max(1, architecture.embedding.n_basis)
            source = self.off(self.embedded.out, size * math.sqrt(n_terms))
            self.embedded = self.embedded._replace(out=source, basis=self.off(self.embedded.basis))
        if scale is not None:
            source = self.off(source * scale)
        self.a, self.z = [source], []
        for function, W, bias in zip(self.functions, self.W, b, strict=True):
            self.z.append(self.product(source, W.T, bias))
            source = self.off(function(self.z[-1]))
            self.a.append(source)

    def backward(self) -> None:
        architecture, Y = self.problem.architecture, self.off(self.problem.Y)
        cost, output, last = architecture.cost, architecture.output, len(self.z) - 1
        weight = self.problem.sample_weight
        error = self.off(cost.error(output, self.a[-1], Y))
        if cost.form(output) is not None:
            delta = cost.output_delta(output, self.z[-1], self.a[-1], Y)
        else:
            delta = self.through(last, error)
        if weight is not None:
            error, delta = error * weight[:, None], delta * weight[:, None]
        self.error, self.delta = [error], [self.off(delta)]
        for layer in range(last - 1, -1, -1):
            error = self.product(self.delta[0], self.W[layer + 1])
            self.error.insert(0, error)
            self.delta.insert(0, self.off(self.through(layer, error)))

    def through(self, layer: int, error: Array) -> Array:
        """Return dC/dz from dC/da: a(1 - a), 1 - a^2 and the like lose what a is rounded to."""
        function, z, a = self.functions[layer], self.z[layer], self.a[layer + 1]
        if function.elementwise:
            return error * self.off(function.slope(z), np.minimum(np.abs(a), 1.0))
        delta = function.backward(z, error)
        return self.off(delta, a * (np.abs(error) + (a * np.abs(error)).sum(axis=1, keepdims=True)))

    def sums(self) -> Array:
        """Return BP3 and BP4, off by what sums over so many samples are."""
        architecture = self.problem.architecture

        def made(
            x: Array, a: Sequence[Array], delta: Sequence[Array], W: Array, embedding: Delta | None,
            shares: tuple[Array | None, ...],
        ) -> Array:  # fmt: skip
            of_scale = (delta[0] @ W) * x if architecture.input_scale else None
            back = backprop.Backward((), tuple(delta), of_scale, embedding, shares)
            return backprop.gradient(
                architecture, backprop.Forward(x, tuple(self.z), tuple(a), ()), back
            )

        x, embedding = self.x if self.embedded is None else self.embedded.out, self.below()
        sizes = made(
            np.abs(x), [*map(np.abs, self.a)], [*map(np.abs, self.delta)], np.abs(self.W[0]),
            None if embedding is None else _sizes(embedding), self.shares(np.abs),
        )  # fmt: skip
        off = sizes * math.sqrt(len(x))
        return self.off(made(x, self.a, self.delta, self.W[0], embedding, self.shares(self.off)), off)

    def shares(self, how: Callable[[Array], Array]) -> tuple[Array | None, ...]:
        """Return what the shares of parametric activations have of each sample's gradient."""
        made = map(share_delta, self.functions, self.z, self.error)
        return tuple(None if each is None else how(each) for each in made)

    def below(self) -> Delta | None:
        """Return what of the pass backwards is an embedding's, off by its rounding."""
        if self.embedded is None:
            return None
        error = self.product(self.delta[0], self.W[0])
        scale = self.problem.architecture.scale_view(self.parameters)
        back = self.embedded.backward(error if scale is None else self.off(error * scale))
        phase = back.phase
        if phase is not None:  # a difference of products with what is behind cosine and sine
            terms = np.abs(back.basis).reshape(*phase.shape[:2], -1, phase.shape[2])
            phase = self.off(phase, terms.sum(axis=2))
        return back._replace(h=self.off(back.h), phase=phase, vectors=self.off(back.vectors))


def _sizes(back: Delta) -> Delta:
    """Return the sizes of what an embedding's gradient is made of."""
    x, basis = np.abs(back.embedded.x), np.abs(back.embedded.basis)
    phase = None if back.phase is None else np.abs(back.phase)
    embedded = back.embedded._replace(x=x, basis=basis, one_hot=np.abs(back.embedded.one_hot))
    return Delta(embedded, np.abs(back.h), back.basis, phase, np.abs(back.vectors))
