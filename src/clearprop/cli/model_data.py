"""The data that a model is applied to, in the form in which it takes them.

In: a network, and the name of a set, file or folder. Out: a `Dataset`, or blocks of the network's
inputs; what is read otherwise than it is written, or not used, is said on standard error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

import clearprop as cp
from clearprop.cli import errors
from clearprop.cli.model import Answering
from clearprop.data import BUILT_IN, Dataset, Schema
from clearprop.data.files import local_path
from clearprop.data.tables import is_table
from clearprop.names import trim


def load_data(
    net: Answering,
    source: str,
    target: str | None = None,
    need_target: bool = True,
    part: str | None = None,
    gaps: str = "drop",
) -> Dataset:
    """Return a data set in the form that a network expects; `part` is the only part that is needed.

    `gaps` says what becomes of a file's rows without a target.

    Raises
    ------
    ValueError, OSError
        As in `data.load`.
    """
    schema = net.model.schema
    dataset = _read(net, source, schema, target, need_target, part, gaps)
    return dataset.conform(_named(net, schema, dataset))


def load_with_strangers(
    net: Answering,
    source: str,
    target: str | None = None,
    gaps: str = "drop",
    need_target: bool = True,
) -> tuple[Dataset, int | None]:
    """Return a data set as in `load_data`, and how many classes the network knows (or None).

    Labels that it does not know get the numbers from there on.
    """
    schema = net.model.schema
    dataset = _read(net, source, schema, target, need_target, None, gaps)
    schema = _named(net, schema, dataset)
    if schema.classes is None or dataset.classes is None:
        return dataset.conform(schema), None
    known = {trim(str(label)) for label in schema.classes}  # as `conform` looks labels up
    strangers = tuple(label for label in dataset.classes if trim(str(label)) not in known)
    whole = dataclasses.replace(schema, classes=(*schema.classes, *strangers))
    return dataset.conform(whole), len(schema.classes)


def _read(
    net: Answering,
    source: str,
    schema: Schema,
    target: str | None,
    need_target: bool,
    part: str | None,
    gaps: str,
) -> Dataset:
    """Return a data set with the labels that it has itself."""
    if net.model.is_of_table:
        return _table_dataset(net, source, target, gaps if need_target else None)
    path = local_path(source)
    if source not in BUILT_IN and path.exists():
        # Not `load`, for which a target of one label is nothing to learn: it can be evaluated.
        if path.name.lower().endswith(".npz") and target is None:
            return cp.data.read_npz(path, task=schema.task, need_target=need_target, target_gaps=gaps)
        if is_table(path):
            needed, column = need_target or target is not None, target or schema.target
            how: dict[str, Any] = {"need_target": needed, "target_gaps": gaps}
            return cp.data.read_table(path, target=column, task=schema.task, **how)
    return cp.data.load(source, target=target, need_target=need_target, part=part, target_gaps=gaps)


def _named(net: Answering, schema: Schema, dataset: Dataset) -> Schema:
    """Return what a network expects, with the data's names of classes if it has only numbers."""
    numbered = net.model.classes is None or net.model.classes == tuple(range(len(net.model.classes)))
    names = dataset.classes or ()
    if not numbered or schema.classes is None or len(names) != len(schema.classes):
        return schema
    if any(str(name).isdecimal() for name in names):
        return schema
    return dataclasses.replace(schema, classes=names)  # the numbers of the names, in their order


def _table_dataset(net: Answering, source: str, target: str | None, gaps: str | None) -> Dataset:
    """Return a raw table as the inputs of a network that was trained on one.

    Without `gaps` it has no target.
    """
    model, column = net.model, net.model.column
    assert column is not None
    table = model.inputs.open(source)
    name = trim(target or column.name)
    model.inputs.say_unknown(table, errors.say, name)
    Y, strangers, with_target = None, tuple[str, ...](), None
    if gaps is not None:
        column.check(table, name)
        table = table.with_target(name, gaps)
        read_as: dict[str, Any] = {}
        Y, strangers = column.of_table(table, name, read_as)
        note_read_as(read_as, table.where)
        mask = table.rows_with_target()
        with_target = None if mask.all() else mask
    batches = table.batches(model.inputs.columns)
    X = np.concatenate([model.inputs.of_batch(batch, model.dtype) for batch in batches])
    classes = column.classes
    return Dataset(
        name=table.name,
        source=table.where,
        task=column.task,
        X_train=X,
        Y_train=Y,
        classes=None if classes is None else (*classes, *strangers),
        feature_names=model.feature_names,
        target=name,
        with_target=with_target,
    )


def names_in_row(net: Answering, source: str, row: int) -> tuple[str, ...]:
    """Return what the inputs of a raw table's row are called, with the row's raw values."""
    return net.model.inputs.names_in_row(net.model.inputs.open(source), row)


def note_read_as(labels: Mapping[str, Any], where: str) -> None:
    """Say which labels of a table were taken for others, that end without a point."""
    if labels:
        from clearprop.data.table.target import say_read_as

        errors.say(say_read_as(labels, where))


def part_name(dataset: Dataset, part: str) -> str:
    """Return which part of the data that really is: a file has but one."""
    return part if dataset.X_test is not None else "all"
