"""A model, from its file or for a training: what its outputs stand for, and in which units.

In: a model's file, or a data set that is to be learned. Out: a network that predicts raw quantities,
and the `Outputs` that encode targets for it.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop import checkpoint, network
from clearprop.checkpoint.description import is_estimator
from clearprop.data import Dataset, Schema
from clearprop.data.dataset import Label

_UNITS = "target_units"  # in `about`, while a network still predicts standardized targets
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
    return read_model(path)[0]


def read_model(path: str) -> tuple[cp.Network, checkpoint.NetworkParts]:
    """Return what `load_model` does, and what else the file holds, of one reading."""
    net, parts = read_network(path)
    if is_estimator(net.about):
        estimator = net.about["estimator"]
        if not is_of_table(net) and estimator["preprocessing"] is not None:
            name = estimator["class"]
            raise checkpoint.CheckpointError(
                f"{path} holds the network of an {name} that prepares its inputs itself; "
                f"load it in Python, with {name}.load"
            )
        target = estimator["target"]
        if target is not None and _UNITS not in net.about:
            net.about[_UNITS] = {"shift": target["shift"], "factor": target["scale"]}
    try:
        return in_raw_units(net), parts
    except checkpoint.CheckpointError as problem:
        raise checkpoint.CheckpointError(f"{path}: {problem}") from None


def load_network(path: str) -> cp.Network:
    """Return the network of a file; one that an estimator fitted to a data frame takes files like it.

    Such a file does not say how a CSV is written, so that the CSV itself tells, nor the target's name.
    """
    return read_network(path)[0]


def read_network(path: str) -> tuple[cp.Network, checkpoint.NetworkParts]:
    """Return what `load_network` does, and what else the file holds, of one reading."""
    net, parts = network.read(path)
    estimator = net.about["estimator"] if is_estimator(net.about) else {}
    if not is_of_table(net) and estimator.get("table") is not None:
        kind = estimator["attributes"].get("_target_kind")
        if kind in ("binary", "multiclass") or net.sizes[-1] == 1:
            from clearprop.data.table import ReadOptions, TargetEncoder

            target = TargetEncoder("target", net.classes)
            read = dataclasses.asdict(ReadOptions())
            net.about["table"] = {"target": target.to_json(), "read": read}
    if is_of_table(net):
        from clearprop.estimators.table_reader import TableReader

        try:
            TableReader.from_about(net.about, net.dtype)
        except checkpoint.CheckpointError as problem:
            raise checkpoint.CheckpointError(f"{path}: {problem}") from None
    return net, parts


def is_of_table(net: cp.Network) -> bool:
    """Return whether a network is that of a model which takes raw tables."""
    if "table" not in net.about:  # most networks: scikit-learn need not be loaded to know it
        return False
    from clearprop.estimators.table_reader import is_described

    return is_described(net.about)


def schema_of(net: cp.Network) -> Schema:
    """Return what a network expects of data; a network saved from Python need not say it."""
    classes, task = net.classes, net.about.get("task")
    labelled = net.architecture.is_labelled
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


def expanded(path: str) -> str:
    """Return a path with ``~`` expanded."""
    return os.path.expanduser(path)


def read_otherwise(
    net: cp.Network, data: str, delimiter: str | None, decimal: str | None, encoding: str | None
) -> None:
    """Let a model of raw tables read DATA as it is written, where that is not as in its training.

    Raises
    ------
    ValueError
        If an option is wrong, or the model takes no raw tables.
    """
    options = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if not given:
        return
    if not is_of_table(net):
        raise ValueError(f"--{next(iter(given))} is for models of tables (CSV, Parquet), got {data}")
    from clearprop.cli import table_options
    from clearprop.estimators.table_reader import TableReader

    if delimiter is not None:
        given["delimiter"] = table_options.delimiter(delimiter)
    then = TableReader.from_about(net.about, net.dtype).read
    net.about["table"]["read"] |= dataclasses.asdict(dataclasses.replace(then, **given))
