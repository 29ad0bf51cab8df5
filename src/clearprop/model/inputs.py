"""Inputs: what raw rows go through, step by step, before layer 1.

A raw table goes through its encoder first; numbers go through the steps alone. Each is learned from the
rows that are trained on, kept in the model's file, and applied to every row that comes later.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.feature_names import NameInRow
from clearprop.data.scaling import BOUND, Scaling, SmoothClip, robust_of, standard_of
from clearprop.data.selection import quantiles

if TYPE_CHECKING:
    from clearprop.data.table import ReadOptions, TableEncoder, TableSource
    from clearprop.data.table.single_rows import SingleRows

Array = NDArray[Any]
Step = Scaling | SmoothClip
Blocks = Callable[[], Iterable[tuple[Array, Array | None]]]

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """What makes the inputs of a network from raw rows; nothing where it is false.

    Parameters
    ----------
    steps : tuple of Scaling and SmoothClip
        Applied to numbers, in their order.
    encoder : TableEncoder, optional
        What makes numbers of a raw table.
    read : ReadOptions, optional
        How the file of the training was written: another one is read alike.
    outside : bool
        Whether a network gets rows that have been through them: an estimator applies them itself.
    """

    steps: tuple[Step, ...] = ()
    encoder: TableEncoder | None = None
    read: ReadOptions | None = None
    outside: bool = False

    def __bool__(self) -> bool:
        return bool(self.steps) or self.encoder is not None

    @property
    def clips(self) -> bool:
        """Whether a step is not linear."""
        return any(isinstance(step, SmoothClip) for step in self.steps)

    @property
    def scaling(self) -> Scaling | None:
        """The first shift and factor of every number, if there are any."""
        return next((step for step in self.steps if isinstance(step, Scaling)), None)

    # Numbers

    def __call__(self, X: Array) -> Array:
        """Return what the network sees of numbers, shape (n_samples, n_features), in their dtype."""
        for step in self.steps:
            X = step(X)
        return X

    def slope(self, X: Array) -> Array:
        """Return the derivative of everything the network sees by its number, the shape of X."""
        slope: Array = np.ones((), X.dtype)
        for step in self.steps:
            slope = slope * step.slope(X)
            X = step(X)
        return np.broadcast_to(slope, X.shape)

    # Tables

    def open(self, what: Any, options: ReadOptions | None = None) -> TableSource:
        """Return a table, each of its columns read as that of the training.

        Parameters
        ----------
        what : path or table
            As `open_table` takes it. Columns may be in any order, and there may be others.
        options : ReadOptions, optional
            Where it is written in another way.

        Raises
        ------
        ValueError
            If a column that was learned from is absent; the message names all, and those that the
            model does not know.
        """
        from clearprop.data.dataset import some
        from clearprop.data.table import open_table

        encoder = self._encoder
        types = {each.name: each.type for each in encoder.decisions}
        source = open_table(what, options or self.read, types)
        if missing := [name for name in encoder.columns if name not in source.names]:
            extra = self.unknown_columns(source)
            known = f" and has {some(extra)}, which the model does not know" if extra else ""
            raise ValueError(
                f"{source.where} lacks {some(missing)}{known}; the columns must be the model's"
            )
        source.refuse_useless(encoder.columns)
        return source

    def unknown_columns(self, source: TableSource, besides: str | None = None) -> list[str]:
        """Return the columns of a table that were not there in training, but for one that is known."""
        known = {each.name for each in self._encoder.decisions} | {besides}
        return [name for name in source.names if name not in known]

    def say_unknown(
        self, source: TableSource, say: Callable[[str], None], besides: str | None = None
    ) -> None:
        """Say which columns of a table are ignored, because there were none in training."""
        from clearprop.data.dataset import some

        if names := self.unknown_columns(source, besides):
            say(f"{source.where} has {some(names)}, which the model does not know: not used")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a raw table that are needed."""
        return self._encoder.columns

    def of_batch(self, batch: Any, dtype: str) -> Array:
        """Return what the network sees of a batch of a table that `open` returned.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or Table
        dtype : str
            Of the network.

        Returns
        -------
        ndarray of shape (n_rows, n_features)
        """
        return np.ascontiguousarray(self(narrowed(self._encoder.encode(batch), dtype)))

    def of_rows(self, rows: Sequence[Mapping[str, Any]], dtype: str) -> Array:
        """Return what the network sees of rows of a raw table that are mappings: `of_batch` of them.

        Parameters
        ----------
        rows : sequence of mapping
            As `SingleRows.encode` takes them.
        dtype : str
            Of the network.
        """
        return np.ascontiguousarray(self(narrowed(self.single_rows.encode(rows), dtype)))

    @cached_property
    def single_rows(self) -> SingleRows:
        """The encoder, for rows that are mappings; it keeps what their cells have become."""
        from clearprop.data.table.single_rows import SingleRows

        return SingleRows(self._encoder, self.read)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "single_rows"}

    def names_in_row(self, table: TableSource, row: int) -> tuple[str, ...]:
        """Return the names of the features with what one row of a table from `open` holds of each.

        Of the categories of a column, the one that the row is of says it by its own name; another,
        which would be read as if the row were of it, has the row's beside it.
        """
        batches = table.batches(self.columns)
        for batch in batches:
            if row < batch.num_rows:
                break
            row -= batch.num_rows
        names: list[str] = []
        for each in self._encoder.encoded:
            raw = _written(batch.column(batch.schema.get_field_index(each.name))[row].as_py())
            names += [
                name if name == f"{each.name} = {raw}" else NameInRow(name, raw, name == each.name)
                for name in each.feature_names
            ]
        return tuple(names)

    def names_of_numbers(self, names: tuple[str, ...], X: Array) -> tuple[str, ...]:
        """Return the names of features, with the numbers of the one row of X that is scaled for each.

        A factor for all alike is that of an image, whose pixels nobody asks for one by one.
        """
        each = any(isinstance(step, Scaling) and step.shift.size > 1 for step in self.steps)
        if not each or self.outside or self.encoder is not None or len(X) != 1:
            return names
        raw = (f"{value:.6g}" for value in X[0])
        return tuple(NameInRow(name, value, True) for name, value in zip(names, raw, strict=True))

    @property
    def _encoder(self) -> TableEncoder:
        if self.encoder is None:
            raise ValueError("the model does not take raw tables")
        return self.encoder

    # As JSON

    def describe_steps(self) -> dict[str, Any] | None:
        """Return the steps as an estimator's file has them: one shift and factor, and the clip."""
        scaling = self.scaling
        if scaling is None:
            return None
        shift, factor = scaling.shift.tolist(), scaling.factor.tolist()
        return {"shift": shift, "factor": factor, "clip": self.clips}


