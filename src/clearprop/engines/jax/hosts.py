"""Several hosts, as `jax.distributed` joins them: what their processes tell one another.

Each has all rows and the same state, and computes its share of each batch. Where MPI has not started
them, JAX's own service watches over them: a process that is killed or stopped ends the others after
`heartbeat_timeout_seconds` of `jax.distributed.initialize`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from numpy.typing import NDArray

from clearprop.engines.jax.devices import Devices

_PREEMPTION = "jax_enable_preemption_service"  # of newer versions
_PATIENCE = 60  # seconds in which processes have to find each other
_LONGEST = 64  # bytes of a word that is told


def join(address: str, n: int, rank: int, device: int | None, seconds: int) -> None:
    """Join the devices of some processes, before JAX computes anything.

    Parameters
    ----------
    address : str
        Host and port of the first process.
    n, rank : int
        How many processes there are, and which this is.
    device : int or None
        The one that this process brings; None brings all that it sees.
    seconds : int
        After which JAX ends a process that does not hear from another.

    Raises
    ------
    ValueError
        If JAX has computed already, or the processes do not find each other.
    """
    if hasattr(jax.config, _PREEMPTION):
        jax.config.update(_PREEMPTION, False)  # a training listens for SIGTERM itself
    try:
        jax.distributed.initialize(
            address,
            n,
            rank,
            local_device_ids=device,
            cluster_detection_method="deactivate",
            initialization_timeout=_PATIENCE,
            heartbeat_timeout_seconds=seconds,
        )
    except RuntimeError as problem:
        raise ValueError(
            "engine 'jax:all' cannot join the processes of MPI: "
            f"{str(problem).strip().splitlines()[0].rstrip('.')}"
        ) from None


def is_joined(n: int) -> bool:
    """Return whether so many processes are joined already.

    Raises
    ------
    ValueError
        If others are.
    """
    if jax.distributed.is_initialized() and number() != n:
        raise ValueError(f"JAX has joined {number()} processes, MPI has started {n}")
    return bool(jax.distributed.is_initialized())


def check_devices(engine: str) -> None:
    """Refuse an engine that this process has no device for.

    Raises
    ------
    ValueError
    """
    Devices(engine)


def greet() -> None:
    """Have all processes exchange something for the first time."""
    with _without_greetings():
        meet("clearprop: joined")


@contextlib.contextmanager
def _without_greetings() -> Iterator[None]:
    """Keep what Gloo prints of its first connection out of the results: it asks nobody."""
    try:
        kept = os.dup(1)
    except OSError:  # closed
        yield
        return
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nobody)


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
