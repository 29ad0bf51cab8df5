"""Names, texts and numbers as C has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_TEXT = 4095  # bytes of a literal that every compiler of C99 takes

# Of C99 and C++, so that the header can be used in both; and what the header itself declares.
_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class
compl const constexpr const_cast continue decltype default delete do double dynamic_cast else enum
explicit export extern false float for friend goto if inline int long mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast restrict
return short signed sizeof static static_assert static_cast struct switch template this thread_local
throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
xor_eq int64_t NULL NAN INFINITY
"""
_RESERVED = frozenset(re.findall(r"\w+", _KEYWORDS))


def identifier(text: str) -> str:
    """Return a C identifier that is like a text."""
    made = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    if not made or made[0].isdigit():
        made = f"x_{made}".rstrip("_")
    return f"{made}_" if made in _RESERVED else made


def identifiers(texts: Iterable[str]) -> list[str]:
    """Return different identifiers for texts, in their order."""
    found: list[str] = []
    for text in texts:
        name, number = identifier(text), 2
        while name in found:
            name, number = f"{identifier(text)}_{number}", number + 1
        found.append(name)
    return found


def literal(text: str) -> str:
    """Return a text as a string literal in UTF-8 whose source is ASCII.

    Raises
    ------
    ValueError
        If it is longer than every compiler takes, or holds a NUL.
    """
    content = text.encode()
    if len(content) > MOST_TEXT or 0 in content:
        raise ValueError(
            f"a text in C must have at most {MOST_TEXT} bytes, none of them 0, got {text[:40]!r}"
        )
    return '"' + "".join(map(_character, content)) + '"'


def _character(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '"\\?'  # of ?? and another a compiler may make one
    return chr(byte) if plain else f"\\{byte:03o}"


def comment(text: str) -> str:
    """Return a text as it may stand in a comment."""
    return literal(text[:60]).replace("*/", "* /").replace("/*", "/ *")


def number(value: float, dtype: str) -> str:
    """Return a finite number, the shortest that is read as the same bits."""
    made = str(np.dtype(dtype).type(value))
    whole = made if any(mark in made for mark in ".e") else f"{made}.0"
    return f"{whole}f" if dtype == "float32" else whole


def array(name: str, values: NDArray[Any], kind: str) -> str:
    """Return the definition of a constant array, in rows of the last axis."""
    flat = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    whole = values.dtype.kind in "iu"
    rows = (", ".join(str(v) if whole else number(v, values.dtype.name) for v in row) for row in flat)
    body = ",\n".join(f"    {row}" for row in rows)
    return f"static const {kind} {name}[{values.size}] = {{\n{body}\n}};\n"
