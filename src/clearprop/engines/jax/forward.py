"""Forward passes on the device, for evaluations while a training goes on."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import jax
import numpy as np

from clearprop import backprop
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines.interface import row_blocks
from clearprop.engines.jax.devices import Devices, check_dtype, precision
from clearprop.engines.jax.engine import of_architecture
from clearprop.engines.jax.equations import on_device

_PASSES: OrderedDict[Any, Any] = OrderedDict()
_MOST_PASSES = 64


def outputs(
    architecture: Architecture, parameters: Array, X: Array, engine: str
) -> tuple[Array, Array]:
    """Return activations and weighted inputs of the last layer, each of shape (n_samples, n_outputs).

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
    X : ndarray of shape (n_samples, n_features)
        Scaled, and of the dtype of `parameters`.
    engine : str
        Its name, which says where: of several devices on the first one.
    """
    check_dtype(parameters.dtype, engine)
    device = Devices(engine).here
    with jax.default_matmul_precision(precision()):
        call, a, z = _pass(architecture), [], []
        put = {
            block.name: jax.device_put(parameters[block.slice].reshape(block.shape), device)
            for block in architecture.blocks
        }
        for rows in row_blocks(len(X)):
            one, other = call(put, jax.device_put(X[rows], device))
            a.append(one)
            z.append(other)
        none = np.empty((0, architecture.sizes[-1]), parameters.dtype)
        made, weighted = (np.concatenate([none, *map(np.asarray, each)]) for each in (a, z))
    return made, weighted


def _pass(architecture: Architecture) -> Any:
    key = of_architecture(architecture), precision()
    if key not in _PASSES:
        made = on_device(architecture)

        def last(parameters: Any, X: Any) -> Any:
            passed = backprop.forward(made, parameters, X)
            return passed.a[-1], passed.z[-1]

        _PASSES[key] = jax.jit(last)
        while len(_PASSES) > _MOST_PASSES:
            _PASSES.popitem(last=False)
    return _PASSES[key]
