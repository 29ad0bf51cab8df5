"""Why estimators answer as they do: X as their networks see it, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.data.table import TableStream
from clearprop.estimators import reader, tables
from clearprop.model.targets import Classes
from clearprop.reasons import Reasons
from clearprop.reasons.asking import Asked, Rows, rows_of_numbers, rows_of_table
from clearprop.reasons.changes import Change, numbers_of, smallest
from clearprop.typing import Label, Samples

if TYPE_CHECKING:
    from clearprop.estimators.base import BaseMLP


def reasons(
    estimators: Sequence[BaseMLP],
    weights: Sequence[float],
    X: Samples | TableStream,
    baseline: Samples | None,
    of: Label | None,
) -> Reasons:
    """Return the reasons of rows, of fitted estimators that answer together, as `BaseMLP.reasons`."""
    models = [each.network_.model for each in estimators]
    base = None if baseline is None else _rows(estimators[0], baseline, "baseline")
    return Asked(models, weights).reasons(_rows(estimators[0], X, "X"), base, of)


def smallest_changes(
    estimator: BaseMLP, row: Mapping[str, Any], columns: Sequence[str]
) -> list[Change]:
    """Return what would turn the decision of a row, as `BaseMLP.smallest_changes`."""
    model = estimator.network_.model
    encoder = model.inputs.encoder
    if not isinstance(model.targets, Classes):
        raise ValueError("changes turn the class that is told: a quantity is no decision")
    if encoder is None:
        raise ValueError("changes are of a table's columns: the model learned from plain numbers")
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of names, got {columns!r}")
    model.inputs.single_rows.check([row])
    asked, values = Asked([model]), rows_of_table(model, model.inputs.single_rows.table([row])).values
    return smallest(
        row,
        columns,
        encoder,
        lambda rows: asked.told(model.inputs.of_rows(rows, model.dtype)),
        numbers_of(encoder, values),
    )


def _rows(estimator: BaseMLP, X: Any, argument: str) -> Rows:
    if isinstance(X, TableStream):
        raise ValueError(
            f"{argument} must be rows, got a stream, whose rows come and go: read those that you ask "
            "about, as a data frame or an array"
        )
    if getattr(X, "ndim", 2) == 1 and hasattr(X, "to_frame"):  # a row of a pandas data frame
        X = X.to_frame().T
    elif argument == "baseline" and np.ndim(X) == 1 and tables.column_names(X) is None:
        X = np.asarray(X)[None]
    model, read = estimator.network_.model, reader.open_X(estimator, X)
    if model.inputs.encoder is not None:
        return rows_of_table(model, read)
    names = getattr(estimator, "feature_names_in_", None)
    dense = read.toarray() if hasattr(read, "toarray") else np.asarray(read)
    return rows_of_numbers(model, dense, None if names is None else tuple(map(str, names)))
