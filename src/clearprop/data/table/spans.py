"""Time spans as people and programs write them, in seconds."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPAN = "span"
MINUTES = "span %M:%S"  # 44:10 beside 1:02:03
HOURS = "span %H:%M"  # 44:10 alone, as spreadsheets read it
FORMS = (SPAN, HOURS, MINUTES)
EXAMPLES = {
    SPAN: "1:02:03 or 4 days 01:02:03",
    HOURS: "12:30 (hours and minutes)",
    MINUTES: "12:30 or 1:02:03",
}
_UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
_SIGN, _N = "(?P<sign>[-+]?)", "[0-9]{1,9}"
_DAYS, _HOURS, _MINUTES = "(?P<days>[0-9]{1,6})", f"(?P<hours>{_N})", f"(?P<minutes>{_N})"
_FRACTION = r"(?:\.(?P<fraction>[0-9]{1,9})[0-9]*)?"
_TO_59 = "(?P<minutes>[0-5][0-9])", "(?P<seconds>[0-5][0-9])" + _FRACTION
# Of pandas, Python, R and spreadsheets; the sign before days is theirs alone: -1 days +22:00:00.
_CLOCK = rf"(?:(?P<day_sign>[-+]?){_DAYS} days?(?:,? |$))?(?:{_SIGN}{_HOURS}:{_TO_59[0]}:{_TO_59[1]})?"
_DURATION = (  # ISO 8601; of polars
    rf"{_SIGN}P(?:(?P<weeks>[0-9]{{1,6}})W)?(?:{_DAYS}D)?"
    rf"(?:T(?:{_HOURS}H)?(?:{_MINUTES}M)?(?:(?P<seconds>{_N}){_FRACTION}S)?)?"
)
_WORDS = (  # 2h 50m
    rf"{_SIGN}(?:{_DAYS} ?d(?:ays?)?)? ?(?:{_HOURS} ?h(?:(?:ou)?rs?)?)? ?"
    rf"(?:{_MINUTES} ?m(?:ins?|inutes?)?)? ?(?:(?P<seconds>{_N}){_FRACTION} ?s(?:ecs?|econds?)?)?"
)
_TWO = {
    HOURS: f"{_SIGN}{_HOURS}:{_TO_59[0]}",
    MINUTES: f"{_SIGN}{_MINUTES}:{_TO_59[1]}",
}
_SURE = r"(?i)^(?:[-+]?[0-9]+:[0-5][0-9].*|.*[0-9] days?\b.*|[-+]?P.*|.*[0-9] ?[a-z]+ ?[0-9].*)$"
_BEGINS = re.compile(r"[-+]?P?T?[0-9]+ ?([:DHMSdhms]|days?)", re.ASCII)
_NAMES = re.compile(
    r"(?i)(duration|elapsed|time[ _-]?(span|delta)|run[ _-]?time|lap|uptime|downtime|lasted|length)"
)


def _patterns(form: str) -> list[str]:
    if form == HOURS:
        return [_TWO[HOURS]]
    return [_CLOCK, _DURATION, _WORDS, *([_TWO[MINUTES]] if form == MINUTES else [])]


def named(name: str) -> bool:
    """Return whether a column says by its name that it holds time spans."""
    return _NAMES.search(name) is not None


def are_sure(words: Any) -> bool:
    """Return whether one of these words is a time span, rather than a number and its unit."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(words, _SURE)).as_py())


def candidates(word: str) -> tuple[str, ...]:
    """Return the forms of time spans that a word fits."""
    import pyarrow as pa

    if len(word) > 40 or not _BEGINS.match(word):
        return ()
    one = pa.array([word], pa.string())
    return tuple(form for form in FORMS if parse(one, form).null_count == 0)


def parse(cells: Any, form: str) -> Any:
    """Return text as seconds, float64, null where it does not fit a form."""
    import pyarrow as pa

    encoded = cells.dictionary_encode()
    words = encoded.dictionary
    seconds = np.full(len(words), np.nan)
    for pattern in _patterns(form):
        left = np.isnan(seconds)
        if left.any():
            seconds[left] = _seconds(words.filter(pa.array(left)), pattern)
    return pa.array(seconds, from_pandas=True).take(encoded.indices)


def counted(counts: Counter[str], form: str) -> Counter[float]:
    """Return how often each time span is there, however it is written."""
    import pyarrow as pa

    found: Counter[float] = Counter()
    seconds = parse(pa.array(list(counts), pa.string()), form).to_pylist()
    for value, count in zip(seconds, counts.values(), strict=True):
        found[value] += count
    return found


def _seconds(words: Any, pattern: str) -> NDArray[np.float64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(words, f"^{pattern}$")
    text = {each.name: found.field(each.name) for each in found.type}
    total, days = np.zeros((2, len(words)), np.int64)
    given = np.zeros(len(words), bool)
    for unit, length in _UNITS.items():
        if unit in text:
            there = pc.fill_null(pc.not_equal(text[unit], ""), False)
            part = pc.cast(pc.if_else(there, text[unit], "0"), pa.int64()).to_numpy() * length
            given |= there.to_numpy(zero_copy_only=False)
            if unit == "days" and "day_sign" in text:
                days = np.where(_is_minus(text["day_sign"]), -part, part)
            else:
                total = total + part
    minus = _is_minus(text["sign"])
    fraction = pc.utf8_rpad(pc.fill_null(text["fraction"], ""), 9, "0") if "fraction" in text else None
    beyond = 0 if fraction is None else pc.cast(fraction, pa.int64()).to_numpy()
    whole = np.where(minus, -total, total) + days
    return np.where(given, in_seconds(whole, np.where(minus, -beyond, beyond)), np.nan)


def in_seconds(whole: NDArray[np.int64], nanoseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the float64 nearest to seconds and nanoseconds, wherever it is written or stored."""
    exact = whole * 1_000_000 + nanoseconds // 1000
    micro: NDArray[np.float64] = exact / 1e6
    fine = (nanoseconds % 1000 != 0) & (np.abs(whole) < 2**33)
    with np.errstate(over="ignore"):
        return np.where(fine, (whole * 1_000_000_000 + nanoseconds) / 1e9, micro)


def _is_minus(sign: Any) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    minus: NDArray[np.bool_] = pc.fill_null(pc.equal(sign, "-"), False).to_numpy(zero_copy_only=False)
    return minus
