"""Several hosts, as `jax.distributed` joins them: what their processes tell one another.

Each has all rows and the same state, and computes its share of each batch. JAX's own service watches
over them: a process that is killed or stopped ends the others after `heartbeat_timeout_seconds` of
`jax.distributed.initialize`.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from numpy.typing import NDArray

_LONGEST = 64  # bytes of a word that is told


def number() -> int:
    """Return how many processes there are."""
    return int(jax.process_count())


def rank() -> int:
    """Return which of them this is."""
    return int(jax.process_index())


def of_all(mine: Any) -> NDArray[Any]:
    """Return an array of each process, along a first axis: all of them have to ask."""
    return np.asarray(multihost_utils.process_allgather(mine))


def words_of_all(mine: str) -> list[str]:
    """Return a short word of each process."""
    told = mine.encode()[:_LONGEST].ljust(_LONGEST)
    return [
        bytes(each).decode(errors="replace").rstrip() for each in of_all(np.frombuffer(told, np.uint8))
    ]


def meet(where: str) -> None:
    """Wait until all processes are there."""
    multihost_utils.sync_global_devices(where)
