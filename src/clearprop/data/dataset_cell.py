"""A data set as a notebook shows it: what it is, its classes, and its first columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.page import Markup, joined, table, tag

if TYPE_CHECKING:
    from clearprop.data.dataset import Dataset

_MOST = 12  # columns, and classes, that are listed


def as_html(dataset: Dataset) -> Markup:
    """Return a data set's facts, how many rows each class has, and the range of its columns."""
    rows = f"{len(dataset.X_train):,} rows"
    if dataset.X_test is not None:
        rows += f" to train on, {len(dataset.X_test):,} to test"
    facts = [dataset.task, rows, f"{dataset.n_features:,} features"]
    if dataset.image_shape is not None:
        facts.append("images of {} x {}".format(*dataset.image_shape))
    parts = [tag("p", tag("b", dataset.name), f" ({dataset.source}): {', '.join(facts)}")]
    if dataset.Y_train is not None:
        parts.append(_targets(dataset, dataset.Y_train))
    parts.append(_columns(dataset))
    return tag("div", joined(parts, "\n"))


def _targets(dataset: Dataset, Y: NDArray[Any]) -> Markup:
    name = dataset.target or "target"
    if dataset.classes is None:
        columns = Y.reshape(len(Y), -1)
        rows = [
            (name if columns.shape[1] == 1 else f"{name} {number}", *_span(column))
            for number, column in enumerate(columns.T[:_MOST], start=1)
        ]
        return table("Target", ("", "least", "mean", "most"), rows, note=_more(columns.shape[1]))
    counts = np.bincount(Y, minlength=len(dataset.classes))
    shown = list(zip(dataset.classes, counts.tolist(), strict=True))[:_MOST]
    shares = [(label, f"{n:,}", f"{n / max(len(Y), 1):.1%}") for label, n in shown]
    return table(f"Classes of {name}", ("", "rows", "share"), shares, note=_more(len(counts)))


def _columns(dataset: Dataset) -> Markup:
    names = dataset.feature_names or [f"feature {k + 1}" for k in range(dataset.n_features)]
    rows = [
        (name, *_span(column))
        for name, column in zip(names[:_MOST], dataset.X_train.T[:_MOST], strict=False)
    ]
    return table("Features", ("", "least", "mean", "most"), rows, note=_more(dataset.n_features))


def _span(column: NDArray[Any]) -> tuple[str, str, str]:
    if not len(column):
        return ("", "", "")
    return tuple(f"{float(each):.4g}" for each in (column.min(), column.mean(), column.max()))  # type: ignore[return-value]


def _more(n: int) -> str | None:
    return f"and {n - _MOST:,} more" if n > _MOST else None
