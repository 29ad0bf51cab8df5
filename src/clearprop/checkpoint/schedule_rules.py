"""What a checkpoint may say of optimizers and schedules: one of ours, or the name of another.

Both are imported where a checkpoint is looked at: a model is loaded without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.rules import anything, entries, share, text


def optimizer(value: Any, where: str) -> None:
    """Require an optimizer; one of the user's own, or with a schedule of theirs, is only named."""
    from clearprop import optimizers, schedule_free  # noqa: F401 - its row

    entries(anything)(value, where)
    text(value.get("name"), f"{where}.name")
    decay = value.get("weight_decay")
    known = [_schedule(value.get("learning_rate"), where)]
    known += [_schedule(decay, where)] if isinstance(decay, dict) else []
    if value["name"] not in optimizers.KNOWN or not all(known):
        return
    _made(optimizers.from_description, value, where)


def _made(make: Callable[[Any], object], value: Any, where: str) -> None:
    try:
        make(value)
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        raise CheckpointError(f"{where} describes none: {problem}"[:300]) from None


def _schedule(value: Any, where: str) -> bool:
    """Require a schedule; return whether it is one of ours, also that inside it."""
    from clearprop import schedules

    part, known = value, True
    while part is not None:
        entries(anything)(part, where)
        text(part.get("name"), f"{where}.name")
        part, known = part.get("schedule"), known and part["name"] in schedules.SCHEDULES
    return known


def shares(value: Any, where: str) -> None:
    """Require a share, a schedule of shares, or a list of these: dropout, label smoothing."""
    from clearprop import schedules

    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            share(each, where)
        elif _schedule(each, where):
            _made(schedules.from_description, each, where)
