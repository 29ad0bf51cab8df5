"""Numbers in clothes: currency, units, per cent, thousands, magnitudes, and a few words among them.

A `Dress` says how the numbers of a column are written, and reads others that are written so. Which one
a column wears is told by all of its cells: see `clothes`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.table import values
from clearprop.data.table.values import NUMBER, BadCell

# Blanks inside a number and around it: also the no-break, figure, thin and narrow no-break ones.
_BLANK = "[ \\t\u00a0\u2007\u2009\u202f]"
_MINUS, _QUOTES = "\u2212\u2013-", "'\u2019"
_CODES = (  # of ISO 4217, those met in tables, and what is written for rupees, rupiah, crowns, francs
    "USD|EUR|GBP|JPY|CHF|INR|CNY|RMB|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|BRL|MXN|ZAR|KRW|SGD|"
    "HKD|THB|IDR|MYR|PHP|VND|ILS|AED|SAR|EGP|NGN|KES|PKR|BDT|LKR|ARS|CLP|COP|PEN|UAH|RON|BGN|TWD|KSh|"
    r"RM|Rs\.?|Rp\.?|kr\.?|Fr\.?"
)
_CURRENCY = rf"[A-Z]{{0,3}}\p{{Sc}}|{_CODES}"
_POWERS = "\u00b2\u00b3"
_SYMBOLS = "\u00b0\u2030\u2032\u2033\u00b7" + _POWERS  # of units, as are letters and currencies
_LETTERS = r"A-Za-z%\"'\x{80}-\x{10ffff}$"  # `clothes` looks closer: a class of all letters is slow
_LONGEST = 24  # characters of a unit
_UNIT = rf"[{_LETTERS}+][ {_LETTERS}/+*^.\-]*(?:100 ?[{_LETTERS}]+|[23])?"
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_CORE = (
    rf"(?:[0-9]{{1,3}}(?:(?:[,.{_QUOTES}]|{_BLANK})[0-9]{{2,3}})+(?:[.,][0-9]*)?|[0-9]+(?:[.,][0-9]*)?|"
    rf"[.,][0-9]+){_EXPONENT}"
)
_CELL = (
    rf"^(?P<open>\(?){_BLANK}*(?P<sign>[+{_MINUS}]?){_BLANK}*(?P<before>(?:{_CURRENCY})?){_BLANK}*"
    rf"(?P<within>\(?){_BLANK}*(?P<inner>[+{_MINUS}]?){_BLANK}*(?P<core>{_CORE}){_BLANK}*"
    rf"(?P<after>(?:{_UNIT})?){_BLANK}*(?P<close>\)?)$"
)
_GROUPED = rf"0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?:(?:{_BLANK}[0-9]{{3}})+|(?:[{_QUOTES}][0-9]{{3}})+)"
_READINGS = {  # by the decimal sign; 12,34,567 is how India writes thousands
    ".": rf"^(?:{_GROUPED}|[1-9][0-9]{{0,2}}(?:,[0-9]{{2,3}})*,[0-9]{{3}})?(?:\.[0-9]*)?{_EXPONENT}$",
    ",": rf"^(?:{_GROUPED}|[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+)?(?:,[0-9]*)?{_EXPONENT}$",
}
_MARKS = {",": ",", ".": r"\.", "'": f"[{_QUOTES}]", " ": _BLANK}  # that stand between thousands
_MAGNITUDES = {
    **dict.fromkeys(("k", "K", "thousand"), 3),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs"), 5),
    **dict.fromkeys(("M", "mn", "mln", "million", "millions"), 6),
    **dict.fromkeys(("crore", "crores", "cr"), 7),
    **dict.fromkeys(("B", "bn", "billion", "billions"), 9),
    **dict.fromkeys(("trn", "trillion", "trillions"), 12),
}
_OF_MONEY = {"m": 6, "b": 9, "t": 12, "T": 12}  # beside a currency; alone they are metres and tons
_PREFIXES = {"k": 3, "K": 3, "M": 6, "G": 9, "T": 12}  # of units that are met in several sizes
_PREFIXED = re.compile(r"([kKMGT])(B|Hz)\b|([kgt])(b)\b")  # 1.5 GB, 512gb; mb is a pressure, too
_NO_UNITS = {"st", "nd", "rd", "th", "am", "pm"}  # of ordinals and of the clock
_OPEN = re.compile(r"\+|\b(or|and|over|under|more|less|older|above|below|plus)\b", re.IGNORECASE)


class Clothes(NamedTuple):
    """What stands around a number, as it is compared: spelling and magnitude left aside.

    Parameters
    ----------
    before, after : str
        A currency; a unit.
    magnitude : str
        As it is written: k, M, million.
    exponent : int
        Of ten, by that.
    is_open : bool
        Whether it says "at least" or the like.
    """

    before: str
    after: str
    magnitude: str
    exponent: int
    is_open: bool

    @property
    def key(self) -> tuple[str, str]:
        """What cells of one dress have in common."""
        return self.before, _folded(self.after)


@lru_cache(maxsize=1 << 12)
def clothes(before: str, after: str) -> Clothes | None:
    """Return what stands around a number, or None where it makes the number a name."""
    before, after = (" ".join(each.split()) for each in (before, after))
    match = re.match(r"[A-Za-z]+", after)
    word, rest = (match.group(), after[match.end() :]) if match else ("", after)
    magnitude, exponent = "", 0
    if not rest[:1].isalpha() and rest[:1] not in (*_POWERS, *"/23^"):
        exponent = _MAGNITUDES.get(word) or _MAGNITUDES.get(word.lower() if len(word) > 1 else "", 0)
        if not exponent and before:
            exponent = _OF_MONEY.get(word, 0)
        if exponent:
            magnitude, after = word, rest.lstrip(". ")
    if not exponent and (prefixed := _PREFIXED.match(after)):
        magnitude, after = after[0], after[1:]
        exponent = _PREFIXES[magnitude.upper() if prefixed[4] else magnitude]
    if after.replace(".", "").lower() in _NO_UNITS or len(after) > _LONGEST:
        return None
    if not all(c.isascii() or c.isalpha() or c in _SYMBOLS or category(c) == "Sc" for c in after):
        return None
    return Clothes(before, after, magnitude, exponent, _OPEN.search(after) is not None)


def _folded(unit: str) -> str:
    """Return a unit in one spelling: CC and cc, year and years; mW is no MW."""
    plain = " ".join(unit.replace(".", "").split())
    folded = (plain[:1] if plain[:1] in "mM" else plain[:1].casefold()) + plain[1:].casefold()
    return folded[:-1] if len(folded) > 2 and folded.endswith("s") else folded


class Cells(NamedTuple):
    """Different words, taken apart; where one is no number, `core` is null.

    Parameters
    ----------
    core : pyarrow.StringArray
        The digits and their marks.
    negative : ndarray of bool
    sign : ndarray of str
        What says so: an opening parenthesis, a minus, nothing.
    around : ndarray of int
        Which of `pairs` stands around each, -1 around what is no number.
    pairs : list of Clothes or None
    """

    core: Any
    negative: NDArray[np.bool_]
    sign: NDArray[Any]
    around: NDArray[np.int64]
    pairs: list[Clothes | None]


def take_apart(words: Any) -> Cells:
    """Return numbers and what stands around them, of an Arrow array of different words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(words, _CELL)
    part = {field.name: pc.struct_field(found, field.name) for field in found.type}

    def where(condition: Any) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = condition.fill_null(False).to_numpy(zero_copy_only=False)
        return mask

    pairs = pc.binary_join_element_wise(part["before"], part["after"], "\0").dictionary_encode()
    around = pairs.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    known = [clothes(*pair.split("\0")) for pair in pairs.dictionary.to_pylist()]
    outside, within = pc.equal(part["open"], "("), pc.equal(part["within"], "(")  # ($5) and $(5)
    opened = pc.or_(outside, within)
    unpaired = pc.or_(pc.and_(outside, within), pc.xor(opened, pc.equal(part["close"], ")")))
    wrong = pc.or_(unpaired, pc.and_(
        pc.not_equal(part["sign"], ""), pc.or_(opened, pc.not_equal(part["inner"], ""))
    ))  # fmt: skip
    names = [number for number, each in enumerate(known) if each is None]
    around[where(wrong) | np.isin(around, names)] = -1
    signs = pc.binary_join_element_wise(part["sign"], part["inner"], "")
    signs = pc.if_else(opened, "(", signs).fill_null("").to_numpy(zero_copy_only=False)
    negative = (signs != "") & (signs != "+")
    core = pc.if_else(pa.array(around >= 0), part["core"], pa.scalar(None, pa.string()))
    return Cells(core, negative, signs, around, known)


