"""What processes must have in common before they train together."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.distributed.team import Team

_SHORT = 120  # characters of a value that differs
_MOST = 5  # differences that are named


def digest(*arrays: NDArray[Any]) -> str:
    """Return what tells arrays from others."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:16]


def compare(team: Team, facts: Mapping[str, Any]) -> None:
    """Refuse processes that are not alike, each of them with the same sentence. Collective.

    Parameters
    ----------
    team : Team
    facts : mapping
        What must be the same, by what it is called; as JSON has it.

    Raises
    ------
    ValueError
        Naming the first rank that differs from rank 0, its host, and in what it does.
    """
    if team.size == 1:
        return
    whole = np.frombuffer(json.dumps(dict(facts), sort_keys=True).encode(), np.uint8)
    if len(set(team.tell_all(digest(whole)))) == 1:  # the facts may be many
        return
    said = team.tell_all(dict(facts))
    first = said[0]
    for rank, its in enumerate(said):
        different = [
            f"{name if name in its else f'no {name}'}{_told(its, name)} "
            f"(rank 0 on {team.hosts[0]}:{_told(first, name) or ' none'})"
            for name in sorted({*first, *its})
            if its.get(name) != first.get(name)
        ]
        if len(different) > _MOST:
            different[_MOST:] = [f"{len(different) - _MOST} more"]
        if different:
            raise ValueError(
                f"all processes must have the same program, arguments and data; rank {rank} on "
                f"{team.hosts[rank]} has {'; '.join(different)}"
            )


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments by their names as `compare` takes them: objects by what they say of themselves.

    Of a function, and of what does not say it, it is the type.
    """
    told: dict[str, Any] = {}
    for name, value in given.items():
        said = value if value is None or isinstance(value, str | int | float) else repr(value)
        is_place = isinstance(said, str) and " at 0x" in said
        told[f"argument {name}"] = type(value).__name__ if is_place else said
    return told


def _told(facts: Mapping[str, Any], name: str) -> str:
    return f" {facts[name]!r}"[:_SHORT] if name in facts else ""


def one_processor(team: Team) -> str:
    """Have code built for what the processors of all hosts have in common; return its mark.

    Collective, and before any code is loaded.

    Raises
    ------
    ValueError
        If the processors differ and code for this one is loaded already, or they have none in common.
    """
    from clearprop.engines import cpu

    each = [cpu.Processor(*one) for one in team.tell_all(list(cpu.target()))]
    shared = cpu.common(each)
    loaded = "clearprop.engines.kernels" in sys.modules and shared != cpu.target()
    late = team.tell_all(loaded)
    if any(late):
        raise ValueError(
            f"rank {late.index(True)} on {team.hosts[late.index(True)]} has loaded code for its own "
            "processor, which others have not: train with the communicator before anything else is "
            "trained or predicted"
        )
    cpu.build_for(shared)
    return f"{shared.label} {hashlib.sha256(shared.features.encode()).hexdigest()[:8]}"


def same_arrays(team: Team, arrays: Sequence[NDArray[Any]]) -> None:
    """Give all processes the arrays of rank 0, in place. Collective."""
    for array in arrays if team.size > 1 else ():
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        mine = flat if team.is_first else flat[:0]
        sizes = [flat.size, *(0 for _ in range(team.size - 1))]
        array[...] = team.communicator.everywhere(mine, sizes)[0].view(array.dtype).reshape(array.shape)
