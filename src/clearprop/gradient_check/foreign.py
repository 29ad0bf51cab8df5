"""A gradient from elsewhere, in one of the shapes in which people have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clearprop.activations import Array
from clearprop.architecture import Architecture, Block
from clearprop.gradient_check.verdict import HAPPY


def as_flat(architecture: Architecture, gradient: Any) -> tuple[Array, float]:
    """Return a gradient from elsewhere as a flat float64 vector, and what it is held to."""
    if not isinstance(gradient, np.ndarray) and hasattr(gradient, "weights"):
        gradient = gradient.flat
    if isinstance(gradient, Mapping):
        gradient = _by_name(architecture, gradient)
    if isinstance(gradient, tuple | list) and len(gradient) == 2 and not np.isscalar(gradient[0]):
        gradient = _flattened(architecture, *gradient)
    flat = np.asarray(gradient)
    if flat.dtype.kind not in "iuf" or flat.dtype == np.float16:
        raise TypeError(f"gradient must hold float32 or float64 numbers, got dtype {flat.dtype}")
    if flat.shape != (architecture.n_parameters,):
        raise ValueError(
            f"gradient must have the shape of the parameters, ({architecture.n_parameters},), "
            f"got {flat.shape}"
        )
    return flat.astype(np.float64), 1e-4 if flat.dtype == np.float32 else HAPPY


def _by_name(architecture: Architecture, gradient: Mapping[Any, Any]) -> Array:
    names = {block.name for block in architecture.blocks}
    if names != set(gradient):
        missing, unknown = sorted(names - set(gradient)), sorted(map(str, set(gradient) - names))
        raise ValueError(
            f"gradient must have one array for each of {', '.join(sorted(names))}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    parts = {name: np.asarray(part) for name, part in gradient.items()}
    for block in architecture.blocks:
        _check_shape(block, parts[block.name])
    return np.concatenate([parts[block.name].ravel() for block in architecture.blocks])


def _check_shape(block: Block, part: Array) -> None:
    if part.shape == block.shape:
        return
    hint = ""
    if len(block.shape) == 2 and part.shape == block.shape[::-1]:
        hint = ": row = destination neuron, column = source; give its transpose"
    raise ValueError(
        f"gradient must have the shape {block.shape} for {block.name}, got {part.shape}{hint}"
    )


def _flattened(architecture: Architecture, weights: Sequence[Any], biases: Sequence[Any]) -> Array:
    n = len(architecture.layers)
    for what, arrays in (("weights", weights), ("biases", biases)):
        if len(arrays) != n:
            raise ValueError(
                f"gradient must have {n} arrays of {what}, one for each layer, got {len(arrays)}"
            )
    parts = []
    for block in architecture.blocks:
        layer = int(block.name.split(".")[1])
        part = np.asarray((weights if block.kind == "weights" else biases)[layer])
        _check_shape(block, part)
        parts.append(part.ravel())
    for layer, (bias, made) in enumerate(zip(biases, architecture.layers, strict=True)):
        if bias is not None and not made.bias:
            raise ValueError(
                f"gradient must have None for the biases of layer {layer + 1}, which has none, "
                f"got shape {np.shape(bias)}"
            )
    return np.concatenate(parts)