def fits(core: Any, mark: str) -> NDArray[np.bool_]:
    """Return where digits and marks are a number whose decimal sign is `mark`."""
    return has(core, _READINGS[mark])


def numbers_of(cells: Cells, mask: NDArray[np.bool_], mark: str) -> NDArray[np.float64]:
    """Return the numbers of cells that fit a decimal sign, NaN elsewhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = cells.core.filter(pa.array(mask))
    text = pc.replace_substring_regex(text, f"{_BLANK}|[{_QUOTES}{',.'[mark == ',']}]", "")
    text = pc.replace_substring(text, ",", ".")
    exponents = np.array([each.exponent if each else 0 for each in cells.pairs] + [0])[cells.around]
    scaled = exponents[mask]
    if scaled.any():  # as a text, so that 56.7M is rounded once
        joined = pc.binary_join_element_wise(text, pa.array(scaled).cast(pa.string()), "e")
        plain = pc.or_(pa.array(scaled == 0), pc.match_substring_regex(text, "[eE]"))
        text = pc.if_else(plain, text, joined)
    found = np.full(len(mask), np.nan)
    found[mask] = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
    found[cells.negative] *= -1
    return found


def thousands_of(core: Any, mask: NDArray[np.bool_], mark: str) -> str:
    """Return the marks between thousands in cells that fit a decimal sign."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = core.filter(pa.array(mask))
    return "".join(
        name
        for name, pattern in _MARKS.items()
        if name != mark and pc.any(pc.match_substring_regex(chosen, pattern)).as_py()
    )


