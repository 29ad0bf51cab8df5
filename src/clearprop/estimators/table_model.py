"""TableModel: an estimator, and how the file it was trained from is read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import CheckpointError
from clearprop.data.table import ReadOptions, TableEncoder, TargetEncoder
from clearprop.estimators import files
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.classifier import MLPClassifier
from clearprop.estimators.regressor import MLPRegressor
from clearprop.estimators.table_reader import TableReader, is_described
from clearprop.network import read as read_network

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class TableModel:
    """A fitted estimator that takes raw tables, batch by batch.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted to a table: it has a `table_encoder_`.
    target : TargetEncoder
    read : ReadOptions
        How its file was written.
    about : dict
        What else its own file says.
    """

    estimator: BaseMLP
    target: TargetEncoder
    read: ReadOptions
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def encoder(self) -> TableEncoder:
        """What makes numbers of a table's columns."""
        found = self.estimator.table_encoder_
        assert found is not None
        return found

    @property
    def reader(self) -> TableReader:
        """What makes the network's inputs of a raw table: ``reader.open(file)``."""
        fitted = self.estimator
        return TableReader(
            self.encoder, self.target, self.read, fitted.preprocessing_, fitted.network_.dtype
        )

    def outputs(self, batch: Any) -> Array:
        """Return the probability of every class, or the quantity, of every row of a batch.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or Table
            Of a source that `reader` opened.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), in the order of ``target.classes``, or (n_rows, 1)
        """
        net = self.estimator.network_
        a: Array = net.architecture.output(self.estimator._pass_rows(self.reader.inputs(batch)))
        if self.target.classes is not None:
            return np.concatenate([1.0 - a, a], axis=1) if a.shape[1] == 1 else a
        units = _units(self.estimator)
        return a if units is None else a.astype(np.float64) * units[1] + units[0]

    # Files

    def described(self) -> dict[str, Any]:
        """Return what a network's file says of it besides the estimator, as JSON."""
        units = _units(self.estimator)
        said = {**self.about, "table": self.reader.to_json()}
        if units is not None:
            said["target_units"] = {"shift": units[0].tolist(), "factor": units[1].tolist()}
        return said

    def describe_network(self) -> None:
        """Write into the network what its file is to say, where its checkpoint is written first."""
        net = self.estimator.network_
        net.classes, net.feature_names = self.target.classes, self.encoder.feature_names
        net.about = files.about(self.estimator, self.described())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a safetensors file, which `MLPClassifier.load` and `clearprop.load` read too."""
        self.estimator.network_.classes = self.target.classes
        files.save(self.estimator, path, self.described())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableModel:
        """Return what `save` wrote, or the model of a checkpoint.

        Raises
        ------
        CheckpointError
            If the file is damaged, or holds no such model.
        """
        where = Path(os.path.expanduser(os.fspath(path)))
        net, parts = read_network(where)
        about = net.about
        if not is_described(about):
            raise CheckpointError(f"{where} holds no model of a table")
        kinds: dict[Any, Any] = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
        estimator = files.made_of(kinds[about["estimator"]["class"]], where, net, parts)
        if estimator.table_encoder_ is None:
            raise CheckpointError(f"{where} does not say what became of the columns of its table")
        reader = TableReader.from_about(about, net.dtype)
        said = {k: v for k, v in about.items() if k not in ("estimator", "table", "target_units")}
        return cls(estimator, reader.target, reader.read, said)


def _units(estimator: BaseMLP) -> tuple[Array, Array] | None:
    """Return what a regressor's targets were standardized by: mean and standard deviation."""
    shift = getattr(estimator, "target_shift_", None)
    scale = getattr(estimator, "target_scale_", None)
    return None if shift is None or scale is None else (shift, scale)
