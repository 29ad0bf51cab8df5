"""Reasons as they are asked for: a table's columns, what they hold, and what each contributes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table.values import shown_number
from clearprop.page import joined, table, tag

Floats = NDArray[np.float64]
_ROWS, _TOP = 3, 10  # that a notebook shows, and columns of each


class Reason(NamedTuple):
    """What one column of a row contributes to its answer.

    Parameters
    ----------
    column : str
    value : object
        What the row holds there, as the table has it; None where it is missing.
    baseline : object
        What the baseline holds there; None where there are several baselines.
    part : float
        In the units of the answer.
    """

    column: str
    value: Any
    baseline: Any
    part: float


class Values(NamedTuple):
    """What rows hold in every column, before it became numbers.

    Parameters
    ----------
    columns : tuple of str
    cells : sequence
        For each column a pyarrow or NumPy array along the rows.
    """

    columns: tuple[str, ...]
    cells: Sequence[Any]

    def cell(self, row: int, column: int) -> Any:
        """Return what a row holds in a column as a plain value, None where it is missing."""
        found = self.cells[column][row]
        found = found.as_py() if hasattr(found, "as_py") else found
        if isinstance(found, dict):  # a number, or a word in its place
            found = found["number"] if found["word"] is None else found["word"]
        found = found.item() if isinstance(found, np.generic) else found
        return None if isinstance(found, float) and math.isnan(found) else found


@dataclass(frozen=True, eq=False)
class Reasons:
    """Why a model answers rows as it does: what each column contributes to the answer.

    The parts of a row add up to ``answer - baseline``.

    Parameters
    ----------
    columns : tuple of str
    parts : ndarray of shape (n_rows, n_columns)
        In the units of the answer.
    answer, baseline : ndarray of shape (n_rows,)
        Of the rows, and of the baseline or the mean over several: log odds of a label, or a quantity.
    of : tuple of str
        What the answer of every row is, such as "log odds of 'Yes'".
    error : ndarray of shape (n_rows,)
        The most that is wrong with a part.
    n_steps : ndarray of shape (n_rows,)
        Into which the line from the baseline to the row was cut.
    values : Values
        What the rows hold.
    baseline_row : dict of str, or None
        What the baseline holds; None of several.
    """

    columns: tuple[str, ...]
    parts: Floats
    answer: Floats
    baseline: Floats
    of: tuple[str, ...]
    error: Floats
    n_steps: NDArray[np.int64]
    values: Values
    baseline_row: Mapping[str, Any] | None

    @property
    def lacking(self) -> Floats:
        """What the parts of every row lack of ``answer - baseline``, shape (n_rows,)."""
        found: Floats = self.answer - self.baseline - self.parts.sum(axis=1)
        return found

    def __len__(self) -> int:
        return len(self.parts)

    def top(self, row: int, n: int | None = None) -> list[Reason]:
        """Return the reasons of one row, those that contribute most first.

        Parameters
        ----------
        row : int
            Counted from 0.
        n : int, optional
            How many. None is all.
        """
        order = np.argsort(-np.abs(self.parts[row]), kind="stable")[:n]
        base = self.baseline_row
        return [
            Reason(
                self.columns[column],
                self.values.cell(row, int(column)),
                None if base is None else base[self.columns[column]],
                float(self.parts[row, column]),
            )
            for column in order
        ]

    def _repr_html_(self) -> str:
        tables = []
        for row in range(min(len(self), _ROWS)):
            said = (
                f"Row {row}: {self.of[row]} {self.answer[row]:.4g}, baseline {self.baseline[row]:.4g}"
            )
            top = [
                (each.column, shown(each.value), f"{each.part:+.4g}") for each in self.top(row, _TOP)
            ]
            left = len(self.columns) - len(top)
            note = f"and {left:,} more columns, which contribute less" if left else None
            tables.append(table(said, ("column", "value", "contributes"), top, note=note))
        more = len(self) - len(tables)
        return joined([*tables, *([tag("p", f"and {more:,} more rows")] if more else [])])

    def __repr__(self) -> str:
        n = len(self)
        return f"Reasons of {n} row{'' if n == 1 else 's'} by {len(self.columns)} columns"


def shown(value: Any) -> str:
    """Return what a cell holds in words."""
    if value is None:
        return "missing"
    if isinstance(value, float):
        return shown_number(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return str(value.date())
    if isinstance(value, datetime.datetime | datetime.time):
        exact = value.replace(tzinfo=None).isoformat()
        return exact.replace("T", " ").removesuffix(":00")
    return str(value)
