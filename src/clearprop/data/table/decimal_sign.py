"""The decimal sign of a file of text, which no column alone tells: 1,234 is a number either way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clearprop.data.dataset import some
from clearprop.data.table.read_options import WHICH_DECIMAL

if TYPE_CHECKING:
    from clearprop.data.table.profiles import ColumnProfile


def decimal_sign(where: str, found: Mapping[str, ColumnProfile]) -> str:
    """Return the decimal sign of a file, as all of its columns tell it.

    Raises
    ------
    ValueError
        If they have both, or commas that may stand between thousands.
    """
    commas = [name for name, each in found.items() if each.says_commas]
    points = [name for name, each in found.items() if each.says_points]
    if commas and points:
        raise ValueError(
            f"{where} has decimal commas in {some(commas)} and decimal points in "
            f"{some(points)}: {WHICH_DECIMAL}"
        )
    thousands = [name for name in commas if found[name].all_thousands]
    if thousands:
        raise ValueError(
            f"{where} has numbers such as {found[thousands[0]].example!r} in column "
            f"{thousands[0]!r}, thousands or decimals: {WHICH_DECIMAL}"
        )
    return "," if commas else "."