def steps_of(data: Mapping[str, Any] | None) -> tuple[Step, ...]:
    """Return what `Inputs.describe_steps` gave."""
    if data is None:
        return ()
    scaling = Scaling(*(np.array(data[name], np.float64) for name in ("shift", "factor")))
    return (scaling, SmoothClip()) if data["clip"] else (scaling,)


def narrowed(X: Array, dtype: str) -> Array:
    """Return finite numbers as a C-contiguous array of a dtype that can hold them.

    Raises
    ------
    ValueError
        If one is too large for it, with its row and column.
    """
    with np.errstate(over="ignore"):  # what overflows is found below
        narrow = np.ascontiguousarray(X, dtype=dtype)
    if narrow.dtype != X.dtype and not np.isfinite(narrow).all():
        row, column = np.unravel_index(int(np.argmin(np.isfinite(narrow))), narrow.shape)
        raise ValueError(
            f"X must fit in {dtype}, got {X[row, column]} in row {row}, column {column}; scale it, or "
            "use dtype='float64'"
        )
    return narrow


# What the steps are learned from: all rows together, or blocks of them


def standard(X: Any, weight: Array | None) -> tuple[Step, ...]:
    """Return what gives every feature mean 0 and standard deviation 1.

    Parameters
    ----------
    X : ndarray or SciPy sparse matrix of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,), optional
        Of the rows.
    """
    if hasattr(X, "tocsr"):
        share = np.full(X.shape[0], 1.0 / X.shape[0]) if weight is None else weight / weight.sum()
        mean = np.asarray(X.T @ share, np.float64).ravel()
        variance = np.maximum(np.asarray(X.multiply(X).T @ share).ravel() - mean**2, 0.0)
    else:
        wide = X.astype(np.float64)
        mean = np.average(wide, axis=0, weights=weight)
        variance = np.average((wide - mean) ** 2, axis=0, weights=weight)
    return (standard_of(mean, variance),)


