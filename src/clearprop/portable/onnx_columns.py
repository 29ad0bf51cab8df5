"""Raw columns in an ONNX graph: gaps are filled, categories become 0 and 1, dates their parts."""

from __future__ import annotations

import math

import numpy as np

from clearprop.data.table.columns import CategoryColumn, NumericColumn, TimeColumn
from clearprop.portable.onnx_graph import ML, OnnxGraph
from clearprop.portable.program import MIXED, NO_TIME, NUMBERS, RawColumn, codes_of

_HOUR, _MINUTE, _DAY = 3_600_000_000, 60_000_000, 86_400_000_000  # microseconds


def numbers_of(graph: OnnxGraph, raw: RawColumn, value: str) -> list[str]:
    """Add what makes the numbers of a raw column, doubles of shape (N, 1) or (N, k); return them."""
    column = raw.column
    if isinstance(column, NumericColumn):
        return (_mixed if raw.holds == MIXED else _number)(graph, column, value)
    if isinstance(column, TimeColumn):
        return _time(graph, column, value)
    return [_category(graph, raw, value)] if raw.width else []


def _number(graph: OnnxGraph, column: NumericColumn, value: str) -> list[str]:
    if math.isnan(column.median):  # nothing fills it
        return [value]
    missing = graph.add("IsNaN", value)
    filled = graph.add("Where", missing, graph.constant(column.median, "float64"), value)
    return [filled, *([graph.cast(missing, "float64")] if column.flagged else [])]


def _mixed(graph: OnnxGraph, column: NumericColumn, value: str) -> list[str]:
    n = len(column.words)
    codes = _codes(graph, value, {**{w: k for k, w in enumerate(column.words)}, "": n}, -1)
    is_text = graph.add("GreaterOrEqual", codes, graph.constant(0, "int64"))
    digits = graph.add("Where", is_text, graph.constant(["NaN"], "object"), value)
    number = graph.cast(digits, "float64")
    median = graph.constant(column.median, "float64")
    made = [graph.add("Where", graph.add("IsNaN", number), median, number)]
    wanted = [n] * column.flagged + list(range(n))
    return [*made, _one_hot(graph, codes, wanted)]


def _codes(graph: OnnxGraph, value: str, numbers: dict[str, int], default: int) -> str:
    return graph.add(
        "LabelEncoder",
        value,
        domain=ML,
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=default,
    )


def _one_hot(graph: OnnxGraph, codes: str, wanted: list[int]) -> str:
    return graph.cast(graph.add("Equal", codes, graph.constant([wanted], "int64")), "float64")


def _category(graph: OnnxGraph, raw: RawColumn, value: str) -> str:
    column, codes = raw.column, codes_of(raw)
    assert isinstance(column, CategoryColumn)
    n = len(codes.values)
    pair = raw.width == 1 and n == 2
    if raw.holds == NUMBERS:
        made = _equal_numbers(graph, codes.values, codes.other, codes.missing, value)
    else:
        words = {**{word: k for k, word in enumerate(codes.values)}, "": codes.missing}
        found = _codes(graph, value, words, codes.other)
        made = _one_hot(graph, found, list(range(2 if pair else raw.width)))
    return graph.add("MatMul", made, graph.constant([[-1.0], [1.0]], "float64")) if pair else made


def _equal_numbers(graph: OnnxGraph, values: list[float], other: int, missing: int, value: str) -> str:
    same = graph.add("Equal", value, graph.constant([values], "float64"))
    made = [graph.cast(same, "float64")]
    gap = graph.cast(graph.add("IsNaN", value), "float64")
    if other >= 0:
        known = graph.add("MatMul", made[0], graph.constant([[1.0]] * len(values), "float64"))
        one = graph.constant([[1.0]], "float64")
        made.append(graph.add("Sub", graph.add("Sub", one, known), gap))
    return graph.joined([*made, *([gap] if missing >= 0 else [])])


# Times: whole microseconds


def _time(graph: OnnxGraph, column: TimeColumn, value: str) -> list[str]:
    missing = graph.add("Equal", value, graph.constant(NO_TIME, "int64"))
    there = graph.add("Where", missing, graph.constant(0, "int64"), value)
    parts = _Parts(graph, there)
    made = []
    for part, fill in column.parts.items():
        number = parts.of(part)
        made.append(graph.add("Where", missing, graph.constant(fill, "float64"), number))
    return [*made, *([graph.cast(missing, "float64")] if column.flagged else [])]


class _Parts:
    """The parts of points in time, by whole numbers alone.

    Year and month are counted from March, in eras of 400 years (Hinnant, "chrono-compatible low-level
    date algorithms", 2013).
    """

    def __init__(self, graph: OnnxGraph, value: str) -> None:
        self._graph, self._value = graph, value
        self._civil: tuple[str, str] | None = None

    def _op(self, kind: str, value: str, other: str | int) -> str:
        by = self._graph.constant(other, "int64") if isinstance(other, int) else other
        return self._graph.add(kind, value, by)

    def _rest(self, value: str, by: int) -> str:
        return self._op("Mod", value, by)  # of the sign of `by`

    def _floor(self, value: str, by: int) -> str:
        return self._op("Div", self._op("Sub", value, self._rest(value, by)), by)

    def _turn(self) -> str:
        graph = self._graph
        since = graph.cast(self._rest(self._value, _DAY), "float64")
        return graph.add("Div", graph.add("Mul", since, graph.constant(2 * np.pi, "float64")),
                         graph.constant(float(_DAY), "float64"))  # fmt: skip

    def of(self, part: str) -> str:
        """Return a part as doubles."""
        if part.endswith("of the day"):
            return self._graph.add("Sin" if part.startswith("sine") else "Cos", self._turn())
        return self._graph.cast(self._whole(part), "float64")

    def _whole(self, part: str) -> str:
        if part == "day of week":  # 1970 began on a Thursday
            return self._rest(self._op("Add", self._floor(self._value, _DAY), 3), 7)
        if part == "hour":
            return self._rest(self._floor(self._value, _HOUR), 24)
        if part == "minute":
            return self._rest(self._floor(self._value, _MINUTE), 60)
        year, month = self._civil = self._civil or self._year_and_month()
        return year if part == "year" else month

    def _year_and_month(self) -> tuple[str, str]:
        op, floor = self._op, self._floor
        days = op("Add", floor(self._value, _DAY), 719_468)  # since 0000-03-01
        era, of_era = floor(days, 146_097), self._rest(days, 146_097)
        leaps = op("Add", op("Sub", floor(of_era, 1460), floor(of_era, 36_524)), floor(of_era, 146_096))
        year = floor(op("Sub", of_era, leaps), 365)
        leaps = op("Sub", floor(year, 4), floor(year, 100))
        of_year = op("Sub", op("Sub", of_era, op("Mul", year, 365)), leaps)
        from_march = floor(op("Add", op("Mul", of_year, 5), 2), 153)
        month = op("Add", self._rest(op("Add", from_march, 2), 12), 1)
        next_year = self._graph.cast(op("GreaterOrEqual", from_march, 10), "int64")
        whole = op("Add", op("Add", year, op("Mul", era, 400)), next_year)
        return whole, month
