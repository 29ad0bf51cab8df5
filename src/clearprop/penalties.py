"""The penalties l2 and l1: what large weights cost, added to the cost once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.flat_vector import Block


@np.errstate(all="ignore")
def penalty(architecture: Architecture, parameters: NDArray[Any], l2: float, l1: float) -> float:
    """Return ``l2/2 * sum of squared weights + l1 * sum of |weights|``.

    The map of an embedding is weights too; biases, scales and frequencies are left out. It is the mean
    of members, whose parameters are of shape (n_members, n_parameters).
    """
    if parameters.ndim == 2:
        return sum(penalty(architecture, each, l2, l1) for each in parameters) / len(parameters)
    total = 0.0
    for block in _penalised(architecture) if l2 or l1 else ():
        W = parameters[block.slice].reshape(block.shape)
        wide = W.astype(np.result_type(W, np.float64), copy=False)
        total += 0.5 * l2 * (wide * wide).sum() + l1 * (np.abs(wide).sum() if l1 else 0.0)
    return total if np.iscomplexobj(total) else float(total)


@np.errstate(all="ignore")
def add_gradient(
    architecture: Architecture, flat: NDArray[Any], parameters: NDArray[Any], l2: float, l1: float
) -> None:
    """Add ``l2 * W + l1 * sign(W)`` to the gradient of every weight, in place."""
    for block in _penalised(architecture):
        dW, W = flat[block.slice], parameters[block.slice]
        if l2:
            dW += l2 * W
        if l1:
            dW += l1 * np.sign(W)


def _penalised(architecture: Architecture) -> list[Block]:
    return [block for block in architecture.blocks if block.is_map]
