"""Numeric embeddings: before layer 1, each number becomes several; the backward pass is beside it.

A layer sees ``w x``, a straight line in every input. With an embedding it sees functions of the input
that bend, learned along with it, which is what most improves a network on tables (Gorishniy, Rubachev
and Babenko 2022). Of one input x, with m basis functions phi(x) and d numbers made of them:

    h = phi(x) V + b        V of shape (m, d), b of shape (d,), for each input its own
    E = f(h)                f is relu in `Periodic`, otherwise the identity

    piecewise linear    phi = x, e_1, ..., e_T: how much of each bin lies below x
    periodic            phi = cos and sin of the phases 2 pi c x
    PBLD                phi = cos of the phases 2 pi c x + r; x itself is appended to E

E of all inputs, in their order, is what layer 1 sees in place of X (times the input scale, where there
is one); an input that is not embedded stays as it is. One-hot columns of a category may become its
vector beside them: `category_embedding`. Backwards, from each sample's ``error = dC/dE``:

    delta  = error * f'(h)                                      as BP1
    dC/db  = the sum of delta over the samples                  BP3
    dC/dV  = the sum of the outer products of phi and delta     BP4
    dC/dphi = V delta                                           as BP2
    dC/dphase = dC/dphi * phi'(phase)
    dC/dr  = the sum of dC/dphase,  dC/dc = the sum of 2 pi x dC/dphase

(mean, or sum if the cost says so). Shapes: x (n_samples, f) of the f inputs that are embedded, phi
(n_samples, f, m), h, E and delta (n_samples, f, d).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.category_embedding import Categories
from clearprop.names import check_size

Parameters = Mapping[str, Array]  # of an embedding, by the last part of their blocks' names

TURN = 2.0 * math.pi
_CUT = 3.0  # standard deviations at which frequencies are cut, as in rtdl_num_embeddings


class Embedded(NamedTuple):
    """What a pass forwards leaves, and the pass backwards from it."""

    embedding: Embedding
    parameters: Parameters
    x: Array  # of the inputs that are embedded
    basis: Array
    h: Array
    out: Array  # what layer 1 sees, shape (n_samples, n_outputs)
    one_hot: Array  # of the inputs that are categories', shape (n_samples, 0) without

    def backward(self, error: Array) -> Delta:
        """Return dC/dh, dC/dphi and dC/dphase from dC/dE, shape (n_samples, n_outputs)."""
        its = self.embedding
        delta = its.function.backward(self.h, error[:, its.places[:, : its.n_mapped]])
        of_basis = _mapped(delta, self.parameters["weight"].swapaxes(-1, -2))
        return Delta(self, delta, of_basis, its.phase_error(self, of_basis), error[:, its.vectors])

    def input_error(self, error: Array) -> Array:
        """Return dC/dX from dC/dE."""
        its, back = self.embedding, self.backward(error)
        mine = its.slope_error(back)
        if its.appends:
            mine = mine + error[:, its.places[:, -1]]
        made: Array = error[:, its.first]  # of those that are not embedded
        made[:, list(its.columns or ())] = mine
        if (of := its.categories).groups:
            made[:, list(of.columns)] = of.input_error(self.parameters["vectors"], back.vectors)
        return made


class Delta(NamedTuple):
    """What a pass backwards leaves: dC/dh, dC/dphi, and dC/dphase of each wave, None without waves."""

    embedded: Embedded
    h: Array
    basis: Array
    phase: Array | None
    vectors: Array  # dC/dE of the categories, shape (n_samples, n_categories, d)

    def gradient(self) -> dict[str, Array]:
        """Return the sum over the samples of the gradient of each array of parameters."""
        passed, its = self.embedded, self.embedded.embedding
        dV = passed.basis.transpose(1, 2, 0) @ self.h.transpose(1, 0, 2)  # BP4
        db = self.h.sum(axis=0)  # BP3
        found = {"weight": dV, "bias": db}
        if its.shared:
            found = {name: each.sum(axis=0) for name, each in found.items()}
        if self.phase is not None:
            found["frequency"] = TURN * (passed.x[:, :, None] * self.phase).sum(axis=0)
            found["phase"] = self.phase.sum(axis=0)
        if its.categories.groups:
            found["vectors"] = its.categories.gradient(passed.one_hot, self.vectors)
        return {name: found[name] for name in its.arrays()}

    def gradient_per_sample(self) -> dict[str, Array]:
        """Return each sample's own gradient of each array, along a leading axis."""
        each = [self._of(slice(i, i + 1)).gradient() for i in range(len(self.h))]
        return {
            name: np.stack([made[name] for made in each]) for name in self.embedded.embedding.arrays()
        }

    def _of(self, rows: slice) -> Delta:
        phase = None if self.phase is None else self.phase[rows]
        passed = Embedded(*self.embedded[:2], *(made[rows] for made in self.embedded[2:]))
        return Delta(passed, self.h[rows], self.basis[rows], phase, self.vectors[rows])


