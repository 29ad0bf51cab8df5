"""``clearprop grade``: what students have filled in, marked, with the kind of each mistake."""

from __future__ import annotations

from typing import Annotated

import typer

import clearprop as cp
from clearprop.checkpoint import atomic_file
from clearprop.cli import errors, files, model, terminal
from clearprop.cli.arguments import JsonOption, option

_FolderArgument = Annotated[
    str, typer.Argument(metavar="FOLDER", help="Filled forms: student-01.csv, .json or .npz, ...")
]


def grade(
    folder: _FolderArgument,
    keys: Annotated[
        str | None,
        option(metavar="FOLDER", text="The keys that worksheet has written", default="keys in FOLDER"),
    ] = None,
    output: Annotated[
        str | None, option(metavar="FILE", text="A CSV file with a line for each student.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Mark worksheets that were filled in, each number after those before it.

    What comes of an earlier mistake is right, and said to be carried; each
    mistake is named. Files are read, never executed; one that cannot be read
    is said with the field that is wrong, the others are marked, and the exit
    code is 1.

    Example: clearprop grade class
    """
    place = model.expanded(folder)
    grades = cp.grade(place, None if keys is None else model.expanded(keys))
    if output is not None:
        path = model.expanded(output)
        files.check_marks(path)
        with atomic_file.replacing(path) as file:
            file.write(grades.to_csv().encode())
        errors.say(f"wrote {output}")
    if as_json:
        terminal.print_json(grades.as_dict())
    else:
        print(grades)
    for sentence in grades.refused:
        errors.say(sentence)
    if grades.refused:
        raise typer.Exit(errors.FAILED)
