"""What a training takes of a device's memory, and what is said where it is too much."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from clearprop.engines.interface import Data, Plan, State
from clearprop.engines.jax.devices import Devices

_SHARE = 0.9  # of what is free: XLA keeps some for itself
# Of each member: parameters, what they become, and their gradient; of a row z, a, error and delta.
_COPIES, _OF_ROW = 3, 4


def size(data: Data) -> int:
    """Return the bytes of all rows."""
    return sum(each.nbytes for each in data if each is not None)


def room(plan: Plan, state: State, devices: Devices, limit: int | None) -> int:
    """Return the bytes that are left for rows, besides what steps take.

    Parameters
    ----------
    plan, state
        As in `Engine.run`.
    devices : Devices
    limit : int or None
        Bytes that may be used; None takes what is free.

    Raises
    ------
    ValueError
        If steps alone take more, with what would fit.
    """
    free = devices.free() if limit is None else limit
    if free is None:
        return sys.maxsize
    free = int(_SHARE * free)
    fixed, row = _of_steps(plan, state)
    left = free - fixed - -(-plan.batch_size // len(devices.all)) * row
    if left < 0:
        raise ValueError(_sentence(plan, state, devices, free))
    return left


def _of_steps(plan: Plan, state: State) -> tuple[int, int]:
    """Return the bytes of parameters and what goes with them, and those of a batch's row."""
    fixed = _COPIES * state.parameters.nbytes + 2 * state.moments.nbytes
    widths = sum(plan.architecture.widths)
    return fixed, _OF_ROW * plan.n_members * widths * state.parameters.itemsize


def _sentence(plan: Plan, state: State, devices: Devices, free: int) -> str:
    """Return what is too much, and what would fit."""
    fixed, row = _of_steps(plan, state)
    of_each, n = row // len(devices.all), state.parameters.size
    rows = (free - fixed) // max(of_each, 1)
    if rows >= 1:
        fits = f"a batch_size of at most {rows:,} fits"
    else:
        fits = f"a network of at most {n * free // (fixed + of_each):,} parameters fits"
    return (
        f"a step must fit in the device's memory ({devices}), of which {free / 1e9:,.3g} GB can be "
        f"had: the {n:,} parameters with moments and gradient take {fixed / 1e9:,.3g} GB, a batch of "
        f"{plan.batch_size:,} rows {plan.batch_size * of_each / 1e9:,.3g} GB; {fits}, or "
        "the engine 'compiled' has more"
    )


@contextlib.contextmanager
def explained(plan: Plan, state: State, devices: Devices) -> Iterator[None]:
    """Say what would fit, where the device itself finds no memory.

    Raises
    ------
    ValueError
    """
    try:
        yield
    except RuntimeError as problem:
        if "RESOURCE_EXHAUSTED" not in str(problem):
            raise
        free = devices.free()
        raise ValueError(_sentence(plan, state, devices, 0 if free is None else free)) from problem
