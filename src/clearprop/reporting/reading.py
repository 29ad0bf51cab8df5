"""The rows of a raw table as a subject: one pass, which keeps as many rows as a report looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table import TableSource
from clearprop.data.table.target import say_read_as
from clearprop.model.ensemble import Averaged
from clearprop.model.model import Model
from clearprop.names import trim
from clearprop.reporting.subject import RawColumn, Subject, checked, drawn, share_of

Array = NDArray[Any]


def of_table(
    model: Model,
    averaged: Averaged | None,
    source: TableSource,
    target: str | None,
    *,
    codes: Array | None = None,
    strangers: Sequence[str] = (),
    gaps: str = "drop",
) -> Subject:
    """Return the rows of a raw table as a subject.

    Parameters
    ----------
    model : Model
    averaged : Averaged, optional
    source : TableSource
        Of `Inputs.open`.
    target : str, optional
        Its column that holds the target; None without one.
    codes : ndarray of shape (n_rows,), optional
        Targets beside the table: numbers of classes, -1 of others, or quantities.
    strangers : sequence of str
        What the others among them are called.
    gaps : {"drop", "refuse"}
        What becomes of rows whose target's cell is empty.

    Raises
    ------
    ValueError
        If there are no rows, or no target among them is one that the model knows.
    """
    if target is not None:
        assert model.column is not None
        model.column.check(source, target)
        if gaps == "refuse":
            source = source.with_target(target, gaps)
    reading = _Reading(model, averaged, source, target, codes)
    reading.strangers |= set(strangers)
    return checked(reading.subject())


class _Reading:
    """One pass over a table, which keeps some of its rows."""

    def __init__(
        self,
        model: Model,
        averaged: Averaged | None,
        source: TableSource,
        target: str | None,
        codes: Array | None,
    ) -> None:
        encoder = model.inputs.encoder
        assert encoder is not None
        self.model, self.averaged, self.source, self.target = model, averaged, source, target
        self.codes, self.encoder = codes, encoder
        there = set(source.names) - {target}
        self.others = [
            each
            for each in encoder.decisions
            if each.kind in ("identifier", "group", "time") and each.name in there
        ]
        names = [*encoder.columns, *(each.name for each in self.others)]
        self.names = list(dict.fromkeys([*names, *([] if target is None else [target])]))
        self.batches: list[Any] = []
        self.rows: list[Array] = []
        self.answers: list[Array] = []
        self.n_rows = self.n_gaps = 0
        self.share = 1.0
        self.strangers: set[str] = set()
        self.read_as: dict[str, Any] = {}

    def subject(self) -> Subject:
        """Return what was read."""
        import pyarrow as pa

        for batch in self.source.batches(self.names):
            self._see(batch)
        rows = np.concatenate(self.rows)
        if not len(rows):
            raise ValueError(
                f"{self.source.where} must have rows with a target, got none in {self.target!r}"
            )
        # Others may have been read when there were fewer rows, and more of them were kept.
        kept = drawn(rows, self.share, places=True)
        table = pa.Table.from_batches(self.batches).take(kept)
        y = np.concatenate(self.answers)[kept] if self.answers else None
        columns, at = [], 0
        decided = {each.name: each for each in self.encoder.decisions}
        for made in self.encoder.encoded:
            n = len(made.feature_names)
            cells = table.column(made.name).combine_chunks()
            columns.append(RawColumn(decided[made.name], cells, made, slice(at, at + n)))
            at += n
        others = [RawColumn(each, table.column(each.name).combine_chunks()) for each in self.others]
        notes = [say_read_as(self.read_as, self.source.where)] if self.read_as else []
        return Subject(
            self.model, self.averaged, tuple(columns), self.encoder.encode(table), y,
            self.source.where, rows[kept], self.n_rows, self.n_gaps, tuple(sorted(self.strangers)),
            tuple(others), notes,
        )  # fmt: skip

    def _see(self, batch: Any) -> None:
        first, n = self.n_rows, batch.num_rows
        self.n_rows += n
        answers, there = self._answers(batch, first)
        self.n_gaps += int(n - there.sum())
        rows = first + np.flatnonzero(there)
        self.share = min(self.share, share_of(self.n_rows))
        rows = drawn(rows, self.share)
        self.rows.append(rows)
        self.batches.append(batch.take(rows - first) if len(rows) < n else batch)
        if answers is not None:
            self.answers.append(answers[rows - first])

    def _answers(self, batch: Any, first: int) -> tuple[Array | None, NDArray[np.bool_]]:
        """Return the targets of a batch, and which rows have one."""
        n = batch.num_rows
        if self.codes is not None:
            return self.codes[first : first + n], np.ones(n, bool)
        if self.target is None:
            return None, np.ones(n, bool)
        column = self.model.column
        assert column is not None
        labels = batch.column(self.target)
        there = labels.is_valid().to_numpy(zero_copy_only=False)
        answers = column.codes(labels, self.read_as)
        if column.classes is not None:
            strange = np.flatnonzero((answers < 0) & there)
            self.strangers |= {str(labels[int(row)].as_py()) for row in strange}
        return answers, there


def target_in(source: TableSource, model: Model, target: str | None) -> str | None:
    """Return the column of a table that holds the target; None where there is none.

    One that is named has to be there.
    """
    assert model.column is not None
    if target is None:
        name = trim(model.column.name)
        return name if name in source.names else None
    model.column.check(source, trim(target))
    return trim(target)
