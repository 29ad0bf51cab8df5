"""Several hosts: every process has all rows and the same state, and computes its share of each batch.

Processes agree on two things: once on what is trained, and each time on how many steps a stretch has,
since that follows from the clock. JAX's own service watches over them: a process that is killed or
stopped ends the others after `heartbeat_timeout_seconds` of `jax.distributed.initialize`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from clearprop.engines.interface import Data, Plan, State
from clearprop.engines.jax.devices import Devices


def are_several(devices: Devices) -> bool:
    """Return whether some of the devices belong to other processes."""
    return any(each.process_index != jax.process_index() for each in devices.all)


def number() -> int:
    """Return how many processes there are."""
    return int(jax.process_count())


def agreed(n_steps: int) -> int:
    """Return the number of steps that all processes make: the fewest that one was asked for."""
    return int(np.min(_of_all(np.int32(n_steps))))


def check_same(plan: Plan, state: State, data: Data, described: object) -> None:
    """Refuse processes that would train something else than the first one.

    Parameters
    ----------
    plan, state, data
        As in `Engine.run`.
    described : object
        What tells the plan from others, in words.

    Raises
    ------
    ValueError
        In all processes, naming one that differs, and in what.
    """
    numbers = plan.seed, plan.batch_size, plan.n_samples, plan.n_batches
    mine = {
        "settings": _digest(str((described, numbers)).encode()),
        "rows": _digest(*(each for each in data if each is not None)),
        "state": _digest(np.array([state.step, state.epoch]), state.parameters, state.moments),
    }
    found = _of_all(np.stack(list(mine.values())))
    for process, its in enumerate(found):
        for name, one, other in zip(mine, found[0], its, strict=True):
            if not np.array_equal(one, other):
                raise ValueError(
                    f"all processes must train the same, got other {name} in process {process} than "
                    "in process 0: each has all rows, the same arguments, and goes on from one step"
                )


def _of_all(mine: Any) -> Any:
    """Return an array of every process, along a first axis."""
    return np.asarray(multihost_utils.process_allgather(mine))


def _digest(*parts: Any) -> np.ndarray[Any, np.dtype[np.uint32]]:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part)
    return np.frombuffer(digest.digest(), np.uint32)
