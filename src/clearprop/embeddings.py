"""Embeddings to give to a network: each number becomes several before layer 1, each category a vector.

``cp.Network([4, 8, 2], embedding=cp.embeddings.periodic())``. The kinds are here, each with its basis
and the slopes of it, bins in `piecewise_linear`; what they have in common, forwards and backwards, is
in `input_embedding`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.category_embedding import SIZE, Categories
from clearprop.input_embedding import (
    TURN,
    Delta,
    Embedded,
    Embedding,
    Parameters,
    Start,
    checked_columns,
)
from clearprop.names import check_size, is_number, known_name
from clearprop.piecewise_linear import PiecewiseLinear, from_quantiles


@dataclass(frozen=True)
class Waves(Embedding):
    """What turns: phases ``2 pi c x``."""

    n_frequencies: int = 48
    frequency_scale: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "n_frequencies", check_size(self.n_frequencies))
        if not is_number(self.frequency_scale) or self.frequency_scale <= 0:
            raise ValueError(
                f"frequency_scale must be a finite number above 0, got {self.frequency_scale!r}"
            )

    @property
    def n_waves(self) -> int:  # type: ignore[override]
        """The number of frequencies."""
        return self.n_frequencies

    def phases(self, parameters: Parameters, x: Array) -> Array:
        """Return ``2 pi c x``."""
        made: Array = TURN * (x[:, :, None] * parameters["frequency"])
        return made

    def slope_error(self, back: Delta) -> Array:
        """Return dC/dx, by the phases."""
        made: Array = TURN * (back.phase * back.embedded.parameters["frequency"]).sum(axis=2)
        return made

    def starts(self) -> dict[str, Start]:
        """Return c before V and b."""
        shape = len(self.columns or ()), self.n_frequencies
        return {"frequency": Start(shape, 0.0, "cut", self.frequency_scale)} | super().starts()

    def describe(self) -> dict[str, Any]:
        """Return what a file holds of it."""
        waves = {"n_frequencies": self.n_frequencies, "frequency_scale": self.frequency_scale}
        return super().describe() | waves


@dataclass(frozen=True)
class Periodic(Waves):
    """As `embeddings.periodic` makes it."""

    kind = "periodic"
    function: ClassVar[Activation] = ACTIVATIONS["relu"]

    lite: bool = False

    @property
    def shared(self) -> bool:  # type: ignore[override]
        """Whether V and b are one for all inputs."""
        return self.lite

    @property
    def n_basis(self) -> int:  # type: ignore[override]
        """A cosine and a sine of each frequency."""
        return 2 * self.n_frequencies

    def basis(self, parameters: Parameters, x: Array) -> Array:
        """Return the cosines, then the sines."""
        phases = self.phases(parameters, x)
        return np.concatenate([np.cos(phases), np.sin(phases)], axis=2)

    def phase_error(self, passed: Embedded, error: Array) -> Array | None:
        """Return ``-sin dC/dcos + cos dC/dsin``."""
        (cos, sin), (of_cos, of_sin) = (np.split(each, 2, axis=2) for each in (passed.basis, error))
        made: Array = cos * of_sin - sin * of_cos
        return made

    def describe(self) -> dict[str, Any]:
        """Return what a file holds of it."""
        return super().describe() | {"lite": self.lite}


@dataclass(frozen=True)
class PBLD(Waves):
    """As `embeddings.pbld` makes it."""

    kind = "pbld"
    appends = True

    @property
    def n_basis(self) -> int:  # type: ignore[override]
        """A cosine of each frequency."""
        return self.n_frequencies

    def phases(self, parameters: Parameters, x: Array) -> Array:
        """Return ``2 pi c x + r``."""
        return super().phases(parameters, x) + parameters["phase"]

    def basis(self, parameters: Parameters, x: Array) -> Array:
        """Return the cosines."""
        made: Array = np.cos(self.phases(parameters, x))
        return made

    def phase_error(self, passed: Embedded, error: Array) -> Array | None:
        """Return ``-sin dC/dcos``."""
        made: Array = -np.sin(self.phases(passed.parameters, passed.x)) * error
        return made

    def starts(self) -> dict[str, Start]:
        """Return c, r, V and b."""
        found = super().starts()
        phase = Start(found["frequency"].shape, 0.0, "uniform", math.pi)
        frequency = found.pop("frequency")._replace(distribution="normal")
        return {"frequency": frequency, "phase": phase} | found


@dataclass(frozen=True)
class Categorical(Embedding):
    """As `embeddings.categories` makes it where no number is embedded."""

    kind = "categories"
    numeric = False

    size: int = 1
    columns: tuple[int, ...] | None = ()

    def basis(self, parameters: Parameters, x: Array) -> Array:
        """Return nothing."""
        return np.empty((*x.shape, 0), x.dtype)

    def slope_error(self, back: Delta) -> Array:
        """Return nothing."""
        return back.embedded.x

    def starts(self) -> dict[str, Start]:
        """Return none."""
        return {}

    def forward(self, parameters: Parameters, X: Array) -> Embedded:
        """Return what layer 1 sees of X: the map of no number is nothing."""
        none = {"weight": np.empty((0, 0, 1), X.dtype), "bias": np.empty((0, 1), X.dtype)}
        return super().forward(none | dict(parameters), X)

    def __str__(self) -> str:
        """Return how many categories become how many numbers."""
        return str(self.categories)


def categories(
    groups: Sequence[Sequence[int]], *, size: int = SIZE, numbers: Embedding | None = None
) -> Embedding:
    """Return the embedding that gives each value of a category a learned vector.

    ``E = u Q`` of a category's one-hot columns u: entity embeddings (Guo and Berkhahn 2016), with 8
    numbers as in RealMLP-TD. The vectors, the rows of Q, begin as N(0, 1). With a preset of RealMLP's
    parametrisation they learn at the whole rate.

    Parameters
    ----------
    groups : list of list of int
        The inputs that are the one-hot columns of each category, from 0 on.
    size : int
        Numbers of a vector.
    numbers : Embedding, optional
        Of other inputs; without, these stay as they are.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> print(categories([[1, 2, 3], [4, 5]], size=2, numbers=pbld(columns=[0])))
    pbld of 1 of all inputs, 4 numbers each; 2 categories of 5 columns, 2 numbers each
    """
    made = Categories(tuple(map(tuple, groups)), size)
    if not made.groups:
        raise ValueError("groups must be at least one category's columns, got none")
    return replace(Categorical() if numbers is None else numbers, categories=made)


def piecewise_linear(
    X: ArrayLike, *, bins: int = 48, size: int = 16, columns: Sequence[int] | None = None
) -> PiecewiseLinear:
    """Return the piecewise-linear embedding whose bins hold about as many rows of X each.

    ``E = w x + b + sum_j e_j(x) V_j``, where ``e_j = (x - edge_j) / (edge_j+1 - edge_j)``, not below 0
    (but in the first bin) and not above 1 (but in the last): version B of Gorishniy, Rubachev and
    Babenko (2022), as TabM has it. w and b begin as U(-1/sqrt(size), 1/sqrt(size)), V as 0: a line.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The inputs as the network sees them, of the rows that are trained on: the edges are quantiles.
    bins : int
        At most so many of an input; fewer where quantiles are equal.
    size : int
        Numbers that an input becomes.
    columns : list of int, optional
        The inputs that are embedded, from 0 on; None for all.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> piecewise_linear(X, bins=3, size=2).edges
    ((0.0, 1.0, 2.0, 4.0),)
    """
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(f"X must be a table of finite numbers with rows and columns, got {rows.shape}")
    chosen = range(rows.shape[1]) if columns is None else checked_columns(columns)
    if chosen[-1] >= rows.shape[1]:
        raise ValueError(f"columns must be below the {rows.shape[1]} of X, got {chosen[-1]}")
    shares = np.linspace(0.0, 1.0, check_size(bins) + 1)
    return from_quantiles(np.quantile(rows[:, list(chosen)], shares, axis=0), size, columns and chosen)


def periodic(
    *,
    size: int = 24,
    n_frequencies: int = 48,
    frequency_scale: float = 0.01,
    lite: bool = False,
    columns: Sequence[int] | None = None,
) -> Periodic:
    """Return the periodic embedding "PLR": ``E = relu([cos 2 pi c x, sin 2 pi c x] V + b)``.

    Of Gorishniy, Rubachev and Babenko (2022). The frequencies c begin as N(0, frequency_scale^2), cut
    at 3 deviations; V and b as U(-1/sqrt(m), 1/sqrt(m)) with m twice the frequencies.

    Parameters
    ----------
    size : int
        Numbers that an input becomes.
    n_frequencies : int
    frequency_scale : float
        What matters most: 0.01 is safe, the best is below 0.05 in half of the published cases.
    lite : bool
        Whether V and b are one for all inputs, which have their own frequencies only.
    columns : list of int, optional
        The inputs that are embedded, from 0 on; None for all.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """
    chosen = None if columns is None else tuple(columns)
    return Periodic(size, chosen, None, n_frequencies, frequency_scale, lite)


def pbld(
    *,
    size: int = 4,
    n_frequencies: int = 16,
    frequency_scale: float = 0.1,
    columns: Sequence[int] | None = None,
) -> PBLD:
    """Return RealMLP-TD's embedding: ``E = [cos(2 pi c x + r) V + b, x]``.

    "Periodic bias linear densenet" of Holzmueller, Grinsztajn and Steinwart (2024). c begins as
    N(0, frequency_scale^2), r as U(-pi, pi), V and b as U(-1/sqrt(m), 1/sqrt(m)) with m frequencies.

    Parameters
    ----------
    size : int
        Numbers that an input becomes, the last of which is itself.
    n_frequencies : int
    frequency_scale : float
    columns : list of int, optional
        The inputs that are embedded, from 0 on; None for all.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """
    chosen = None if columns is None else tuple(columns)
    return PBLD(size, chosen, None, n_frequencies, frequency_scale)


_EVERY: tuple[type[Embedding], ...] = PiecewiseLinear, Periodic, PBLD, Categorical
KINDS: dict[str, type[Embedding]] = {each.kind: each for each in _EVERY}


def from_description(data: Mapping[str, Any], n_features: int) -> Embedding:
    """Return the embedding that a file describes, of a network with so many inputs.

    Raises
    ------
    ValueError, TypeError
        If it describes none.
    """
    given = dict(data)
    made = KINDS[known_name("embedding", given.pop("kind", None), KINDS)]
    given["columns"] = checked_columns(given["columns"]) if made.numeric else ()
    if "categories" in given:
        described = dict(given["categories"])
        groups = tuple(map(tuple, described.pop("groups")))
        given["categories"] = Categories(groups, **described)
    return made(**given).of(n_features)
