"""When predictions go over from NumPy to the compiled engine.

NumPy is there at once. The compiled engine is faster and has to be loaded first, which takes a tenth of
a second; where its machine code is not on disk yet, it has to be compiled, which takes some seconds. A
process that trains with it has it. One that only predicts begins with NumPy, and goes over when what
its predictions would have saved adds up to what loading takes; so it never loses more than it gains.

The saving is estimated from the number of calls, neurons and multiply-adds, never by a clock: the same
program gets the same bits every time. The engines agree to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop import forks
from clearprop.architecture import Architecture
from clearprop.engines import cpu

LOADING, COMPILING = 0.1, 5.0  # seconds: to read the machine code from disk, to make it
# Seconds that compiled code saves, on an AVX2 core: for each call, neuron and multiply-add.
CALL, NEURON, MULTIPLY_ADD = 8e-5, 8e-9, 5e-12

compiled: Any = None  # the module of the compiled engine; it says itself when it is there, whole
_saved = 0.0  # what compiled code would have saved so far
_looks: dict[str, float] = {}  # what it has to save before the engine is looked for, for a dtype


def engine() -> Any:
    """Return the module of the compiled engine, imported if it is not there yet."""
    with forks.LOCK:
        from clearprop.engines import compiled as module

        return module


def forward(architecture: Architecture, dtype: np.dtype[Any], n_rows: int) -> Any:
    """Return the compiled forward pass, where it is loaded or worth loading; None for NumPy's turn."""
    there = compiled
    if there is None or not there.machine_code.is_loaded(dtype):
        there = _loaded(architecture, dtype, n_rows)
        if there is None:
            return None
    return there.forward_of(architecture, dtype)


def is_there(architecture: Architecture, dtype: np.dtype[Any]) -> bool:
    """Return whether the compiled engine is loaded, and has a form of the architecture."""
    there = compiled
    if there is None or not there.machine_code.is_loaded(dtype):
        return False
    return there.forward_of(architecture, dtype) is not None


def prepare(architecture: Architecture, dtype: np.dtype[Any]) -> bool:
    """Load the compiled engine whatever it takes; return whether it has a form of the architecture."""
    if not cpu.has_code():
        return False
    return engine().forward_of(architecture, dtype) is not None


def _loaded(architecture: Architecture, dtype: np.dtype[Any], n_rows: int) -> Any:
    global _saved
    n_neurons = sum(architecture.sizes[1:])
    row = n_neurons * NEURON + architecture.multiply_adds()[0] * MULTIPLY_ADD
    _saved += CALL + n_rows * row
    if _saved < _looks.get(dtype.name, LOADING):
        return None
    if not cpu.has_code():
        _looks[dtype.name] = np.inf
        return None
    found = engine()
    if _saved < COMPILING and not found.machine_code.is_on_disk(dtype):
        _looks[dtype.name] = COMPILING
        return None
    return found
