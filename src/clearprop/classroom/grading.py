"""A folder of what a class has handed in, marked by the engine."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clearprop.architecture import Layer
from clearprop.checkpoint.strict_json import parse_json
from clearprop.classroom import answers
from clearprop.classroom.folder import EXERCISES, FORMAT, KEYS, stem
from clearprop.classroom.marking import CARRIED, OPEN, RIGHT, WRONG, Marked, marked
from clearprop.classroom.sheet import Worksheet
from clearprop.data.files import local_path, open_regular, size
from clearprop.explain.printers.text import printable
from clearprop.network import Network
from clearprop.page import table, tag

_NUMBER = re.compile(r"student-(\d{1,6})(?!\d)", re.IGNORECASE)
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")  # that a form was opened in, and saved as
_MOST_BYTES = 1 << 24  # of the exercises of a thousand students
_FIELDS = {
    "format": str, "sizes": list, "activations": list, "biases": list, "cost": str, "blanks": list,
    "notation": str, "digits": int, "students": list,
}  # fmt: skip


@dataclass(frozen=True)
class Grades:
    """What a class has handed in.

    Attributes
    ----------
    marked : dict
        From the name of each file to its `Marked`, by the numbers of the sheets.
    refused : tuple of str
        A sentence for each file that could not be read.
    missing : tuple of int
        The sheets of which nothing was handed in.
    """

    marked: dict[str, Marked]
    refused: tuple[str, ...]
    missing: tuple[int, ...]

    @property
    def mistakes(self) -> dict[str, int]:
        """How many students made each kind of mistake, the most frequent first."""
        kinds = Counter(
            kind for each in self.marked.values() for kind in {made.name for made in each.mistakes}
        )
        return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))

    def __str__(self) -> str:
        """Return a line for each student, the mistakes of each, and those of the class."""
        if not (self.marked or self.refused):
            n = len(self.missing)
            return f"No answers yet: of {n} sheet{'s' if n > 1 else ''}, no form is filled in"
        lines = ["sheet   right  carried  wrong  open  points"]
        for each in self.marked.values():
            counts = [each.count(verdict) for verdict in (RIGHT, CARRIED, WRONG, OPEN)]
            right, carried, wrong, unanswered = counts
            lines.append(
                f"{each.number:>5}  {right:>6}  {carried:>7}  {wrong:>5}  {unanswered:>4}  "
                f"{each.points:>3}/{len(each.marks)}"
            )
        for name, each in self.marked.items():
            if each.mistakes:
                lines += ["", f"{printable(name)}: {each}"]
        if self.mistakes:
            lines += ["", "Students who made each mistake"]
            lines += [f"  {n:>3}  {kind}" for kind, n in self.mistakes.items()]
        if self.missing:
            lines += ["", f"Nothing was handed in of sheet {_listed(self.missing)}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        counted = [
            (
                each.number,
                *(each.count(verdict) for verdict in (RIGHT, CARRIED, WRONG, OPEN)),
                f"{each.points}/{len(each.marks)}",
                ", ".join(dict.fromkeys(made.name for made in each.mistakes)),
            )
            for each in self.marked.values()
        ]
        columns = ("sheet", RIGHT, CARRIED, WRONG, OPEN, "points", "mistakes")
        return tag("div", table("Marks", columns, counted), *(tag("p", said) for said in self.refused))

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "students": [
                {
                    "file": name,
                    "sheet": each.number,
                    "points": each.points,
                    "of": len(each.marks),
                    "marks": [asdict(mark) for mark in each.marks],
                    "mistakes": [asdict(made) for made in each.mistakes],
                }
                for name, each in self.marked.items()
            ],
            "mistakes": self.mistakes,
            "refused": list(self.refused),
            "missing": list(self.missing),
        }

    def to_csv(self) -> str:
        """Return a line for each student, as a gradebook reads it."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(
            ("sheet", "file", "points", "of", "right", "carried", "wrong", "open", "mistakes")
        )
        for name, each in self.marked.items():
            counts = [each.count(verdict) for verdict in (RIGHT, CARRIED, WRONG, OPEN)]
            kinds = " ".join(dict.fromkeys(made.name for made in each.mistakes))
            # A spreadsheet would take a name that begins with = for a formula.
            file = f"'{name}" if name[0] in "=+-@" else name
            rows.writerow((each.number, file, each.points, len(each.marks), *counts, kinds))
        return out.getvalue()


