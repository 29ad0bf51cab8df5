"""JSON that anybody may have made: of bounded depth, every name once, every number finite."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from clearprop.checkpoint.errors import CheckpointError

DEEPEST_JSON = 32
# A string that never ends is taken to the end of the text: to fail there would cost quadratic time.
_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_NESTING = np.zeros(256, np.int8)
_NESTING[list(b"[{")] = 1
_NESTING[list(b"]}")] = -1


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """Return the object that is the whole of `data`, parsed strictly."""
    try:
        value = parsed(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError, int() of too many digits, ...
        raise CheckpointError(f"{what} must be JSON as clearprop writes it: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} must be a JSON object, got {short(value)}")
    return value


def parsed(data: bytes) -> Any:
    """Return what the whole of `data` says, parsed strictly.

    Raises
    ------
    ValueError, RecursionError
        If it is no JSON, or deep, or has a name twice or a number that is not finite.
    """
    text = data.decode()
    _check_depth(text)
    return json.loads(
        text,
        object_pairs_hook=_without_duplicates,
        parse_constant=_refuse_constant,
        parse_float=_finite_float,
    )


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser, which recurses on the C stack, meets it."""
    characters = np.frombuffer(_JSON_STRING.sub("", text).encode(), np.uint8)
    depth = int(np.cumsum(_NESTING[characters], dtype=np.int32).max(initial=0))
    if depth > DEEPEST_JSON:
        raise ValueError(f"it must be nested at most {DEEPEST_JSON} deep, got {depth}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for name, value in pairs:
        if name in unique:
            raise ValueError(f"every name must stand once, got {short(name)} twice")
        unique[name] = value
    return unique


def _refuse_constant(name: str) -> float:
    raise ValueError(f"every number must be finite, got {name}")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"every number must be finite, got {digits[:40]}")
    return value


def check_json(value: object, where: str, depth: int) -> None:
    """Refuse a value that `parse_json` would not return as it was, of metadata to be written."""
    if depth > DEEPEST_JSON and isinstance(value, dict | list | tuple):  # as `_check_depth` counts
        raise ValueError(f"metadata must be nested at most {DEEPEST_JSON} deep, got {where[:80]}...")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"every key of {where} must be a str, got {key!r}")
            check_json(item, f"{where}[{short(key)}]", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_json(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} must be finite, got {value}")
    elif not isinstance(value, str | int | float | None):
        raise TypeError(f"{where} must be what JSON can hold, got {type(value).__name__}")


def short(value: object) -> str:
    """Return a value for a message, in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
