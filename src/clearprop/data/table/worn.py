"""What the cells of a column wear, seen batch by batch: which dress nearly all of them have in common.

In: the different words of each batch. Out: a `Verdict`, the same wherever the batches end.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.table.dressed import (
    Cells,
    Clothes,
    Dress,
    fits,
    has,
    numbers_of,
    take_apart,
    thousands_of,
)
from clearprop.data.table.few_words import COUNTED, FewWords, First, row_of
from clearprop.data.table.read_options import WHICH_DECIMAL

FEW_WORDS = 10  # different words among numbers, at most, that get an input each
_OFTEN = 0.001  # of the cells, that each of those words is, and
_TIMES = 5  # cells at least: what is there less often is a stray
_MOSTLY = 0.5  # of the cells, from which on others are strays
_SOME = 0.1  # of the cells, where the others are bounds such as < 10000
_NEARLY_ALL = 0.95
_FEW_WORDINGS, _REPEATS = 50, 5  # so few wordings, so often each, are categories where units are mixed
_MOST_CLOTHES = 256  # different ones of a column: of more, none is worn by most
_MOST_UNITS = 5
_LONG = 7  # digits from which on groups of as many each are telephone numbers and the like
_BARE = ("", "")
_INFINITE = ("inf", "infinity", "+inf", "-inf", "+infinity", "-infinity")

Mask = NDArray[np.bool_]
Stray = tuple[int, str, int]  # and how many there are like it


@dataclass
class _Worn:
    """Cells with the same clothes."""

    n: int = 0
    n_zeros: int = 0
    n_open: int = 0
    negatives: Counter[str] = field(default_factory=Counter)
    only: dict[str, int] = field(default_factory=lambda: {".": 0, ",": 0})  # that one reading fits
    only_first: dict[str, First] = field(default_factory=dict)
    first: First | None = None  # but 0, which is the same in any unit
    both_first: dict[str, First] = field(default_factory=dict)  # that both fit, by the mark in it
    thousands: dict[str, set[str]] = field(default_factory=lambda: {".": set(), ",": set()})
    magnitudes: Counter[str] = field(default_factory=Counter)
    magnitude_first: First | None = None
    spellings: Counter[tuple[str, str]] = field(default_factory=Counter)
    lows: dict[str, float] = field(default_factory=lambda: {".": math.inf, ",": math.inf})
    highs: dict[str, float] = field(default_factory=lambda: {".": -math.inf, ",": -math.inf})
    whole: dict[str, bool] = field(default_factory=lambda: {".": True, ",": True})
    lengths: set[int] = field(default_factory=set)  # of cells in groups between blanks; -1 for others
    words: FewWords = field(default_factory=FewWords)

    def see_numbers(self, mark: str, numbers: NDArray[np.float64]) -> None:
        found = numbers[np.isfinite(numbers)]
        if len(found):
            self.lows[mark] = min(self.lows[mark], float(found.min()))
            self.highs[mark] = max(self.highs[mark], float(found.max()))
            self.whole[mark] = self.whole[mark] and bool((found == np.floor(found)).all())


class Verdict(NamedTuple):
    """What a column wears, or why it cannot be told.

    Parameters
    ----------
    dress : Dress or None
        None where the cells are no numbers.
    problem : str or None
        Why it cannot be read as it is, without a place; of a dress with words, why it cannot where
        only numbers will do. `at` is the row.
    n_words : int
        Cells that are one of `dress.words`.
    low, high : float
    whole : bool
        Of the numbers.
    """

    dress: Dress | None = None
    problem: str | None = None
    at: int | None = None
    n_words: int = 0
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True


NOTHING = Verdict()


class Wardrobe:
    """The clothes of one column."""

    def __init__(self) -> None:
        self._worn: dict[tuple[str, str], _Worn] = {}
        self._pairs: set[Clothes] = set()
        self._too_many = False
        self._others = FewWords()

    @property
    def only_points(self) -> bool:
        """Whether a bare number is there that is none where commas are decimal signs."""
        return _BARE in self._worn and self._worn[_BARE].only["."] > 0

    def see_plain(self, numbers: Any, text: Any, first_row: int) -> None:
        """Take note of a batch of numbers that wear nothing, nulls among them."""
        import pyarrow.compute as pc

        found = numbers.drop_null().to_numpy(zero_copy_only=False)
        worn = self._worn.setdefault(_BARE, _Worn())
        worn.n += len(found)
        worn.n_zeros += int((found == 0).sum())
        worn.lengths.add(-1)
        if worn.first is None and (found != 0).any():
            row = int(pc.index(pc.not_equal(numbers, 0.0), True).as_py())
            worn.first = first_row + row, text[row].as_py()
        for mark in ".,":
            worn.see_numbers(mark, found)
        if not worn.only["."] and len(found) and not worn.whole["."]:
            pattern = r"\.([0-9]{0,2}|[0-9]{4,})$"
            worn.only["."] = len(found) * bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())

    def see(self, cells: Any, words: Any, counts: NDArray[Any], first_row: int) -> None:
        """Take note of a batch: its cells, and its different words in order, with their counts."""
        import pyarrow as pa

        if self._too_many:
            return
        parts = take_apart(words)
        self._pairs.update(each for each in parts.pairs if each is not None)
        if len(self._pairs) > _MOST_CLOTHES:
            self._too_many = True
            return
        fit = {mark: fits(parts.core, mark) for mark in ".,"}
        numbers = {mark: numbers_of(parts, fit[mark], mark) for mark in ".,"}
        readable = fit["."] | fit[","]
        other = words.filter(pa.array(~readable))
        self._others.add(_some_of(other), counts[~readable], cells, first_row)
        for number, pair in enumerate(parts.pairs):
            mask = readable & (parts.around == number)
            if pair is not None and mask.any():
                self._see_worn(pair, mask, parts, fit, numbers, _Batch(cells, words, counts, first_row))

    def _see_worn(
        self,
        pair: Clothes,
        mask: Mask,
        parts: Cells,
        fit: dict[str, Mask],
        numbers: dict[str, NDArray[np.float64]],
        batch: _Batch,
    ) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        worn = self._worn.setdefault(pair.key, _Worn())
        n = batch.count(mask)
        worn.n += n
        for sign in "(\u2212\u2013":
            worn.negatives[sign] += batch.count(mask & (parts.sign == sign))
        worn.spellings[pair.before, pair.after] += n
        if not pair.magnitude:
            zeros = mask & (numbers["."] == 0)
            worn.n_zeros += batch.count(zeros)
            if (mask & ~zeros).any():
                worn.first = _earlier(worn.first, batch, mask & ~zeros)
        else:
            worn.magnitudes[pair.magnitude] += n
            worn.magnitude_first = _earlier(worn.magnitude_first, batch, mask)
            worn.first = _earlier(worn.first, batch, mask)
        if pair.is_open:
            worn.n_open += n
            chosen = batch.words.filter(pa.array(mask))
            worn.words.add(_some_of(chosen), batch.counts[mask], batch.cells, batch.first_row)
        for mark, other in (".,", ",."):
            fitting = mask & fit[mark]
            only = fitting & ~fit[other]
            worn.only[mark] += batch.count(only)
            if only.any():
                worn.only_first[mark] = _earlier(worn.only_first.get(mark), batch, only)
            marked = fitting & fit[other] & has(parts.core, f"[{mark}]")
            if marked.any():
                worn.both_first[mark] = _earlier(worn.both_first.get(mark), batch, marked)
            worn.thousands[mark].update(thousands_of(parts.core, fitting, mark))
            worn.see_numbers(mark, numbers[mark][fitting])
        if len(worn.lengths) < 2:
            core = parts.core.filter(pa.array(mask))
            grouped = pc.match_substring_regex(core, r"^[0-9]{3}([ \x{a0}][0-9]{3}){2,}$")
            lengths = pc.if_else(grouped, pc.utf8_length(core), pa.scalar(-1, pa.int32()))
            worn.lengths.update(pc.unique(lengths).to_pylist())

    # Concluding

    def conclude(self, present: int, n_distinct: int, decimal: str | None) -> Verdict:
        """Return what is worn.

        Parameters
        ----------
        present : int
            Cells that are not missing.
        n_distinct : int
            Different ones.
        decimal : {".", ","} or None
            The decimal sign, where it is known.
        """
        if self._too_many or not self._worn:
            return NOTHING
        zeros = self._worn[_BARE].n_zeros if _BARE in self._worn else 0

        def total(key: tuple[str, str]) -> int:
            return self._worn[key].n + (0 if key == _BARE else zeros)

        key = max(self._worn, key=total)
        few = n_distinct <= _FEW_WORDINGS and n_distinct * _REPEATS <= present
        if total(key) + self._others.n_bounds(max(_TIMES, _OFTEN * present)) <= _MOSTLY * present or (
            total(key) <= _SOME * present
        ):
            return NOTHING if few else self._mixed(present)
        worn = self._worn[key]
        if worn.negatives["("] == worn.n or (
            worn.lengths and min(worn.lengths) > _LONG and len(worn.lengths) == 1
        ):
            return NOTHING
        mark = decimal or ("," if worn.only[","] > worn.only["."] else ".")
        words, strays = self._residue(key, mark, present)
        before, after = worn.spellings.most_common(1)[0][0] if worn.spellings else _BARE
        told = [each for each, _ in worn.magnitudes.most_common()]
        thousands = "".join(sorted(worn.thousands[mark]))
        chosen = sorted(words, key=lambda word: (-words[word], word))
        negatives = "".join(sorted(sign for sign, n in worn.negatives.items() if n))
        dress = Dress(before, after, mark, thousands, tuple(told), negatives, tuple(chosen))
        if strays:
            told_all = key == _BARE or total(key) >= _NEARLY_ALL * present
            return self._stray(dress, strays, key) if told_all or not few else NOTHING
        if decimal is None and (doubtful := _doubtful(worn, dress)):
            row, word = doubtful
            return Verdict(
                None,
                f"must hold numbers that can be read in one way, got {short(word)}, thousands or "
                f"decimals ({WHICH_DECIMAL})",
                row,
            )
        zero = [0.0] * (key != _BARE and zeros > 0)
        low, high = min(worn.lows[mark], *zero, math.inf), max(worn.highs[mark], *zero, -math.inf)
        told_words = self._stray(dress, self._told(words), key) if words else NOTHING
        return told_words._replace(
            dress=dress, n_words=words.total(), low=low, high=high, whole=worn.whole[mark]
        )

    def _residue(
        self, key: tuple[str, str], mark: str, present: int
    ) -> tuple[Counter[str], list[Stray]]:
        """Return the words beside the numbers of a dress, and the first of each kind of stray."""
        other = "," if mark == "." else "."
        worn, often = self._worn[key], max(_TIMES, _OFTEN * present)
        words: Counter[str] = Counter()
        strays: list[Stray] = []
        if worn.only[other]:
            strays.append((*worn.only_first.get(other, worn.first or (0, "")), worn.only[other]))
        n_magnitudes = sum(worn.magnitudes.values())
        if key == _BARE and 0 < n_magnitudes < often and worn.magnitude_first:
            strays.append((*worn.magnitude_first, n_magnitudes))
        few = [self._others]
        for each, found in self._worn.items():
            if each == key:
                continue
            if each != _BARE and found.n_open == found.n:
                few.append(found.words)
            elif each != _BARE or found.n > found.n_zeros:
                strays.append((*(found.first or (0, "0")), found.n - found.n_zeros))
        for group in few:
            if group.found is None:
                strays.append((*(group.first or (0, "")), group.n))
                continue
            for word, (n, row) in group.found.items():
                if n >= often and word.lower() not in _INFINITE:
                    words[word] += n
                else:
                    strays.append((row, word, n))
        if len(words) > FEW_WORDS:
            strays += self._told(words)
        return words, strays

    def _told(self, words: Counter[str]) -> list[Stray]:
        """Return words with the rows in which they are first."""
        groups = [self._others, *(worn.words for worn in self._worn.values())]
        return [
            (g.found[w][1], w, n) for g in groups if g.found for w, n in words.items() if w in g.found
        ]

    def _stray(self, dress: Dress, strays: list[Stray], key: tuple[str, str]) -> Verdict:
        units = [pair for pair in self._worn if pair not in (key, _BARE)]
        row, word, _ = min(strays)
        n = sum(n for _, _, n in strays) - 1
        others = f" and {n:,} more like it" if n else ""
        if key == _BARE:
            rule = "must hold numbers"
        else:
            rule = f"must hold numbers {dress.told}"
            if len(units) > 1:
                others += f" (there are {some([a + b for a, b in units])})"
        return Verdict(None, f"{rule}, as it does elsewhere, got {short(word)}{others}", row)

    def _mixed(self, present: int) -> Verdict:
        """Refuse several units of which none is that of most."""
        units = {key: worn for key, worn in self._worn.items() if key != _BARE}
        names = [key for key in units if key[0] or len(key[1]) > 1 or not key[1].isalpha()]
        n = sum(worn.n for worn in units.values())
        streets = any(re.match(r"(?!(sq|cu)\b)\w+ \w", after) for _, after in units)
        if not names or streets or not 2 <= len(units) <= _MOST_UNITS or n <= _MOSTLY * present:
            return NOTHING
        firsts = sorted(worn.first for worn in units.values() if worn.first is not None)
        shown = some([word for _, word in firsts])
        return Verdict(None, f"must hold numbers in one unit, got {shown}", firsts[0][0])


class _Batch(NamedTuple):
    cells: Any
    words: Any
    counts: NDArray[Any]
    first_row: int

    def count(self, mask: Mask) -> int:
        return int(self.counts[mask].sum())


def _earlier(first: First | None, batch: _Batch, mask: Mask) -> First:
    """Return the first cell so far: batches come in order, and words in the order of their cells."""
    if first is not None:
        return first
    word = batch.words[int(np.argmax(mask))].as_py()
    return row_of(batch.cells, word, batch.first_row), word


def _some_of(words: Any) -> list[str]:
    """Return the words, no more of them than tell that they are too many."""
    found: list[str] = words.slice(0, COUNTED + 1).to_pylist()
    return found


def _doubtful(worn: _Worn, dress: Dress) -> First | None:
    """Return the first cell that is a number by either decimal sign, where no other tells which."""
    if worn.only["."] or worn.only[","]:
        return None
    by_comma, by_point = worn.both_first.get(","), worn.both_first.get(".")
    points_only = by_comma is None
    if points_only and (not dress.before + dress.after or dress.after == "%" or dress.magnitudes):
        return None
    return by_comma or by_point


def short(value: str) -> str:
    """Return a cell as messages show it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
