"""Dates and times of day as people write them: the forms that fit a word, and what it says in one.

A form is written as for strptime: ``%d/%m/%Y``, ``%I:%M %p``; `ISO` is ISO 8601 with hyphens, with a
time of day or without. A word fits a form to the letter or not at all: no field is skipped, and a year
of two digits is none of four.
"""

from __future__ import annotations

import contextlib
import re
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ISO = ""
TIME_OF_DAY = "%H:%M:%S"  # of a column that is stored as times of day
_LONGEST = 48  # characters of a date
_MICROSECONDS = 1_000_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sep(?:t|tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_WEEKDAY = "(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
_ZONE = "(?:z|[a-z]{3,4}|(?:utc|gmt)?[+-][0-9]{2}(?::?[0-9]{2})?)"
_BLANK = "[ \u00a0\u202f]+"
_FIELDS = {
    "%Y": "(?P<year>[0-9]{4})", "%y": "(?P<year>[0-9]{2})",
    "%m": "(?P<month>0?[1-9]|1[0-2])", "%d": "(?P<day>0?[1-9]|[12][0-9]|3[01])",
    "%b": f"(?P<month>{_MONTH})\\.?", "%a": f"{_WEEKDAY}\\.?",
    "%H": "(?P<hour>[01]?[0-9]|2[0-3])", "%I": "(?P<hour>0?[1-9]|1[0-2])",
    "%M": "(?P<minute>[0-5][0-9])",
    "%S": "(?P<second>[0-5][0-9])(?:[.,](?P<fraction>[0-9]{1,9}))?",
    "%p": "(?P<half>[ap])\\.?m\\.?", "%z": _ZONE,
}  # fmt: skip
_PADDED = {"%m": "(?P<month>0[1-9]|1[0-2])", "%d": "(?P<day>0[1-9]|[12][0-9]|3[01])"}
_NUMERIC = re.compile(r"(%[YymdHMS]|[^%])*")  # what the C library reads alike everywhere
_EXAMPLE = {
    "%Y": "2024", "%y": "24", "%m": "01", "%d": "31", "%b": "Jan", "%a": "Wed", "%H": "15", "%I": "03",
    "%M": "30", "%S": "00", "%p": "PM", "%z": "+0100",
}  # fmt: skip

_ISO_ZONE = "(Z|[+-][0-9]{2}:?[0-9]{2})"
_ISO = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    rf"([T ][0-9]{{2}}(:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,9}})?)?)?{_ISO_ZONE}?)?"
)
_CLOCK = re.compile(
    r"(?P<lead>^|T|, ?| at | |(?<=\d{4}):)(?P<hour>\d{1,2})"
    r"(?P<rest>:\d\d(?::\d\d(?:[.,]\d{1,9})?)?|\.\d\d\.\d\d)?(?P<half> ?[ap]\.?m\.?)?"
    rf"(?P<zone> ?{_ZONE})?(?=$| \d{{4}}$)",
    re.IGNORECASE | re.ASCII,
)
_COMPACT = re.compile(
    rf"(?P<date>\d{{8}})(?P<lead>[T ])(?P<clock>\d{{4}}(?:\d\d)?)(?P<zone> ?{_ZONE})?",
    re.IGNORECASE | re.ASCII,
)
# Digits of the fields (A is the name of a month), what may be between them, and the fields.
_SHAPES = (
    ("4[12][12]", r"([-/.])\1", ("Ymd",)),
    ("[12][12]4", r"([-/])\1", ("dmY", "mdY")),
    ("[12][12]4", r"\.\.", ("dmY",)),
    ("[12][12]2", r"([-/])\1", ("dmy", "mdy")),
    ("2[12][12]", r"([-/])\1", ("ymd",)),
    ("222", r"\.\.", ("dmy",)),
    ("[12]A4", "any", ("dbY",)), ("[12]A2", "any", ("dby",)), ("4A[12]", "any", ("Ybd",)),
    ("A[12]4", "any", ("bdY",)), ("A[12]2", "any", ("bdy",)),
    ("A4", "any", ("bY",)), ("4A", "any", ("Yb",)), ("A2", "[-/]| ?'", ("by",)),
    ("42", "[-/]", ("Ym",)), ("[12]4", "[-/]", ("mY",)),
)  # fmt: skip
_BETWEEN = re.compile(r"(?:[-/., ']{0,2}| of |\x00| ?\x00 ?)")
_DAYS = ("%Y%m%d", "%d%m%Y", "%m%d%Y")
_HERE = "\x00"  # where the time of day stands in a date


def fields_of(form: str) -> str:
    """Return the letters of the fields of a form, in their order: dmY of ``%d/%m/%Y``."""
    return "Ymd" if form == ISO else "".join(re.findall("%([A-Za-z])", form))


def is_time_of_day(form: str) -> bool:
    """Return whether a form is a time of day without a date."""
    return not set(fields_of(form)) & set("Yymdb")


def has_day(form: str) -> bool:
    """Return whether a form says the day: a year and a month alone do not."""
    return "d" in fields_of(form)


