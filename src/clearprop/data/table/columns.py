"""What a column of a table becomes: a number and its median, its categories, the parts of a date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.table import dates, values

Array = NDArray[Any]

DATE_PARTS = ("year", "month", "day of week", "hour")
CLOCK_PARTS = ("hour", "minute", "sine of the day", "cosine of the day")
PARTS = (*DATE_PARTS, *CLOCK_PARTS[1:])
_DAY = 86_400 * 10**6  # microseconds


@dataclass(frozen=True)
class NumericColumn:
    """A number, its median where there is none, and beside it whether it is missing, or which word.

    Parameters
    ----------
    name : str
    median : float
    flagged : bool
        Whether there is a column that says where it is missing.
    words : tuple of str
        Each has a column that says where it stands in place of a number. Others are missing.
    """

    name: str
    median: float
    flagged: bool
    words: tuple[str, ...] = ()
    kind: ClassVar[str] = "numeric"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Of the columns that are made of it."""
        missing = [f"{self.name} is missing"] * self.flagged
        return (self.name, *missing, *(f"{self.name} = {word}" for word in self.words))

    @property
    def summary(self) -> str:
        """What is made of it, in a few words, where that is not plain."""
        made = ["missing"] * self.flagged + [repr(word) for word in self.words]
        return (
            f"median {values.shown_number(self.median)}, and where it is {', '.join(made)}"
            if made
            else ""
        )

    def encode(self, column: Any, out: Array) -> None:
        """Write the numbers of a column into `out`, shape (n_rows, n_columns)."""
        self.encode_numbers(numbers_of(column), out)
        for at, word in enumerate(self.words, 1 + self.flagged):
            out[:, at] = _is_word(column, word)
            if self.flagged:
                out[:, 1] -= out[:, at]

    def encode_numbers(self, numbers: Array, out: Array) -> None:
        """Write numbers, NaN where they are missing, and that they are no words, into `out`."""
        out[:, 1 + self.flagged :] = 0.0
        missing = np.isnan(numbers)
        with np.errstate(over="ignore"):  # found where the rows become a network's inputs
            out[:, 0] = np.where(missing, self.median, numbers)
        if self.flagged:
            out[:, 1] = missing

    def middle(self) -> tuple[Any, list[float]]:
        """Return the median, and the numbers that it becomes."""
        return self.median, [self.median] + [0.0] * (len(self.feature_names) - 1)

    def fields(self) -> dict[str, Any]:
        """Return what JSON keeps of it."""
        kept: dict[str, Any] = {"median": self.median, "flagged": self.flagged}
        return {**kept, "words": list(self.words)} if self.words else kept

    @classmethod
    def from_fields(cls, name: str, data: Mapping[str, Any]) -> NumericColumn:
        """Return what `fields` gave."""
        words = tuple(map(str, data.get("words", ())))
        return cls(name, float(data["median"]), bool(data["flagged"]), words)


@dataclass(frozen=True)
class CategoryColumn:
    """A column of 0 and 1 for each category; of two categories alone, one of -1 and 1.

    What is not among them is "other": a column of its own where the training part had rare ones, else
    0 in all columns; so is a missing value, where the training part had none.

    Parameters
    ----------
    name : str
    categories : tuple of str
    pooled : int
        How many rare ones were left to "other".
    has_missing : bool
    usual : str, optional
        The one that is there most often; None where a file of an earlier version does not say.
    """

    name: str
    categories: tuple[str, ...]
    pooled: int = 0
    has_missing: bool = False
    usual: str | None = None
    kind: ClassVar[str] = "categorical"
    _codes: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Give every category its number."""
        object.__setattr__(self, "_codes", {word: i for i, word in enumerate(self.categories)})

    @property
    def _is_pair(self) -> bool:
        return len(self.categories) == 2 and not self.pooled and not self.has_missing

    @property
    def n_values(self) -> int:
        """The values that are told apart, the rare ones being one."""
        return len(self.categories) + bool(self.pooled)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Of the columns that are made of it."""
        if self._is_pair:
            return (f"{self.name} = {self.categories[1]}",)
        names = [f"{self.name} = {word}" for word in self.categories]
        names += [f"{self.name} is other"] * bool(self.pooled)
        return (*names, *([f"{self.name} is missing"] * self.has_missing))

    @property
    def summary(self) -> str:
        """What is made of it, in a few words."""
        if self._is_pair:
            return "as -1 and 1"
        made = [f"{self.pooled:,} rare ones as one"] * bool(self.pooled)
        return ", ".join([*made, *(["missing is one"] * self.has_missing)])

    def encode(self, column: Any, out: Array) -> None:
        """Write the numbers of a column into `out`, shape (n_rows, n_columns)."""
        encoded = words_of(column).dictionary_encode()
        n = len(self.categories)
        other, missing = n if self.pooled else -1, n + bool(self.pooled) if self.has_missing else -1
        known = [self._codes.get(word, other) for word in encoded.dictionary.to_pylist()]
        table = np.array([*known, missing], np.int64)
        indices = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
        codes = table[indices]
        out[:] = 0.0
        if self._is_pair:
            out[:, 0] = np.array([-1.0, 1.0, 0.0])[codes]
        else:
            rows = np.flatnonzero(codes >= 0)
            out[rows, codes[rows]] = 1.0

    def middle(self) -> tuple[Any, list[float]]:
        """Return the usual category, and the numbers that it becomes.

        Raises
        ------
        ValueError
            If it is not known.
        """
        if not self.categories and self.pooled:  # where all are rare
            return "other", [1.0] + [0.0] * self.has_missing
        if self.usual is None:
            raise ValueError(
                f"baseline must be given, as a row: the usual category of {self.name!r} is not in the "
                "model's file, which is of an earlier version"
            )
        code = self._codes[self.usual]
        if self._is_pair:
            return self.usual, [2.0 * code - 1.0]
        return self.usual, [float(code == place) for place in range(len(self.feature_names))]

    def fields(self) -> dict[str, Any]:
        """Return what JSON keeps of it."""
        kept = {"categories": list(self.categories), "pooled": self.pooled, "missing": self.has_missing}
        return kept if self.usual is None else {**kept, "usual": self.usual}

    @classmethod
    def from_fields(cls, name: str, data: Mapping[str, Any]) -> CategoryColumn:
        """Return what `fields` gave."""
        words = tuple(map(str, data["categories"]))
        usual = data.get("usual")
        if usual is not None and usual not in words:
            raise ValueError(f"the usual category must be one of {some(words)}, got {usual!r}")
        return cls(name, words, int(data["pooled"]), bool(data["missing"]), usual)


