"""A gradient from elsewhere, in one of the shapes in which people have it.

Flat, or as arrays: by the names in ``net.blocks``, in the order of these, layer by layer, or weights
and biases apart. How deeply it is nested says which; all but the flat one become a mapping from names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.flat_vector import Block
from clearprop.masks import refuse_masked

_NONE = "; in PyTorch, p.grad is None before backward() or where requires_grad is False"


def as_flat(architecture: Architecture, gradient: Any) -> Array:
    """Return a gradient from elsewhere as a flat float64 vector."""
    if isinstance(gradient, Iterator):
        gradient = list(gradient)
    if not isinstance(gradient, np.ndarray) and hasattr(gradient, "weights"):
        gradient = gradient.flat
    for part in gradient.items() if isinstance(gradient, Mapping) else [gradient]:
        refuse_masked(part, "gradient")
    if isinstance(gradient, tuple | list) and _is_nested(gradient):
        gradient = _by_name(architecture, gradient)
    flat = _joined(architecture, gradient) if isinstance(gradient, Mapping) else _numbers(gradient)
    if flat.shape != (architecture.n_parameters,):
        raise ValueError(
            f"gradient must have the shape of the parameters, ({architecture.n_parameters},), "
            f"got {flat.shape}"
        )
    return flat.astype(np.float64)


def _depth(part: Any) -> int:
    """Return the number of axes of an array, or of the deepest of what is nested."""
    if isinstance(part, tuple | list):
        return 1 + max(map(_depth, part), default=0)
    return len(getattr(part, "shape", ()))


def _lacks_one(part: Any) -> bool:
    return isinstance(part, tuple | list) and any(each is None for each in part)


def _is_nested(gradient: Sequence[Any]) -> bool:
    return _depth(gradient) > 1 or any(part is None for part in gradient)


def _by_name(architecture: Architecture, gradient: Sequence[Any]) -> dict[str, Any]:
    """Return the arrays of a nested gradient by the names of their blocks."""
    # A None stands for an array: what it is part of is a group of them.
    arrays = max(map(_depth, gradient)) <= 2 and not any(map(_lacks_one, gradient))
    if arrays or architecture.embedding is not None:  # whose arrays have three axes
        names = [block.name for block in architecture.blocks]
        if len(gradient) != len(names):
            raise ValueError(
                f"gradient must have {len(names)} arrays, one for each of net.blocks, "
                f"got {len(gradient)}"
            )
        return dict(zip(names, gradient, strict=True))
    if architecture.input_scale:
        raise ValueError(
            "gradient must be flat, or have an array for each of net.blocks (one is an input scale), "
            f"got {len(gradient)} groups of weights and biases"
        )
    if len(gradient) == 2 and not all(map(_is_of_a_layer, gradient)):
        return _of_layers(architecture, *gradient)
    n = len(architecture.layers)
    if len(gradient) != n or not all(isinstance(p, tuple | list) and len(p) <= 2 for p in gradient):
        raise ValueError(
            f"gradient must have {n} pairs of weights and biases, one for each layer, or one pair of "
            f"all weights and all biases, got {len(gradient)} groups"
        )
    pairs = [(*pair, None, None)[:2] for pair in gradient]
    return _of_layers(architecture, [W for W, _ in pairs], [b for _, b in pairs])


def _is_of_a_layer(part: Any) -> bool:
    """Return whether it is a layer's weights and biases, and not the weights of two layers."""
    if not isinstance(part, tuple | list) or len(part) not in (1, 2):
        return False
    if len(part) == 1:
        return _depth(part[0]) == 2
    return (part[0] is None or _depth(part[0]) == 2) and (part[1] is None or _depth(part[1]) == 1)


def _of_layers(
    architecture: Architecture, weights: Sequence[Any], biases: Sequence[Any]
) -> dict[str, Any]:
    n = len(architecture.layers)
    for what, arrays in (("weights", weights), ("biases", biases)):
        if len(arrays) != n:
            raise ValueError(
                f"gradient must have {n} arrays of {what}, one for each layer, got {len(arrays)}"
            )
    for layer, (bias, made) in enumerate(zip(biases, architecture.layers, strict=True)):
        if bias is not None and not made.bias:
            raise ValueError(
                f"gradient must have None for the biases of layer {layer + 1}, which has none, "
                f"got shape {tuple(np.shape(bias))}"
            )
    named = {}
    for block in architecture.blocks:
        layer = block.layer
        named[block.name] = (weights if block.kind == "weights" else biases)[layer]
    return named


def _joined(architecture: Architecture, gradient: Mapping[Any, Any]) -> Array:
    names = {block.name for block in architecture.blocks}
    if names != set(gradient):
        missing, unknown = sorted(names - set(gradient)), sorted(map(str, set(gradient) - names))
        raise ValueError(
            f"gradient must have one array for each of {', '.join(sorted(names))}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    parts = []
    for block in architecture.blocks:
        part = gradient[block.name]
        if part is None:
            raise ValueError(f"gradient must hold an array for {block.name}, got None{_NONE}")
        parts.append(_numbers(part, f" for {block.name}"))
        _check_shape(block, parts[-1])
    return np.concatenate([part.ravel() for part in parts])


def _numbers(part: Any, where: str = "") -> Array:
    """Return an array, also of a tensor that is elsewhere or part of a graph."""
    try:
        if hasattr(part, "detach"):
            part = part.detach().cpu()
        found = np.asarray(part)
    except (TypeError, ValueError, RuntimeError) as error:
        got = getattr(part, "dtype", None) or type(part).__name__
        raise TypeError(
            f"gradient must hold float32 or float64 numbers{where}, in one array, got {got}"
        ) from error
    if found.dtype.kind not in "iuf" or found.dtype == np.float16:
        raise TypeError(
            f"gradient must hold float32 or float64 numbers{where}, got dtype {found.dtype}"
        )
    return found


def _check_shape(block: Block, part: Array) -> None:
    if part.shape == block.shape:
        return
    hint = ""
    if len(block.shape) == 2 and part.shape == block.shape[::-1]:
        hint = ": row = destination neuron, column = source; give its transpose"
    raise ValueError(
        f"gradient must have the shape {block.shape} for {block.name}, got {part.shape}{hint}"
    )
