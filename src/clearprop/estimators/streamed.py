"""Fitting an estimator to a table that is larger than memory: what `Fitting` does with one in memory.

What preprocessing needs is learned by passes over the encoded rows on disk, exactly; the rows are then
scaled there, once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data.labels import label_array
from clearprop.data.row_stream import CHUNK_ROWS, chunks
from clearprop.data.spool import Spool
from clearprop.data.table import TableStream
from clearprop.data.table.row_encoding import HeldPart
from clearprop.engines import Data
from clearprop.estimators import recipe
from clearprop.estimators.arguments import Arguments
from clearprop.estimators.learned import Learned
from clearprop.estimators.options import Options
from clearprop.model.inputs import Step, moments, robust_of_blocks, standard_of_blocks
from clearprop.model.model import Model
from clearprop.model.targets import Units
from clearprop.training.streaming import check_batches, refuse_members, weight_scale
from clearprop.training.supply import Streamed
from clearprop.user_warning import warn

Array = NDArray[Any]


class Prepared(NamedTuple):
    """What an estimator trains on."""

    supply: Streamed
    validation: Data | None
    total: float  # of the weights
    test: Data | None


def prepare(
    estimator: Arguments,
    options: Options,
    stream: TableStream,
    begin: Callable[[Learned, str], Model],
    seed: int,
) -> Prepared:
    """Return a stream as an estimator's training takes it.

    Parameters
    ----------
    estimator : Arguments
    options : Options
        Those of `checked`.
    stream : TableStream
        Its rows on disk are scaled: it cannot be fitted to again with other preprocessing.
    begin : callable
        Gives the estimator its model, for ends that are learned and a dtype.
    seed : int
        Of which held-out rows judge.

    Raises
    ------
    ValueError
        If the estimator is for another kind of target.
    """
    task = estimator._task
    spool, encoder, classes = stream.spool, stream.encoder, stream.target.classes
    _refuse_unfit(task.kind, stream, options)
    estimator.n_features_in_ = len(encoder.columns)
    estimator.feature_names_in_ = np.array(encoder.columns, object)
    known = np.arange(2.0) if classes is None else label_array(classes, "classes")
    targets = task.learn(known, not options.like_sklearn)
    table = task.encode(known, targets, 0)  # the targets of each class
    chunk = max(stream.buffer_rows or CHUNK_ROWS, CHUNK_ROWS)
    factors = _class_factors(spool, options, chunk)
    weighted = _Weighted(spool, factors)
    steps = _steps(weighted, options, chunk)
    targets, n_outputs = task.for_loss(targets, options.loss, table.shape[1])
    if options.target is not None:
        targets = task.in_units(targets, options.loss, _moments(weighted, chunk), spool.dtype)
    learned = Learned(steps, encoder, targets, spool.n_features, n_outputs)
    model = begin(learned, spool.dtype)
    model.column = stream.target
    model.inputs = dataclasses.replace(model.inputs, read=stream.source.read_options)
    if steps:
        spool.transform(model.inputs)
    scale = weight_scale(weighted, chunk)
    dtype = spool.dtype

    def encoded(Y: Array) -> Array:
        rows = Y[:, None] if classes is None else table[Y]
        units = targets.encode(rows) if isinstance(targets, Units) else rows
        return np.ascontiguousarray(units, dtype=dtype)

    def read(first: int, last: int) -> Data:
        weight = None if scale is None else scale(weighted.weight(first, last)).astype(dtype)
        return Data(spool.X(first, last), encoded(spool.Y(first, last)), weight)

    supply = Streamed(
        read,
        n_samples=spool.n_rows,
        n_features=spool.n_features,
        n_outputs=n_outputs,
        dtype=dtype,
        weighted=scale is not None,
        fingerprint=spool.fingerprint,
        buffer_rows=stream.buffer_rows,
    )
    supply.kept_in = spool

    def in_memory(held: HeldPart | None) -> Data | None:
        if held is None:
            return None
        X = np.ascontiguousarray(model.inputs(held.X))
        weight = _held_weight(held.weight, factors, held.Y)
        return Data(X, encoded(held.Y), None if weight is None else weight.astype(dtype))

    held, test = stream.held, None
    if held is not None and options.test_share:
        held, test = held.divide(options.test_share, seed)
    total = float(spool.n_rows) if scale is None else weighted.total(chunk)
    return Prepared(supply, in_memory(held), total, in_memory(test))


def _refuse_unfit(kind: str, stream: TableStream, options: Options) -> None:
    if kind != ("regressor" if stream.target.classes is None else "classifier"):
        raise ValueError(
            f"a {kind} cannot learn the target {stream.target.name!r}, which is a "
            f"{stream.target.task} ({stream.target.reason})"
        )
    if isinstance(options.class_weight, list):
        raise ValueError("class_weight must be a dict or 'balanced' with a stream, got a list")


def checked(options: Options, stream: TableStream) -> Options:
    """Return the options, with batches no larger than the buffer where their size was not asked for.

    Raises
    ------
    ValueError
        If one needs all rows in memory.
    """
    if options.scoring is not None:
        raise ValueError(f"scoring cannot be used with a stream, got scoring={options.scoring!r}")
    if options.embedding is not None:
        raise ValueError(
            f"embedding cannot be used with a stream, whose rows are not looked at together, got "
            f"embedding={options.embedding!r}; give embedding=None"
        )
    refuse_members(options.members)
    if options.dtype not in ("auto", stream.spool.dtype):
        raise ValueError(
            f"dtype must be the stream's, {stream.spool.dtype}, got dtype={options.dtype!r}"
        )
    if options.early_stopping and stream.held is None:
        raise ValueError("early_stopping=True needs a stream with validation above 0, got 0")
    for name, value in options.chosen.items() if stream.held is None else ():
        raise ValueError(f"{name}={value!r} needs a stream with validation above 0, got 0")
    check_batches(options.n_batches)
    batch, most = recipe.batch_size(options, stream.spool.n_rows), stream.buffer_rows
    if batch is None or most is None or batch <= most:
        return options
    if "batch_size" in options.given:
        raise ValueError(f"batch_size must be at most the stream's buffer_rows, {most}, got {batch}")
    warn(f"batches are of {most} rows, not {batch}: no more fit into the stream's buffer_rows")
    return dataclasses.replace(options, batch_size=most)


def _class_factors(spool: Spool, options: Options, chunk: int) -> Array | None:
    """Return what class_weight multiplies the weights of each class by."""
    chosen = options.class_weight
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


def _steps(rows: _Weighted, options: Options, chunk: int) -> tuple[Step, ...]:
    if options.preprocessing is None:
        return ()

    def blocks() -> Iterator[tuple[Array, Array | None]]:
        return ((rows.X(*each), rows.weight(*each)) for each in chunks(rows.n_rows))

    if options.preprocessing == "robust":
        return robust_of_blocks(blocks)

    def wide() -> Iterator[tuple[Array, Array | None]]:
        for each in chunks(rows.n_rows, rows=chunk):
            yield rows.X(*each).astype(np.float64), rows.weight(*each)

    return standard_of_blocks(wide)


def _moments(rows: _Weighted, chunk: int) -> tuple[Array, Array]:
    """Return mean and variance of a regression's targets."""

    def blocks() -> Iterator[tuple[Array, Array | None]]:
        for each in chunks(rows.n_rows, rows=chunk):
            yield rows.Y(*each)[:, None], rows.weight(*each)

    return moments(blocks)
