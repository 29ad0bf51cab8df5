"""Lines around a table of a CSV file that are no rows of it: sentences, and totals of the rows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from clearprop.data.table.csv_units import LETTER

_FEW = 3  # rows at least, above what looks like a total of them
_TOTAL = re.compile(
    r"(((grand|overall|sub)[ -]?)?totals?|sum|gesamt|summe|insgesamt|totale)[ ]?(\(.*\))?[ ]?:?",
    re.IGNORECASE,
)


def total_in(cells: Sequence[str]) -> int | None:
    """Return which cell has the word for a total, beside numbers and blanks alone; or None."""
    found = [at for at, cell in enumerate(cells) if LETTER.search(cell)]
    if len(found) == 1 and len(cells) > 1 and not any(cells[: found[0]]):
        return found[0] if _TOTAL.fullmatch(cells[found[0]]) else None
    return None


def may_end_in_totals(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether there are rows, and no total is among them: one below them could be a row then."""
    found = [total_in(cells) is not None for cells in rows]
    among = any(total and not below for total, below in itertools.pairwise(found))
    return found.count(False) >= _FEW and not among


def is_sentence(text: str) -> bool:
    """Return whether a text has several words."""
    return len(text.split()) > 1 and LETTER.search(text) is not None
