"""From the text of a cell to a value: numbers, true and false, dates; which words are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from clearprop.data.dataset import some
from clearprop.data.table import dates, spans
from clearprop.data.targets import EXACT, MISSING
from clearprop.names import BLANKS, trim

NUMBER, BOOLEAN, TEXT, TIME = "number", "boolean", "text", "time"
LEADING_ZERO = r"^[+-]?0[0-9]"
PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
# A number that is no code such as 007.
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
SPLIT = "must keep each value on one line"
_BOOLEANS = ("true", "false")


class BadCell(ValueError):
    """A value that is not what its column holds.

    Parameters
    ----------
    row : int
        In the batch, from 0.
    value : str, int, float or None
    rule : str
        What the column must hold.
    """

    def __init__(self, row: int, value: Any, rule: str) -> None:
        super().__init__(f"{rule}, got {some([value])}")
        self.row, self.value, self.rule = row, value, rule


class BadValue(ValueError):
    """A sentence on a row that is not as it must be, or on a cell of it.

    Parameters
    ----------
    sentence : str
    row : int
        Of all rows, from 0.
    column : str, optional
    """

    def __init__(self, sentence: str, row: int, column: str | None = None) -> None:
        super().__init__(sentence)
        self.row, self.column = row, column

    def __reduce__(self) -> Any:
        return BadValue, (str(self), self.row, self.column)


def missing_words(more: Iterable[str] = ()) -> Any:
    """Return an Arrow array of all the words that stand for a missing value."""
    import pyarrow as pa

    return pa.array(sorted(MISSING | {trim(word) for word in more}), pa.string())


def missing_numbers(missing: Any) -> list[float]:
    """Return the numbers among the words that stand for a missing value: -999 and -999.0 are one."""
    return [float(word) for word in missing.to_pylist() if _NUMBER.fullmatch(word)]


def trimmed(text: Any, missing: Any) -> Any:
    """Return text without the blanks around it, null where it stands for a missing value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim(text, BLANKS)
    stands = pc.is_in(text, missing)
    if numbers := missing_numbers(missing):
        written = pc.match_substring_regex(text, f"^({_NUMBER.pattern})$")
        plain = pc.cast(pc.if_else(written, text, pa.scalar(None, pa.string())), pa.float64())
        stands = pc.or_(stands, pc.is_in(plain, pa.array(numbers)))
    return pc.if_else(stands, pa.scalar(None, pa.string()), text)


def missing_values(kind: Any, missing: Any) -> Any:
    """Return the words that stand for a missing value, as far as another type can hold them.

    Parameters
    ----------
    kind : pyarrow.DataType
        Of numbers, bool or timestamp[us].
    missing : pyarrow.Array
        Of `missing_words`.
    """
    import pyarrow as pa

    words = missing.to_pylist()
    if pa.types.is_boolean(kind):
        return pa.array([word.lower() == "true" for word in words if word.lower() in _BOOLEANS], kind)
    found: list[Any] = []
    if pa.types.is_timestamp(kind):
        found = dates.parse(pa.array(words, pa.string()), dates.ISO).drop_null().to_pylist()
    else:
        found = missing_numbers(missing)
        if pa.types.is_integer(kind):
            exact = [word for word in words if re.fullmatch(r"[+-]?[0-9]+", word)]
            found = [*map(int, exact), *(int(number) for number in found if number.is_integer())]
    known = pa.array([], kind)
    for value in found:
        try:
            known = pa.concat_arrays([known, pa.array([value]).cast(kind)])
        except (pa.ArrowInvalid, OverflowError):  # no value that the column could hold
            continue
    return known


