"""TableReader: a raw table as the inputs and targets of a network that was trained on one like it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import CheckpointError
from clearprop.checkpoint.description import is_estimator
from clearprop.data.dataset import meant, some
from clearprop.data.table import ReadOptions, TableEncoder, TableSource, TargetEncoder, open_table
from clearprop.estimators import inputs
from clearprop.estimators.inputs import Preprocessing

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class TableReader:
    """What stands between a raw table and a network.

    Parameters
    ----------
    encoder : TableEncoder
    target : TargetEncoder
    read : ReadOptions
        How the file of the training was written; another one is read alike.
    preprocessing : Preprocessing, optional
        What the encoded numbers go through.
    dtype : str
        Of the network.
    """

    encoder: TableEncoder
    target: TargetEncoder
    read: ReadOptions
    preprocessing: Preprocessing | None
    dtype: str

    def open(self, what: Any, options: ReadOptions | None = None) -> TableSource:
        """Return a table, each of its columns read as that of the training.

        Parameters
        ----------
        what : path or table
            As `open_table` takes it. Columns may be in any order, and there may be others.
        options : ReadOptions, optional
            Where it is written in another way.

        Raises
        ------
        ValueError
            If a column that was learned from is absent; the message names all, and those that the
            model does not know.
        """
        types = {each.name: each.type for each in self.encoder.decisions}
        source = open_table(what, options or self.read, types)
        if missing := [name for name in self.encoder.columns if name not in source.names]:
            extra = self.unknown_columns(source)
            known = f" and has {some(extra)}, which the model does not know" if extra else ""
            raise ValueError(
                f"{source.where} lacks {some(missing)}{known}; the columns must be the model's"
            )
        source.refuse_useless(self.encoder.columns)
        return source

    def unknown_columns(self, source: TableSource) -> list[str]:
        """Return the columns of a table that were not there in training."""
        known = {each.name for each in self.encoder.decisions}
        return [name for name in source.names if name not in known]

    def inputs(self, batch: Any) -> Array:
        """Return what the network sees of a batch, shape (n_rows, n_features), in its dtype.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or Table
            Of the source that `open` returned.
        """
        rows: Array = inputs.as_rows(self.encoder.encode(batch), self.dtype, self.preprocessing)
        return rows

    def labels(
        self, source: TableSource, name: str | None = None, read_as: dict[str, Any] | None = None
    ) -> tuple[Array, tuple[Any, ...]]:
        """Return the class numbers of a table's target, and labels that the model does not know.

        Those get the numbers from the model's last one on; of a regression, return quantities.

        Parameters
        ----------
        source : TableSource
            That `open` returned.
        name : str, optional
            The target's column, if it is not called as in training.
        read_as : dict, optional
            As in `TargetEncoder.codes`.

        Raises
        ------
        ValueError
            If the column is absent or has missing values.
        """
        name = name or self.target.name
        self.check_target(source, name)
        if self.target.classes is None:
            columns = self._target_batches(source, name)
            return np.concatenate([self.target.codes(column) for column in columns]), ()
        unknown: set[str] = set()
        for column in self._target_batches(source, name):
            strange = np.flatnonzero(self.target.codes(column, read_as) < 0)
            unknown.update(str(column[int(row)].as_py()) for row in strange)
        strangers = {label: len(self.target.classes) + i for i, label in enumerate(sorted(unknown))}
        parts = []
        for column in self._target_batches(source, name):
            codes = self.target.codes(column, read_as)
            for row in np.flatnonzero(codes < 0):
                codes[row] = strangers[str(column[int(row)].as_py())]
            parts.append(codes)
        return np.concatenate(parts), tuple(strangers)

    def check_target(self, source: TableSource, name: str) -> None:
        """Refuse a table that has no column `name`."""
        if name not in source.names:
            raise ValueError(
                f"{source.where} has no column {name!r}{meant(name, source.names)}: the target must be "
                "one of "
                f"{some(list(source.names))}"
            )

    def check_labels(self, source: TableSource, column: Any, name: str, first: int) -> None:
        """Refuse a batch of the target with missing values; `first` is the number of its first row."""
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise ValueError(
                f"{source.where} must have no missing values in the target {name!r}, got one: "
                f"{source.place(first + row)}"
            )

    def _target_batches(self, source: TableSource, name: str) -> Iterator[Any]:
        first = 0
        for batch in source.batches([name]):
            column = batch.column(0)
            self.check_labels(source, column, name, first)
            first += len(column)
            yield column

    # As JSON

    def to_json(self) -> dict[str, Any]:
        """Return what an estimator's description does not hold."""
        return {"target": self.target.to_json(), "read": dataclasses.asdict(self.read)}

    @classmethod
    def from_about(cls, about: Mapping[str, Any], dtype: str) -> TableReader:
        """Return the reader that a network's `about` describes.

        Raises
        ------
        CheckpointError
            If it describes none.
        """
        if not is_described(about):
            raise CheckpointError("the model does not take raw tables")
        try:
            estimator, table = about["estimator"], about["table"]
            then, read = estimator["preprocessing"], table["read"]
            names = read["names"]
            return cls(
                TableEncoder.from_json(estimator["table"]),
                TargetEncoder.from_json(table["target"]),
                ReadOptions(
                    read["delimiter"],
                    read["decimal"],
                    str(read["encoding"]),
                    tuple(map(str, read["missing"])),
                    None if names is None else tuple(map(str, names)),
                ),
                None if then is None else Preprocessing.from_json(then),
                dtype,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise CheckpointError(f"the model does not describe its table: {problem}") from None


def is_described(about: Any) -> bool:
    """Return whether a network's `about` describes how a raw table becomes its inputs."""
    return isinstance(about, Mapping) and "table" in about and is_estimator(about)
