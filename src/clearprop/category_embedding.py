"""Categories as vectors: before layer 1, the one-hot columns of a category become a few numbers.

One column for each of many values is wide, and what a network learns of one value says nothing of
another. An embedding gives each value a learned vector of d numbers: a linear layer without biases on
the category's one-hot columns alone, whose equations are those of every layer. With u the c columns of
a category, of which one is 1, and the rows of Q the vectors of its values,

    E = u Q                                                     Q of shape (c, d)
    dC/dQ = the sum of the outer products of u and dC/dE        as BP4
    dC/du = Q dC/dE                                             as BP2

A row of zeros is a value that was not there in training: E is 0. Of Guo and Berkhahn (2016), *Entity
embeddings of categorical variables*.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.names import check_size

SIZE = 8  # numbers of a category's vector, as in RealMLP-TD


@dataclass(frozen=True)
class Categories:
    """Which inputs are the one-hot columns of which category; without groups there are none.

    Parameters
    ----------
    groups : tuple of tuple of int
        The columns of each category, counted from 0; all of its vectors lie in one array, group after
        group.
    size : int
        Numbers of a vector: d.

    Raises
    ------
    ValueError, TypeError
        If a group is not at least two inputs, or an input is in two of them.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    size: int = SIZE

    def __post_init__(self) -> None:
        """Check the groups and the size."""
        object.__setattr__(self, "size", check_size(self.size))
        groups = tuple(map(_checked, self.groups))
        flat = [k for group in groups for k in group]
        if len(set(flat)) < len(flat):
            raise ValueError(
                "groups of categories must have an input in one of them only, got "
                f"{[list(group)[:9] for group in groups][:9]}"
            )
        object.__setattr__(self, "groups", groups)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """All one-hot columns, in the order of their vectors."""
        return tuple(k for group in self.groups for k in group)

    @cached_property
    def rows(self) -> tuple[slice, ...]:
        """Where the vectors of each category lie among all."""
        ends = np.cumsum([0, *map(len, self.groups)])
        return tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(ends))

    def forward(self, Q: Array, u: Array) -> Array:
        """Return E of every category, shape (n_samples, n_categories, d)."""
        made = np.empty((len(u), len(self.groups), self.size), np.result_type(u, Q))
        for k, rows in enumerate(self.rows):
            made[:, k] = u[:, rows] @ Q[rows]
        return made

    def gradient(self, u: Array, error: Array) -> Array:
        """Return the sum over the samples of dC/dQ from dC/dE, the shape of Q."""
        return np.concatenate([u[:, rows].T @ error[:, k] for k, rows in enumerate(self.rows)])

    def input_error(self, Q: Array, error: Array) -> Array:
        """Return dC/du from dC/dE, shape (n_samples, n_columns)."""
        made = np.empty((len(error), len(self.columns)), np.result_type(error, Q))
        for k, rows in enumerate(self.rows):
            made[:, rows] = error[:, k] @ Q[rows].T
        return made

    def describe(self) -> dict[str, Any]:
        """Return what a file holds of it."""
        return {"groups": [list(group) for group in self.groups], "size": self.size}

    def __str__(self) -> str:
        """Return how many categories become how many numbers."""
        n = len(self.groups)
        what = "category" if n == 1 else "categories"
        return f"{n} {what} of {len(self.columns)} columns, {self.size} numbers each"

    def places(self, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the numbers of each stand in what layer 1 sees, shape (n_categories, d).

        Parameters
        ----------
        first : ndarray of shape (n_features,)
            Where those of each input begin.
        """
        of_each = np.array([group[0] for group in self.groups], np.int64)
        return first[of_each][:, None] + np.arange(self.size)


def _checked(group: Sequence[int]) -> tuple[int, ...]:
    made = tuple(group)
    if len(made) < 2 or not all(isinstance(k, int | np.integer) and k >= 0 for k in made):
        raise ValueError(
            f"a category's group must be at least 2 numbers of inputs, from 0 on, got {made!r:.80}"
        )
    return tuple(map(int, made))
