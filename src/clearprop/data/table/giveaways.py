"""Columns that alone give the target away: one value, one class, in nearly all rows.

Such a column is often written after what it is to foretell. It may be right, so that it is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import user_warning
from clearprop.data.table.columns import words_of
from clearprop.data.table.kinds import ColumnDecision

_SHARE = 0.98  # of the rows, beyond which a column gives the target away
_LEFT = (
    0.2  # of the errors of saying the most frequent class, at most: where one class is in 99 % of all
)
_FEWEST_ROWS = 50  # below which chance may do it
_MOST_CELLS = 100_000  # values times classes that are counted; ids and measurements have more values


class Giveaways:
    """Counts of the classes beside each value of some columns, batch by batch.

    Parameters
    ----------
    decisions : sequence of ColumnDecision
        Of these the numeric, boolean and categorical columns are looked at.
    n_classes : int
    """

    def __init__(self, decisions: Sequence[ColumnDecision], n_classes: int) -> None:
        kinds = ("numeric", "boolean", "categorical")
        self._classes = np.zeros(n_classes, np.int64)
        self._counts: dict[str, dict[Any, NDArray[np.int64]]] = {
            each.name: {} for each in decisions if each.kind in kinds
        }

    def see(self, batch: Any, codes: NDArray[Any]) -> None:
        """Count a batch (pyarrow.RecordBatch or Table) whose rows have these class numbers."""
        import pyarrow as pa

        n = len(self._classes)
        self._classes += np.bincount(codes, minlength=n)
        for name in list(self._counts):
            column = batch.column(name)
            column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            column = words_of(column) if pa.types.is_struct(column.type) else column
            encoded = column.dictionary_encode("encode")
            values = encoded.dictionary.to_pylist()
            if len(values) * n > _MOST_CELLS:
                del self._counts[name]
                continue
            cells = encoded.indices.to_numpy(zero_copy_only=False) * n + codes
            table = np.bincount(cells, minlength=len(values) * n).reshape(-1, n)
            self._add(name, values, table)

    def _add(self, name: str, values: Sequence[Any], table: NDArray[Any]) -> None:
        counts = self._counts[name]
        for value, beside in zip(values, table, strict=True):
            counts[value] = counts[value] + beside if value in counts else beside
        if len(counts) * len(self._classes) > _MOST_CELLS:
            del self._counts[name]

    def told(self) -> tuple[Any, dict[str, tuple[list[Any], NDArray[np.int64]]]]:
        """Return all counts: of the classes, and beside the values of each column."""
        n = len(self._classes)
        each = {
            name: (list(counts), np.array(list(counts.values()), np.int64).reshape(-1, n))
            for name, counts in self._counts.items()
        }
        return self._classes, each

    def join(self, told: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
        """Take the counts of several processes, each as it has `told` them, for these."""
        self._classes = np.sum([classes for classes, _ in told], axis=0)
        self._counts = {name: {} for name in told[0][1] if all(name in each for _, each in told)}
        for _, each in told:
            for name in list(self._counts):
                self._add(name, *each[name])

    def found(self) -> dict[str, float]:
        """Return the columns that give the target away, with the share of rows in which each does.

        A row counts where the others with its value have its class for the most part: a value that is
        there once says nothing.
        """
        n_rows = int(self._classes.sum())
        if n_rows < _FEWEST_ROWS:
            return {}
        most_errors = min(1.0 - _SHARE, _LEFT * (1.0 - self._classes.max() / n_rows))
        shares = {}
        for name, counts in self._counts.items():
            second, first = np.sort(np.stack(list(counts.values())), axis=1)[:, -2:].T
            told = (first >= 2) & (first - 1 >= second)
            shares[name] = float(first[told].sum()) / n_rows
        return {name: share for name, share in shares.items() if 1.0 - share < most_errors}

    def ask(self, warn: Callable[[str], object] = user_warning.warn) -> None:
        """Ask about the columns that were found, in one warning."""
        found = self.found()
        if not found:
            return
        named = [f"{name!r} ({100 * share:.4g} % of the rows)" for name, share in found.items()]
        more = f" and {len(named) - 5:,} more" if len(named) > 5 else ""
        one = len(named) == 1
        sentence = (
            f"{'column' if one else 'columns'} {', '.join(named[:5])}{more} alone "
            f"{'gives' if one else 'each give'} the target away, one value, one class: "
            f"{'is it' if one else 'are they'} known when you predict? Drop {'it' if one else 'them'} "
            "if not"
        )
        warn(sentence)