def robust(X: Any, weight: Array | None) -> tuple[Step, ...]:
    """Return RealMLP's steps: median and quartiles, then the smooth clip.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,), optional
        A row of weight w counts as w rows.

    Raises
    ------
    ValueError
        If X is sparse: its quartiles would fill it.
    """
    if hasattr(X, "tocsr"):
        raise ValueError("preprocessing='robust' needs a dense X, got a sparse one; use 'standard'")
    if weight is not None:
        return robust_of_blocks(lambda: [(X.astype(np.float64), weight)])
    return robust_of(*np.quantile(X.astype(np.float64), _SHARES, axis=0)), SmoothClip()


def standard_of_blocks(blocks: Blocks) -> tuple[Step, ...]:
    """Return `standard`'s steps, by two passes over float64 blocks of rows with their weights."""
    return (standard_of(*moments(blocks)),)


def robust_of_blocks(blocks: Blocks) -> tuple[Step, ...]:
    """Return `robust`'s steps, exactly, by passes over blocks of rows with their weights."""
    return robust_of(*quantiles(blocks, _SHARES)), SmoothClip()


def keeping_one_hot(steps: tuple[Step, ...], columns: Sequence[int]) -> tuple[Step, ...]:
    """Return the steps, but for some columns that they leave 0 and 1."""
    if not columns:
        return steps
    factor = BOUND / math.sqrt(BOUND**2 - 1.0) if SmoothClip() in steps else 1.0  # clipped it is 1

    def kept(step: Step) -> Step:
        if not isinstance(step, Scaling):
            return step
        made = Scaling(step.shift.copy(), step.factor.copy())
        made.shift[list(columns)], made.factor[list(columns)] = 0.0, factor
        return made

    return tuple(map(kept, steps))


def _written(cell: Any) -> str:
    """Return a cell of a raw table as text: whole numbers without a point, gaps by their name."""
    if cell is None:
        return "missing"
    return f"{cell:.15g}" if isinstance(cell, float) else str(cell)


def moments(blocks: Blocks) -> tuple[Array, Array]:
    """Return mean and variance of every column, by two passes over blocks of rows and weights."""
    total = sum(float(len(rows) if weight is None else weight.sum()) for rows, weight in blocks())

    def mean(function: Callable[[Array], Array]) -> Array:
        parts: Iterator[Array] = (
            function(rows).sum(axis=0) if weight is None else function(rows).T @ weight
            for rows, weight in blocks()
        )
        return sum(parts, np.zeros(())) / total

    centre = mean(lambda rows: rows)
    return centre, mean(lambda rows: (rows - centre) ** 2)


LEARNED: dict[str, Callable[[Any, Array | None], tuple[Step, ...]]] = {
    "standard": standard,
    "robust": robust,
}
LEARNED_OF_BLOCKS: dict[str, Callable[[Blocks], tuple[Step, ...]]] = {
    "standard": standard_of_blocks,
    "robust": robust_of_blocks,
}