def grade(folder: str | os.PathLike[str], keys: str | os.PathLike[str] | None = None) -> Grades:
    """Mark what students have filled in: CSV, JSON and NPZ files, which are read and never executed.

    A number is right that follows from the student's own numbers before it: what comes of an earlier
    mistake is not counted a second time. Each mistake is named where the numbers show which it was.

    Parameters
    ----------
    folder : path-like
        With files whose names contain ``student-07`` and end in .csv, .json or .npz: the filled forms,
        or objects or arrays by the numbers of blanks or by names such as ``layers.0.delta``.
    keys : path-like, optional
        The folder with the keys, as `write_worksheets` writes it; the one in `folder` by default.

    Returns
    -------
    Grades
        `refused` has a sentence for each file that cannot be read; the others are marked.

    Raises
    ------
    ValueError
        If nothing was handed in, or the keys cannot be read.
    OSError
        If the folder, or the keys, cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from clearprop.classroom import write_worksheets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_worksheets(cp.worksheets([1, 1], students=2), folder)
    ...     grades = cp.grade(folder)
    >>> grades.missing  # nobody has filled in a form
    (1, 2)
    """
    place = local_path(folder, "folder")
    if not place.is_dir():
        raise NotADirectoryError(f"folder must be one of filled forms, got {place}, which is none")
    where = place / KEYS if keys is None else local_path(keys, "keys")
    worksheets = {each.number: each for each in read_exercises(where / EXERCISES)}
    read_or_said = (*answers.ENDINGS, *_SPREADSHEETS)
    paths = sorted(each for each in place.iterdir() if each.suffix.lower() in read_or_said)
    if not paths:
        endings = ", ".join(answers.ENDINGS)
        raise ValueError(f"folder must have files such as student-01.csv ({endings}), {place} has none")
    found, refused = _handed_in(paths, worksheets)
    done: dict[str, Marked] = {}
    for number, path in sorted(found.items()):
        try:
            done[path.name] = marked(worksheets[number], answers.read(path, worksheets[number]))
        except (OSError, ValueError) as problem:
            refused.append(printable(str(problem)))
    missing = tuple(number for number in worksheets if number not in found)
    return Grades(done, tuple(refused), missing)


def _handed_in(
    given: Sequence[Path], worksheets: dict[int, Worksheet]
) -> tuple[dict[int, Path], list[str]]:
    """Return the file of each sheet, and sentences on files that are of none."""
    files: dict[int, list[Path]] = {}
    refused = []
    for path in given:
        named, name = _NUMBER.search(path.name), printable(path.name)
        number = int(named[1]) if named else 0
        if number in worksheets and path.suffix.lower() in _SPREADSHEETS:
            refused.append(f"{name} must be saved as CSV: a spreadsheet's own files are not read")
        elif number in worksheets:
            files.setdefault(number, []).append(path)
        else:
            refused.append(
                f"{name} must be named after a sheet, student-1 to student-{max(worksheets)}"
            )
    found = {}
    for number, paths in files.items():
        # The form that was handed out is nothing that was handed in.
        filled = [each for each in paths if not _is_form(each, worksheets[number])]
        if len(filled) > 1:
            names = " and ".join(printable(each.name) for each in filled[:3])
            refused.append(
                f"{names} are of one sheet, {stem(worksheets[number])}: one of them is meant"
            )
        found[number] = filled
    return {number: paths[0] for number, paths in found.items() if len(paths) == 1}, refused


def _is_form(path: Path, worksheet: Worksheet) -> bool:
    form = worksheet.form().encode()
    try:
        with open_regular(path) as file:
            return file.read(len(form) + 1) == form
    except OSError:
        return False


def read_exercises(path: Path) -> tuple[Worksheet, ...]:
    """Return the worksheets of a file of keys.

    Raises
    ------
    OSError, ValueError
        If there is none, or it does not hold what `write_worksheets` writes.
    """
    with open_regular(path) as file:
        if (n := size(file)) > _MOST_BYTES:
            raise ValueError(f"{path} must have at most {_MOST_BYTES:,} bytes, got {n:,}")
        kept = parse_json(file.read(_MOST_BYTES), str(path))
    for name, kind in _FIELDS.items():
        if not isinstance(kept.get(name), kind):
            raise ValueError(f"{path} must have {name}, as clearprop worksheet writes it")
    if kept["format"] != FORMAT:
        raise ValueError(f"{path} must be of the format {FORMAT}, got {kept['format'][:40]!r}")
    try:
        return tuple(_worksheets(kept))
    except (TypeError, ValueError, KeyError, AttributeError) as problem:
        raise ValueError(f"{path} must hold exercises that worksheet has written: {problem}") from None


def _worksheets(kept: dict[str, Any]) -> Iterator[Worksheet]:
    first, *sizes = kept["sizes"]
    layers = [
        Layer(size, name, bias=bias)
        for size, name, bias in zip(sizes, kept["activations"], kept["biases"], strict=True)
    ]
    net = Network([first, *layers], cost=kept["cost"], dtype="float64", seed=0)
    rate, students = kept.get("learning_rate"), kept["students"]
    how = {name: kept[name] for name in ("blanks", "notation", "digits")}
    for number, each in enumerate(students, start=1):
        net.parameters[:] = _finite(each["parameters"], net.parameters.shape)
        X, Y = (np.array(each[name], np.float64) for name in ("x", "y"))
        yield Worksheet(net, X, Y, learning_rate=rate or 1.0, number=number, of=len(students), **how)


def _finite(values: Sequence[float], shape: tuple[int, ...]) -> Any:
    array = np.array(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"parameters must be {shape[0]} finite numbers")
    return array


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return shown if len(numbers) <= 12 else f"{shown} and {len(numbers) - 12} more"
