"""CSV as text: its encoding, its row of names, its lines, and the first thing that is wrong in it.

The table itself is read by pyarrow (`csv_table`), which is fast but cannot say on which line of the
file it stopped; `first_problem` reads the text again, with the standard library, to say so.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clearprop.data.dataset import some
from clearprop.data.files import read_all
from clearprop.data.tables import check_names
from clearprop.data.targets import is_missing

EXACT = 2**53  # every whole number below is a float64, and no other is rounded to one
NUMBER = re.compile(r"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
WHOLE = re.compile(r"[ \t]*[+-]?\d{1,4000}[ \t]*", re.ASCII)
LEADING_ZERO = re.compile(r"[ \t]*[+-]?0\d+[ \t]*", re.ASCII)
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True)
class CsvText:
    """A CSV file's bytes, and what its first record says."""

    path: Path
    data: bytes
    names: tuple[str, ...]
    body: int  # where the first record after the names starts
    delimiter: str


def open_text(path: Path) -> CsvText:
    """Return the text of a file that has a row of names and something below it.

    Raises
    ------
    OSError, ValueError
        If it has not, or is no text in UTF-8.
    """
    data = read_all(path)
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            raise ValueError(f"{path} must be UTF-8, starts like {name}")
    if (offset := data.find(b"\0")) >= 0:
        raise ValueError(f"{path} must be text in UTF-8, got a NUL at byte {offset}")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} must be UTF-8, got the byte {data[error.start]:#04x} at byte {error.start}: "
            "save it as UTF-8"
        ) from None
    data = data.removeprefix(codecs.BOM_UTF8)
    names, body, delimiter = _header(data, path)
    return CsvText(path, data, names, body, delimiter)


def _header(data: bytes, path: Path) -> tuple[tuple[str, ...], int, str]:
    first = next((line for line in _Lines(data) if line.strip("\r\n")), None)
    if first is None:
        raise ValueError(f"{path} must have a row of column names, is empty")
    delimiter = next((mark for mark in ",;\t|" if mark in first), ",")
    lines = _Lines(data)
    try:
        names = next(row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row)
    except csv.Error as error:
        raise ValueError(f"{path} has a damaged row of column names: {error}") from None
    check_names(names, path)
    if not re.compile(rb"[^\r\n]").search(data, lines.end):
        raise ValueError(f"{path} must have rows, got only the names of {len(names)} columns")
    return tuple(names), lines.end, delimiter


class _Lines:
    """The lines of UTF-8 bytes as text, whatever ends them; `end` is where the last one stopped."""

    def __init__(self, data: bytes) -> None:
        self.data, self.end = data, 0

    def __iter__(self) -> Iterator[str]:
        for match in _LINE.finditer(self.data):
            if match.end() > match.start():
                self.end = match.end()
                yield match.group().decode()


def first_problem(text: CsvText, target: str | None, *, numbers: bool = False) -> str | None:
    """Return a sentence on the first wrong record; None if there is none.

    A second reader, of the standard library: slow, but it knows the line. With `numbers` the target
    must be a number like the features.
    """
    reader = csv.reader(_Lines(text.data), delimiter=text.delimiter, strict=True)
    line, n_names, header = 0, len(text.names), True
    try:
        for row in reader:
            start, line = line + 1, reader.line_num
            if header or not row:
                header = header and not row
                continue
            if len(row) != n_names:
                return f"must have {n_names} fields in each row, got {len(row)} in line {start}"
            for name, value in zip(text.names, row, strict=True):
                problem = _problem(value, name != target or numbers)
                if problem:
                    kind = "target" if name == target else "feature"
                    return f"{problem}: line {start}, {kind} {name!r}{_hint(text, value)}"
    except csv.Error as error:
        reason = "an unclosed quote" if "unexpected end" in str(error) else str(error)
        return f"is damaged in line {line + 1}: {reason}"
    return None


def _problem(value: str, number: bool) -> str | None:
    if is_missing(value):
        return f"must have no missing values, got {value!r}"
    if not number:
        split = "\n" in value or "\r" in value
        return f"must keep each value on one line, got {some([value])}" if split else None
    if not NUMBER.fullmatch(value):
        return f"must hold numbers, got {some([value])}"
    if not math.isfinite(float(value)):
        return f"must hold finite numbers, got {some([value])}"
    if WHOLE.fullmatch(value) and abs(float(value)) >= EXACT and int(float(value)) != int(value):
        return f"must hold numbers that float64 keeps exactly, got {some([value])}"
    return None


def _hint(text: CsvText, value: str) -> str:
    decimal_comma = text.delimiter != "," and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", value)
    return " (the decimal sign must be a point)" if decimal_comma else ""
