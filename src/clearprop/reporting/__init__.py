"""`report`: what is known of a model's answers on some rows, as figures, as JSON, and as a page.

`tree` says what there is; `performance`, `classes` and `quantities` compute it from a `subject`, which
is a model and rows; `page` shows it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from clearprop.reporting import (
    classes,
    dependence,
    drift,
    importance,
    leaks,
    learned,
    performance,
    quantities,
    rows,
    segments,
)
from clearprop.reporting.doors import Reported, subject_of
from clearprop.reporting.page import page
from clearprop.reporting.subject import RawColumn, Subject
from clearprop.reporting.tree import Figures, File
from clearprop.typing import Answers, Samples

__all__ = ["Figures", "Report", "report"]

_STRONG, _OVER = 6, 4  # columns whose dependence, and over which residuals are shown
_FRAME = "width: 100%; height: 46rem; border: 1px solid #8888"


class Report:
    """What is known of a model's answers on some rows; it shows itself in a notebook.

    Attributes
    ----------
    figures : Figures
        Everything that the page says, as plain data.
    html : str
        The page: one file that needs no server and asks for nothing.
    """

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.html = page(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON has them: what is no finite number is None."""
        found: dict[str, Any] = _plain(dataclasses.asdict(self.figures))
        return found

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.html, "utf-8")

    def __repr__(self) -> str:
        return f"<a report of {len(self.html) // 1000} kB: write(path) keeps its page>"

    def _repr_html_(self) -> str:
        # The page is a document of its own: its policy and its style are not the notebook's.
        inside = f'sandbox="allow-scripts" title="clearprop report" style="{_FRAME}"'
        return f'<iframe srcdoc="{escape(self.html)}" {inside}></iframe>'


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def report(model: Reported, frame: Samples, y: Answers | None = None) -> Report:
    """Return a report of a model on some rows: how good it is, where it is wrong, of what it learned.

    Parameters
    ----------
    model : Network, MLPClassifier, MLPRegressor or Ensemble
        Fitted; with one label or one quantity a row.
    frame : array-like or data frame of shape (n_samples, n_features)
        Raw rows; a data frame where the model learned from one.
    y : array-like of shape (n_samples,), optional
        Labels or quantities. Without it a column of `frame` that is called as the target was; without
        that the report has no metrics, and says so.

    Returns
    -------
    Report
        Shows itself in a notebook; `Report.write` keeps the page, `Report.to_dict` has the figures.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([1, 2], output="softmax", cost="cross_entropy", seed=0)
    >>> cp.report(net, [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]).figures.performance.n_rows
    4
    """
    subject, history = subject_of(model, frame, y)
    return Report(figures_of(subject, history))


def figures_of(
    subject: Subject,
    history: Mapping[str, Sequence[float]],
    model_file: File | None = None,
    data_file: File | None = None,
) -> Figures:
    """Return the figures of a subject.

    Parameters
    ----------
    subject : Subject
    history : mapping
        The columns of the training's `History`; empty where nothing is known of it.
    model_file, data_file : File, optional
        Where both came from.
    """
    found: dict[str, Any] = {
        "about": learned.about(subject, model_file, data_file),
        "columns": learned.columns(subject),
        "course": learned.course(subject.model, history),
    }
    found["drift"] = drift.drift(subject)
    notes = {"subject": " ".join(subject.notes)} if subject.notes else {}
    if found["course"] is None:
        notes["course"] = (
            "This file of the model has no history of its training: that of an estimator, of a table "
            "that was trained on in the shell, and a checkpoint have one."
        )
    if found["drift"] is None:
        notes["drift"] = (
            "The model's file does not say how the columns were spread in training: only that of a "
            "table does, as clearprop writes it now."
        )
    if subject.y is None:
        notes["performance"] = (
            "These rows have no target: the report is without metrics, and without all that is "
            "compared with one."
        )
        return Figures(**found, notes=notes)
    found["performance"] = performance.performance(subject)
    found["importance"] = importance.importance(subject)
    strong = importance.strongest(subject, found["importance"], _STRONG)
    found |= _of_classes(subject) if subject.classes else _of_quantities(subject, strong, notes)
    found["segments"] = segments.segments(subject)
    found["worst"] = rows.worst(subject)
    found["dependence"] = tuple(dependence.dependence(subject, each) for each in strong)
    found["leaks"] = leaks.leaks(subject)
    return Figures(**found, notes=notes)


def _of_classes(subject: Subject) -> dict[str, Any]:
    found: dict[str, Any] = {
        "confusion": classes.confusion(subject),
        "roc": classes.roc(subject),
        "precision_recall": classes.precision_recall(subject),
    }
    if subject.is_probable:
        found["reliability"] = classes.reliability(subject)
        found["scores"] = classes.scores(subject)
        if len(subject.classes) == 2:
            found["thresholds"] = classes.thresholds(subject)
    return found


def _of_quantities(
    subject: Subject, strong: tuple[RawColumn, ...], notes: dict[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"fit": quantities.fit(subject, strong[:_OVER])}
    found["coverage"], reason = quantities.coverage(subject)
    if reason:
        notes["coverage"] = reason
    return found
