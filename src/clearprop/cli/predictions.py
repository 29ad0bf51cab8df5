"""Predictions as CSV, Parquet or JSON lines, block by block: a file is there whole, or not at all."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import atomic_file
from clearprop.cli import errors, files, model, processes
from clearprop.cli.model import Answering
from clearprop.data.dataset import some
from clearprop.data.table.values import PLAIN_NUMBER, text_of
from clearprop.model.targets import Classes, Units

if TYPE_CHECKING:
    from clearprop.cli.row_blocks import RowBlock

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_GROUP_ROWS = 1 << 17  # of a Parquet file's row group
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # what OWASP lists under CSV injection

Columns = dict[str, Any]  # of NumPy, or of Arrow where they are kept


def check_output(path: str) -> None:
    """Refuse a file that cannot be written, or holds something else than predictions.

    Raises
    ------
    ValueError
    """
    if _ending(path) not in (".csv", ".parquet", ".jsonl"):
        raise ValueError(f"--output must be a .csv, .parquet or .jsonl file, got {path}")
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise ValueError(f"--output must be a file, {path} is a folder")
    if not os.path.isdir(os.path.dirname(target)):
        raise ValueError(f"--output {path}: there is no folder {os.path.dirname(target)}")
    files.check_predictions(path)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


class Wanted(NamedTuple):
    """What is to be written of every row, and where.

    Parameters
    ----------
    output : str, optional
        A file for which `check_output` has been called; None is standard output.
    format : {"csv", "parquet", "jsonl"}, optional
        None is what the name of the file tells, or CSV.
    level : Fraction, optional
        Share of the rows that bounds beside the predictions are to hold.
    n_reasons : int, optional
        How many reasons of each prediction.
    first : int
        The number of the first row.
    """

    output: str | None
    format: str | None = None
    level: Fraction | None = None
    n_reasons: int | None = None
    first: int = 0


def write(net: Answering, blocks: Iterable[RowBlock], wanted: Wanted) -> None:
    """Predict blocks of rows and write them, to standard output where no file is named.

    What was in the file stays whole until all of the new one is written.

    Parameters
    ----------
    net : Network or Averaged
    blocks : iterable of RowBlock
        In the order of the rows.
    wanted : Wanted

    Raises
    ------
    ValueError
        If the model has no such bounds, or no reasons can be given.
    """
    units, level = net.model.targets, wanted.level
    if level is not None and not isinstance(units, Units):
        raise ValueError("--interval is for quantities, the model tells classes: it has probabilities")
    if level is not None and isinstance(units, Units):
        units.bounds(
            np.zeros((0, net.model.architecture.sizes[-1])), level
        )  # which refuses before anything is written
    if wanted.n_reasons is not None:
        from clearprop.reasons.asking import median_row

        median_row(net.model)  # which refuses, too
    columns = _numbered(net, blocks, wanted)
    write_blocks(columns, net.model.schema.classes, wanted.output, wanted.format)


def write_blocks(
    blocks: Iterable[Columns],
    classes: Sequence[object] | None,
    output: str | None,
    format: str | None = None,
) -> None:
    """Write predictions that are made already, as `write` does.

    Parameters
    ----------
    blocks : iterable of dict
        Columns by their names: "row", then those of `columns_of`.
    classes : sequence, optional
        What a row may be predicted as; None of quantities.
    output, format : str, optional
        As in `Wanted`.
    """
    format = format or ("csv" if output is None else _ending(output)[1:])
    if format == "csv":
        _say_formulas(classes or ())
    write_text = _write_json_lines if format == "jsonl" else _write_csv
    if output is None:
        if format == "parquet":
            _write_parquet(blocks, _binary_output())
            return
        if hasattr(sys.stdout, "reconfigure"):  # a table is data, not text for a locale
            sys.stdout.reconfigure(encoding="utf-8")
        if sys.stdout is not None:
            write_text(blocks, sys.stdout)
        return
    path = model.expanded(output)
    with contextlib.ExitStack() as replaced:
        # No file is in its place before all parts are written.
        with processes.sharing_problems(), _named(output):
            file = replaced.enter_context(atomic_file.replacing(path))
            if format == "parquet":
                _write_parquet(blocks, file)
            else:
                text = io.TextIOWrapper(io.BufferedWriter(file), "utf-8", newline="")
                write_text(blocks, text)
                text.flush()
                text.detach().detach()
            os.fsync(file.fileno())  # a disk may say only then that it is full
        with processes.sharing_problems():
            replaced.close()


@contextlib.contextmanager
def _named(output: str) -> Iterator[None]:
    """Name the file that a disk has no room for; what is read meanwhile has a name of its own."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _NO_ROOM and problem.filename is None:
            problem.filename = output
        raise


def _binary_output() -> Any:
    if sys.stdout is None or sys.stdout.isatty():
        raise ValueError(
            "--format parquet is for a file or a pipe, not for a terminal: --output names it"
        )
    return sys.stdout.buffer


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


def _numbered(net: Answering, blocks: Iterable[RowBlock], wanted: Wanted) -> Iterator[Columns]:
    first = wanted.first
    for block in blocks:
        n = len(block.X)
        columns = {"row": np.arange(first, first + n), **block.kept}
        columns |= _columns(net, net.predict(block.X), wanted.level)
        if wanted.n_reasons is not None:
            columns |= _reasons(net, block, wanted.n_reasons)
        yield columns
        first += n


def _reasons(net: Answering, block: RowBlock, n: int) -> Columns:
    """Return the columns that moved each prediction most, what they hold, and by how much."""
    from clearprop.network import Network
    from clearprop.reasons.asking import Asked
    from clearprop.reasons.result import shown

    asked = Asked([net.model]) if isinstance(net, Network) else Asked(net.members, net.weights)
    found = asked.reasons(block.asked(net))
    columns: Columns = {}
    tops = [found.top(row, n) for row in range(len(found))]
    for place in range(min(n, len(found.columns))):
        each = [top[place] for top in tops]
        columns[f"reason_{place + 1}"] = np.array([one.column for one in each], object)
        columns[f"reason_{place + 1}_value"] = np.array([shown(one.value) for one in each], object)
        columns[f"reason_{place + 1}_part"] = np.array([one.part for one in each])
    return columns


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


def _texts(column: Any) -> list[str]:
    if not isinstance(column, np.ndarray):  # a kept one, of Arrow
        return ["" if cell is None else text_of(cell) for cell in column.to_pylist()]
    found: list[str] = (column if column.dtype == object else column.astype(str)).tolist()
    return found


def _write_json_lines(blocks: Iterable[Columns], file: Any) -> None:
    for columns in blocks:
        cells = [_plain(column) for column in columns.values()]
        for row in zip(*cells, strict=True):
            told = dict(zip(columns, row, strict=True))
            file.write(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(column: Any) -> list[Any]:
    """Return cells as JSON has them: floats in the digits that CSV has, times as text."""
    if isinstance(column, np.ndarray):
        floats = column.dtype.kind == "f"
        found: list[Any] = [float(text) for text in _texts(column)] if floats else column.tolist()
        return found
    plain = str | int | float | bool | None
    return [cell if isinstance(cell, plain) else str(cell) for cell in column.to_pylist()]


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
