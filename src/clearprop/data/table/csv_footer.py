"""Footer: the lines below the table of a CSV file, which are cut off the end of its text."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from clearprop.data.dataset import some
from clearprop.data.table.csv_bytes import Lines
from clearprop.data.table.csv_layout import Layout
from clearprop.data.table.csv_notes import is_sentence, total_in
from clearprop.names import trim


class Footer:
    """Cuts the lines that stand below a table off the end of its text.

    Parameters
    ----------
    layout : Layout

    Attributes
    ----------
    cut : tuple of str
        The lines, once the end was seen.
    n_totals : int
        How many of them look like totals of the rows above.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.cut: tuple[str, ...] = ()
        self.n_totals = 0

    @property
    def told(self) -> str:
        """What was cut, in words; nothing where nothing was."""
        if not self.cut:
            return ""
        lines = f"{len(self.cut)} line{'s' * (len(self.cut) > 1)} below the table"
        which = "which looks" if len(self.cut) == 1 else f"of which {self.n_totals} looks"
        total = f", {which} like a total of the rows" if self.n_totals else ""
        return f"{lines} ({some(self.cut, 1)}){total}"

    def __call__(self, tail: bytes) -> bytes:
        """Return the end of a file's text without the lines below the table."""
        lines, notes = list(Lines(iter([tail]))), list[int]()
        for number in range(len(lines) - 1, 0, -1):  # the first may be half a line
            cells = self._cells(lines[number])
            if any(cells) and (self._is_note(cells) or self._is_total(cells, lines[:number])):
                notes.append(number)
            elif any(cells):
                break
        while notes and not self._is_apart(lines, notes[-1]):
            notes.pop()
        if not notes:
            return tail
        self.cut = tuple(trim(lines[number]) for number in reversed(notes))
        self.n_totals = sum(total_in(self._cells(lines[number])) is not None for number in notes)
        # Counted from the end: the beginning may be half a character.
        return tail[: len(tail) - len("".join(lines[notes[-1] :]).encode())]

    def _cells(self, line: str) -> list[str]:
        """Return the cells of a line; it itself where it is part of a row on several lines."""
        try:
            rows = list(csv.reader([line], delimiter=self._layout.delimiter, strict=True))
        except csv.Error:
            rows = []
        if line.count('"') % 2 or len(rows) > 1:
            return [line]
        return [trim(cell) for row in rows for cell in row]

    def _is_note(self, cells: Sequence[str]) -> bool:
        """Return whether a line is a sentence where rows have several fields."""
        n = len(self._layout.fields)
        fewer = len(cells) < n or not any(cells[1:])
        return n > 1 and '"' not in cells[0] and is_sentence(cells[0]) and fewer

    def _is_total(self, cells: Sequence[str], above: Sequence[str]) -> bool:
        """Return whether a line is a total: its word is that of no row."""
        at = total_in(cells)
        if at is None or not self._layout.may_end_in_totals or len(cells) > len(self._layout.fields):
            return False
        word = cells[at].casefold()
        return not any(word == cell.casefold() for line in above for cell in self._cells(line))

    def _is_apart(self, lines: Sequence[str], number: int) -> bool:
        """Return whether the first of the last lines can be no row, or a blank line is above it."""
        if total_in(self._cells(lines[number])) is not None:
            return True
        filled = sum(map(bool, self._cells(lines[number])))
        may_be_row = self._layout.has_sentences or filled > 1
        return not may_be_row or not any(self._cells(lines[number - 1]))
