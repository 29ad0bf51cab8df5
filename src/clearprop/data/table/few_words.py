"""FewWords: how often each word stands among the numbers of a column, as long as they are few."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

COUNTED = 64  # different words that are counted, so that strays among few words are told from them
_BOUND = re.compile(r"[<>\u2264\u2265]=? ?[0-9][0-9.,]*")

First = tuple[int, str]  # a row of the table, and its cell


@dataclass
class FewWords:
    """Words that may be few: how often each is there, and where first; of more only where the first."""

    n: int = 0
    found: dict[str, list[int]] | None = field(default_factory=dict)
    first: First | None = None

    def n_bounds(self, often: float) -> int:
        """Return the cells that say what a number is below or above, each of which is there often."""
        found = (self.found or {}).items()
        return sum(n for word, (n, _) in found if n >= often and _BOUND.match(word))

    def add(self, words: list[str], counts: NDArray[Any], cells: Any, first_row: int) -> None:
        """Take note of a batch: its different words, how often each is there, its cells."""
        self.n += int(counts.sum())
        if not words:
            return
        if self.first is None:
            self.first = (row_of(cells, words[0], first_row), words[0])
        for word, count in zip(words, counts.tolist(), strict=False):
            if self.found is None:
                return
            if word not in self.found:
                self.found[word] = [0, row_of(cells, word, first_row)]
            self.found[word][0] += count
            if len(self.found) > COUNTED:
                self.found = None


def row_of(cells: Any, word: str, first_row: int) -> int:
    """Return the row of the table in which a word is first, in a batch that begins with `first_row`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return first_row + int(pc.index(cells, pa.scalar(word, cells.type)).as_py())
