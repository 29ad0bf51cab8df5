"""Marks: what is right after what was written before it, and the kind of each mistake."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clearprop.activations import Array
from clearprop.classroom.carried import Own
from clearprop.classroom.slips import RARE, Slip, slips
from clearprop.explain.printers.text import TextPrinter

if TYPE_CHECKING:
    from clearprop.classroom.sheet import Key, Worksheet

RIGHT, CARRIED, WRONG, OPEN = "right", "carried", "wrong", "open"
_NEAR = 0.02  # relative: a number this near was rounded too early, or to too few digits
_MOST_NAMED = 3  # mistakes that give the same numbers


@dataclass(frozen=True)
class Mark:
    """One blank: `meant` is what it should be after the student's own numbers before it.

    `verdict` is right, carried (right after an earlier mistake), wrong or open.
    """

    blank: int
    quantity: str
    answer: float | None
    meant: float
    verdict: str


@dataclass(frozen=True)
class Mistake:
    """A mistake and the blanks in which it was made; not those in which it has consequences."""

    name: str
    sentence: str
    blanks: tuple[int, ...]


@dataclass(frozen=True)
class Marked:
    """What one student's answers are worth.

    Attributes
    ----------
    number : int
        Of the sheet.
    marks : tuple of Mark
        In the order of the blanks.
    mistakes : tuple of Mistake
        In the order in which they were made.
    """

    number: int
    marks: tuple[Mark, ...]
    mistakes: tuple[Mistake, ...]

    def count(self, verdict: str) -> int:
        """Return how many blanks have a verdict."""
        return sum(mark.verdict == verdict for mark in self.marks)

    @property
    def points(self) -> int:
        """One for each blank that is right, also after an earlier mistake."""
        return self.count(RIGHT) + self.count(CARRIED)

    def __str__(self) -> str:
        """Return the points, and a line for each mistake."""
        carried, unanswered = self.count(CARRIED), self.count(OPEN)
        lines = [f"Sheet {self.number}: {self.points} of {len(self.marks)} right"]
        if carried:
            lines[0] += f", {carried} of them after an earlier mistake"
        if unanswered:
            lines[0] += f"; {unanswered} not answered"
        for mistake in self.mistakes:
            blanks = " ".join(f"({blank})" for blank in mistake.blanks)
            lines.append(f"  {blanks} {mistake.name}: {mistake.sentence}")
        return "\n".join(lines)


class _Judged(NamedTuple):
    place: tuple[int, ...]
    blank: int
    answer: float  # in the engine's units, as all that follows
    meant: float


def marked(worksheet: Worksheet, answers: Mapping[int, float]) -> Marked:
    """Return the marks of answers by the numbers of their blanks."""
    marking = _Marking(worksheet, answers)
    for quantity, layer in marking.own.order():
        marking.judge(quantity, layer)
    marks = marking.marks
    return Marked(worksheet.number, tuple(marks[n] for n in sorted(marks)), tuple(marking.mistakes))


class _Marking:
    """Passes that go on from a student's numbers, and what is found on the way.

    `own` goes on from all of them as they were written, `exact` from those that are wrong alone and
    else from unrounded ones: between the two lies all that rounding can have done. `healed` has what is
    meant in place of what is wrong, for whoever computed with another number than was written down.
    """

    def __init__(self, worksheet: Worksheet, answers: Mapping[int, float]) -> None:
        self.worksheet, self.answers = worksheet, answers
        self.own, self.exact, self.healed = Own(worksheet), Own(worksheet), Own(worksheet)
        self.blanks = {key: number for number, key in enumerate(worksheet.asked, start=1)}
        printer = TextPrinter(worksheet.digits, ascii=True)
        self.names = [printer.inline(line.formula.sides[0]) for line in worksheet.lines]
        self.marks: dict[int, Mark] = {}
        self.mistakes: list[Mistake] = []

    @np.errstate(all="ignore")
    def judge(self, quantity: str, layer: int) -> None:
        """Judge the answers of one array, and put them where the next ones go on from them."""
        passes = (self.own, self.exact, self.healed)
        meant, precise, healed = (each.right(quantity, layer) for each in passes)
        also, wrong = list(self.own.alike(quantity, layer)), []
        written, unrounded, mended = meant.copy(), precise.copy(), healed.copy()
        for place in np.ndindex(meant.shape):
            key = quantity, layer, place
            number = self.blanks.get(key)
            if number is None and key not in self.worksheet.given:
                continue  # what the sheet does not show is not rounded
            written[place] = _rounded(float(meant[place]), self.worksheet.digits)
            mended[place] = _rounded(float(healed[place]), self.worksheet.digits)
            if number is None:
                continue
            pairs = [
                (meant, precise),
                (healed, self.worksheet.asked[key].array),
                *((each, each) for each in also),
            ]
            nearby = [(float(low[place]), float(high[place])) for low, high in pairs]
            verdict, answer = self._mark(number, key, nearby)
            if answer is None:
                continue
            written[place] = answer
            if verdict == RIGHT:
                mended[place] = answer
            elif verdict == WRONG:
                unrounded[place] = answer
                wrong.append(_Judged(place, number, answer, float(meant[place])))
        if wrong:
            likely = list(slips(self.own, quantity, layer, meant))
            self.mistakes += _named(wrong, likely, self.worksheet, quantity)
        for each, values in zip(passes, (written, unrounded, mended), strict=True):
            each.values[quantity, layer] = values

    def _mark(
        self, number: int, key: Key, nearby: Sequence[tuple[float, float]]
    ) -> tuple[str, float | None]:
        """Keep the mark of a blank; return the verdict, and the answer in the engine's units."""
        num, given = self.worksheet.asked[key], self.answers.get(number)
        answer, verdict = None, OPEN
        if given is not None:
            answer = given / num.factor
            verdict = _verdict(answer, nearby, self.worksheet.digits, num.factor)
        meant = num.factor * float(nearby[0][1])
        self.marks[number] = Mark(number, self.names[number - 1], given, meant, verdict)
        return verdict, answer


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _unit(value: float, digits: int) -> float:
    """Return one in the last digit of a number that is rounded to so many."""
    if value == 0 or not math.isfinite(value):
        return float(10.0**-digits)
    return float(10.0 ** (math.floor(math.log10(abs(value))) - digits + 1))