def as_numbers(text: Any, missing: Any, decimal: str = ".") -> Any:
    """Return text as float64, null where it is missing.

    Raises
    ------
    BadCell
        Of the first that is no finite number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if decimal == ".":
        try:
            numbers = pc.cast(text, pa.float64())
            if _all_finite(numbers):
                return _without(numbers, missing)
        except pa.ArrowInvalid:
            pass
    cells = trimmed(text, missing)
    plain = cells if decimal == "." else _with_points(cells)
    try:
        numbers = pc.cast(plain, pa.float64())
    except pa.ArrowInvalid:
        raise _first_bad(cells, plain) from None
    if not _all_finite(numbers):
        raise _first_bad(cells, plain)
    return _without(numbers, missing)


def _without(numbers: Any, missing: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    known = missing_numbers(missing)
    if not known:
        return numbers
    stands = pc.is_in(numbers, pa.array(known))
    return pc.if_else(stands, pa.scalar(None, pa.float64()), numbers)


def _with_points(cells: Any) -> Any:
    """Return cells with decimal commas as points; what has a point already is no number."""
    import pyarrow.compute as pc

    return pc.replace_substring(pc.replace_substring(cells, ".", "\0"), ",", ".")


def _all_finite(numbers: Any) -> bool:
    import pyarrow.compute as pc

    found = pc.all(pc.is_finite(numbers)).as_py()
    return found is None or bool(found)


def _first_bad(cells: Any, plain: Any) -> BadCell:
    for row, (cell, text) in enumerate(zip(cells.to_pylist(), plain.to_pylist(), strict=True)):
        if text is None:
            continue
        if not PLAIN_NUMBER.fullmatch(text):
            return BadCell(row, cell, "must hold numbers")
        if abs(float(text)) == float("inf"):
            return BadCell(row, cell, "must hold finite numbers")
    return BadCell(0, "", "must hold numbers")


def as_booleans(text: Any, missing: Any) -> Any:
    """Return true and false, in any case, as booleans."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = trimmed(text, missing)
    low = pc.ascii_lower(cells)
    known = pc.is_in(low, pa.array(_BOOLEANS))
    row = pc.index(pc.and_kleene(pc.invert(known), pc.is_valid(cells)), pa.scalar(True)).as_py()
    if row >= 0:
        raise BadCell(row, cells[row].as_py(), "must hold true or false")
    return pc.if_else(pc.is_valid(cells), pc.equal(low, "true"), pa.scalar(None, pa.bool_()))


def as_times(text: Any, missing: Any, form: str = dates.ISO) -> Any:
    """Return text as points in time, written in a form of `dates`.

    Raises
    ------
    BadCell
        Of the first that is written otherwise.
    """
    cells = trimmed(text, missing)
    times = dates.parse(cells, form)
    what = "times of day" if dates.is_time_of_day(form) else "dates"
    order = f" ({dates.order_of(form)})" if form != dates.ISO and "m" in dates.fields_of(form) else ""
    _refuse_unread(cells, times, f"must hold {what} such as {dates.example_of(form)}{order}")
    return times


def as_seconds(text: Any, missing: Any, form: str = spans.SPAN) -> Any:
    """Return time spans as seconds, written in a form of `spans`.

    Raises
    ------
    BadCell
        Of the first that is written otherwise.
    """
    cells = trimmed(text, missing)
    seconds = spans.parse(cells, form)
    _refuse_unread(cells, seconds, f"must hold time spans such as {spans.EXAMPLES[form]}")
    return seconds


def _refuse_unread(cells: Any, read: Any, rule: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    row = pc.index(pc.and_(pc.is_null(read), pc.is_valid(cells)), pa.scalar(True)).as_py()
    if row >= 0:
        raise BadCell(row, cells[row].as_py(), rule)


def shown_number(value: float) -> str:
    """Return a number in six figures; in all of them rather than with an exponent, up to 1e15."""
    return f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def text_of(value: Any) -> str:
    """Return the text that a category has: 1, 1.0 and "1" are one, so are true and True."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return str(value)


def first_split(text: Any) -> int | None:
    """Return the first row whose value is on more than one line, or None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row = pc.index(pc.match_substring_regex(text, "[\r\n]"), pa.scalar(True)).as_py()
    return None if row < 0 else int(row)


def refuse_split(text: Any) -> None:
    """Refuse a category on more than one line: two stray quotes make one of all that is between them.

    Raises
    ------
    BadCell
        Of the first.
    """
    row = first_split(text)
    if row is not None:
        raise BadCell(row, text[row].as_py()[:40], SPLIT)


def refuse_infinite(numbers: Any) -> None:
    """Refuse float64 that are not finite; nulls are.

    Raises
    ------
    BadCell
        Of the first.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _all_finite(numbers):
        row = pc.index(pc.is_finite(numbers), pa.scalar(False)).as_py()
        raise BadCell(row, str(numbers[row].as_py()), "must hold finite numbers")