def order_of(form: str) -> str:
    """Return which of day, month and year a form of numbers has first, as in ``day-first``."""
    first = next((field for field in fields_of(form) if field in "Yymd"), "")
    return {"d": "day-first", "m": "month-first"}.get(first, "year-first")


def example_of(form: str) -> str:
    """Return how a date is written in a form."""
    written = "2024-01-31" if form == ISO else form
    for field, value in _EXAMPLE.items():
        written = written.replace(field, value)
    return written


def candidates(word: str) -> tuple[str, ...]:
    """Return the forms that a word fits, day before month before year where they differ in it."""
    import pyarrow as pa

    if len(word) > _LONGEST or not any(map(str.isdigit, word)):
        return ()
    found = [ISO] * bool(re.fullmatch(_ISO, word)) + _guesses(re.sub(_BLANK, " ", word))
    one = pa.array([word], pa.string())
    return tuple(form for form in dict.fromkeys(found) if parse(one, form).null_count == 0)


def _guesses(word: str) -> list[str]:
    """Return the forms that a word has by its shape."""
    if compact := _COMPACT.fullmatch(word):
        return ["%Y%m%d" + compact["lead"] + "%H%M%S"[: len(compact["clock"])] + _zone(compact["zone"])]
    if re.fullmatch("[0-9]{8}", word, re.ASCII):
        return list(day_forms(np.array([float(word)])))
    found = _dates(word)
    match = _CLOCK.search(word)
    if match is None or not (match["rest"] or match["half"]):
        return found
    clock = match["lead"] + ("%I" if match["half"] else "%H")
    marks = re.findall(r"[:.](?=[0-9]{2}(?![0-9]))", match["rest"] or "")
    clock += "".join(f"{mark}%{field}" for mark, field in zip(marks, "MS", strict=False))
    if match["half"]:
        clock += " %p" if match["half"].startswith(" ") else "%p"
    clock += _zone(match["zone"])
    before, after = word[: match.start()], word[match.end() :]
    if not before and not after:
        return [*found, clock]
    return [*found, *(form.replace(_HERE, clock) for form in _dates(before + _HERE + after))]


