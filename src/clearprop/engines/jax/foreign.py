"""A user's own activation or cost: whether JAX can run its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from clearprop.architecture import Architecture
from clearprop.engines.jax.retargeting import for_jax

_POINTS = np.linspace(-2.5, 2.5, 12, dtype=np.float32).reshape(4, 3)
_TOLERANCE = 1e-3  # of float32: what is looked for is another function


def why_not(architecture: Architecture) -> str | None:
    """Return None, or which function of the user's own is none for JAX."""
    for number, layer in enumerate(architecture.layers, start=1):
        whole = layer.function
        for each in whole.parts or (whole.plain or whole,):
            if each.built_in:
                continue
            for function in (each.function, each.derivative):
                if reason := _reason(function, _POINTS):
                    return f"activation {each.name!r} of layer {number} {reason}"
    cost = architecture.cost
    if not cost.built_in:
        for its in (cost.value, cost.derivative):
            if reason := _reason(its, _POINTS, np.abs(_POINTS[::-1])):
                return f"cost {cost.name!r} {reason}"
    return None


def _reason(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Return what is wrong with a function: JAX cannot trace it, or makes another one of it."""
    try:
        got = np.asarray(jax.jit(for_jax(function))(*arguments))
    except Exception as problem:  # whatever a user's code raises on what it does not expect
        why = str(problem).strip().splitlines() or [type(problem).__name__]
        return f"cannot be traced by JAX ({why[0][:120].rstrip('.')})"
    with np.errstate(all="ignore"):
        wanted = np.asarray(function(*arguments))
    same = got.shape == wanted.shape and np.allclose(
        got, wanted, _TOLERANCE, _TOLERANCE, equal_nan=True
    )
    return None if same else "is another function when NumPy's are replaced by JAX's"
