"""What users type: names, looked up in closed tables, and numbers."""

from __future__ import annotations

import contextlib
import math
import operator
import os
from collections.abc import Iterable, Sequence
from typing import TypeGuard

import numpy as np

# What Unicode calls white space, and three characters that nobody sees: joiners and the mark of UTF-8.
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u200b\u2060\ufeff"
)
"""What is not part of a name, a label or a cell that stands between it."""

_UNNAMED = "Unnamed: 0"  # an index that pandas or R wrote before the first name, as pandas reads it


def trim(text: str) -> str:
    """Return a text without the blanks around it."""
    return text.strip(BLANKS)


def known_name(argument: str, name: object, known: Iterable[object]) -> str:
    """Return `name` if it is one of the `known` ones; otherwise say which there are.

    Raises
    ------
    ValueError
        If it is not, with the nearest known name.
    """
    names = [str(each) for each in known]
    if isinstance(name, str) and name in names:
        return name
    import difflib  # which takes longer than everything else here, for a sentence

    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{argument} must be one of {', '.join(names)}, got {name!r}{hint}")


def absent(path: str) -> str:
    """Return a sentence on a file that is not there: where it was looked for, what is like it there."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"there is no file {path}: there is no folder {folder}"
    near = alike(path)
    return f"there is no file {path} in {folder}" + (f"; did you mean {near}?" if near else "")


def alike(path: str) -> str:
    """Return the name of what is most like a file in its folder, or nothing."""
    folder, name = os.path.split(os.path.abspath(path))
    with contextlib.suppress(OSError):
        import difflib

        return next(iter(difflib.get_close_matches(name, os.listdir(folder), n=1, cutoff=0.75)), "")
    return ""


def known_dtype(dtype: object) -> str:
    """Return the name of a dtype that networks can have.

    Raises
    ------
    ValueError
        If it is another one.
    """
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = str(dtype)
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return str(name)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether `value` is a finite real number, and not a bool."""
    try:
        return not isinstance(value, bool) and math.isfinite(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def check_size(size: object) -> int:
    """Return a layer's size as an int.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer of at least 1.
    """
    try:
        if isinstance(size, bool | np.bool_):
            raise TypeError
        number = operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a layer's size must be an integer of at least 1, got {size!r}") from None
    if number < 1:
        raise ValueError(f"a layer's size must be at least 1, got {number}")
    return number


def unnamed(names: Sequence[str]) -> str:
    """Return what a column without a name is called beside others, one of which may be called so."""
    numbered = (f"{_UNNAMED}.{number}" for number in range(1, len(names) + 1))
    return next(name for name in (_UNNAMED, *numbered) if name not in names)


def integer(name: str, value: object, low: int) -> int:
    """Return an argument as an int.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer, or below `low`.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer of at least {low}, got {value!r}") from None
    if number < low:
        raise ValueError(f"{name} must be at least {low}, got {number}")
    return number


class Unsaid(int):
    """A default that can be told from the same number where that was given."""


BATCH_SIZE = Unsaid(32)
