"""A folder of worksheets: a sheet and a form for each student, and the keys beside them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearprop.classroom.sheet import FORMATS, Worksheet, together
from clearprop.data.files import local_path
from clearprop.names import known_name

KEYS, EXERCISES, FORMAT, ALL = "keys", "worksheets.json", "worksheets/1", "all"
ENDINGS = {"text": ".txt", "latex": ".tex", "html": ".html"}


def write_worksheets(
    worksheets: Sequence[Worksheet], folder: str | os.PathLike[str], format: str = "text"
) -> list[Path]:
    """Write a sheet and an empty form for each student, and in a folder of their own the keys.

    Parameters
    ----------
    worksheets : sequence of Worksheet
        As `worksheets` makes them.
    folder : path-like
        Made if it is not there; else it must be empty.
    format : {"text", "latex", "html"}

    Returns
    -------
    list of Path
        What was written: ``student-01.txt`` and ``student-01.csv`` for each, ``keys/student-01.txt``,
        ``all.txt`` and ``keys/all.txt`` with those of several students, and ``keys/worksheets.json``,
        from which `grade` marks.

    Raises
    ------
    ValueError
        If the format is unknown, or the folder holds anything.
    OSError
        If it cannot be written.
    """
    ending = ENDINGS[known_name("format", format, FORMATS)]
    if not worksheets:
        raise ValueError("worksheets must be at least one, got none")
    place = local_path(folder, "folder")
    if place.is_file() or (place.is_dir() and any(place.iterdir())):
        raise ValueError(
            f"folder must be new or empty, so that no sheet of another class is lost, got {place}"
        )
    contents = {f"{KEYS}/{EXERCISES}": exercises(worksheets)}
    for each in worksheets:
        name = stem(each)
        contents[f"{name}{ending}"] = each.sheet(format)
        contents[f"{name}.csv"] = each.form()
        contents[f"{KEYS}/{name}{ending}"] = each.key(format)
    if len(worksheets) > 1:  # to print at once
        contents[f"{ALL}{ending}"] = together(worksheets, format)
        contents[f"{KEYS}/{ALL}{ending}"] = together(worksheets, format, keys=True)
    _write(place, contents)
    return [place / name for name in contents]


def _write(place: Path, contents: dict[str, str]) -> None:
    """Write all files or, where that fails, none."""
    is_new = not place.is_dir()
    unfinished = place / ".unfinished"
    try:
        (unfinished / KEYS).mkdir(parents=True)
        for name, text in contents.items():
            (unfinished / name).write_text(text, "utf-8")
        for each in unfinished.iterdir():
            each.rename(place / each.name)
        unfinished.rmdir()
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        if is_new:
            shutil.rmtree(place, ignore_errors=True)
        raise


def stem(worksheet: Worksheet) -> str:
    """Return what a student's files are called: student-07 of 30."""
    return f"student-{worksheet.number:0{max(2, len(str(worksheet.of)))}}"


def exercises(worksheets: Sequence[Worksheet]) -> str:
    """Return the exercises as JSON: the numbers themselves, so that every version marks the same."""
    first = worksheets[0]
    layers = first.net.architecture.layers
    common: dict[str, Any] = {
        "format": FORMAT,
        "sizes": list(first.net.sizes),
        "activations": [layer.function.name for layer in layers],
        "biases": [layer.bias for layer in layers],
        "cost": first.net.architecture.cost.name,
        "blanks": list(first.blanks),
        "learning_rate": first.learning_rate,
        "notation": first.glyphs.given.name,
        "digits": first.digits,
    }
    students = [
        {
            "parameters": each.net.parameters.tolist(),
            "x": each.trace.X.tolist(),
            "y": each.trace.Y.tolist(),
        }
        for each in worksheets
    ]
    lines = ",\n  ".join(json.dumps(each) for each in students)
    head = json.dumps(common, indent=1).removesuffix("\n}")
    return f'{head},\n "students": [\n  {lines}\n ]\n}}\n'
