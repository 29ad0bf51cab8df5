"""Where the table of a CSV file begins and ends: its delimiter, its names, what stands around it."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clearprop.data.dataset import some
from clearprop.data.files import Place
from clearprop.data.table.csv_bytes import Lines
from clearprop.data.table.csv_notes import is_sentence, may_end_in_totals
from clearprop.data.table.csv_units import MOSTLY, NUMBER, are_numbers, units
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.values import PLAIN_NUMBER
from clearprop.data.tables import check_names
from clearprop.names import trim, unnamed

HEAD = 1 << 20  # bytes in which the row of names must end
COMMENT = "#"  # what begins a line that is no row, if it has not the fields of one
_DELIMITERS = ";\t|,"  # a comma last: it is also a decimal sign, and part of sentences
_SAMPLE = 60  # records that tell what is a name
_SEP = re.compile(r'\s*"?sep=(.|\\t)"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """What surrounds the rows of a file.

    Parameters
    ----------
    delimiter : str
    fields : tuple of str
        The name of each field of a row, empty where it has none.
    n_named : int
        Fields of the row of names.
    has_nameless_index : bool
        Whether the first name was none, and is `unnamed`.
    body, lines : int
        Bytes (of UTF-8) and lines above the first row.
    above : str
        What was left out there, in words.
    has_sentences : bool
        Whether the first column holds several words: a line below the table could be a row then.
    has_marks : bool
        Whether its values begin as comments do: a line that begins so could be a row then.
    may_end_in_totals : bool
        Whether there are rows, of which none looks like a total: one below them could be a row then.
    """

    delimiter: str
    fields: tuple[str, ...]
    n_named: int
    has_nameless_index: bool
    body: int
    lines: int
    above: str
    has_sentences: bool
    has_marks: bool
    may_end_in_totals: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns: fields without one are left out."""
        return tuple(name for name in self.fields if name)

    def is_no_row(self, cells: Sequence[str], of_other_length: bool = True) -> bool:
        """Return whether a line is nothing at all or, with other fields than the rows, a comment."""
        comment = of_other_length and cells[0].startswith(COMMENT) and not self.has_marks
        return len(self.fields) > 1 and (comment or not any(map(trim, cells)))


@dataclass(frozen=True)
class _Record:
    first: int  # line
    last: int
    end: int  # bytes up to the end of its last line
    cells: tuple[str, ...]

    @property
    def n_filled(self) -> int:
        return sum(map(bool, self.cells))

    @property
    def text(self) -> str:
        return next(filter(None, self.cells), "")


def read_layout(head: bytes, path: Place, options: ReadOptions) -> Layout:
    """Return what a file's first bytes tell.

    Raises
    ------
    ValueError
        If there is no row of names, or it does not name every column; the message says what to do.
    """
    if len(head) >= HEAD and (end := max(head.rfind(b"\n"), head.rfind(b"\r"))) >= 0:
        head = head[: end + 1]  # whole lines
    start, mark = options.skip_lines or 0, None
    if options.skip_lines is None:
        start, mark = _mark(head)
    delimiter = options.delimiter or mark or _sniff(_below(head, start))
    rows, problem = _records(head, start, delimiter)
    if not rows:
        if problem:
            raise ValueError(f"{path} has a damaged row of column names: {problem}")
        where = f" below line {start}" if start else ""
        raise ValueError(f"{path} must have a row of column names, is empty{where}")
    if options.delimiter is None and mark is None:
        _refuse_blanks(rows, path)
    width = _usual(rows)
    at = 0 if options.skip_lines is not None else _above(rows, width, path, options.names)
    if options.names is not None:
        names, below = list(options.names), rows[at:]
        body, lines = (rows[at - 1].end, rows[at - 1].last) if at else _start(head, start)
    else:
        names, below = list(rows[at].cells), rows[at + 1 :]
        body, lines = rows[at].end, rows[at].last
    said = _lines_said(head, start if mark is not None else 0, rows[:at])
    if options.names is None and (found := units(names, [row.cells for row in below])):
        body, lines = below[0].end, below[0].last
        said.append(f"line {below[0].first}, which holds units ({some(found, 3)})")
        below = below[1:]
    n_named = len(names)
    names = _fitted(names, below)
    index = not names[0] and any(row.cells[0] for row in below)
    if index:
        names[0] = unnamed(names)
    if options.names is None:
        _refuse_narrow(rows, at, names, path)
    _check(names, below, path, rows[at].first if options.names is None else None)
    full = [row.cells[0] for row in below if row.n_filled > 1 and len(row.cells) == len(names)]
    return Layout(
        delimiter, tuple(names), n_named, index, body, lines, "; ".join(said),
        any(map(is_sentence, full)), any(cell.startswith(COMMENT) for cell in full),
        may_end_in_totals([row.cells for row in below if len(row.cells) == len(names)]),
    )  # fmt: skip


