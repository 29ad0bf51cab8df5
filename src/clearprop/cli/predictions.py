"""Predictions as CSV or Parquet, a block of rows at a time: a file is there whole, or not at all."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import atomic_file
from clearprop.cli import errors, files, model
from clearprop.cli.model import Answering
from clearprop.data.dataset import some
from clearprop.data.table.values import PLAIN_NUMBER
from clearprop.model.targets import Classes, Units

_GROUP_ROWS = 1 << 17  # of a Parquet file's row group
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # what OWASP lists under CSV injection

Columns = dict[str, NDArray[Any]]


def check_output(path: str) -> None:
    """Refuse a file that cannot be written, or holds something else than predictions.

    Raises
    ------
    ValueError
    """
    if _ending(path) not in (".csv", ".parquet"):
        raise ValueError(f"--output must be a .csv or .parquet file, got {path}")
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise ValueError(f"--output must be a file, {path} is a folder")
    if not os.path.isdir(os.path.dirname(target)):
        raise ValueError(f"--output {path}: there is no folder {os.path.dirname(target)}")
    files.check_predictions(path)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def write(
    net: Answering,
    inputs: Iterable[NDArray[Any]],
    output: str | None,
    level: Fraction | None = None,
    first: int = 0,
) -> None:
    """Predict blocks of rows and write them, to standard output where no file is named.

    What was in the file stays whole until all of the new one is written.

    Parameters
    ----------
    net : Network or Averaged
    inputs : iterable of ndarray of shape (n, n_features)
        In the order of the rows, which count from `first`.
    output : str, optional
        For which `check_output` has been called.
    level : Fraction, optional
        Share of the rows that bounds beside the predictions are to hold.

    Raises
    ------
    ValueError
        If the model has no such bounds.
    """
    units = net.model.targets
    if level is not None and not isinstance(units, Units):
        raise ValueError("--interval is for quantities, the model tells classes: it has probabilities")
    if level is not None and isinstance(units, Units):
        units.bounds(
            np.zeros((0, net.model.architecture.sizes[-1])), level
        )  # which refuses before anything is written
    write_blocks(_numbered(net, inputs, level, first), net.model.schema.classes, output)


def write_blocks(
    blocks: Iterable[Columns], classes: Sequence[object] | None, output: str | None
) -> None:
    """Write predictions that are made already, as `write` does.

    Parameters
    ----------
    blocks : iterable of dict
        Columns by their names: "row", then those of `columns_of`.
    classes : sequence, optional
        What a row may be predicted as; None of quantities.
    output : str, optional
    """
    if output is None or _ending(output) == ".csv":
        _say_formulas(classes or ())
    if output is None:
        if hasattr(sys.stdout, "reconfigure"):  # a table is data, not text for a locale
            sys.stdout.reconfigure(encoding="utf-8")
        if sys.stdout is not None:
            _write_csv(blocks, sys.stdout)
        return
    path = model.expanded(output)
    with atomic_file.replacing(path) as file:
        if _ending(path) == ".parquet":
            _write_parquet(blocks, file)
            return
        text = io.TextIOWrapper(io.BufferedWriter(file), "utf-8", newline="")
        _write_csv(blocks, text)
        text.flush()
        text.detach().detach()


def _say_formulas(classes: Sequence[Any]) -> None:
    """Say which labels a spreadsheet would compute: they are written as they are, to be read back."""
    found = [
        label
        for label in classes
        if isinstance(label, str) and label.startswith(_FORMULA) and not PLAIN_NUMBER.fullmatch(label)
    ]
    if found:
        errors.say(
            f"labels such as {some(found, 1)} begin as formulas do: a spreadsheet computes them unless "
            "the column is imported as text"
        )


def _numbered(
    net: Answering, inputs: Iterable[NDArray[Any]], level: Fraction | None, first: int
) -> Iterator[Columns]:
    for X in inputs:
        columns = _columns(net, net.predict(X), level)
        yield {"row": np.arange(first, first + len(X)), **columns}
        first += len(X)


def _columns(net: Answering, a: NDArray[Any], level: Fraction | None) -> Columns:
    """Return predictions and what they come from, by the names of their columns."""
    classes = net.model.schema.classes
    targets = net.model.targets
    if classes is not None:
        assert isinstance(targets, Classes)
        probable = net.model.architecture.output.probabilities
        return columns_of(targets.probabilities(a), classes, probable=probable, told=targets.decided(a))
    outputs = a
    if isinstance(targets, Units):
        a = targets.decode(a)  # between the least and the largest that were learned from
    named: Sequence[object] = net.model.target_names or range(1, a.shape[1] + 1)
    ends = [""] if a.shape[1] == 1 else [f"_{name}" for name in named]
    found = {f"prediction{end}": column for end, column in zip(ends, a.T, strict=True)}
    if level is not None and isinstance(targets, Units):
        bounds = targets.bounds(outputs, level).astype(a.dtype)
        for index, end in enumerate(ends):
            found |= {f"low{end}": bounds[:, index, 0], f"high{end}": bounds[:, index, 1]}
    return found


def columns_of(
    a: NDArray[Any],
    classes: Sequence[object] | None,
    *,
    probable: bool = True,
    told: NDArray[np.int64] | None = None,
) -> Columns:
    """Return the columns of predictions: of one quantity, or of classes with the output of each.

    `told` are the numbers of the classes that are answered; None is those of the largest outputs.
    """
    if classes is None:
        return {"prediction": a[:, 0]}
    if a.shape[1] == 1:
        a = np.hstack([1 - a, a])
    told = a.argmax(axis=1) if told is None else told
    names = np.array([str(label) for label in classes], object)  # each of its own length
    kind = "probability" if probable else "output"
    columns = {f"{kind}_{name}": column for name, column in zip(names, a.T, strict=True)}
    return {"prediction": names[told], **columns}


def _write_csv(blocks: Iterable[Columns], file: Any) -> None:
    # A line feed alone would leave a carriage return in a label without quotes.
    writer = csv.writer(_LineFeeds(file), lineterminator="\r\n")
    for number, columns in enumerate(blocks):
        if not number:
            writer.writerow(columns)
        writer.writerows(zip(*(_texts(column) for column in columns.values()), strict=True))


def _texts(column: NDArray[Any]) -> list[str]:
    found: list[str] = (column if column.dtype == object else column.astype(str)).tolist()
    return found


class _LineFeeds:
    """A text file whose rows end in a line feed, whatever the writer ends them in."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, row: str) -> None:
        self._file.write(row.removesuffix("\r\n") + "\n")


def _write_parquet(blocks: Iterable[Columns], file: io.FileIO) -> None:
    import pyarrow
    from pyarrow import parquet

    writer, waiting, n_waiting = None, [], 0
    try:
        for columns in blocks:
            waiting.append(pyarrow.table(columns))
            n_waiting += len(waiting[-1])
            writer = writer or parquet.ParquetWriter(file, waiting[0].schema)
            if n_waiting >= _GROUP_ROWS:
                writer.write_table(pyarrow.concat_tables(waiting))
                waiting, n_waiting = [], 0
        if writer is not None and waiting:
            writer.write_table(pyarrow.concat_tables(waiting))
    finally:
        if writer is not None:
            writer.close()
