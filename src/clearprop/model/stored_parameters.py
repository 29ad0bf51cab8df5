"""The parameters of a model's file: from named tensors to one flat vector, each of them verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import aligned
from clearprop.architecture import Architecture
from clearprop.checkpoint import CheckpointError
from clearprop.checkpoint.result_description import RESIDUALS

TRAINING, SCALING = "training.", "scaling."  # how the names of other tensors begin


def flat_parameters(
    architecture: Architecture, tensors: Mapping[str, NDArray[Any]], dtype: str, n_members: int = 1
) -> NDArray[Any]:
    """Return the flat vector, or the members', from its tensors; every name, shape and dtype verified.

    Raises
    ------
    CheckpointError
        If one is missing, unknown, of another shape or dtype, or not finite.
    """
    members = () if n_members == 1 else (n_members,)
    expected = {block.name for block in architecture.blocks}
    found = {name for name in tensors if not name.startswith((TRAINING, SCALING, RESIDUALS))}
    if expected != found:
        missing, extra = sorted(expected - found)[:9], sorted(found - expected)[:9]
        raise CheckpointError(
            f"the tensors do not fit the sizes {architecture.sizes[:9]}: missing {missing}, unknown "
            f"{extra}"
        )
    for block in architecture.blocks:  # before there is memory for sizes that the file only claims
        tensor = tensors[block.name]
        shape = (*members, *block.shape)
        if tensor.shape != shape or tensor.dtype != dtype:
            raise CheckpointError(
                f"tensor {block.name} must be {dtype} of shape {shape}, got {tensor.dtype} of shape "
                f"{tensor.shape}"
            )
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"tensor {block.name} must be finite, it holds NaN or infinity")
    flat = aligned.empty((*members, architecture.n_parameters), dtype)
    for block in architecture.blocks:
        flat[..., block.slice] = tensors[block.name].reshape(*members, -1)
    return flat