def _check(names: list[str], below: Sequence[_Record], path: Place, line: int | None) -> None:
    """Refuse names that are none; `line` is where they stand, if the file has them."""
    named = tuple(filter(None, names))
    if line is not None:
        _refuse_numbers(named, path, line)
    nameless = [at for at, name in enumerate(names) if not name]
    filled = [at + 1 for at in nameless if any(any(row.cells[at : at + 1]) for row in below)]
    if filled:
        raise ValueError(f"{path} must name every column, column {some(filled)} has no name")
    check_names(named, path)
    rows = [row.cells for row in below if len(row.cells) == len(names) and row.cells != tuple(names)]
    again = [
        name
        for name, column in zip(names, zip(*rows, strict=True), strict=False)
        if name and name in column and not NUMBER.fullmatch(name)
    ]
    if line is not None and 2 * len(again) > len(named):
        raise ValueError(
            f"{path} must have a row of column names, got {some(again, 3)} in line {line}, which "
            "the rows below hold as values: give the names"
        )


def _refuse_narrow(rows: Sequence[_Record], at: int, names: Sequence[str], path: Place) -> None:
    """Refuse fewer names than most rows have values: the names may stand below the first line."""
    width, below = _usual(rows), rows[at + 1 :]
    beyond = [row for row in below if len(row.cells) == width > len(names)]
    unnamed_values = any(
        cell and not name for row in below for name, cell in zip(names, row.cells, strict=False)
    )
    if not beyond and not unnamed_values:
        return
    first = rows[at]
    for number, row in enumerate(below, start=at + 1):
        all_named = row.n_filled == len(row.cells) == width and len(set(row.cells)) == width
        if all_named and not _has_numbers(row.cells) and _are_names_of(row, rows[number + 1 :]):
            raise ValueError(_narrow(path, first, row))
    if beyond:
        raise ValueError(
            f"{path} must have {len(names)} fields in each row, got {width} in line "
            f"{beyond[0].first}: give the names, and skip_lines={first.last}"
        )


def _narrow(path: Place, first: _Record, names: _Record) -> str:
    """Return the sentence on a first record that has fewer values than the names below it."""
    n = first.n_filled
    return (
        f"{path} must have a row of column names first, got {n} field{'s' * (n > 1)} in line "
        f"{first.first} ({some([first.text])}) and {names.n_filled} in line {names.first}: "
        f"skip_lines={names.first - 1} leaves out what is above the names"
    )


def _start(head: bytes, n_lines: int) -> tuple[int, int]:
    """Return bytes and number of the first lines."""
    lines = Lines(iter([head]))
    n = sum(1 for _ in itertools.islice(lines, n_lines))
    return lines.end, n


def _below(head: bytes, n_lines: int) -> str:
    return head[_start(head, n_lines)[0] :].decode(errors="replace")


def _mark(head: bytes) -> tuple[int, str | None]:
    """Return how many lines end with the one that names the delimiter for a spreadsheet, and it."""
    for number, line in enumerate(Lines(iter([head])), start=1):
        if found := _SEP.fullmatch(line):
            return number, found.group(1).replace("\\t", "\t")
        if line.strip():
            break
    return 0, None


def _records(head: bytes, start: int, delimiter: str) -> tuple[list[_Record], str]:
    """Return the first records with a value below the first lines, and what ended them too early."""
    lines, found = Lines(iter([head])), list[_Record]()
    below = itertools.islice(lines, start, None)
    reader, last = csv.reader(below, delimiter=delimiter, strict=True), start
    try:
        for cells in reader:
            first, last = last + 1, start + reader.line_num
            record = _Record(first, last, lines.end, tuple(map(trim, cells)))
            if record.n_filled:
                found.append(record)
            if len(found) == _SAMPLE:
                break
    except csv.Error as error:
        return found, str(error)
    return found, ""


def _usual(rows: Sequence[_Record]) -> int:
    """Return the number of fields that most rows have; of equals the larger."""
    counts = Counter(len(row.cells) for row in rows)
    return max(counts, key=lambda n: (counts[n], n))


# What is above the names


def _above(rows: Sequence[_Record], width: int, path: Place, names: Sequence[str] | None) -> int:
    """Return how many records are above the table.

    Raises
    ------
    ValueError
        If those that seem to be could be its names as well.
    """
    at = 0
    while at + 1 < len(rows) and _is_comment(rows, at, width):
        at += 1
    if names is not None:
        while at + 1 < len(rows) and _is_lone(rows[at], width):
            at += 1
        return at
    table = _names_below(rows, at, width)
    if table is None:
        return at
    apart = rows[table].first > rows[table - 1].last + 1  # a blank line is between
    for row in rows[at:table]:
        if row.text.startswith(COMMENT) or (is_sentence(row.text) and (row.n_filled == 1 or apart)):
            continue
        raise ValueError(_narrow(path, row, rows[table]))
    return table


