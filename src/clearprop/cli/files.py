"""The files that a command reads and writes: no two of them one, and nothing lost."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearprop.cli import errors, model
from clearprop.data import BUILT_IN

_HISTORY = (["epoch", "cost"], ["learning_rate", "seconds", "samples_per_second"])
_OF_PREDICTIONS = ("prediction_", "probability_", "output_", "low_", "high_", "reason_")
_MARKED = 2000  # bytes in which it is
EXPORTED = "Written by clearprop"  # near the beginning of every export, by which one is known
_HEAD = 1 << 20  # characters of a file in which its first line must end


def refuse_same(
    read: Mapping[str, str | Sequence[str] | None], written: Mapping[str, str | None]
) -> None:
    """Make sure that no file is written which is another of the command's files too.

    Parameters
    ----------
    read, written : mapping
        The path of each file by its option, as given, or None. What is read may be a folder of files,
        several files, or no file at all: a built-in set.

    Raises
    ------
    ValueError
        Naming both options. Links, hard ones too, are names of one file.
    """
    reading = [
        (name, path)
        for name, given in read.items()
        for path in ([given] if isinstance(given, str) else given or ())
        if path and path not in BUILT_IN
    ]
    writing = [(name, path) for name, path in written.items() if path]
    for number, (name, path) in enumerate(writing):
        for other, its_path in [*reading, *writing[:number]]:
            if _is_one(path, its_path):
                got = f"{path} for both" if path == its_path else f"{its_path} and {path}, one file"
                raise ValueError(f"{other} and {name} must be two files, got {got}")
            if _is_inside(path, its_path):
                raise ValueError(f"{name} must be no file of the folder {other}, got {path}")


def _is_one(path: str, other: str) -> bool:
    path, other = model.expanded(path), model.expanded(other)
    try:
        return os.path.samefile(path, other)
    except OSError:  # one of them is yet to be made
        pass
    try:
        return os.path.normcase(os.path.realpath(path)) == os.path.normcase(os.path.realpath(other))
    except OSError:  # the current folder is gone
        return path == other


def _is_inside(path: str, folder: str) -> bool:
    """Return whether a file is, by any name, one of those that lie in a folder already."""
    folder = model.expanded(folder)
    if not os.path.isdir(folder) or not os.path.isfile(model.expanded(path)):
        return False
    with os.scandir(folder) as entries:
        return any(_is_one(path, entry.path) for entry in entries)


def refuse_terminal(html: bool, output: str | None) -> None:
    """Refuse to write a page of HTML to a terminal.

    Raises
    ------
    ValueError
        Naming --output.
    """
    if html and output is None and sys.stdout is not None and sys.stdout.isatty():
        raise ValueError(
            "--format html is a page for a browser, not for a terminal: --output page.html writes it"
        )


def print_or_write(text: str, output: str | None) -> None:
    """Print a text, or write the file that is named and say so."""
    if output is None:
        print(text, end="")
    else:
        Path(model.expanded(output)).write_text(text, "utf-8")
        errors.say(f"wrote {output}")


def check_log(path: str | None) -> None:
    """Make sure that nothing but an earlier history is overwritten by one.

    A file that cannot be written at all is another matter: it is warned of, later.

    Raises
    ------
    ValueError
        If the file holds anything else.
    """
    if path is None or not _holds_anything(model.expanded(path)):
        return
    if not os.access(model.expanded(path), os.W_OK):
        return
    header = _header(model.expanded(path))
    first, last = _HISTORY
    if header is None or header[:2] != first or header[-3:] != last:
        raise ValueError(f"--log {path} exists and holds no history; another name keeps what it holds")


def check_predictions(path: str) -> None:
    """Make sure that nothing but earlier predictions is overwritten by new ones.

    Raises
    ------
    ValueError
        If the file holds anything else.
    """
    if not _holds_anything(path):
        return
    columns = _predicted_columns(path)
    if columns is None or len(columns) < 2 or columns[0] != "row" or not _are_predictions(columns[1:]):
        raise ValueError(
            f"--output {path} exists and holds no predictions; another name keeps what it holds"
        )


def _predicted_columns(path: str) -> list[str] | None:
    """Return the names of what a file holds of each row; None where it cannot be told."""
    if path.lower().endswith(".parquet"):
        return _parquet_columns(path)
    if not path.lower().endswith(".jsonl"):
        return _header(path)
    try:
        with open(path, encoding="utf-8") as file:
            first = json.loads(file.readline(_HEAD))
    except (ValueError, OSError):
        return None
    return list(first) if isinstance(first, dict) else None


def check_marks(path: str) -> None:
    """Make sure that nothing but earlier marks is overwritten by new ones.

    Raises
    ------
    ValueError
        If the file holds anything else.
    """
    if _holds_anything(path) and (_header(path) or [])[:4] != ["sheet", "file", "points", "of"]:
        raise ValueError(f"--output {path} exists and holds no marks; another name keeps what it holds")


def check_export(path: str) -> None:
    """Make sure that there is a folder, and that nothing but an earlier export is overwritten.

    Raises
    ------
    ValueError
    """
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise ValueError(f"--output must be a file, {path} is a folder")
    if not os.path.isdir(os.path.dirname(target)):
        raise ValueError(f"--output {path}: there is no folder {os.path.dirname(target)}")
    if _holds_anything(target):
        with open(target, "rb") as file:
            if EXPORTED.encode() not in file.read(_MARKED):
                raise ValueError(
                    f"--output {path} exists and holds no export; another name keeps what it holds"
                )


def _holds_anything(path: str) -> bool:
    """Return whether a path is a file with anything in it: a device or a pipe is none."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _header(path: str) -> list[str] | None:
    """Return the first line of a CSV file, or None if it is none or cannot be read."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head = file.read(_HEAD)
        return next(csv.reader(io.StringIO(head, newline=""), strict=True), None)
    except (OSError, UnicodeDecodeError, csv.Error):
        return None


def _parquet_columns(path: str) -> list[str] | None:
    import pyarrow
    from pyarrow import parquet

    try:
        return list(parquet.read_schema(path).names)
    except (OSError, pyarrow.ArrowException):
        return None


def _are_predictions(columns: list[str]) -> bool:
    """Return whether `predict` names columns so: what is kept, then what is predicted, and of it."""
    firsts = [place for place, name in enumerate(columns) if name.startswith("prediction")]
    if not firsts:
        return False
    first, *others = columns[firsts[0] :]
    return (first == "prediction" or first.startswith("prediction_")) and all(
        name in ("low", "high") or name.startswith(_OF_PREDICTIONS) for name in others
    )
