"""Fitting an estimator to a table that is larger than memory: what `Fitting` does with one in memory.

What preprocessing needs is learned by passes over the encoded rows on disk, exactly; the rows are then
scaled there, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data.labels import label_array
from clearprop.data.row_stream import CHUNK_ROWS, chunks
from clearprop.data.selection import quantiles
from clearprop.data.spool import Spool
from clearprop.data.table import TableStream
from clearprop.engines import Data
from clearprop.estimators import recipe
from clearprop.estimators.inputs import Preprocessing, robust_of, standard_of
from clearprop.estimators.user_warning import warn
from clearprop.training.streaming import check_batches, weight_scale
from clearprop.training.supply import Streamed

if TYPE_CHECKING:
    from clearprop.estimators.fitting import Fitting

Array = NDArray[Any]


class Prepared(NamedTuple):
    """What an estimator trains on."""

    supply: Streamed
    validation: Data | None
    total: float  # of the weights


def prepare(estimator: Fitting, stream: TableStream, options: SimpleNamespace, seed: int) -> Prepared:
    """Return a stream as an estimator's training takes it; the estimator learns what it is.

    Parameters
    ----------
    estimator : Fitting
        It gets its network.
    stream : TableStream
        Its rows on disk are scaled: it cannot be fitted to again with other preprocessing.
    options : SimpleNamespace
        The estimator's arguments.
    seed : int

    Raises
    ------
    ValueError
        If the estimator is for another kind of target, or an argument needs all rows in memory.
    """
    _check(estimator, stream, options)
    spool, classes = stream.spool, stream.target.classes
    estimator.table_encoder_ = stream.encoder
    estimator.n_features_in_ = len(stream.encoder.columns)
    estimator.feature_names_in_ = np.array(stream.encoder.columns, object)
    known = np.arange(2.0) if classes is None else label_array(classes, "classes")
    table = estimator._read_targets(known, options, reset=True)  # the targets of each class
    chunk = max(stream.buffer_rows or CHUNK_ROWS, CHUNK_ROWS)
    factors = _class_factors(spool, options, chunk)
    weighted = _Weighted(spool, factors)
    made, widths = _preprocessing(weighted, options, chunk), (spool.n_features, table.shape[1])
    estimator._make_network(options, made, _units(weighted, options, chunk), widths, spool.dtype, seed)
    if made is not None:
        spool.transform(made)
    scale = weight_scale(weighted, chunk)
    dtype = spool.dtype

    def targets(Y: Array) -> Array:
        encoded = Y[:, None] if classes is None else table[Y]
        return np.ascontiguousarray(estimator._scale_targets(encoded), dtype=dtype)

    def read(first: int, last: int) -> Data:
        weight = None if scale is None else scale(weighted.weight(first, last)).astype(dtype)
        return Data(spool.X(first, last), targets(spool.Y(first, last)), weight)

    supply = Streamed(
        read,
        n_samples=spool.n_rows,
        n_features=spool.n_features,
        n_outputs=table.shape[1],
        dtype=dtype,
        weighted=scale is not None,
        fingerprint=spool.fingerprint,
        buffer_rows=stream.buffer_rows,
    )
    held, validation = stream.held, None
    if held is not None:
        X = held.X if made is None else np.ascontiguousarray(made(held.X))
        weight = _held_weight(held.weight, factors, held.Y)
        validation = Data(X, targets(held.Y), None if weight is None else weight.astype(dtype))
    total = float(spool.n_rows) if scale is None else weighted.total(chunk)
    return Prepared(supply, validation, total)


def _check(estimator: Fitting, stream: TableStream, options: SimpleNamespace) -> None:
    kind = "regressor" if stream.target.classes is None else "classifier"
    if kind != estimator._kind:
        raise ValueError(
            f"a {estimator._kind} cannot learn the target {stream.target.name!r}, which is a "
            f"{stream.target.task} ({stream.target.reason})"
        )
    if options.scoring is not None:
        raise ValueError(f"scoring cannot be used with a stream, got scoring={options.scoring!r}")
    if options.dtype not in ("auto", stream.spool.dtype):
        raise ValueError(
            f"dtype must be the stream's, {stream.spool.dtype}, got dtype={options.dtype!r}"
        )
    if options.early_stopping and stream.held is None:
        raise ValueError("early_stopping=True needs a stream with validation above 0, got 0")
    _bound_batches(stream, options)
    if isinstance(options.class_weight if kind == "classifier" else None, list):
        raise ValueError("class_weight must be a dict or 'balanced' with a stream, got a list")


def _bound_batches(stream: TableStream, options: SimpleNamespace) -> None:
    """Let batches be no larger than the buffer, where their size was not asked for."""
    check_batches(options.n_batches)
    batch, most = recipe.batch_size(options, stream.spool.n_rows), stream.buffer_rows
    if batch is None or most is None or batch <= most:
        return
    if options.batch_size_given:
        raise ValueError(f"batch_size must be at most the stream's buffer_rows, {most}, got {batch}")
    warn(f"batches are of {most} rows, not {batch}: no more fit into the stream's buffer_rows")
    options.batch_size = most


def _class_factors(spool: Spool, options: SimpleNamespace, chunk: int) -> Array | None:
    """Return what class_weight multiplies the weights of each class by."""
    chosen = getattr(options, "class_weight", None)
    if chosen is None or spool.classes is None:
        return None
    n = len(spool.classes)
    if isinstance(chosen, dict):
        return np.array([float(chosen.get(label, 1.0)) for label in spool.classes])
    counts = sum(np.bincount(spool.Y(*each), minlength=n) for each in chunks(spool.n_rows, rows=chunk))
    return spool.n_rows / (n * np.maximum(counts, 1.0))


class _Weighted:
    """Rows whose weights are those of their classes, too."""

    def __init__(self, spool: Spool, factors: Array | None) -> None:
        self._spool, self._factors = spool, factors
        self.n_rows, self.n_features, self.classes = spool.n_rows, spool.n_features, spool.classes
        self.X, self.Y, self.fingerprint = spool.X, spool.Y, spool.fingerprint

    def weight(self, first: int, last: int) -> Array | None:
        weight = self._spool.weight(first, last)
        if self._factors is None:
            return weight
        factor = self._factors[self._spool.Y(first, last)]
        return factor if weight is None else weight * factor

    def total(self, chunk: int) -> float:
        parts = (self.weight(*each) for each in chunks(self.n_rows, rows=chunk))
        return sum(float(part.sum()) for part in parts if part is not None)


def _held_weight(weight: Array | None, factors: Array | None, Y: Array) -> Array | None:
    if factors is not None:
        weight = factors[Y] if weight is None else weight * factors[Y]
    return None if weight is None else weight / weight.mean()


def _preprocessing(rows: _Weighted, options: SimpleNamespace, chunk: int) -> Preprocessing | None:
    if options.preprocessing is None:
        return None

    def blocks() -> Iterator[tuple[Array, Array | None]]:
        return ((rows.X(*each), rows.weight(*each)) for each in chunks(rows.n_rows))

    if options.preprocessing == "robust":
        return robust_of(*quantiles(blocks, (0.0, 0.25, 0.5, 0.75, 1.0)))

    def wide() -> Iterator[tuple[Array, Array | None]]:
        for each in chunks(rows.n_rows, rows=chunk):
            yield rows.X(*each).astype(np.float64), rows.weight(*each)

    return standard_of(*_moments(wide))


def _units(rows: _Weighted, options: SimpleNamespace, chunk: int) -> tuple[Array, Array] | None:
    """Return mean and variance of a regression's targets, where they are to be standardized."""
    if getattr(options, "target", None) is None:
        return None

    def blocks() -> Iterator[tuple[Array, Array | None]]:
        for each in chunks(rows.n_rows, rows=chunk):
            yield rows.Y(*each)[:, None], rows.weight(*each)

    return _moments(blocks)


def _moments(blocks: Any) -> tuple[Array, Array]:
    """Return mean and variance of every column, by two passes."""
    total = sum(float(len(rows) if weight is None else weight.sum()) for rows, weight in blocks())

    def mean(function: Any) -> Array:
        parts = (
            function(rows).sum(axis=0) if weight is None else function(rows).T @ weight
            for rows, weight in blocks()
        )
        return sum(parts) / total

    centre = mean(lambda rows: rows)
    return centre, mean(lambda rows: (rows - centre) ** 2)