class Start(NamedTuple):
    """An array of parameters: its shape, its share of a weight decay, and what it begins as."""

    shape: tuple[int, ...]
    decay_factor: float
    distribution: (
        str  # "uniform" on +-scale, of the "first" row alone, "normal" of this deviation, or "cut"
    )
    scale: float
    slow: float = 0.1  # share of the rate, and of the decay, in RealMLP's parametrisation


def _mapped(basis: Array, V: Array) -> Array:
    """Return ``phi V`` of every input: shapes (n, f, m), (f, m, d) or (m, d), and (n, f, d)."""
    return (basis.swapaxes(0, 1) @ V).swapaxes(0, 1)


@dataclass(frozen=True)
class Embedding:
    """What all kinds have in common; the functions of `embeddings` make one.

    Attributes
    ----------
    size : int
        Numbers that an embedded input becomes.
    columns : tuple of int, or None
        The inputs that are embedded, counted from 0; None for all, until a network knows how many.
    n_features : int or None
        Of the network that it belongs to.
    categories : Categories
        Inputs that are the one-hot columns of categories, each of which becomes a vector.
    """

    kind: ClassVar[str] = ""
    numeric: ClassVar[bool] = True  # whether it is of any numbers
    appends: ClassVar[bool] = False  # whether x itself is the last of its numbers

    size: int
    columns: tuple[int, ...] | None = None
    n_features: int | None = None
    categories: Categories = field(default=Categories(), kw_only=True)

    def __post_init__(self) -> None:
        """Check the size and the columns."""
        object.__setattr__(self, "size", check_size(self.size))
        if self.size < 1 + self.appends:
            raise ValueError(f"size must be at least 2, of which one is the input, got {self.size}")
        if self.columns is not None and self.numeric:
            object.__setattr__(self, "columns", checked_columns(self.columns))

    def of(self, n_features: int) -> Embedding:
        """Return the embedding of a network's inputs.

        Raises
        ------
        ValueError
            If it is not of so many.
        """
        if self.n_features not in (None, n_features):
            raise ValueError(f"embedding is of {self.n_features} inputs, the network has {n_features}")
        taken = self.categories.columns
        others = (k for k in range(n_features) if k not in set(taken))
        columns = tuple(others) if self.columns is None else self.columns
        if (most := max((*columns, *taken), default=0)) >= n_features:
            raise ValueError(
                f"columns of the embedding must be below the {n_features} inputs, got {most}"
            )
        if (both := set(columns) & set(taken)) or (self.numeric and not columns):
            raise ValueError(
                "inputs that are embedded as numbers must be some, and others than those of "
                f"categories, got {sorted(both) or list(columns)}"
            )
        return replace(self, columns=columns, n_features=n_features)

    # What each kind says of itself

    n_basis = 0  # m
    n_waves = 0  # phases of an input
    shared = False  # whether V and b are one for all inputs
    function: ClassVar[Activation] = ACTIVATIONS["identity"]

    def phases(self, parameters: Parameters, x: Array) -> Array:
        """Return the phases of the waves, shape (n_samples, f, n_waves)."""
        raise NotImplementedError

    def basis(self, parameters: Parameters, x: Array) -> Array:
        """Return phi(x), shape (n_samples, f, m)."""
        raise NotImplementedError

    def phase_error(self, passed: Embedded, error: Array) -> Array | None:
        """Return dC/dphase from dC/dphi; None without waves."""
        return None

    def slope_error(self, back: Delta) -> Array:
        """Return dC/dx by way of phi, shape (n_samples, f)."""
        raise NotImplementedError

    def starts(self) -> dict[str, Start]:
        """Return the arrays of parameters of what the numbers become."""
        f, m, d = len(self.columns or ()), self.n_basis, self.n_mapped
        own, bound = () if self.shared else (f,), m**-0.5
        return {
            "weight": Start((*own, m, d), 1.0, "uniform", bound),
            "bias": Start((*own, d), 0.0, "uniform", bound),
        }

    def describe(self) -> dict[str, Any]:
        """Return what a file holds of it, as JSON has it."""
        made = {"kind": self.kind, "size": self.size, "columns": list(self.columns or ())}
        return made | ({"categories": self.categories.describe()} if self.categories.groups else {})

    # What follows

    def arrays(self) -> dict[str, Start]:
        """Return the arrays of parameters, in the order in which they lie in the flat vector."""
        of = self.categories
        vectors = Start((len(of.columns), of.size), 1.0, "normal", 1.0, 1.0)
        return self.starts() | ({"vectors": vectors} if of.groups else {})

    @property
    def n_mapped(self) -> int:
        """The numbers of an input that are made by the map: d."""
        return self.size - self.appends

    @property
    def n_outputs(self) -> int:
        """The numbers that layer 1 sees."""
        return int(self.sizes.sum())

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The numbers that each input becomes, of a category its first one, shape (n_features,)."""
        made = np.ones(self.n_features or 0, np.int64)
        made[list(self.columns or ())] = self.size
        for group in self.categories.groups:
            made[list(group)] = 0
            made[group[0]] = self.categories.size
        return made

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Where the numbers of each input begin in what layer 1 sees, shape (n_features,)."""
        made = np.cumsum(self.sizes) - self.sizes
        for group in self.categories.groups:
            made[list(group)] = made[group[0]]
        return made

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where the numbers of the embedded inputs stand in what layer 1 sees, shape (f, size)."""
        return self.first[list(self.columns or ())][:, None] + np.arange(self.size)

    @cached_property
    def vectors(self) -> NDArray[np.int64]:
        """Where the numbers of the categories stand, shape (n_categories, d)."""
        return self.categories.places(self.first)

    def __str__(self) -> str:
        """Return the kind, and how many inputs become how many numbers."""
        n = len(self.columns or ())
        of = (
            "all"
            if self.columns is None or n == self.n_features
            else f"{n} of {self.n_features or 'all'}"
        )
        beside = f"; {self.categories}" if self.categories.groups else ""
        plural = "" if self.size == 1 else "s"
        return f"{self.kind} of {of} inputs, {self.size} number{plural} each{beside}"

    def names(self, features: Sequence[object]) -> tuple[object, ...]:
        """Return what each number that layer 1 sees is called, from the names of the inputs."""
        mine, names = set(self.columns or ()), [getattr(name, "name", name) for name in features]
        for group in self.categories.groups:
            mine.add(group[0])
            names[group[0]] = str(names[group[0]]).partition(" = ")[0]
        return tuple(
            f"{names[k]} [{number}]" if k in mine else name
            for k, name in enumerate(features)
            for number in range(1, 1 + int(self.sizes[k]))
        )

    def multiply_adds(self) -> int:
        """Return the multiply-adds of one sample's h; backwards it is twice as many, or once."""
        vectors = len(self.categories.columns) * self.categories.size
        return len(self.columns or ()) * self.n_basis * self.n_mapped + vectors

    def initial(self, seed: int) -> dict[str, NDArray[np.float64]]:
        """Return the first parameters, a pure function of the seed."""
        return {
            name: _drawn(start, seed, number)
            for number, (name, start) in enumerate(self.arrays().items())
        }

    def forward(self, parameters: Parameters, X: Array) -> Embedded:
        """Return what layer 1 sees of X, shape (n_samples, n_features), and what is on the way."""
        x = X[:, list(self.columns or ())]
        basis = self.basis(parameters, x)
        h = _mapped(basis, parameters["weight"]) + parameters["bias"]
        out = np.empty((len(X), self.n_outputs), np.result_type(X, *parameters.values()))
        out[:, self.first] = X  # those that are not embedded stay so
        out[:, self.places[:, : self.n_mapped]] = self.function(h)
        if self.appends:
            out[:, self.places[:, -1]] = x
        one_hot = X[:, list(self.categories.columns)]
        if self.categories.groups:
            out[:, self.vectors] = self.categories.forward(parameters["vectors"], one_hot)
        return Embedded(self, parameters, x, basis, h, out, one_hot)


def _drawn(start: Start, seed: int, number: int) -> NDArray[np.float64]:
    shape, distribution, scale = start.shape, start.distribution, start.scale
    n, where = math.prod(shape), {"purpose": randomness.EMBEDDING, "layer": number}
    if distribution in ("normal", "cut"):
        made, step = randomness.normal(seed, n, **where), 0
        while (
            distribution == "cut" and (far := np.abs(made) > _CUT).any()
        ):  # drawn again, until none is
            step += 1
            made[far] = randomness.normal(seed, n, step=step, **where)[far]
        return scale * made.reshape(shape)
    made = scale * (2.0 * randomness.uniform(seed, n, **where) - 1.0).reshape(shape)
    if distribution == "first":
        made[..., 1:, :] = 0.0
    return made


def checked_columns(columns: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of inputs as a tuple, checked."""
    made = tuple(columns)
    whole = all(isinstance(each, int | np.integer) and not isinstance(each, bool) for each in made)
    if not made or not whole or made[0] < 0 or any(a >= b for a, b in itertools.pairwise(made)):
        raise ValueError(
            "columns of an embedding must be a list of at least one number of an input, from 0 on and "
            f"in rising order, got {columns!r:.80}"
        )
    return tuple(map(int, made))
