"""From a stream of raw rows to the supply of a training, as `Training` makes it of X and Y itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.checks import check_targets
from clearprop.data import arrays
from clearprop.data.labels import typed_labels
from clearprop.data.row_stream import CHUNK_ROWS, Rows, RowStream, chunks
from clearprop.data.spool import Spool
from clearprop.engines import Data
from clearprop.masks import refuse_masked
from clearprop.model.model import Model
from clearprop.optimizers import LBFGS
from clearprop.training.settings import Settings
from clearprop.training.supply import Streamed
from clearprop.user_warning import warn


def check(stream: RowStream, Y: object, sample_weight: object, settings: Settings) -> None:
    """Refuse what cannot be done with rows that are not in memory together.

    Raises
    ------
    ValueError
        Naming the argument, its rule and the value.
    """
    for name, value in (("Y", Y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(f"{name} must not be given beside a stream, which has its own")
    if settings.train_metrics:
        raise ValueError(
            "train_metrics cannot be used with a stream, whose rows are not in memory together; "
            "history['cost'] is the mean over the epoch"
        )
    check_batches(settings.n_batches)
    size, most = settings.batch_size, stream.buffer_rows
    if not isinstance(settings.optimizer, LBFGS) and (size is None or size > (most or size)):
        raise ValueError(f"batch_size must be at most the stream's buffer_rows, {most}, got {size}")


def refuse_members(n_members: int) -> None:
    """Refuse members: each has an order of its own, and a stream's rows pass in one.

    Raises
    ------
    ValueError
        If there are several.
    """
    if n_members > 1:
        raise ValueError(
            f"members cannot be trained from a stream, whose rows pass in one order, got {n_members}; "
            "train one network, or from rows in memory"
        )


def check_batches(n_batches: int | None) -> None:
    """Refuse a number of batches: those that pass through a buffer are of one size.

    Raises
    ------
    ValueError
        If there is one.
    """
    if n_batches is not None:
        raise ValueError(
            "n_batches cannot be used with a stream, whose buffer holds batches of one size, got "
            f"{n_batches}; use batch_size"
        )


def raw_supply(
    model: Model, stream: RowStream, smooth: Callable[[Array], Array]
) -> tuple[Streamed, bool]:
    """Return the supply of a model's training, and whether the targets are classes.

    One pass over targets and weights learns the classes and the mean weight; features are checked,
    converted and scaled when they come into a buffer.

    Parameters
    ----------
    model : Model
        It learns the classes.
    stream : RowStream
    smooth : callable
        Applied to the converted targets.

    Raises
    ------
    ValueError, TypeError
        As for arrays in memory; features are refused in the first epoch.
    """
    rows = stream.rows
    n_features = model.architecture.n_features
    if rows.n_features != n_features:
        raise ValueError(f"X has {rows.n_features} features, but the network is expecting {n_features}")
    labelled = _learn_classes(model, rows)
    scale = weight_scale(rows, stream.buffer_rows or CHUNK_ROWS)
    cost, output = model.architecture.cost, model.architecture.output
    known = None if rows.classes is not None else model.classes

    def read(first: int, last: int) -> Data:
        where = f" from row {first:,} on" if first else ""
        Y = arrays.as_targets(
            rows.Y(first, last),
            model.architecture.sizes[-1],
            model.dtype,
            known,
            labelled=labelled,
            argument=f"Y{where}",
        )[0]
        Y = smooth(Y)
        check_targets(cost, output, Y)
        weight = None if scale is None else scale(rows.weight(first, last)).astype(model.dtype)
        return Data(model.rows(rows.X(first, last), f"X{where}"), Y, weight)

    supply = Streamed(
        read,
        n_samples=rows.n_rows,
        n_features=rows.n_features,
        n_outputs=model.architecture.sizes[-1],
        dtype=model.dtype,
        weighted=scale is not None,
        fingerprint=rows.fingerprint,
        buffer_rows=stream.buffer_rows,
    )
    supply.kept_in = rows if isinstance(rows, Spool) else None
    return supply, labelled


def _learn_classes(model: Model, rows: Rows) -> bool:
    n_classes = max(model.architecture.sizes[-1], 2)
    if rows.classes is not None:
        if model.classes not in (None, rows.classes):
            raise ValueError(
                f"the stream must have the network's classes, {model.classes}, got {rows.classes}"
            )
        if len(rows.classes) != n_classes:
            raise ValueError(
                f"Y must have as many classes as the network has outputs, {n_classes}, got "
                f"{len(rows.classes)}"
            )
        model.classes = rows.classes
        return True
    first_row = rows.Y(0, 1)
    if first_row.ndim > 1:  # a column for each output
        one_hot = [model.learn(rows.Y(*each))[1] for each in chunks(rows.n_rows)]
        return all(one_hot)  # of all blocks: each is checked
    distinct: dict[tuple[type, Any], None] = {}  # True and 1 are two; an array would make them one
    for first, last in chunks(rows.n_rows):
        Y = rows.Y(first, last)
        refuse_masked(Y, "Y")
        if Y.dtype.kind == "f" and np.isnan(Y).any():
            raise ValueError(f"Y must be finite, got NaN in row {first + int(np.argmax(np.isnan(Y)))}")
        if len(distinct) <= max(
            model.architecture.sizes[-1], 2
        ):  # more are as good as one more: refused, or numbers
            where = f"Y from row {first:,} on" if first else "Y"
            found = np.unique(typed_labels(Y, where) if Y.dtype == object else Y)
            distinct |= {(type(label), label): None for label in found.tolist()}
    labelled = model.learn([label for _, label in distinct])[1]
    if labelled and len(distinct) == 1:
        warn("Y has a single class; the network will predict it always")
    return labelled


def weight_scale(rows: Rows, chunk: int) -> Callable[[Any], NDArray[np.float64]] | None:
    """Return what brings sample weights to mean 1 over all rows, or None where there are none.

    Raises
    ------
    ValueError
        If a weight is not finite, or below 0, or if all are 0.
    """
    if rows.weight(0, 1) is None:
        return None
    top = 0.0
    for first, last in chunks(rows.n_rows, rows=chunk):
        part = _weights(rows, first, last)
        wrong = ~np.isfinite(part) | (part < 0)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"sample_weight must be finite and at least 0, got {part[row]} in row {first + row}"
            )
        top = max(top, float(part.max()))
    if top == 0.0:
        raise ValueError("sample_weight must not be all zero")
    parts = chunks(rows.n_rows, rows=chunk)
    mean = sum(float((_weights(rows, *each) / top).sum()) for each in parts) / rows.n_rows
    return lambda weight: np.asarray(weight, np.float64) / top / mean


def _weights(rows: Rows, first: int, last: int) -> NDArray[np.float64]:
    weight = rows.weight(first, last)
    refuse_masked(weight, "sample_weight")
    return np.asarray(weight, np.float64)
