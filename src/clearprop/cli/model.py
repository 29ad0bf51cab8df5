"""Between data sets and networks: what the outputs stand for, and what a model says of its data."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop import checkpoint
from clearprop.cli import errors
from clearprop.data import BUILT_IN, Dataset, Schema
from clearprop.data.dataset import Label, some
from clearprop.data.files import local_path
from clearprop.data.tables import is_table

_UNITS = "target_units"  # in `about`, while a network still predicts standardized targets
OPTIONS = "options"  # in `about`, while a training may be resumed
_ROWS = 1024  # of an array, predicted together
_TABLE_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 25  # of a table's rows that are predicted together
_NARROW = 1e4  # a mean so many deviations from 0 is more than float32 can hold beside them


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What the outputs of a network stand for.

    Parameters
    ----------
    classes : tuple or None
        None for a regression.
    n_outputs : int
        One for each class, or one for two; one for each quantity.
    shift, factor : ndarray of shape (n_outputs,), optional
        A regression's targets are learned as ``(Y - shift) / factor``.
    """

    classes: tuple[Label, ...] | None
    n_outputs: int
    shift: NDArray[np.float64] | None = None
    factor: NDArray[np.float64] | None = None

    def encode(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Return targets of shape (n_samples, n_outputs) from class numbers or quantities."""
        if self.classes is None:
            table = Y.reshape(len(Y), -1)
            if self.shift is None or self.factor is None:
                return table
            return (table - self.shift) / self.factor
        if self.n_outputs == 1:
            return Y[:, None]
        # Rows, not labels: the numbers are the outputs', whatever the labels are.
        return np.eye(self.n_outputs, dtype=np.float32)[Y]


def outputs_for(dataset: Dataset, Y: NDArray[Any], cost: str, output: str) -> Outputs:
    """Return the outputs that a network for these data needs.

    Quantities that go to identity outputs are learned standardized: a price in the millions and a share
    below 0.01 train alike.
    """
    if dataset.classes is not None:
        n_classes = len(dataset.classes)
        if cost == "binary_cross_entropy" and n_classes != 2:
            raise ValueError(
                f"--cost binary_cross_entropy needs 2 classes, {dataset.source} has {n_classes}"
            )
        return Outputs(dataset.classes, 1 if cost == "binary_cross_entropy" else n_classes)
    table = Y.reshape(len(Y), -1)
    if output != "identity":
        return Outputs(None, table.shape[1])
    deviation = table.std(axis=0)
    factor = np.where(deviation > 0, deviation, 1.0)
    return Outputs(None, table.shape[1], table.mean(axis=0), factor)


def outputs_of(net: cp.Network) -> Outputs:
    """Return what the outputs of a loaded network stand for."""
    return Outputs(schema_of(net).classes, net.sizes[-1])


def describe_units(outputs: Outputs) -> dict[str, Any]:
    """Return what `in_raw_units` needs, to be kept in a network's `about`."""
    if outputs.shift is None or outputs.factor is None:
        return {}
    return {_UNITS: {"shift": outputs.shift.tolist(), "factor": outputs.factor.tolist()}}


def is_standardized(net: cp.Network) -> bool:
    """Return whether a network predicts standardized targets still."""
    return _UNITS in net.about


def in_raw_units(net: cp.Network) -> cp.Network:
    """Return a copy that predicts raw quantities: the units go into the last weights and biases.

    A network that predicts them already is returned itself.
    """
    units = net.about.get(_UNITS)
    if units is None:
        return net
    try:
        shift, factor = (np.asarray(units[key], np.float64) for key in ("shift", "factor"))
    except (KeyError, TypeError, ValueError):
        raise checkpoint.CheckpointError("the model does not say the units of its target") from None
    narrow = bool((np.abs(shift) > _NARROW * factor).any())
    net = net.copy("float64" if narrow else None)
    del net.about[_UNITS]
    bias = net.biases[-1]
    if bias is None or shift.shape != bias.shape or factor.shape != bias.shape:
        raise checkpoint.CheckpointError("the model's units of its target do not fit its outputs")
    net.weights[-1][:] = net.weights[-1] * factor[:, None]
    bias[:] = bias * factor + shift
    return net


def load_model(path: str) -> cp.Network:
    """Return the network of a model file or checkpoint, predicting raw quantities.

    Raises
    ------
    CheckpointError, OSError
        As `clearprop.load`; or if an estimator prepares the inputs of the network in a way that is not
        part of it, so that it would take the rows of a file for something else.
    """
    net = cp.load(path)
    estimator = net.about.get("estimator")
    if isinstance(estimator, dict) and not is_of_table(net):
        if estimator.get("preprocessing") is not None or estimator.get("table") is not None:
            name = estimator.get("class", "estimator")
            raise checkpoint.CheckpointError(
                f"{path} holds the network of an {name} that prepares its inputs itself; "
                f"load it in Python, with {name}.load"
            )
        target = estimator.get("target")
        if isinstance(target, dict) and _UNITS not in net.about:
            net.about[_UNITS] = {"shift": target.get("shift"), "factor": target.get("scale")}
    return in_raw_units(net)


def is_of_table(net: cp.Network) -> bool:
    """Return whether a network is that of a model which takes raw tables."""
    if "table" not in net.about:  # most networks: scikit-learn need not be loaded to know it
        return False
    from clearprop.estimators.table_reader import is_described

    return is_described(net.about)


def _table_dataset(net: cp.Network, source: str, target: str | None, need_target: bool) -> Dataset:
    """Return a raw table as the inputs of a network that was trained on one."""
    from clearprop.estimators.table_reader import TableReader

    reader = TableReader.from_about(net.about, net.dtype)
    table = reader.open(local_path(source))
    say_unknown_columns(reader.unknown_columns(table), table.where)
    X = np.concatenate([reader.inputs(batch) for batch in table.batches(reader.encoder.columns)])
    Y, strangers, name = None, (), target or reader.target.name
    if need_target or name in table.names:
        read_as: dict[str, Any] = {}
        Y, strangers = reader.labels(table, name, read_as)
        say_read_as(read_as, table.where)
    classes = reader.target.classes
    return Dataset(
        name=table.name,
        source=str(source),
        task=reader.target.task,
        X_train=X,
        Y_train=Y,
        classes=None if classes is None else (*classes, *strangers),
        feature_names=net.feature_names,
        target=name,
    )


def input_blocks(net: cp.Network, source: str, part: str) -> Iterator[NDArray[Any]]:
    """Return the rows that are to be predicted, in their order, in blocks that `predict` takes.

    Of a raw table no more than a block is in memory.

    Raises
    ------
    ValueError, OSError
        As in `load_data`, for a raw table while it is read.
    """
    if not is_of_table(net):
        X = load_data(net, source, need_target=False).inputs(part)
        return (X[first : first + _ROWS] for first in range(0, len(X), _ROWS))
    from clearprop.estimators.table_reader import TableReader

    reader = TableReader.from_about(net.about, net.dtype)
    table = reader.open(local_path(source))
    say_unknown_columns(reader.unknown_columns(table), table.where)
    rows = max(1, min(_TABLE_ROWS, _BLOCK_BYTES // (8 * reader.encoder.n_features)))
    return (reader.inputs(batch) for batch in table.batches(reader.encoder.columns, rows))


def say_read_as(labels: Mapping[str, Any], where: str) -> None:
    """Say which labels of a table were taken for others, that end without a point."""
    if labels:
        from clearprop.data.table import target

        errors.say(target.say_read_as(labels, where))


def say_unknown_columns(names: list[str], where: str) -> None:
    """Say which columns of a table are ignored, because the model was trained without them."""
    if names:
        errors.say(f"{where} has {some(names)}, which the model does not know: not used")


def schema_of(net: cp.Network) -> Schema:
    """Return what a network expects of data; a network saved from Python need not say it."""
    classes, task = net.classes, net.about.get("task")
    labelled = net.architecture.output.name == "softmax" or (
        net.architecture.cost.name in ("cross_entropy", "binary_cross_entropy")
    )
    if classes is None and (task == "classification" or (task is None and labelled)):
        classes = tuple(range(max(net.sizes[-1], 2)))
    target = net.about.get("target")
    return Schema(
        "regression" if classes is None else "classification",
        net.sizes[0],
        net.feature_names,
        classes,
        target if isinstance(target, str) else None,
    )


def load_data(
    net: cp.Network,
    source: str,
    target: str | None = None,
    need_target: bool = True,
    part: str | None = None,
) -> Dataset:
    """Return a data set in the form that a network expects; `part` is the only part that is needed.

    Raises
    ------
    ValueError, OSError
        As in `data.load`.
    """
    schema = schema_of(net)
    dataset = _read(net, source, schema, target, need_target, part)
    return dataset.conform(_named(net, schema, dataset))


def load_with_strangers(
    net: cp.Network, source: str, target: str | None = None
) -> tuple[Dataset, int | None]:
    """Return a data set as in `load_data`, and how many classes the network knows (or None).

    Labels that it does not know get the numbers from there on.
    """
    schema = schema_of(net)
    dataset = _read(net, source, schema, target, True, None)
    schema = _named(net, schema, dataset)
    if schema.classes is None or dataset.classes is None:
        return dataset.conform(schema), None
    known = {str(label) for label in schema.classes}  # as `conform` looks labels up
    strangers = tuple(label for label in dataset.classes if str(label) not in known)
    whole = dataclasses.replace(schema, classes=(*schema.classes, *strangers))
    return dataset.conform(whole), len(schema.classes)


def _read(
    net: cp.Network,
    source: str,
    schema: Schema,
    target: str | None,
    need_target: bool,
    part: str | None,
) -> Dataset:
    """Return a data set with the labels that it has itself."""
    path = local_path(source)
    if is_of_table(net):
        return _table_dataset(net, source, target, need_target)
    if source not in BUILT_IN and path.exists():
        # Not `load`, for which a target of one label is nothing to learn: it can be evaluated.
        if path.name.lower().endswith(".npz") and target is None:
            return cp.data.read_npz(path, task=schema.task, need_target=need_target)
        if is_table(path):
            needed, column = need_target or target is not None, target or schema.target
            return cp.data.read_table(path, target=column, task=schema.task, need_target=needed)
    return cp.data.load(source, target=target, need_target=need_target, part=part)


def _named(net: cp.Network, schema: Schema, dataset: Dataset) -> Schema:
    """Return what a network expects, with the data's names of classes if it has only numbers."""
    numbered = net.classes is None or net.classes == tuple(range(len(net.classes)))
    names = dataset.classes or ()
    if not numbered or schema.classes is None or len(names) != len(schema.classes):
        return schema
    if any(str(name).isdecimal() for name in names):
        return schema
    return dataclasses.replace(schema, classes=names)  # the numbers of the names, in their order


def measure(net: cp.Network, X: NDArray[Any], Y: NDArray[Any]) -> dict[str, float]:
    """Return cost and accuracy, or cost, mae, rmse and r2, of a network in raw units.

    Class numbers beyond the network's count as wrong; the cost is over the other rows, NaN without any.
    """
    outputs = outputs_of(net)
    n = len(Y)
    if outputs.classes is not None:
        known = len(outputs.classes) > Y
        if not known.all():
            X, Y = X[known], Y[known]
        if not len(Y):
            return {"cost": float("nan"), "accuracy": 0.0}
    inputs, targets = net.inputs(X), net.targets(outputs.encode(Y))
    a, cost = net.evaluate_prepared(inputs, targets, None)
    if outputs.classes is not None:
        accuracy = cp.metrics.accuracy(a, targets)
        return {"cost": cost, "accuracy": accuracy if len(Y) == n else accuracy * len(Y) / n}
    return {"cost": cost} | {
        name: cp.metrics.METRICS[name](a, targets) for name in ("mae", "rmse", "r2")
    }


def is_own_model(path: str) -> bool:
    """Return whether a file is a clearprop model that a new one may replace; checkpoints are not."""
    try:
        _, metadata = checkpoint.read_tensors(path)
    except (checkpoint.CheckpointError, OSError):
        return False
    return "architecture" in metadata and "training" not in metadata


def part_name(dataset: Dataset, part: str) -> str:
    """Return which part of the data that really is: a file has but one."""
    return part if dataset.X_test is not None else "all"


def expanded(path: str) -> str:
    """Return a path with ``~`` expanded."""
    return os.path.expanduser(path)