def _verdict(answer: float, nearby: Sequence[tuple[float, float]], digits: int, factor: float) -> str:
    """Return the verdict; `nearby` has ranges: after the student's numbers, after what is meant."""

    def near(low: float, high: float) -> bool:
        unit = 1.01 * max(_unit(each * factor, digits) for each in (low, high)) / abs(factor)
        return min(low, high) - unit <= answer <= max(low, high) + unit

    (_, precise), (_, true), *_ = nearby
    if near(*nearby[1]):
        return RIGHT
    if not any(near(*each) for each in nearby):
        return WRONG
    return RIGHT if math.isclose(precise, true, rel_tol=1e-9) else CARRIED


def _named(
    wrong: list[_Judged], likely: Sequence[Slip], worksheet: Worksheet, quantity: str
) -> list[Mistake]:
    """Return the mistakes that explain wrong numbers, those that explain most of them first."""
    factor = next(n.factor for (name, _, _), n in worksheet.asked.items() if name == quantity)
    if all(_has_few_digits(each, worksheet.digits, factor) for each in wrong):
        likely = ()
    found, left = [], list(wrong)
    while left:
        explained = [
            [each for each in left if _is(each, slip.array, worksheet.digits)] for slip in likely
        ]
        most = max(map(len, explained), default=0)
        if not most:
            break
        first = next(each for each in explained if len(each) == most)
        names = dict.fromkeys(
            slip[:2] for slip, each in zip(likely, explained, strict=True) if each == first
        )
        usual = [each for each in names if each[0] not in RARE] or list(names)
        sentence = "; or ".join(said for _, said in usual[:_MOST_NAMED])
        found.append(Mistake(usual[0][0], sentence, tuple(each.blank for each in first)))
        left = [each for each in left if each not in first]
    return found + [_arithmetic(each, worksheet.digits, factor) for each in left]


def _has_few_digits(each: _Judged, digits: int, factor: float) -> bool:
    """Return whether an answer is what is meant with one digit less: a slip that gives it is chance."""
    return math.isclose(factor * each.answer, _rounded(factor * each.meant, digits - 1), rel_tol=1e-9)


def _is(each: _Judged, array: Array, digits: int) -> bool:
    """Return whether a slip gives this answer, and not what is meant."""
    value = float(array[each.place])
    if not math.isfinite(value) or math.isclose(value, each.meant, rel_tol=1e-9):
        return False
    return abs(each.answer - value) <= 2 * _unit(value, digits)


def _arithmetic(wrong: _Judged, digits: int, factor: float) -> Mistake:
    """Return what one wrong number is, of which no reason is known but that of the number alone."""
    answer, meant = factor * wrong.answer, factor * wrong.meant
    here = f"{_rounded(meant, digits):g} is meant, from the numbers before it"
    for name, said in _of_number(answer, meant, digits):
        return Mistake(name, f"{said}: {here}", (wrong.blank,))
    return Mistake("arithmetic", f"{answer:g} has no reason that is known: {here}", (wrong.blank,))


def _of_number(answer: float, meant: float, digits: int) -> Iterator[tuple[str, str]]:
    unit = 2 * _unit(meant, digits)
    if abs(answer + meant) <= unit:
        yield "sign", "the sign is turned"
    for k in (1, 2, 3, -1, -2, -3):
        if abs(answer - meant * 10.0**k) <= unit * 10.0**k:
            yield "decimal_point", "the decimal point is in another place"
    if meant and abs(answer - meant) <= _NEAR * abs(meant):
        yield "rounding", f"{answer:g} is rounded too early, or to too few digits"
    ours, theirs = (f"{abs(each):.{digits - 1}e}".partition("e") for each in (meant, answer))
    if ours[2] == theirs[2] and ours[0] != theirs[0] and sorted(ours[0]) == sorted(theirs[0]):
        yield "digits_exchanged", f"digits of {answer:g} are exchanged"
