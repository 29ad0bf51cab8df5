"""The rows of a table that a training is made of: which are trained on, and which are held out.

In: a `TableSource`, what its columns are for, and `Options`. Out: `Rows`, and a note on those held out.
Labels, weights, groups and times are checked here, each with its line.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.cli import model_data, processes, table_options
from clearprop.cli.options import Options
from clearprop.data.split import divide
from clearprop.data.table import ColumnDecision, Roles, TableSource, TargetEncoder, open_table
from clearprop.data.table.held import refuse_few_groups
from clearprop.data.table.time_choices import question

Array = NDArray[Any]

_NO_FEATURES = ("target", "weight", "group", "time")


@dataclasses.dataclass
class Rows:
    """What an estimator is fitted to."""

    X: Any  # a pyarrow Table
    y: Array
    weight: Array | None = None
    groups: Array | None = None
    times: Array | None = None

    def part(self, rows: Array) -> Rows:
        """Return some of the rows."""
        others = (self.weight, self.groups, self.times)
        pick = [None if each is None else each[rows] for each in others]
        return Rows(self.X.take(rows), self.y[rows], *pick)

    def divide(self, share: float, seed: int) -> tuple[Rows, Rows]:
        """Return the rows that choose and those that judge, as `clearprop.data.split.divide`."""
        choosing, judging = divide(self.y, share, seed, groups=self.groups, times=self.times)
        return self.part(choosing), self.part(judging)


@dataclasses.dataclass(frozen=True)
class RowReader:
    """What reads the rows of a table, and of another one like it.

    Parameters
    ----------
    source : TableSource
        The rows to train on: those of a table that have a target.
    target : TargetEncoder
    roles : Roles
        Which columns are not learned from.
    decisions : tuple of ColumnDecision
        What becomes of each column.
    gaps : {"drop", "refuse"}
        What becomes of rows without a target, of another table too.
    """

    source: TableSource
    target: TargetEncoder
    roles: Roles
    decisions: tuple[ColumnDecision, ...]
    gaps: str = "drop"

    def read(self, source: TableSource) -> Rows:
        """Return all rows of a table; another than the first need not have a group and a time."""
        roles, features = self.roles, [d.name for d in self.decisions if d.kind not in _NO_FEATURES]
        group = roles.group if roles.group in source.names else None
        others = [each for each in (roles.target, roles.weight, group) if each is not None]
        table = source.table([*features, *others])
        y = self.target.labels(_known(self.target, table.column(roles.target), source))
        return Rows(
            table.select(features),
            y,
            None if roles.weight is None else _numbers(table, roles.weight, source),
            None if group is None else np.array(_codes(table.column(group))),
            self._times(source) if roles.time in source.names else None,
        )

    def split(self, options: Options) -> tuple[Rows, Rows | None, str]:
        """Return the rows to fit to, those to validate on, and a note on them.

        The rows are None and the note is empty where the estimator holds out a share by itself.
        """
        rows = self.read(self.source)
        fraction = table_options.held_out(options, len(rows.y))
        if fraction is None:
            other = self.other(str(options.validation))
            held = self.read(other)
            return rows, held, f"validated on {len(held.y):,} rows of {other.where}"
        if fraction and self.roles.group is not None:
            refuse_few_groups(self.source, self.roles.group, 2)
        if self.roles.time is None or not fraction:
            return rows, None, ""
        assert rows.times is not None
        order = np.argsort(rows.times, kind="stable")
        n_held = round(fraction * len(order))
        if not 2 <= n_held < len(order):
            raise ValueError(
                f"--validation {fraction} of {len(order)} rows holds out {n_held}: needed are 2, to "
                "choose the epoch and to judge it, and one to train on"
            )
        late = rows.part(np.sort(order[-n_held:]))
        note = f"the latest {n_held:,} rows are held out for validation"
        return rows.part(np.sort(order[:-n_held])), late, note

    def other(self, data: str) -> TableSource:
        """Return the table that is validated on, read as the one that is trained on."""
        types = {name: self.source.types[name] for name in self.source.names}
        how = self.source.read_options
        other = processes.opened(data, lambda: open_table(data, how, types))
        other.shared = self.source.shared
        needed = [d.name for d in self.decisions if d.kind not in ("dropped", "group", "time")]
        if absent := [name for name in needed if name not in other.names]:
            raise ValueError(f"{other.where} lacks {', '.join(map(repr, absent))}")
        return other.with_target(self.target.name, self.gaps)

    def _times(self, source: TableSource) -> Array:
        import pyarrow as pa

        name = str(self.roles.time)
        column = source.table([name]).column(0).combine_chunks()
        if pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
            raise ValueError(
                f"{source.where} must hold dates or numbers in the time {name!r}, got text"
            )
        if (found := source.profile[name]).ambiguous:
            raise ValueError(f"the time {name!r} of {source.where} is undecided: {question(found)}")
        _refuse_missing(column, "time", name, source)
        times: Array = column.cast(
            pa.int64() if pa.types.is_timestamp(column.type) else pa.float64()
        ).to_numpy()
        return times


def _known(target: TargetEncoder, column: Any, source: TableSource) -> Array:
    read_as: dict[str, Any] = {}
    codes = target.codes(column, read_as)
    model_data.note_read_as(read_as, source.where)
    target.refuse_unknown(codes, column, source)
    return codes


def _refuse_missing(column: Any, role: str, name: str, source: TableSource) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        row = pc.index(pc.is_null(column), pa.scalar(True)).as_py()
        raise ValueError(
            f"{source.where} must have no missing values in the {role} {name!r}, got "
            f"{column.null_count:,}: the first in {source.place(row)}"
        )


def _numbers(table: Any, name: str, source: TableSource) -> Array:
    import pyarrow as pa

    column = table.column(name)
    if not pa.types.is_floating(column.type):
        raise ValueError(f"{source.where} must hold numbers in the weight {name!r}, got {column.type}")
    _refuse_missing(column, "weight", name, source)
    numbers: Array = column.to_numpy()
    if (numbers < 0).any() or not numbers.any():
        row = int(np.argmax(numbers < 0))
        raise ValueError(
            f"{source.where} must hold weights of at least 0, not all 0, got {numbers[row]:g}: "
            f"{source.place(row)}, weight {name!r}"
        )
    return numbers


def _codes(column: Any) -> list[int]:
    codes: list[int] = column.combine_chunks().dictionary_encode("encode").indices.to_pylist()
    return codes
