"""The rows that are to be predicted, block by block: what networks see, and what is kept of the table.

In: a model, and the name of a set, file or folder. Out: blocks of rows in their order; of a table no
more than a block is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from numpy.typing import NDArray

from clearprop.cli import errors, model_data, processes
from clearprop.cli.model import Answering
from clearprop.cli.table_options import names as listed
from clearprop.data.dataset import meant, some
from clearprop.data.table import TableSource
from clearprop.data.table.stretches import WHOLE, Stretch
from clearprop.names import trim
from clearprop.reasons.asking import Rows, rows_of_inputs, rows_of_numbers

_ROWS = 1024  # of an array, predicted together
_TABLE_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 25  # of a table's rows that are predicted together
_OURS = ("row", "prediction", "low", "high")
_OUR_BEGINNINGS = ("prediction_", "probability_", "output_", "low_", "high_", "reason_")


class RowBlock(NamedTuple):
    """Rows that are predicted together.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        As `predict` of a network takes them.
    kept : dict of pyarrow.Array
        Columns of the table, as they are stored.
    table : pyarrow.RecordBatch, optional
        What the rows hold, of a model of raw tables.
    """

    X: NDArray[Any]
    kept: dict[str, Any]
    table: Any = None

    def asked(self, net: Answering) -> Rows:
        """Return the rows as reasons are asked for them."""
        if self.table is None:
            return rows_of_numbers(net.model, self.X)
        return rows_of_inputs(net.model, self.X, self.table)


class Blocks(NamedTuple):
    """Rows in their order, and the number of the first."""

    first: int
    each: Iterator[RowBlock]


def blocks(
    net: Answering, source: str | list[str], part: str, keep: str | None, rank: int = 0, size: int = 1
) -> Blocks:
    """Return the rows that are to be predicted by one of some processes: consecutive ones.

    Parameters
    ----------
    net : Network or Averaged
    source : str or list of str
        Several are the files of one table.
    part : str
    keep : str, optional
        Names of columns with commas between them; None is the identifiers that the model left out.
    rank, size : int
        Of the process, and how many there are.

    Raises
    ------
    ValueError, OSError
        As in `model_data.load_data`, for a raw table while it is read; if there is no such column, or
        there are more processes than rows.
    """
    if not net.model.is_of_table:
        if keep is not None:
            raise ValueError(f"--keep is for models of tables (CSV, Parquet), got {source}")
        if not isinstance(source, str):
            raise ValueError(f"several files are for models of tables (CSV, Parquet), got {source}")
        with processes.sharing_problems():
            X = model_data.load_data(net, source, need_target=False).inputs(part)
        processes.compare_content("DATA", X)
        begin, end = _share(len(X), rank, size)
        each = (RowBlock(X[i : min(i + _ROWS, end)], {}) for i in range(begin, end, _ROWS))
        return Blocks(begin, each)
    inputs = net.model.inputs
    table = processes.opened(source, lambda: inputs.open(source))
    kept = identifiers(net, table) if keep is None else _named(keep, table)
    unknown = inputs.unknown_columns(table, net.model.schema.target)
    if unused := [name for name in unknown if name not in kept]:
        errors.say(f"{table.where} has {some(unused)}, which the model does not know: not used")
    if size == 1:
        return Blocks(0, _of_table(net, table, kept))
    n_rows = table.n_rows or sum(each.num_rows for each in table.batches(table.names[:1]))
    begin, end = _share(n_rows, rank, size)
    return Blocks(begin, _of_table(net, table, kept, Stretch(begin, end)))


def _share(n_rows: int, rank: int, size: int) -> tuple[int, int]:
    """Return the first row of a process, and the one after its last."""
    if size > n_rows > 0:
        raise ValueError(f"there must be at most as many processes as rows, {n_rows}, got {size}")
    return rank * n_rows // size, (rank + 1) * n_rows // size


def _of_table(
    net: Answering, table: TableSource, kept: tuple[str, ...], stretch: Stretch = WHOLE
) -> Iterator[RowBlock]:
    model = net.model
    rows = max(1, min(_TABLE_ROWS, _BLOCK_BYTES // (8 * model.architecture.n_features)))
    stored = table.stored_batches(kept, rows, stretch) if kept else iter(())
    waiting: list[Any] = []
    for batch in table.batches(model.inputs.columns, rows, stretch):
        beside: dict[str, Any] = {}
        if kept:
            beside, waiting = _taken(waiting, stored, batch.num_rows)
        yield RowBlock(model.inputs.of_batch(batch, model.dtype), beside, batch)


def _taken(waiting: list[Any], more: Iterator[Any], n: int) -> tuple[dict[str, Any], list[Any]]:
    """Return the next n rows by column, and the batches that are left over."""
    import pyarrow as pa

    while sum(batch.num_rows for batch in waiting) < n:
        waiting.append(next(more))
    table = pa.Table.from_batches(waiting)
    first = table.slice(0, n).combine_chunks()
    columns = {name: first.column(name) for name in table.column_names}
    return columns, table.slice(n).to_batches()


def identifiers(net: Answering, table: TableSource) -> tuple[str, ...]:
    """Return the identifiers of the training that the table has too: its key."""
    encoder = net.model.inputs.encoder
    assert encoder is not None
    known = [each.name for each in encoder.decisions if each.kind == "identifier"]
    return tuple(name for name in known if name in table.names and not _is_ours(name))


def _named(keep: str, table: TableSource) -> tuple[str, ...]:
    names = [trim(name) for name in listed([keep])]
    for name in names:
        if name not in table.names:
            hint = meant(name, list(table.names))
            raise ValueError(f"--keep: {table.where} has no column {name!r}{hint}")
        if _is_ours(name):
            raise ValueError(f"--keep: predictions have a column of their own called {name!r}")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"--keep must name each column once, got {some(sorted(twice))} twice")
    return tuple(names)


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(_OUR_BEGINNINGS)
