"""What files of tables share: the names of columns, which one is the target, and the Dataset."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Dataset, meant, some
from clearprop.data.files import Place, Source, place_of, state
from clearprop.data.idx import find_files
from clearprop.data.remote import Remote
from clearprop.data.targets import make_target
from clearprop.names import trim, unnamed
from clearprop.user_warning import warn

TARGET_NAMES = ("target", "label", "y", "class")
ENDINGS = (
    *(
        ending + packed
        for ending in (".csv", ".tsv", ".txt", ".data", ".jsonl")
        for packed in ("", ".gz")
    ),
    ".parquet",
)
_JSON = tuple(ending for ending in ENDINGS if ending.startswith(".jsonl"))
_CSV = tuple(ending for ending in ENDINGS if ending.startswith((".csv", ".tsv")))


@dataclass(frozen=True)
class TargetColumn:
    """The different values of a target's column, and which one each row has."""

    name: str
    distinct: Sequence[Any]
    codes: NDArray[Any]
    with_target: NDArray[np.bool_] | None = None  # rows of the file, where not all have one


def is_table(path: Place) -> bool:
    """Return whether a path is that of a file of a table, by its name, or a folder of such."""
    if isinstance(path, Remote):
        return path.name.lower().endswith(ENDINGS) or not path.is_file()
    if path.is_dir():
        return is_of_parquet(path) or (not any(find_files(path).values()) and bool(csv_paths(path)))
    return path.name.lower().endswith(ENDINGS)


def is_of_json(path: Place) -> bool:
    """Return whether a path is that of a file of JSON lines, by its name."""
    return path.name.lower().endswith(_JSON)


def is_of_parquet(folder: Path) -> bool:
    """Return whether a folder, or one inside it, holds Parquet files."""
    return next(folder.rglob("*.parquet"), None) is not None


def are_files(what: object) -> TypeGuard[Source | Sequence[Source]]:
    """Return whether something is the name of a file, or several such."""
    named = what if isinstance(what, list | tuple) else [what]
    return len(named) > 0 and all(isinstance(each, str | os.PathLike) for each in named)


def sources(what: Source | Sequence[Source]) -> list[Place]:
    """Return the files and folders that are named, or meant by a pattern such as ``part-*.parquet``.

    Raises
    ------
    OSError
        If one does not exist, or a pattern fits none.
    ValueError
        If one is named twice.
    """
    named = [what] if isinstance(what, str | os.PathLike) else list(what)
    found: list[Place] = []
    for each in map(place_of, named):
        found += fitting(each) or [each]
    for path in found:
        state(path)
    if len({isinstance(path, Remote) for path in found}) > 1:
        got = some(list(map(str, found)))
        raise ValueError(f"the files of a table must all be here, or all at URLs, got {got}")
    if twice := [str(path) for path, count in Counter(found).items() if count > 1]:
        raise ValueError(f"a table must be of different files, got {some(twice)} more than once")
    return found


def fitting(path: Place) -> list[Place]:
    """Return the files that a pattern such as ``part-*.parquet`` fits; none where it is a name."""
    if isinstance(path, Remote):
        near = path.parent.iterdir() if "*" in path.name else []
        return sorted(each for each in near if fnmatch.fnmatchcase(each.name, path.name))
    return [] if os.path.lexists(path) else sorted(map(Path, glob.glob(str(path))))


def files_of(path: Place) -> list[Place]:
    """Return the files of a folder that are one table, in the order of their names; else the path."""
    if not path.is_dir():
        return [path]
    return _parquet_paths(path) or csv_paths(path)


def _parquet_paths(folder: Place) -> list[Place]:
    return sorted(
        path
        for path in folder.rglob("*.parquet")
        if not any(part.startswith((".", "_")) for part in parts_below(path, absolute(folder)))
    )


def csv_paths(folder: Place) -> list[Place]:
    """Return the CSV files of a folder in the order of their names; hidden ones are left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(_CSV) and not path.name.startswith((".", "_")) and path.is_file()
    )


def absolute(path: Place) -> str:
    """Return the whole path of a file, on its filesystem."""
    return path.path if isinstance(path, Remote) else os.path.abspath(path)


def parts_below(path: Place, folder: str | PurePath) -> tuple[str, ...]:
    """Return the parts of a path from a folder on, which is a whole path."""
    return PurePath(absolute(path)).relative_to(folder).parts


def column_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names without the blanks around them; `unnamed` where the first alone is none."""
    plain = [trim(name) for name in names]
    if plain and not plain[0] and all(plain[1:]):
        plain[0] = unnamed(plain)
    return tuple(plain)


def check_names(names: Sequence[str], path: Place) -> None:
    """Refuse column names that are empty or occur twice."""
    blank = [number for number, name in enumerate(names, start=1) if not trim(name)]
    if blank:
        raise ValueError(f"{path} must name every column, column {some(blank)} has no name")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{path} must name every column differently, got {some(twice)} more than once "
            "(is the row of names missing?)"
        )


def check_columns(path: Place, names: Sequence[str], first: Place, wanted: Sequence[str]) -> None:
    """Refuse a file of a folder without a column of the folder's first; say what it has beyond them."""
    missing = [name for name in wanted if name not in names]
    more = [name for name in names if name not in wanted]
    if missing:
        instead = f", has {some(more)}" if more else ""
        raise ValueError(f"{path} must have the columns of {first}, lacks {some(missing)}{instead}")
    if more:
        warn(f"{path} has {some(more)}, which {first} has not: not used")


def choose_target(
    names: Sequence[str], target: str | None, need_target: bool, path: Place | str
) -> str | None:
    """Return the name of the target's column.

    Without `target` it is the only one called target, label, y or class; the last column is never
    assumed. If `need_target` is false it may be absent, and the answer is None.

    Raises
    ------
    ValueError
        If there is no such column, several, or no column beside it.
    """
    target = None if target is None else trim(target)
    present = [target] if target is not None else [n for n in TARGET_NAMES if n in names]
    present = [name for name in present if name in names]
    if len(present) > 1:
        raise ValueError(f"{path} has more than one likely target, name one: {some(present)}")
    if not present and need_target:
        wanted = repr(target) if target is not None else ", ".join(TARGET_NAMES[:-1]) + " or class"
        raise ValueError(
            f"{path} has no column {wanted}{meant(target or '', names)}: the target must be one of "
            f"{some(list(names))}"
        )
    if len(names) == len(present):
        raise ValueError(f"{path} must have a feature beside the target {present[0]!r}, got none")
    return present[0] if present else None


def table_dataset(
    path: Path,
    feature_names: Sequence[str],
    X: NDArray[np.float64],
    target: TargetColumn | None,
    task: str | None,
) -> Dataset:
    """Return the Dataset of a table whose features are known to be finite."""
    Y, classes, name = None, None, None
    if target is not None:
        name = target.name
        Y, classes = make_target(target.distinct, target.codes, task, f"the target {name!r} of {path}")
    found = "classification" if classes is not None else "regression"
    return Dataset(
        name=path.name.split(".")[0] or path.name,
        source=str(path),
        task=found if Y is not None else task or found,
        X_train=X,
        Y_train=Y,
        classes=classes,
        feature_names=tuple(feature_names),
        target=name,
        with_target=None if target is None else target.with_target,
    )
