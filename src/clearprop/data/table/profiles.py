# long: what a pass over a column counts and what the counts come to share all of them
"""What one pass over a column finds out: its type, what is missing, how many different values."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table import arrow_source, dates, several, spans, values
from clearprop.data.table.distinct import Distinct, hash_numbers, hash_text
from clearprop.data.table.dressed import Dress
from clearprop.data.table.sentinel import Ends
from clearprop.data.table.values import BOOLEAN, NUMBER, TEXT, TIME, BadCell
from clearprop.data.table.worn import NOTHING, Verdict, Wardrobe, short
from clearprop.data.table.written_times import WrittenTimes
from clearprop.data.targets import EXACT

MOST_VALUES = 10_000  # different values of a column that are counted each
_MOSTLY = 0.5  # of the values, from which words beside numbers are strays
FEW_VALUES, CODE_BELOW = 5, 10.0  # whole numbers so few and so small are codes; years are not
FEW_REPEATS = 20.0  # rows for each of them
_FEW_CODES = 20  # different values, of which each word is there often: codes such as 0, 1, 2, 3+
_OFTEN = 0.01
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA = r"^[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?$"
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"
# What a person would call a number, and a parser would not: 1,234 $5 5% 1_000 0x1F, other digits.
_DECORATED = (
    r"^[+-]?[ ]?\p{Sc}?[ ]?[+-]?(0x[0-9a-fA-F]+|\p{Nd}{1,3}([,_' ]\p{Nd}{3})+([.,]\p{Nd}+)?|"
    r"\p{Nd}+([.,]\p{Nd}+)?)[ ]?[%‰\p{Sc}]?$"
)
_INFINITIES = r"(?i)^[+-]?inf(inity)?$"


class ColumnProfile:
    """One column, seen batch by batch.

    Parameters
    ----------
    name : str
    stored : str or None
        What it holds by its Arrow type; text may turn out to be something else.
    is_category : bool
        Whether it says so itself.
    form : str
        Of times of day and time spans that are stored as such.
    told_commas : bool
        Whether numbers that are text in a data frame are said to have decimal commas.

    Attributes
    ----------
    type : str
        After `finish`: number, boolean, text, or time and its format.
    problem : str or None
        Why the column cannot be learned from as it is.
    problem_row : int or None
        Where.
    counts : Counter or None
        How often each value is there; None where there are over `MOST_VALUES` different ones.
    """

    def __init__(
        self,
        name: str,
        stored: str | None,
        is_category: bool = False,
        form: str = "",
        told_commas: bool = False,
    ) -> None:
        self.name, self.stored, self.is_category = name, stored, is_category
        self.n = self.n_missing = 0
        self.counts: Counter[Any] | None = Counter()
        self.distinct = Distinct()
        self.whole, self.low, self.high = True, np.inf, -np.inf
        self.type = f"{stored or TEXT} {form}".rstrip()
        self.times, self.settled = WrittenTimes(), False
        self.problem: str | None = None
        self.problem_row: int | None = None
        self.example: str | None = None  # the first value that is no plain number
        self.split: tuple[int, str] | None = None  # the first value that is on two lines, and its row
        self._all_numbers = not told_commas
        self._n_numbers = self._n_points = self._n_commas = self._n_thousands = 0
        self._n_decorated = self._n_words = 0
        self._stray: tuple[int, str] | None = None
        self._comma_stray: tuple[int, str] | None = None  # where the decimal sign is a comma
        self._infinite: tuple[int, str] | None = None
        self._codes = self._loses_digits = False
        self._booleans = True
        self._length = self._blanks = 0
        self._ends = Ends()
        self._day_forms: set[str] | None = None  # that all numbers so far fit
        self._wardrobe = Wardrobe()
        self._verdict = NOTHING
        self.dress: Dress | None = None  # of numbers that wear one
        self.n_worded = 0  # of them, those that are a word of it
        self.sheet_errors: set[str] = set()  # among what is missing
        self.n_several, self._digits = 0, set[str]()  # cells of several numbers, and how long these are
        self.several: str | None = None  # the first of them

    # Seeing

    def see(self, column: Any, first_row: int, missing: Any, comma: bool) -> None:
        """Take note of a batch whose first row is `first_row` of the table."""
        self.n += len(column)
        if self.stored is None:
            return
        if arrow_source.loses_digits(column):
            self._loses_digits = True
            column = column.cast("string")
        column = arrow_source.plain(column)
        if self.stored == TEXT or self._loses_digits:
            self._see_text(column, first_row, missing, comma)
        elif self.stored == NUMBER:
            self._see_infinity(column, first_row)
            self._see_numbers(column)
        elif self.stored == TIME:
            self._see_words(column.cast("int64"))
        else:
            self._see_words(column)

    def _see_infinity(self, column: Any, first_row: int) -> None:
        try:
            values.refuse_infinite(column)
        except BadCell as bad:
            self._infinite = self._infinite or (first_row + bad.row, bad.value)

    def _see_text(self, column: Any, first_row: int, missing: Any, comma: bool) -> None:
        import pyarrow.compute as pc

        self.sheet_errors |= several.sheet_errors(column)
        if self._all_numbers and not self.is_category:
            try:
                numbers = values.as_numbers(column, missing)
                self._all_numbers = not self._are_names(column, numbers)
            except BadCell:
                self._all_numbers = False
            if self._all_numbers:
                self._see_written_numbers(column, numbers, first_row, comma)
                return
        cells = values.trimmed(column, missing)
        counted = pc.value_counts(pc.drop_null(cells))
        words, counts = counted.field(0), counted.field(1).to_numpy(zero_copy_only=False)
        self.n_missing += cells.null_count
        if not len(words):
            return
        self._see_kinds_of_words(cells, words, counts, first_row)
        if not self.is_category:
            self.times.see(cells, words, counts, first_row)
            self._wardrobe.see(cells, words, counts, first_row)
        if self.split is None and (at := values.first_split(cells)) is not None:
            self.split = first_row + at, cells[at].as_py()
        self._count(words.to_pylist() if self.counts is not None else [], counts, len(words))
        self.distinct.add(hash_text(words))
        lengths = pc.utf8_length(words).to_numpy(zero_copy_only=False)
        self._length += int(lengths @ counts)
        self._blanks += int(pc.count_substring(words, " ").to_numpy(zero_copy_only=False) @ counts)
        self._n_words += int(counts.sum())

    def _see_written_numbers(self, column: Any, numbers: Any, first_row: int, comma: bool) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._see_numbers(numbers)
        row = pc.index(pc.is_valid(numbers), pa.scalar(True)).as_py()
        if row < 0:
            return
        if comma:
            self._n_points += int(pc.sum(pc.match_substring(column, ".")).as_py() or 0)
        self._booleans = False
        self.times.see_numbers(first_row + row, column[row].as_py())
        self._n_numbers += len(numbers) - numbers.null_count
        self._wardrobe.see_plain(numbers, column, first_row)

    def _are_names(self, column: Any, numbers: Any) -> bool:
        """Return whether numbers are written as 007, or are too long for float64."""
        import pyarrow.compute as pc

        self._codes = bool(pc.any(pc.match_substring_regex(column, r"^[^0-9.+-]*[+-]?0[0-9]")).as_py())
        ends = pc.min_max(numbers)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is not None and (low <= -EXACT or high >= EXACT):
            self._loses_digits = _lost_digits(column)
        return self._codes or self._loses_digits

    def _see_kinds_of_words(self, cells: Any, words: Any, counts: NDArray[Any], first_row: int) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        def matching(pattern: str) -> NDArray[np.bool_]:
            found: NDArray[np.bool_] = pc.match_substring_regex(words, pattern).to_numpy(
                zero_copy_only=False
            )
            return found

        number = matching(_NUMBER)
        self._n_numbers += int(counts[number].sum())
        for word in words.filter(pa.array(number)).to_pylist():
            if self._infinite is None and abs(float(word)) == np.inf:
                self._infinite = (first_row + pc.index(cells, pa.scalar(word)).as_py(), word)
            self._codes = self._codes or re.match(values.LEADING_ZERO, word) is not None
            self._n_points += int("." in word)
        others = words.filter(pa.array(~number))
        if not len(others):
            self._booleans = False
            return
        self.whole = False
        if self._stray is None:
            rows = pc.index_in(cells, others)
            at = pc.index(pc.is_valid(rows), pa.scalar(True)).as_py()
            self._stray = (first_row + at, cells[at].as_py())
            self.example = cells[at].as_py()
        comma = matching(_COMMA)
        self._n_commas += int(counts[comma].sum())
        if comma.any():
            self._see_commas(cells, words.filter(pa.array(comma | number)), first_row)
        strange = words.filter(pa.array(~(comma | (number & ~matching(r"\.")))))
        if self._comma_stray is None and len(strange):
            at = pc.index(pc.is_in(cells, strange), pa.scalar(True)).as_py()
            self._comma_stray = (first_row + at, cells[at].as_py())
        self._see_several(others, counts[~number])
        self._n_thousands += int(counts[matching(_THOUSANDS)].sum())
        self._n_decorated += int(counts[matching(_DECORATED) | number | matching(_INFINITIES)].sum())
        self._booleans = self._booleans and bool(
            pc.all(pc.is_in(pc.ascii_lower(words), pa.array(["true", "false"]))).as_py()
        )

    def _see_several(self, words: Any, counts: NDArray[Any]) -> None:
        """Take note of cells that hold several numbers each."""
        mask, digits = several.looked_at(words)
        self.n_several += int(counts[mask].sum())
        if mask.any():
            self.several = self.several or words[int(np.argmax(mask))].as_py()
        self._digits = set(sorted(self._digits | digits)[:2])

    def _see_commas(self, cells: Any, words: Any, first_row: int) -> None:
        """Take note of numbers with decimal commas, should they turn out to be some."""
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers = pc.cast(pc.replace_substring(words, ",", "."), pa.float64()).to_numpy()
        finite = numbers[np.isfinite(numbers)]
        if len(finite) < len(numbers) and self._infinite is None:
            word = words[int(np.argmax(~np.isfinite(numbers)))]
            self._infinite = (first_row + pc.index(cells, word).as_py(), word.as_py())
        if len(finite):
            self.low, self.high = (
                min(self.low, float(finite.min())),
                max(self.high, float(finite.max())),
            )

    def _see_numbers(self, numbers: Any) -> None:
        self.n_missing += numbers.null_count
        found = numbers.drop_null().to_numpy(zero_copy_only=False)
        if not len(found):
            return
        self.low, self.high = min(self.low, float(found.min())), max(self.high, float(found.max()))
        self._ends.see(found)
        if self._day_forms is None or self._day_forms:
            forms = set(dates.day_forms(found))
            self._day_forms = forms if self._day_forms is None else self._day_forms & forms
        with np.errstate(invalid="ignore"):
            self.whole = self.whole and bool((found == np.floor(found)).all())
        if self.counts is not None:
            distinct, counts = np.unique(found, return_counts=True)
            self._count(distinct.tolist(), counts, len(distinct))
        if self.whole:
            self.distinct.add(hash_numbers(found))
        elif self.counts is None:
            self.distinct = Distinct()

    def _see_words(self, column: Any) -> None:
        """Take note of booleans, and of points in time."""
        import pyarrow.compute as pc

        self.n_missing += column.null_count
        counted = pc.value_counts(pc.drop_null(column))
        counts = counted.field(1).to_numpy(zero_copy_only=False)
        self._count(
            counted.field(0).to_pylist() if self.counts is not None else [], counts, len(counts)
        )

    def _count(self, found: list[Any], counts: NDArray[Any], n_distinct: int) -> None:
        if self.counts is None:
            return
        if n_distinct > MOST_VALUES:
            self.counts = None
            return
        for value, count in zip(found, counts.tolist(), strict=True):
            self.counts[value] += count
        if len(self.counts) > MOST_VALUES:
            self.counts = None

    # Concluding

    @property
    def kind(self) -> str:
        """The type without how it is written."""
        return self.type.split(" ")[0]

    @property
    def n_present(self) -> int:
        """Values that are not missing."""
        return self.n - self.n_missing

    @property
    def n_distinct(self) -> int:
        """Different values; an estimate where there are very many."""
        return (
            len(self.counts) if self.counts is not None else max(self.distinct.count, MOST_VALUES + 1)
        )

    @property
    def sentinel(self) -> tuple[float, int] | None:
        """The number that looks as if it stood for a missing value, and how often it is there."""
        return self._known_ends.sentinel(self.n_present) if self.is_number else None

    @property
    def lowest(self) -> tuple[float, int]:
        """The smallest number, and how often it is there; NaN of none."""
        return self._known_ends.lowest() if self.is_number else (np.nan, 0)

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, and no time spans."""
        return self.type == NUMBER or self.dress is not None

    @property
    def _known_ends(self) -> Ends:
        ends = self._ends
        if self.counts is not None and self.stored == TEXT:  # words may have come between
            ends = Ends()
            ends.see_counts(self.counts)
        return ends

    @property
    def told_several(self) -> str:
        """What is to be said where nearly every cell holds several numbers that are no codes."""
        most = self.n_several >= several.NEARLY_ALL * self.n_present > 0
        if self.type != TEXT or not most or len(self._digits) < 2:
            return ""
        return several.told(self.n_distinct, str(self.several))

    @property
    def mean_length(self) -> float:
        """Characters of a word on average."""
        return self._length / max(self._n_words, 1)

    @property
    def mean_blanks(self) -> float:
        """Blanks in a word on average."""
        return self._blanks / max(self._n_words, 1)

    @property
    def says_commas(self) -> bool:
        """Whether most are numbers if the decimal sign is a comma, and only then."""
        most = self._comma_numbers > _MOSTLY * self.n_present
        return self._n_commas > 0 and not self._n_points and not self._wardrobe.only_points and most

    @property
    def says_points(self) -> bool:
        """Whether most are numbers if the decimal sign is a point, and only then."""
        most = self._n_numbers > _MOSTLY * self.n_present
        return self._n_points > 0 and not self._n_commas and most

    @property
    def all_thousands(self) -> bool:
        """Whether every comma could stand between thousands."""
        return self._n_commas > 0 and self._n_thousands == self._n_commas

    @property
    def _comma_numbers(self) -> int:
        return self._n_numbers - self._n_points + self._n_commas

    def finish(self, decimal: str, given: str | None = None) -> None:
        """Conclude what the column holds.

        Parameters
        ----------
        decimal : {".", ","}
            Of plain numbers.
        given : {".", ","}, optional
            Of numbers in clothes, where it is known: the column tells it otherwise.
        """
        if self.stored is None:
            return
        if self.stored == NUMBER and self._loses_digits:
            self.type = TEXT
        if self.stored == TEXT:
            self.type = TEXT if self.is_category else self._type_of_text(decimal, given)
        if self.type.startswith(f"{NUMBER} ") and self.stored == TEXT and self.dress is None:
            self._take_for_spans(self.type)
        if self.type == TEXT and self.counts is not None:  # those of numbers, before words were seen
            counts, self.counts = self.counts, Counter()
            for value, count in counts.items():
                self.counts[values.text_of(value)] += count
        if self.type == NUMBER and self._infinite:
            row, value = self._infinite
            self.problem_row, self.problem = row, f"must hold finite numbers, got {short(value)}"

    @property
    def ambiguous(self) -> tuple[str, ...]:
        """The ways in which its dates could be read, where there are several."""
        if not self.type.startswith(TIME) or self.stored not in (TEXT, NUMBER) or self.settled:
            return ()
        found = [r.partition(" ")[2] for r in self.times.readings if r.startswith(TIME)]
        return tuple(found) if len(found) > 1 else ()

    @property
    def may_be_days(self) -> bool:
        """Whether the numbers are days such as 20241231, all of them and of several sorts."""
        return self.type == NUMBER and bool(self._day_forms) and self.n_distinct >= FEW_VALUES

    def take_for_days(self) -> None:
        """Take the numbers for days."""
        self.times.take_for_days(sorted(self._day_forms or ()))
        self.type, self.example = self.times.readings[0], values.shown_number(self.low)

    @property
    def are_codes(self) -> bool:
        """Whether all are numbers, and taken for names since some begin with 0."""
        return self.type == TEXT and self._codes and self._n_numbers == self.n_present > 0

    def take_for_numbers(self) -> None:
        """Take numbers that begin with 0 for numbers."""
        self.type = NUMBER

    def settle(self, reading: str) -> None:
        """Read the words as one of `times.readings`."""
        self.type, self.settled = reading, True
        if reading.startswith(NUMBER):
            self._take_for_spans(reading)

    def _take_for_spans(self, reading: str) -> None:
        """Count seconds instead of the words for them."""
        self.low, self.high = self.times.ends(reading)
        if self.counts is not None:
            self.counts = spans.counted(self.counts, reading.partition(" ")[2])
            self.whole = all(map(float.is_integer, self.counts))

    def _type_of_text(self, decimal: str, given: str | None) -> str:
        n_numbers = self._n_numbers if decimal == "." else self._comma_numbers
        present = self.n_present
        if n_numbers == present and not (self._n_points and (given or decimal) != decimal):
            if self._codes or self._loses_digits:
                # 007, and numbers too long for float64: names, not quantities; 01122024 may be a day.
                return self.times.choice(self.name) or TEXT
            return NUMBER
        if self._booleans:
            return BOOLEAN
        if present and (reading := self.times.choice(self.name)):
            return reading
        if self._codes or self._loses_digits:
            return TEXT
        verdict = self._wardrobe.conclude(present, self.n_distinct, given)
        if verdict.dress is not None:
            if self._are_few(verdict):
                return TEXT
            self._verdict = verdict
            if not verdict.dress.words:
                self.wear()
                return self.type
        self._find_problem(verdict, n_numbers, present, given or decimal)
        return TEXT

    @property
    def may_wear_words(self) -> bool:
        """Whether the column is numbers with a few words among them; `wear` makes it that."""
        return self._verdict.dress is not None and self.type == TEXT

    def wear(self) -> None:
        """Take the column for numbers in the dress that was found, and forget what was no number."""
        dress = self._verdict.dress
        assert dress is not None
        self.low, self.high, self.whole = self._verdict.low, self._verdict.high, self._verdict.whole
        if self.counts is not None:
            self.counts = self._numbers_counted(dress)
        self.dress, self.n_worded, self.type = dress, self._verdict.n_words, dress.type
        self.problem = None

    def _numbers_counted(self, dress: Dress) -> Counter[Any]:
        import pyarrow as pa

        found: Counter[Any] = Counter()
        counts = self.counts or Counter()
        words = [value for value in counts if isinstance(value, str)]
        numbers = dict(zip(words, dress.numbers(pa.array(words, pa.string())).tolist(), strict=True))
        for value, count in counts.items():
            number = numbers.get(value, value)
            if not np.isnan(number):
                found[number] += count
        return found

    def _are_few(self, verdict: Verdict) -> bool:
        """Return whether the numbers are so few that they are categories, whatever they wear."""
        if self.counts is None or verdict.dress is None:
            return False
        few = len(self._numbers_counted(verdict.dress))
        codes = verdict.whole and 0 <= verdict.low <= verdict.high < CODE_BELOW
        return few <= 2 or (few <= FEW_VALUES and codes and self.n_present >= FEW_REPEATS * few)

    def _find_problem(self, verdict: Verdict, n_numbers: int, present: int, decimal: str) -> None:
        mostly = n_numbers > _MOSTLY * present
        if decimal == "," and 2 * self._n_points > present:
            self.problem, self.problem_row = "must hold numbers with decimal commas, got points", None
        elif mostly and self._are_codes(decimal):
            return
        elif (odd := self.times.stray(_MOSTLY * present)) and not self._are_few_times(odd[0]):
            what, self.problem_row, word = odd
            self.problem = f"must hold {what} written as elsewhere in it, got {short(word)}"
        elif verdict.problem is not None:
            self.problem, self.problem_row = verdict.problem, verdict.at
        elif mostly and self._stray is not None:
            row, word = self._stray if decimal == "." else self._comma_stray or self._stray
            self.problem_row = row
            self.problem = f"must hold numbers, as it does elsewhere, got {short(word)}"
        elif self._n_decorated > _MOSTLY * present and self._stray is not None:
            self.problem_row, word = self._stray
            self.problem = f"must hold numbers written like 1234.5, got {short(word)}"

    def _are_few_times(self, what: str) -> bool:
        """Return whether times of day or time spans beside words are so few that each is a category."""
        return what != "dates" and self.counts is not None and len(self.counts) <= _FEW_CODES

    def _are_codes(self, decimal: str) -> bool:
        """Return whether numbers and words are few, and every word is there often."""
        if self.counts is None or len(self.counts) > _FEW_CODES or decimal != ".":
            return False
        words = [v for v in self.counts if isinstance(v, str) and not values.PLAIN_NUMBER.fullmatch(v)]
        return all(self.counts[word] >= max(5, _OFTEN * self.n_present) for word in words)


def _lost_digits(column: Any) -> bool:
    """Return whether a whole number in a batch of text is none that float64 holds."""
    for word in column.to_pylist():
        if word is not None and re.fullmatch(r"\s*[+-]?[0-9]{16,400}\s*", word):
            whole = int(word)
            if abs(whole) >= EXACT and int(float(whole)) != whole:
                return True
    return False
