"""What the arguments of public functions may be, where one type does not say it.

A list, an array, and a data frame of pandas or polars are all `numpy.typing.ArrayLike`. Here is what
is more than that. These names are for annotations alone: nothing is told from another by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Label = str | int | bool
"""What a class may be called."""


class Sparse(Protocol):
    """A sparse matrix or array of SciPy's."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def tocsr(self) -> Sparse: ...
    def toarray(self) -> NDArray[np.generic]: ...


class ArrowStream(Protocol):
    """A table of pandas, polars, pyarrow or duckdb, or a reader of one: what speaks Arrow."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class ArrowDataset(Protocol):
    """A data set of pyarrow's, or its scanner: files that are read when they are asked for."""

    def to_table(self) -> object: ...
    def count_rows(self) -> int: ...


class Sliced(Protocol):
    """An array that is read piece by piece: a memory map, a data set of HDF5, a variable of netCDF."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> ArrayLike: ...


Table = ArrowStream | ArrowDataset
"""Columns with names."""
Samples = ArrayLike | Sparse | Table
"""The rows X of an estimator."""
Answers = ArrayLike | Sparse
"""The y of an estimator: labels, quantities, or indicators, which may be sparse."""
Sizes = int | Sequence[int] | NDArray[np.integer]
"""Of hidden layers."""