def day_forms(numbers: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the forms of days without a mark that all of some numbers fit: 20241231, 1022024."""
    if not len(numbers) or numbers.min() < 1e6 or numbers.max() >= 1e8 or (numbers % 1 != 0).any():
        return ()
    high, low = np.divmod(numbers.astype(np.int64), 10_000)
    parts = (
        (high, low // 100, low % 100),
        (low, high % 100, high // 100),
        (low, high // 100, high % 100),
    )
    return tuple(form for form, part in zip(_DAYS, parts, strict=True) if _are_days(*part))


def _are_days(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> bool:
    if year.min() < 1900 or year.max() >= 2100 or month.min() < 1 or month.max() > 12 or day.min() < 1:
        return False
    first = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    return bool(((first.astype("M8[D]") + (day - 1)).astype("M8[M]") == first).all())


def _zone(text: str | None) -> str:
    return "" if not text else " %z" if text.startswith(" ") else "%z"


def _dates(text: str) -> list[str]:
    """Return the forms that a date without its time of day has by its shape."""
    weekday = re.match(rf"{_WEEKDAY}\.?(,? )", text, re.IGNORECASE)
    start = "" if weekday is None else "%a" + weekday[1]
    parts = re.findall(r"[0-9]+|[^\W\d_]+\.?|[^\w]+|_", text[0 if weekday is None else weekday.end() :])
    parts = [part for part in parts if part.lower() not in ("st", "nd", "rd", "th")]
    fields, between = parts[::2], parts[1::2]
    if len(fields) + len(between) > 1 and not fields[0][:1].isalnum():
        return []
    return _arranged(start, parts)


def _arranged(start: str, parts: list[str]) -> list[str]:
    fields: list[str] = []
    gaps: list[str] = []  # before each field, and after the last
    gap = ""
    for part in parts:
        if part[0].isalnum():
            gaps.append(gap)
            fields.append(part)
            gap = ""
        else:
            gap += part
    gaps.append(gap)
    shape = "".join(_class(field) for field in fields)
    inner = [each.replace(_HERE, "") for each in gaps[1:-1]]
    if gaps[0] or gaps[-1] not in ("", _HERE) or not all(map(_BETWEEN.fullmatch, gaps[1:-1])):
        return []
    found = []
    for wanted, marks, orders in _SHAPES:
        if re.fullmatch(wanted, shape) and (marks == "any" or re.fullmatch(marks, "".join(inner))):
            for order in orders:
                written = "".join(f"{g}%{f}" for g, f in zip(gaps, order, strict=False))
                found.append(start + written + gaps[-1])
    return found


def _class(field: str) -> str:
    if field.isdigit():
        return str(len(field)) if len(field) < 10 else "9"
    return "A" if re.fullmatch(rf"(?:{_MONTH})\.?", field, re.IGNORECASE) else "x"


@cache
def _pattern(form: str) -> str:
    """Return what a word of a form matches, with its fields by name."""
    fields = _FIELDS | (
        _PADDED if re.search("%[Ymd]%[Ymd]", form) or form.startswith("%d.%m.%y") else {}
    )
    if is_time_of_day(form):  # the end of a day, which meters write
        fields = fields | {"%H": "(?P<hour>[01]?[0-9]|2[0-4])"}
    if "%b" in form:
        fields = fields | {"%d": _FIELDS["%d"] + "(?:st|nd|rd|th)?"}
    if "%Y" in form and not has_day(form):
        fields = fields | {"%Y": "(?P<year>[12][0-9]{3})"}
    parts = re.split("(%[A-Za-z]| )", form)
    return "(?i)^" + "".join(_BLANK if p == " " else fields.get(p) or re.escape(p) for p in parts) + "$"


def parse(cells: Any, form: str) -> Any:
    """Return text as timestamp[us], null where it does not fit a form; a zone's own clock.

    A time of day is one of 1970-01-01. Years of two digits are 1969 to 2068, as POSIX has it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if form == ISO:
        return _iso(cells)
    if form in _DAYS:  # as numbers they lose the first zero
        cells = pc.utf8_lpad(cells, 8, "0")
    fits = pc.match_substring_regex(cells, _pattern(form))
    cells = pc.if_else(fits, cells, pa.scalar(None, pa.string()))
    if is_time_of_day(form) or not _NUMERIC.fullmatch(form):
        encoded = cells.dictionary_encode()
        return _exact(encoded.dictionary, form).take(encoded.indices)
    times = pc.strptime(cells, form, "us", error_is_null=True)
    # It takes 30 February for 1 March, and does not read fractions.
    early = pc.fill_null(pc.less_equal(pc.day(times), 3), True)
    doubtful = pc.and_(early, pc.is_valid(cells))
    return pc.replace_with_mask(times, doubtful, _exact(cells.filter(doubtful), form))


def _iso(cells: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    with contextlib.suppress(pa.ArrowInvalid):
        return pc.cast(cells, pa.timestamp("us"))
    fits = pc.match_substring_regex(cells, f"^{_ISO}$")
    cells = pc.if_else(fits, cells, pa.scalar(None, pa.string()))
    plain = pc.replace_substring_regex(cells, f"([T ][0-9:.]+){_ISO_ZONE}$", r"\1")
    plain = pc.replace_substring_regex(plain, "([.][0-9]{6})[0-9]+$", r"\1")
    try:
        return pc.cast(plain, pa.timestamp("us"))
    except pa.ArrowInvalid:
        found = [_cast_or_none(cell) for cell in plain.to_pylist()]
        return pa.array(found, pa.timestamp("us"))


def _cast_or_none(cell: str | None) -> Any:
    import pyarrow as pa

    try:
        return pa.scalar(cell, pa.string()).cast(pa.timestamp("us")).as_py()
    except pa.ArrowInvalid:
        return None


def _exact(cells: Any, form: str) -> Any:
    """Return what `parse` does, by the fields of a word."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(cells, _pattern(form))
    text = {each.name: found.field(each.name) for each in found.type}
    missing = found.is_null().to_numpy(zero_copy_only=False)

    def number(name: str, default: int) -> NDArray[np.int64]:
        if name not in text:
            return np.full(len(cells), default, np.int64)
        filled = pc.if_else(pc.equal(pc.fill_null(text[name], ""), ""), str(default), text[name])
        whole: NDArray[np.int64] = pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False)
        return whole

    if "%b" in form:
        names = pc.ascii_lower(pc.utf8_slice_codeunits(text.pop("month"), 0, 3))
        month = (
            pc.fill_null(pc.index_in(names, pa.array(_MONTHS)), 0).to_numpy(zero_copy_only=False) + 1
        )
    else:
        month = number("month", 1)
    year = number("year", 1970)
    if "%y" in form:
        year = np.where(year >= 69, 1900, 2000) + year
    if "fraction" in text:  # of up to nine digits, of which six are kept
        digits = pc.utf8_slice_codeunits(pc.utf8_rpad(text["fraction"], 6, "0"), 0, 6)
        text["fraction"] = pc.if_else(pc.equal(text["fraction"], ""), "0", digits)
    hour, minute, second = number("hour", 0), number("minute", 0), number("second", 0)
    if "half" in text:
        afternoon = pc.equal(pc.ascii_lower(text["half"]), "p").fill_null(False)
        hour = hour % 12 + 12 * afternoon.to_numpy(zero_copy_only=False)
    hour = np.where(
        (hour == 24) & (minute == 0) & (second == 0) & (number("fraction", 0) == 0), 0, hour
    )
    months = (year - 1970) * 12 + month - 1
    first = months.astype("M8[M]").astype("M8[D]")
    days = first + (number("day", 1) - 1)
    missing |= (days.astype("M8[M]") != months.astype("M8[M]")) | (hour == 24)
    seconds = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second
    return pa.array(seconds * _MICROSECONDS + number("fraction", 0), mask=missing).cast(
        pa.timestamp("us")
    )
