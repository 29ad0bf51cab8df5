"""Cells that hold several numbers each: 5'11", 113.45@4,000 (kgm@rpm), 131/65."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.targets import SHEET_ERRORS
from clearprop.names import BLANKS

NEARLY_ALL = 0.95
_CATEGORIES, _FEW = 20, 5  # different ones, up to which each is a category; a length never is one
# Letters of living scripts as a few ranges: RE2 makes _SEVERAL of \p{L} in 27 ms, for each column anew.
_L = r"A-Za-z\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{2ff}\x{370}-\x{1fff}\x{2c00}-\x{2dff}\x{3040}-\x{d7ff}"
_NUMBER = r"[0-9]+(?:[.,][0-9]+)*"
_UNIT = (
    r"(?:ft|feet|foot|h|hr|m|st|lb|lbs|x)"  # that a digit may follow at once; other letters make a code
)
_WORD = rf"[{_L}]{{1,5}}[^{_L}0-9]+"  # longer ones, or more of them, make an address
_GAP = rf"(?:[{_L}]{{0,5}}[.,]?[^{_L}0-9.,][^{_L}0-9]*(?:{_WORD}){{0,2}}|{_UNIT})"
_SEVERAL = rf"^(?:POINT)?[(\p{{Sc}} +-]*{_NUMBER}(?:{_GAP}{_NUMBER}){{1,2}}[^0-9]*$"
_YEARS = r"^(19|20)[0-9]{2}[-/\x{2013}]((19|20)?[0-9]{2})$"
_ZERO = r"(^|[^0-9.,])0[0-9]"
_MARKED = r"[/\p{L}\p{Sc}@'\"\x{2032}\x{2033}%\x{b0}]"
_FEET = re.compile(r"[0-9]+ ?(['\u2019\u2032]|ft\b|feet\b|foot\b)")


def told(n_distinct: int, example: str) -> str:
    """Return the remark on them; nothing where they are so few that each is a category."""
    if n_distinct <= (_FEW if _FEET.match(example) else _CATEGORIES):
        return ""
    return (
        f"; nearly every cell holds several numbers, such as {some([example])}: split them into "
        "columns of their own to learn from them"
    )


def looked_at(words: Any) -> tuple[NDArray[np.bool_], set[str]]:
    """Return which of different words hold two or three numbers, and how many digits theirs have.

    Of the latter no more than two: where all are alike, they are codes such as telephone numbers; words
    with units, or a ratio, stand there themselves.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    several = pc.match_substring_regex(words, _SEVERAL)
    codes = pc.and_not(pc.match_substring_regex(words, _ZERO), pc.match_substring_regex(words, _MARKED))
    several = pc.and_not(several, pc.or_(codes, pc.match_substring_regex(words, _YEARS)))
    mask: NDArray[np.bool_] = several.to_numpy(zero_copy_only=False)
    found = words.filter(pa.array(mask))
    digits = pc.replace_substring_regex(found, "[^0-9]+", " ")
    shapes = pc.utf8_trim(pc.replace_substring_regex(digits, "[0-9]", "0"), " ")
    shapes = pc.unique(pc.if_else(pc.match_substring_regex(found, _MARKED), found, shapes))
    return mask, set(shapes.slice(0, 2).to_pylist())


def sheet_errors(text: Any) -> set[str]:
    """Return what a spreadsheet has written in place of values that it could not compute."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.any(pc.starts_with(text, "#")).as_py():
        return set()
    found = pc.unique(pc.utf8_trim(text, BLANKS))
    return set(found.filter(pc.is_in(found, pa.array(sorted(SHEET_ERRORS)))).to_pylist())
