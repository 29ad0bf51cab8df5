"""One table of the rows that each process has: what they have by rank, one behind the other.

Nothing is pickled: arrays of numbers travel as their bytes, tables as Arrow's messages, and labels that
are text or Python's own numbers as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from clearprop.distributed.team import Team

_TOLD = (str, bool, int, float, type(None))


def of_all(team: Team, mine: Any, name: str) -> Any:
    """Return the rows of all processes: an array, or a table of pandas or pyarrow. Collective.

    Parameters
    ----------
    team : Team
    mine : array-like, DataFrame, pyarrow.Table or None
        None, which it must be in all of them or in none, stays.
    name : str
        Of the argument.

    Raises
    ------
    ValueError, TypeError
        If processes have different kinds of rows, or one that cannot be sent.
    """
    if team.size == 1 or team.holds_all:
        return mine
    with team.sharing_problems():
        kind = _kind_of(mine, name)
        packed, about = _PACK[kind](mine, name)
    said = team.tell_all([kind, *about])
    for rank, its in enumerate(said):
        if its != said[0]:
            raise ValueError(
                f"{name} must be of one kind in all processes, rank {rank} on {team.hosts[rank]} has "
                f"{_described(its)}, rank 0 {_described(said[0])}"
            )
    if kind == "none":
        return None
    return _UNPACK[kind](team.communicator.everywhere(packed), about, mine)


def _kind_of(mine: Any, name: str) -> str:
    if mine is None:
        return "none"
    if hasattr(mine, "__arrow_c_stream__") and len(mine.shape) == 2:
        return "table"
    if hasattr(mine, "toarray") or hasattr(mine, "todense"):
        raise TypeError(f"{name} cannot be sparse with several processes, got {type(mine).__name__}")
    array = np.asarray(mine)
    if not array.ndim:
        raise TypeError(f"{name} must have rows, got {mine!r}")
    return "numbers" if array.dtype.kind in "biuf" else "labels"


def _described(about: list[Any]) -> str:
    return " ".join(map(str, filter(None, about)))


def _pack_numbers(mine: Any, name: str) -> tuple[Any, list[Any]]:
    array = np.ascontiguousarray(mine)
    return array.reshape(-1).view(np.uint8), [array.dtype.str, list(array.shape[1:])]


def _unpack_numbers(each: list[Any], about: list[Any], mine: Any) -> Any:
    dtype, shape = about
    return np.concatenate([one.copy().view(dtype).reshape(-1, *shape) for one in each])


def _pack_labels(mine: Any, name: str) -> tuple[Any, list[Any]]:
    array = np.asarray(mine)
    for label in array.ravel().tolist():
        if not isinstance(label, _TOLD):
            raise TypeError(
                f"{name} must hold numbers, text or truth values with several processes, got {label!r}"
            )
    text = json.dumps(array.tolist()).encode()
    return np.frombuffer(text, np.uint8), ["O" if array.dtype.kind == "O" else "U"]


def _unpack_labels(each: list[Any], about: list[Any], mine: Any) -> Any:
    rows = [row for one in each for row in json.loads(one.tobytes())]
    return np.array(rows, dtype=object if about[0] == "O" else None)


def _pack_table(mine: Any, name: str) -> tuple[Any, list[Any]]:
    import pyarrow as pa

    table = pa.table(mine)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    columns = [f"{each.name}: {each.type}" for each in table.schema]
    return np.frombuffer(sink.getvalue(), np.uint8), [type(mine).__module__.split(".")[0], columns]


def _unpack_table(each: list[Any], about: list[Any], mine: Any) -> Any:
    import pyarrow as pa

    tables = [pa.ipc.open_stream(pa.py_buffer(one.tobytes())).read_all() for one in each]
    table = pa.concat_tables(tables)
    return table.to_pandas() if about[0] == "pandas" else table


_PACK: dict[str, Any] = {
    "none": lambda mine, name: (np.zeros(0, np.uint8), []),
    "numbers": _pack_numbers,
    "labels": _pack_labels,
    "table": _pack_table,
}
_UNPACK: dict[str, Any] = {
    "numbers": _unpack_numbers, "labels": _unpack_labels, "table": _unpack_table,
}  # fmt: skip
