"""The row of units that may stand below the names of a CSV file, told from a row of values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from clearprop.data.table.dressed import take_apart
from clearprop.data.targets import MISSING

MOSTLY = 0.8  # of the values of a column that are numbers: a stray word is told by who reads it
NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
LETTER = re.compile(r"[^\W\d_]")
_UNITS = frozenset(  # of a row that has no others; single letters are codes as well
    re.split(
        " ",
        "mm cm km ft yd mi mg kg lb lbs oz ms sec hr hrs hours days weeks months years ml gal hpa kpa "
        "mpa psi degc degf °c °f % percent usd eur gbp $ € £ m/s km/h mph hz khz mhz mv ma kw kwh kj "
        "kcal bpm ppm ppb deg m2 m3",
    )
)
_NO_UNITS = ("nil", "none", "unknown", "missing", "n.a.", "inf", "true", "false", "yes", "no")


def units(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the units in the first of the rows, if it is of units: words above numbers throughout.

    Parameters
    ----------
    names : sequence of str
    rows : sequence of sequence of str
        The cells of the first rows below the names, without blanks around them.
    """
    if len(rows) < 3 or len(rows[0]) != len(names):
        return []
    row, rest = rows[0], [each for each in rows[1:] if len(each) == len(names)]
    columns = list(zip(*rest, strict=True)) or [()] * len(names)
    numeric = [_hold_numbers(column, cell) for cell, column in zip(row, columns, strict=True)]
    found = []
    for name, cell, column, is_numeric in zip(names, row, columns, numeric, strict=True):
        if not cell or cell in MISSING:
            continue
        if cell == name or cell in column or NUMBER.fullmatch(cell):
            return []
        if is_numeric:
            if not _is_unit(cell):
                return []
            found.append(cell)
    known = bool(found) and all(map(_is_known_unit, found))
    return found if known or (len(found) > 1 and 2 * len(found) > sum(numeric)) else []


def are_numbers(column: Sequence[str | None], unit: str | None = None) -> bool:
    """Return whether most are numbers, alone or with the unit that stands above them."""
    found = [cell for cell in column if cell and cell not in MISSING]
    if unit:
        found = [cell.removesuffix(unit).rstrip() or cell for cell in found]
    return bool(found) and sum(map(bool, map(NUMBER.fullmatch, found))) >= MOSTLY * len(found)


def _hold_numbers(column: Sequence[str], cell: str) -> bool:
    """Return whether numbers stand below a cell: with its unit, or money below a currency."""
    if are_numbers(column, cell) or not _is_currency(cell):
        return are_numbers(column, cell)
    found = [each for each in column if each and each not in MISSING]
    worn = Counter(_around(each) for each in found)  # USD above $5.00, EUR above 5 €
    money = sum(n for pair, n in worn.items() if any(map(_is_currency, pair)))
    return bool(found) and money >= MOSTLY * len(found)


def _is_currency(cell: str) -> bool:
    return bool(cell) and _around(f"{cell.strip('[]()<>')}1")[0] != ""


def _around(cell: str) -> tuple[str, str]:
    """Return what stands before and after the number in a cell; nothing where there is no number."""
    import pyarrow as pa

    pair = next(iter(take_apart(pa.array([cell])).pairs), None)
    return (pair.before, pair.after) if pair is not None else ("", "")


def _is_unit(cell: str) -> bool:
    written = len(cell) <= 20 and len(cell.split()) <= 3 and not re.match(r"[<>~]?[0-9]", cell)
    has_sign = (
        LETTER.search(cell) is not None or any(sign in cell for sign in "%‰°") or _is_currency(cell)
    )
    return written and has_sign and cell.lower() not in _NO_UNITS


def _is_known_unit(cell: str) -> bool:
    bracketed = re.fullmatch(r"\[.+\]|\(.+\)|<.+>", cell) is not None
    return cell.lower() in _UNITS or bracketed or _is_currency(cell)
