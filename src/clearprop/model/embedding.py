"""Embeddings by their short names, of the inputs that are numbers or categories of many values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import embeddings
from clearprop.data.table.columns import CategoryColumn
from clearprop.data.table.values import NUMBER
from clearprop.input_embedding import Embedding
from clearprop.names import known_name
from clearprop.piecewise_linear import PiecewiseLinear

if TYPE_CHECKING:
    from clearprop.data.table import TableEncoder

NAMES = ("pl", "plr", "plr-lite", "pbld")
MOST_ONE_HOT = 8  # values of a category that stays as its one-hot columns, as in RealMLP-TD


def embeddable(X: NDArray[Any], weight: NDArray[Any] | None = None) -> list[int]:
    """Return the columns with more than two values, of the rows with a weight above 0."""
    if weight is not None:
        X = X[np.asarray(weight) > 0]
    low, high = X.min(axis=0), X.max(axis=0)
    found: list[int] = np.flatnonzero(((low != X) & (high != X)).any(axis=0)).tolist()
    return found


def learn(
    name: str, X: NDArray[Any], weight: NDArray[Any] | None = None, also: Sequence[int] = ()
) -> Embedding:
    """Return the embedding of that name, of the columns with more than two values.

    Those with one or two (one-hot, yes or no) stay as they are: there is nothing in between to be bent.

    Parameters
    ----------
    name : {"pl", "plr", "plr-lite", "pbld"}
    X : ndarray of shape (n_samples, n_features)
        The rows to train on, as the network sees them; the edges of "pl" are their quantiles.
    weight : ndarray of shape (n_samples,), optional
        Rows of weight 0 are not looked at.
    also : sequence of int
        Columns that are embedded whatever they hold.

    Raises
    ------
    ValueError
        If the name is unknown, or no column has more than two values.
    """
    known_name("embedding", name, NAMES)
    columns = sorted({*embeddable(X, weight), *also})
    if weight is not None:
        X = X[np.asarray(weight) > 0]
    if not columns:
        raise ValueError(
            f"embedding={name!r} needs a numeric input with more than two values, got {X.shape[1]} "
            "inputs with at most two each (texts, truths or constants); leave it out"
        )
    if name == "pl":
        return embeddings.piecewise_linear(X, columns=columns)
    if name == "pbld":
        return embeddings.pbld(columns=columns)
    return embeddings.periodic(columns=columns, lite=name == "plr-lite")


def categories_of(encoder: TableEncoder | None) -> list[list[int]]:
    """Return the one-hot columns of each category with more than 8 values, the rare ones being one.

    Whether it is missing is none of them, but has its vector where it has a column.
    """
    found, first = [], 0
    for each in () if encoder is None else encoder.encoded:
        n = len(each.feature_names)
        if isinstance(each, CategoryColumn) and each.n_values > MOST_ONE_HOT:
            found.append(list(range(first, first + n)))
        first += n
    return found


def pairs_of(encoder: TableEncoder | None) -> list[int]:
    """Return the inputs made of numbers that have two values, which are numbers to RealMLP-TD."""
    if encoder is None:
        return []
    pairs = [d.name for d in encoder.decisions if d.kind == "boolean" and d.type.startswith(NUMBER)]
    found, first = [], 0
    for each in encoder.encoded:
        n = len(each.feature_names)
        if each.name in pairs and n == 1:  # with gaps it is three
            found.append(first)
        first += n
    return found


def name_of(embedding: Embedding | None) -> str | None:
    """Return the short name of an embedding; None where there is none."""
    if embedding is None:
        return None
    if isinstance(embedding, embeddings.Periodic):
        return "plr-lite" if embedding.lite else "plr"
    return "pl" if isinstance(embedding, PiecewiseLinear) else embedding.kind
