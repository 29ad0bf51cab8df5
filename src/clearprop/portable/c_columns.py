"""Raw columns in C: the fields of a row, and the statements that make numbers of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from clearprop.data.table.columns import CategoryColumn, NumericColumn, TimeColumn
from clearprop.portable.c_text import array, comment, identifiers, literal, number
from clearprop.portable.program import MIXED, NUMBERS, Program, RawColumn, codes_of

_FLOORS = {"hour": (3_600_000_000, 24), "minute": (60_000_000, 60)}


@dataclass
class CColumn:
    """What C code has of a column.

    Attributes
    ----------
    name : str
        As in the table.
    fields : list of str
        Of the row's struct.
    constants, statements : list of str
        What stands before the function, and in it; they write into ``v``.
    used : list of str
        The functions of `c_functions` that they call.
    """

    name: str
    fields: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)


def columns_of(program: Program) -> list[CColumn]:
    """Return the columns of a program, whose identifiers are all different."""
    wanted: list[str] = []
    for raw in program.columns:
        wanted += [raw.name, f"{raw.name}_word"] if raw.holds == MIXED else [raw.name]
    names, found, at = iter(identifiers(wanted)), [], 0
    for k, raw in enumerate(program.columns):
        made = CColumn(raw.name)
        _FILLERS[type(raw.column)](made, raw, next(names), at, k)
        if raw.holds == MIXED:
            _words(made, raw, next(names), at)
        found.append(made)
        at += raw.width
    return found


def _field(made: CColumn, kind: str, name: str, what: str) -> None:
    made.fields.append(f"    {kind}{name}; /* {comment(made.name)}: {what} */")


def _number(made: CColumn, raw: RawColumn, name: str, at: int, k: int) -> None:
    column = raw.column
    assert isinstance(column, NumericColumn)
    if math.isnan(column.median):
        _field(made, "double ", name, "a number")
        made.statements.append(f"v[{at}] = row->{name};")
        return
    _field(made, "double ", name, "a number, NAN where it is missing")
    fill = number(column.median, "float64")
    made.statements.append(f"v[{at}] = row->{name} != row->{name} ? {fill} : row->{name};")
    if column.flagged:
        made.statements.append(f"v[{at + 1}] = row->{name} != row->{name};")


def _words(made: CColumn, raw: RawColumn, name: str, at: int) -> None:
    """Add the word that may stand in place of a number."""
    column = raw.column
    assert isinstance(column, NumericColumn)
    _field(made, "const char *", name, "the word in place of the number, or NULL")
    fill = number(column.median, "float64")
    lines = [f"if (row->{name} != NULL && row->{name}[0] != 0) {{", f"    v[{at}] = {fill};"]
    flag = at + 1
    if column.flagged:
        lines.append(f"    v[{flag}] = 1;")
    lines.append("}")
    for k, word in enumerate(column.words):
        place = flag + column.flagged + k
        lines.append(f"v[{place}] = row->{name} != NULL && strcmp(row->{name}, {literal(word)}) == 0;")
        if column.flagged:
            lines.append(f"v[{flag}] -= v[{place}];")
    made.statements += lines


def _category(made: CColumn, raw: RawColumn, name: str, at: int, k: int) -> None:
    column, codes = raw.column, codes_of(raw)
    assert isinstance(column, CategoryColumn)
    if not codes.values:  # it was missing in every row
        _field(made, "const char *", name, "anything")
        made.statements += [f"v[{at + each}] = 0;" for each in range(raw.width)]
        return
    numbers, n = raw.holds == NUMBERS, len(codes.values)
    known = f"categories_{k}"
    if numbers:
        _field(made, "double ", name, "a number, NAN where it is missing")
        made.constants.append(array(known, np.array(codes.values), "double"))
    else:
        _field(made, "const char *", name, "a text, NULL or empty where it is missing")
        texts = ",\n    ".join(map(literal, codes.values))
        made.constants.append(f"static const char *const {known}[{n}] = {{\n    {texts}\n}};\n")
    finder = "category_of_number" if numbers else "category_of_text"
    found = f"{finder}(row->{name}, {known}, {n}, {codes.other}, {codes.missing})"
    made.used.append(finder)
    if raw.width == 1 and n == 2:
        made.statements.append(f"v[{at}] = {found};")
        made.statements.append(f"v[{at}] = v[{at}] < 0 ? 0 : 2 * v[{at}] - 1;")
    else:
        made.used.append("one_hot")
        made.statements.append(f"one_hot({found}, v + {at}, {raw.width});")


def _time(made: CColumn, raw: RawColumn, name: str, at: int, k: int) -> None:
    column = raw.column
    assert isinstance(column, TimeColumn)
    _field(made, "int64_t ", name, "microseconds since 1970-01-01T00:00, INT64_MIN where it is missing")
    made.used.append("floor_div")
    fills = [
        f"    v[{at + i}] = {number(fill, 'float64')};" for i, fill in enumerate(column.parts.values())
    ]
    made.statements += [f"if (row->{name} == INT64_MIN) {{", *fills, "} else {"]
    places = {part: f"v[{at + i}]" for i, part in enumerate(column.parts)}
    made.statements += [f"    {line}" for line in _parts(made, places, f"row->{name}")] + ["}"]
    if column.flagged:
        made.statements.append(f"v[{at + len(column.parts)}] = row->{name} == INT64_MIN;")


def _parts(made: CColumn, places: dict[str, str], value: str) -> list[str]:
    lines = []
    if "year" in places or "month" in places:
        made.used.append("year_and_month")
        lines.append("double year, month;")
        lines.append(f"year_and_month({value}, &year, &month);")
        lines += [f"{places[part]} = {part};" for part in ("year", "month") if part in places]
        lines += [f"(void){part};" for part in ("year", "month") if part not in places]
    if "day of week" in places:
        lines.append(f"const int64_t day = floor_div({value}, INT64_C(86400000000)) + 3;")
        lines.append(f"{places['day of week']} = (double)(day - 7 * floor_div(day, 7));")
    for part, (unit, turn) in _FLOORS.items():
        if part in places:
            lines.append(f"const int64_t {part} = floor_div({value}, INT64_C({unit}));")
            lines.append(f"{places[part]} = (double)({part} - {turn} * floor_div({part}, {turn}));")
    for part, function in (("sine of the day", "(sin)"), ("cosine of the day", "(cos)")):
        if part in places:
            day = "INT64_C(86400000000)"
            since = f"(double)({value} - {day} * floor_div({value}, {day}))"
            lines.append(f"{places[part]} = {function}(6.283185307179586 * {since} / 86400000000.0);")
    return lines


_FILLERS = {NumericColumn: _number, CategoryColumn: _category, TimeColumn: _time}