@dataclass(frozen=True)
class Dress:
    """How the numbers of a column are written.

    Parameters
    ----------
    before, after : str
        The currency or the unit.
    decimal : {".", ","}
    thousands : str
        The marks that stand between thousands; nothing where there are none.
    magnitudes : tuple of str
        Those seen, such as k and M.
    negatives : str
        What says that a number is below zero, but for a hyphen: a parenthesis, another minus.
    words : tuple of str
        What stands in place of a number.

    Examples
    --------
    >>> import pyarrow as pa
    >>> Dress(before="$", magnitudes=("M",)).numbers(pa.array(["$56.7M", "($1.5k)", "5"])).tolist()
    [56700000.0, -1500.0, nan]
    """

    before: str = ""
    after: str = ""
    decimal: str = "."
    thousands: str = ""
    magnitudes: tuple[str, ...] = ()
    negatives: str = ""
    words: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """What a column's type is that holds numbers so dressed: it is kept in the model's file."""
        told = {
            f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default
        }
        return f"{NUMBER} {json.dumps(told, ensure_ascii=False)}" if told else NUMBER

    @classmethod
    def of_type(cls, form: str) -> Dress:
        """Return what `type` says behind its first word.

        Raises
        ------
        TypeError, ValueError
            If it says something else.
        """
        told = json.loads(form)
        kept: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in told.items()}
        return cls(**kept)

    @property
    def told(self) -> str:
        """How the numbers are written, in a few words; nothing where they wear nothing."""
        parts = [" and ".join(repr(each) for each in (self.before, self.after) if each)]
        in_unit = f"in {parts[0]}" if parts[0] else ""
        others = [f"thousands as 1{mark}234" for mark in self.thousands]
        others += ["decimal commas"] * (self.decimal == ",")
        others += [f"magnitudes such as {each}" for each in self.magnitudes[:1]]
        others += [f"negatives as {'(5)' if each == '(' else each + '5'}" for each in self.negatives]
        return " ".join(filter(None, [in_unit, f"with {', '.join(others)}" if others else ""]))

    @property
    def sample(self) -> str:
        """A number so written."""
        magnitude, gap = (*self.magnitudes, "")[0], " " * self.after[:1].isalpha()
        digits = f"{self.before}1{self.thousands[:1]}234{self.decimal}5"
        if _PREFIXED.match(magnitude + self.after):
            return f"{digits}{gap}{magnitude}{self.after}"
        return f"{digits}{magnitude}{gap}{self.after}"

    @property
    def rule(self) -> str:
        """What a cell must be."""
        plain = Dress(words=self.words, negatives=self.negatives) == self
        what = "must hold numbers" + ("" if plain else f" written like {self.sample!r}")
        return f"{what}, or {some(self.words)}" if self.words else what

    def numbers(self, words: Any) -> NDArray[np.float64]:
        """Return the numbers of different words; NaN where one is not so written. A bare 0 is 0."""
        cells = take_apart(words)
        key = Clothes(self.before, self.after, "", 0, False).key
        fit, bare = fits(cells.core, self.decimal), []
        chosen = np.zeros(len(cells.pairs) + 1, bool)
        for number, each in enumerate(cells.pairs):
            if each is not None and (not each.magnitude or self.magnitudes):
                chosen[number] = each.key == key
                if not chosen[number] and each.key == ("", "") and not each.magnitude:
                    bare.append(number)
        mask = fit & chosen[cells.around]
        for mark in set(",.' ") - {self.decimal, *self.thousands}:
            mask &= ~has(cells.core, _MARKS[mark])
        found = numbers_of(cells, mask | (fit & np.isin(cells.around, bare)), self.decimal)
        found[~mask & (found != 0)] = np.nan
        return found

    def read(self, text: Any, missing: Any) -> Any:
        """Return text as float64; where there are words, as structures of a number and a word.

        Null is missing.

        Raises
        ------
        BadCell
            Of the first that is neither missing nor so written.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        cells = values.trimmed(text, missing)
        encoded = cells.dictionary_encode()
        numbers = self.numbers(encoded.dictionary)
        known = pc.is_in(encoded.dictionary, pa.array(self.words, pa.string()))
        strange = ~np.isfinite(numbers) & ~known.to_numpy(zero_copy_only=False)
        if strange.any():
            row = int(
                pc.index(pc.is_in(cells, encoded.dictionary.filter(pa.array(strange))), True).as_py()
            )
            infinite = np.isinf(numbers[encoded.indices[row].as_py()])
            raise BadCell(
                row, cells[row].as_py(), "must hold finite numbers" if infinite else self.rule
            )
        numbers[known.to_numpy(zero_copy_only=False)] = np.nan
        column = pa.array(numbers, from_pandas=True).take(encoded.indices)
        if not self.words:
            return column
        words = pc.if_else(known, encoded.dictionary, pa.scalar(None, pa.string()))
        return with_words(column, words.take(encoded.indices))

    def read_numbers(self, column: Any) -> Any:
        """Return numbers that wear nothing, as `read` does.

        Raises
        ------
        BadCell
            Of the first, where those that were learned from have a unit: this may be in another.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if (self.before or self.after or self.magnitudes) and column.null_count < len(column):
            row = int(pc.index(pc.is_valid(column), True).as_py())
            raise BadCell(row, values.text_of(column[row].as_py()), self.rule)
        return with_words(column, pa.nulls(len(column), pa.string())) if self.words else column


def has(core: Any, pattern: str) -> NDArray[np.bool_]:
    """Return which words a pattern is found in; null has none."""
    import pyarrow.compute as pc

    found: NDArray[np.bool_] = (
        pc.match_substring_regex(core, pattern).fill_null(False).to_numpy(zero_copy_only=False)
    )
    return found


def with_words(numbers: Any, words: Any) -> Any:
    """Return structures of a number and of the word in its place, null where there is neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = pc.and_(pc.is_null(numbers), pc.is_null(words))
    return pa.StructArray.from_arrays([numbers, words], fields=_worded_fields(), mask=gone)


def _worded_fields() -> list[Any]:
    import pyarrow as pa

    return [pa.field("number", pa.float64()), pa.field("word", pa.string())]


def dress_of(form: str) -> Dress | None:
    """Return the dress of a column's type, from behind its first word; None of other forms."""
    return Dress.of_type(form) if form.startswith("{") else None


def arrow_type(form: str) -> Any:
    """Return the Arrow type of a column of numbers with words; None of others."""
    import pyarrow as pa

    dress = dress_of(form)
    return pa.struct(_worded_fields()) if dress and dress.words else None
