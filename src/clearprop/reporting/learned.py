"""What was learned from what: the model, the data, what became of the columns, and the training."""

from __future__ import annotations

import datetime
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import clearprop
from clearprop.checkpoint.description import notes
from clearprop.model.model import Model
from clearprop.reporting.subject import RawColumn, Subject
from clearprop.reporting.tree import About, ColumnOfTable, Course, File, Result
from clearprop.reporting.value import Value
from clearprop.training.history import TIMES

_CHUNK = 1 << 20
_NOTED = ("data", "n_samples", "stopped", "planned_epochs")


def file_of(path: str | os.PathLike[str]) -> File | None:
    """Return what a file is: its checksum, and when it was changed; None of a folder, or of none."""
    where = os.path.expanduser(os.fspath(path))
    if not os.path.isfile(where):
        return None
    digest = hashlib.sha256()
    with open(where, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    changed = datetime.datetime.fromtimestamp(int(os.stat(where).st_mtime), datetime.UTC)
    return File(os.path.basename(where), digest.hexdigest(), changed.strftime("%Y-%m-%dT%H:%M:%SZ"))


def about(subject: Subject, model_file: File | None, data_file: File | None) -> About:
    """Return what a report is about.

    Parameters
    ----------
    subject : Subject
    model_file, data_file : File, optional
        Where they came from files.
    """
    model = subject.model
    said = notes(model.about)
    trained: dict[str, int | str] = {name: said[name] for name in _NOTED if name in said}
    trained |= {"epochs": model.epochs_trained, "steps": model.steps_trained, "seed": str(model.seed)}
    if "data" in trained:  # a folder is nobody's business who reads the page
        trained["data"] = os.path.basename(str(trained["data"]))
    return About(
        version=clearprop.__version__,
        model=model_file,
        data=data_file,
        network=in_a_line(model),
        trained=trained,
        result=_result(said.get("result")),
        task=model.schema.task,
        target=model.schema.target,
        classes=subject.classes,
        n_rows=subject.n_rows,
        n_without_target=subject.n_without_target,
        n_used=len(subject),
        same_data=data_file is not None and trained.get("data") == data_file.name,
    )


def _result(said: Mapping[str, Any] | None) -> Result | None:
    """Return what a file says of rows that were held out; None of those that were learned from."""
    if said is None or said["part"] not in ("test", "out-of-fold", "validation"):
        return None
    ends = said.get("intervals", {})
    names = [name for name in ("accuracy", "rmse", "mae", "r2", "cost") if name in said]
    values = {name: Value(float(said[name]), *map(float, ends.get(name, ()))) for name in names}
    return Result(str(said["part"]), int(said["n_samples"]), values)


def in_a_line(model: Model) -> str:
    """Return a network's sizes, activations and cost."""
    made = model.architecture
    hidden = list(dict.fromkeys(layer.function.name for layer in made.layers[:-1]))
    parts = ["-".join(map(str, made.sizes)), *hidden, f"{made.output.name} outputs", made.cost.name]
    parts += [f"{model.n_members} members"] if model.n_members > 1 else []
    return ", ".join(parts)


def columns(subject: Subject) -> tuple[ColumnOfTable, ...]:
    """Return what became of every column, and its gaps in these rows."""
    read = {each.name: each for each in (*subject.columns, *subject.others)}
    encoder = subject.model.inputs.encoder
    decided = encoder.decisions if encoder else [each.decision for each in subject.columns]
    return tuple(
        ColumnOfTable(each.name, each.kind, each.reason, *_inputs_and_gaps(read.get(each.name)))
        for each in decided
    )


def _inputs_and_gaps(column: RawColumn | None) -> tuple[int, int | None]:
    if column is None:
        return 0, None
    n = 0 if column.made is None else len(column.made.feature_names)
    return n, int(column.cells.null_count)


def course(model: Model, history: Mapping[str, Sequence[float]]) -> Course | None:
    """Return a training epoch by epoch; None where nothing is known of it.

    Parameters
    ----------
    model : Model
    history : mapping
        Columns of a `History`.
    """
    epochs = [int(each) for each in history.get("epoch", ())]
    if not epochs:
        return None
    kept = notes(model.about).get("best_epoch")
    drawn = {
        name: tuple(float(each) if _is_number(each) else math.nan for each in values)
        for name, values in history.items()
        if name not in ("epoch", "learning_rate", *TIMES)
    }
    return Course(tuple(epochs), drawn, None if kept is None else int(kept))


def history_of(model: Model) -> Mapping[str, Sequence[Any]]:
    """Return the history that an estimator's file has of its training; {} where there is none."""
    return {} if model.estimator is None else model.estimator.get("history", {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