@dataclass(frozen=True)
class TimeColumn:
    """Points in time as the numbers of their parts that vary.

    Parameters
    ----------
    name : str
    parts : dict of float
        Year, month, day of week (Monday is 0) and hour, each with its median; of a time of day hour and
        minute, and the sine and cosine of its angle, a day being a turn: midnight has neighbours.
    flagged : bool
    """

    name: str
    parts: Mapping[str, float]
    flagged: bool
    kind: ClassVar[str] = "datetime"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Of the columns that are made of it."""
        names = [f"{self.name}: {part}" for part in self.parts]
        return (*names, *([f"{self.name} is missing"] * self.flagged))

    @property
    def summary(self) -> str:
        """What is made of it, in a few words."""
        return ", ".join(self.parts) + (", and where it is missing" if self.flagged else "")

    def encode(self, column: Any, out: Array) -> None:
        """Write the numbers of a column into `out`, shape (n_rows, n_columns)."""
        for i, (part, median) in enumerate(self.parts.items()):
            numbers = numbers_of(part_of(column, part))
            out[:, i] = np.where(np.isnan(numbers), median, numbers)
        if self.flagged:
            out[:, -1] = column.is_null().to_numpy(zero_copy_only=False)

    def middle(self) -> tuple[Any, list[float]]:
        """Return the medians of the parts in words, but for a clock's angle, and the numbers."""
        told = ", ".join(
            f"{part} {values.shown_number(median)}"
            for part, median in self.parts.items()
            if part not in CLOCK_PARTS[2:]
        )
        return told, [*self.parts.values(), *([0.0] * self.flagged)]

    def fields(self) -> dict[str, Any]:
        """Return what JSON keeps of it."""
        return {"parts": dict(self.parts), "flagged": self.flagged}

    @classmethod
    def from_fields(cls, name: str, data: Mapping[str, Any]) -> TimeColumn:
        """Return what `fields` gave."""
        parts = {str(part): float(median) for part, median in data["parts"].items()}
        if unknown := [part for part in parts if part not in PARTS]:
            raise ValueError(f"parts must be among {', '.join(PARTS)}, got {some(unknown)}")
        return cls(name, parts, bool(data["flagged"]))


Column = NumericColumn | CategoryColumn | TimeColumn
COLUMNS: dict[str, type[Column]] = {
    "numeric": NumericColumn,
    "boolean": CategoryColumn,
    "categorical": CategoryColumn,
    "datetime": TimeColumn,
}


def numbers_of(column: Any) -> Array:
    """Return float64, NaN where it is missing, or a word."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "number")
    found: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


def _is_word(column: Any, word: str) -> Array:
    import pyarrow.compute as pc

    found: Array = (
        pc.equal(pc.struct_field(column, "word"), word).fill_null(False).to_numpy(zero_copy_only=False)
    )
    return found


def words_of(column: Any) -> Any:
    """Return the text of categories; of numbers with words among them, either."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_struct(column.type):
        numbers = words_of(pc.struct_field(column, "number"))
        return pc.coalesce(pc.struct_field(column, "word"), numbers)
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_floating(column.type):
        encoded = column.dictionary_encode()
        words = [values.text_of(value) for value in encoded.dictionary.to_pylist()]
        return pa.array(words, pa.string()).take(encoded.indices)
    return pc.cast(column, pa.string())


def part_of(column: Any, part: str) -> Any:
    """Return a part of points in time: Monday is 0, midnight is 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if part.endswith("of the day"):
        since = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False) % _DAY
        turn = (np.sin if part.startswith("sine") else np.cos)(2.0 * np.pi * since / _DAY)
        return pa.array(turn, mask=column.is_null().to_numpy(zero_copy_only=False))
    function = {
        "year": pc.year, "month": pc.month, "day of week": pc.day_of_week, "hour": pc.hour,
        "minute": pc.minute,
    }  # fmt: skip
    return function[part](column)


def parts_of(cell_type: str) -> tuple[str, ...]:
    """Return the parts that a type of cells has: a month has no day of the week."""
    form = cell_type.partition(" ")[2]
    if form and dates.is_time_of_day(form):
        return CLOCK_PARTS
    return DATE_PARTS if dates.has_day(form) else DATE_PARTS[:2]
