"""CsvFolder: several CSV files, such as those of a folder, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clearprop.data.files import Place
from clearprop.data.table.csv_text import CsvText
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.tables import check_columns


class CsvFolder:
    """CSV files in their order; columns go by the names of the first.

    Parameters
    ----------
    paths : sequence of Path or Remote
    options : ReadOptions
        Of every file.

    Raises
    ------
    OSError, ValueError
        If one is no CSV file, or is written with another delimiter or other columns than the first.
    """

    def __init__(self, paths: Sequence[Place], options: ReadOptions) -> None:
        self._texts = [CsvText(path, options) for path in paths]
        first = self._texts[0]
        self.names, self.delimiter = first.names, first.delimiter
        self.has_nameless_index = first.has_nameless_index
        self._ends: list[
            int
        ] = []  # the number of rows up to the end of each file, as far as it was read
        for text in self._texts[1:]:
            if text.delimiter != first.delimiter and len(first.names) > 1:
                raise ValueError(
                    f"{text.path} must have the delimiter of {first.path}, {first.delimiter!r}, got "
                    f"{text.delimiter!r}"
                )
            check_columns(text.path, text.names, first.path, first.names)

    def batches(self) -> Iterator[Any]:
        """Give every row, as record batches of text columns."""
        n_rows, self._ends = 0, []
        for text in self._texts:
            for batch in text.batches():
                n_rows += batch.num_rows
                yield batch.select(list(self.names))
            self._ends.append(n_rows)

    def line_of(self, row: int) -> str | None:
        """Return the line on which a row (counted from 0) begins, and of which file, or None."""
        number = sum(end <= row for end in self._ends)
        text = self._texts[min(number, len(self._texts) - 1)]
        line = text.line_of(row - (self._ends[number - 1] if number else 0))
        return None if line is None else f"{line} of {text.path.name}"