def _is_lone(row: _Record, width: int) -> bool:
    """Return whether a record is a sentence where rows have several fields."""
    return width > 1 and row.n_filled == 1 and len(row.cells) != width and is_sentence(row.text)


def _is_comment(rows: Sequence[_Record], at: int, width: int) -> bool:
    row = rows[at]
    if not row.cells[0].startswith(COMMENT):
        return False
    if len(row.cells) != width:
        return True
    below = list(itertools.dropwhile(lambda each: each.cells[0].startswith(COMMENT), rows[at:]))
    return bool(below) and _are_names_of(below[0], below[1:])


def _are_names_of(row: _Record, below: Sequence[_Record]) -> bool:
    """Return whether a row has a word where every row below it has a number."""
    columns = zip(*(each.cells for each in below if len(each.cells) == len(row.cells)), strict=True)
    return any(
        name and not NUMBER.fullmatch(name) and are_numbers(column)
        for name, column in zip(row.cells, columns, strict=False)
    )


def _names_below(rows: Sequence[_Record], at: int, width: int) -> int | None:
    """Return which record has the names, if the one at hand has too few to be them."""
    n = rows[at].n_filled
    for number, row in enumerate(rows[at + 1 : -1], start=at + 1):
        if len(row.cells) == width and row.n_filled >= max(2 * n, 2):
            named = tuple(filter(None, row.cells))
            return number if not _has_numbers(named) and len(set(named)) == len(named) else None
    return None


def _lines_said(head: bytes, n_mark: int, rows: Sequence[_Record]) -> list[str]:
    said = []
    if n_mark:
        (line,) = itertools.islice(Lines(iter([head])), n_mark - 1, n_mark)
        said.append(f"line {n_mark} ({some([line.strip()])})")
    if rows:
        first, last = rows[0].first, rows[-1].last
        which = f"line {first}" if first == last else f"lines {first} to {last}"
        said.append(f"{which} ({some([rows[0].text])})")
    return said


def _fitted(names: list[str], below: Sequence[_Record]) -> list[str]:
    """Return names for as many fields as the rows have, where only delimiters at the end differ."""
    usual, n = _usual(below) if below else len(names), len(names)
    if usual < n and not any(names[usual:]):
        return names[:usual]
    if usual > n and not any(any(row.cells[n:]) for row in below):
        return names + [""] * (usual - n)
    return names


def _has_numbers(names: Sequence[str]) -> str:
    """Return a number among names that are data; years and positions may be names."""
    found = [name for name in names if PLAIN_NUMBER.fullmatch(name)]
    whole = [int(name) for name in found if name.isdecimal()]
    if len(whole) == len(found) and (
        whole in (list(range(len(whole))), list(range(1, len(whole) + 1)))
        or all(1800 <= year < 2200 for year in whole)
    ):
        return ""
    return found[0] if len(found) > len(names) / 4 else ""


def _refuse_numbers(names: tuple[str, ...], path: Place, line: int) -> None:
    """Refuse a row of names that looks like a row of data."""
    if number := _has_numbers(names):
        where = "its first row" if line == 1 else f"line {line}"
        what = f"{path} must have a row of column names, got numbers in {where} such as {number!r}"
        raise ValueError(f"{what}: give the names, and skip_lines={line} if it is that row")


def _refuse_blanks(rows: Sequence[_Record], path: Place) -> None:
    """Refuse numbers with nothing between them but blanks: they do not say where a value is absent."""
    words = [row.cells[0].split() for row in rows if len(row.cells) == 1] or [[]]
    usual, n = Counter(map(len, words)).most_common(1)[0]
    numbers = [each for each in words if 2 * sum(map(bool, map(NUMBER.fullmatch, each))) > usual]
    thousands = all(len(word) == 3 for each in numbers for word in each[1:])
    if min(n, len(numbers)) > max(2, MOSTLY * len(rows)) and usual > 1 and not thousands:
        first = next(each for each in words if len(each) == usual)
        raise ValueError(
            f"{path} must have a comma, semicolon, tab or bar between its fields, got blanks in "
            f"{some([' '.join(first)])}: write it as CSV, such as with pandas.read_csv(..., sep=' +')"
        )


def _sniff(text: str) -> str:
    """Return the delimiter that gives most of the first rows as many fields, and more than one."""
    first = re.search(r"[^\r\n]+", text)
    best, best_share = "", 0.5
    for mark in _DELIMITERS:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
            counts = [len(row) for row in itertools.islice((r for r in rows if r), _SAMPLE)]
        except csv.Error:
            continue
        several = Counter(count for count in counts if count > 1)
        share = max(several.values(), default=0) / max(len(counts), 1)
        if share > best_share:
            best, best_share = mark, share
    return best or next((mark for mark in ",;\t|" if first and mark in first.group()), ",")
