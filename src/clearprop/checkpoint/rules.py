"""Rules for values of JSON that anybody may have made: each refuses in a sentence that says where."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from clearprop.checkpoint.errors import CheckpointError

Rule = Callable[[Any, str], None]  # of a value and of its place in the metadata

LARGEST = 2**53 - 1  # a count: exact as a float64 too, in every reader of JSON


def refuse(where: str, rule: str, value: object) -> CheckpointError:
    """Return the error that says what a value must be, and what it is."""
    text = repr(value)
    return CheckpointError(
        f"{where} must be {rule}, got {text if len(text) <= 80 else text[:77] + '...'}"
    )


def integer(low: int = 0, high: int = LARGEST) -> Rule:
    """Return the rule of a whole number from `low` to `high`."""

    def rule(value: Any, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise refuse(where, f"a whole number from {low} to {high}", value)

    return rule


def number(low: float = -math.inf, high: float = math.inf, what: str = "a finite number") -> Rule:
    """Return the rule of a finite number from `low` to `high`, which `what` says in words."""

    def rule(value: Any, where: str) -> None:
        if type(value) not in (int, float) or abs(value) > 1.8e308 or not low <= value <= high:
            raise refuse(where, what, value)

    return rule


real = number()
positive = number(0.0, what="a finite number of at least 0")
share = number(0.0, 1.0, "a number from 0 to 1")
step = integer(0, 2**48 - 1)


def flag(value: Any, where: str) -> None:
    """Require true or false."""
    if not isinstance(value, bool):
        raise refuse(where, "true or false", value)


def text(value: Any, where: str) -> None:
    """Require text that can be printed and written."""
    try:
        value.encode()  # lone surrogates are no text
    except (AttributeError, UnicodeEncodeError):
        raise refuse(where, "text", value) from None


def label(value: Any, where: str) -> None:
    """Require what stands for a class."""
    if not isinstance(value, int):
        text(value, where)


def one_of(*known: Any) -> Rule:
    """Return the rule of a value from a closed table."""

    def rule(value: Any, where: str) -> None:
        if not any(type(value) is type(each) and value == each for each in known):
            raise refuse(where, f"one of {', '.join(map(repr, known))}", value)

    return rule


def maybe(inner: Rule) -> Rule:
    """Return a rule under which a value may be null, too."""

    def rule(value: Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return rule


def items(inner: Rule, n: int | None = None) -> Rule:
    """Return the rule of a list of `n`, or of any length."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, list) or n not in (None, len(value)):
            raise refuse(where, "a list" if n is None else f"a list of {n}", value)
        for number, each in enumerate(value):
            inner(each, f"{where}[{number}]")

    return rule


def entries(inner: Rule) -> Rule:
    """Return the rule of an object with any names."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise refuse(where, "an object", value)
        for name, each in value.items():
            text(name, f"a name in {where}")
            inner(each, f"{where}.{name}"[:200])

    return rule


def record(required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    """Return the rule of an object with these entries, and no others."""
    known = {**required, **(optional or {})}

    def rule(value: Any, where: str) -> None:
        entries(anything)(value, where)
        if missing := [name for name in required if name not in value]:
            raise CheckpointError(f"{where}: {missing[0]!r} is missing")
        for name, each in value.items():
            if name not in known:
                raise CheckpointError(f"{where} has {name[:80]!r}, which is not known here")
            known[name](each, f"{where}.{name}")

    return rule


def anything(value: Any, where: str) -> None:
    """Require nothing of what JSON can hold, but that its texts are texts."""
    if isinstance(value, str):
        text(value, where)
    elif isinstance(value, list):
        items(anything)(value, where)
    elif isinstance(value, dict):
        entries(anything)(value, where)


def unlike(values: list[Any], where: str) -> None:
    """Require that no value stands twice; true and 1 are two."""
    if len({(type(each), each) for each in values}) < len(values):
        raise refuse(where, "different", values)


def agree(what: str, n: int, other: str, m: int) -> None:
    """Require two numbers of things to be one."""
    if n != m:
        raise CheckpointError(f"{what} must agree with the {m} {other}, got {n}")
