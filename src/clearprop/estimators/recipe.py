"""What a network and a training are made of: an estimator's options as theirs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.estimators import inputs, presets
from clearprop.estimators.options import Options
from clearprop.names import is_number
from clearprop.network import Network
from clearprop.training.supply import InMemory, Supply

Array = NDArray[Any]
Start = list[tuple[Array | None, Array | None]]  # weights (n_in, n_out) and biases of every layer

_SCIKIT_NAMES = {"logistic": "sigmoid"}


def hidden_activations(options: Options) -> list[Any]:
    """Return the activation of every hidden layer, by clearprop's names.

    Raises
    ------
    ValueError
        If there is not one for each.
    """
    given, n = options.activation, len(options.sizes)
    each = list(given) if isinstance(given, list | tuple) else [given] * n
    if len(each) != n:
        raise ValueError(
            f"activation must be one, or one for each of {n} hidden layers, got {len(each)}: {given!r}"
        )
    return [_renamed(one) for one in each]


def _renamed(activation: Any) -> Any:
    if isinstance(activation, list | tuple):
        return [_renamed(one) for one in activation]
    return _SCIKIT_NAMES.get(activation, activation) if isinstance(activation, str) else activation


def initializer(options: Options, name: str) -> Any:
    """Return argument `name`; "auto" is drawn elsewhere, by `scikit_parameters`."""
    chosen = getattr(options, name)
    return "zeros" if _is_auto(chosen) else chosen


def scikit_parameters(options: Options, sizes: list[int], state: np.random.RandomState) -> Start:
    """Return scikit-learn's first weights and biases of every layer, where "auto".

    Glorot and Bengio's bound for both, a third of the variance for the logistic function; the same
    numbers in the same order, so that a random_state means the same network.
    """
    gain = 2.0 if isinstance(options.activation, str) and options.activation == "logistic" else 6.0
    drawn = []
    for n_in, n_out in pairwise(sizes):
        bound = np.sqrt(gain / (n_in + n_out))
        weights = state.uniform(-bound, bound, (n_in, n_out))
        biases = state.uniform(-bound, bound, n_out)
        auto = (_is_auto(options.initializer), _is_auto(options.bias_initializer))
        drawn.append((weights if auto[0] else None, biases if auto[1] else None))
    return drawn


def _is_auto(chosen: Any) -> bool:
    return isinstance(chosen, str) and chosen == "auto"


def dropout(rates: Any) -> float | list[float]:
    """Return the rate, or that of every layer.

    Raises
    ------
    TypeError
        If one of them is not a number.
    """
    if not isinstance(rates, list | tuple):
        return float(rates)
    for rate in rates:
        if not is_number(rate):
            raise TypeError(f"dropout must hold numbers, got {rate!r} in {rates!r}")
    return [float(rate) for rate in rates]


def batch_size(options: Options, n: int) -> int | None:
    """Return the size of a batch of `n` samples, or None for all of them."""
    if options.lbfgs:
        return None
    if options.batch_size == "auto":
        return min(200, n)
    return int(options.batch_size) if "batch_size" in options.given else min(int(options.batch_size), n)


def batches(options: Options, n: int) -> dict[str, Any]:
    """Return how `n` samples are cut into batches, as `Training` takes it."""
    if options.n_batches is not None:
        return {"n_batches": int(options.n_batches)}
    return {"batch_size": batch_size(options, n)}


def penalty(options: Options, strength: float, n: int, total: float) -> float:
    """Return a penalty's strength as `Training` takes it.

    scikit-learn divides it by the sum of weights: of the batch, which the engine does (it sees weights
    of mean 1), or with L-BFGS of all samples.
    """
    if not options.like_sklearn:
        return strength
    return strength / total if options.lbfgs else strength * n / total


def engine(options: Options, supply: Supply) -> str:
    """Return the engine's name; rows that are made dense batch by batch need the reference."""
    if (
        options.engine == "auto"
        and isinstance(supply, InMemory)
        and isinstance(supply.data.X, inputs.SparseRows)
    ):
        return "numpy"  # which indexes rows, and takes them one batch at a time
    return str(options.engine)


def as_realmlp(net: Network, options: Options) -> None:
    """Give a network RealMLP's input scale and parametrisation, and zeros in its last layer.

    Before, its weights have variance 1 / n_in, which is RealMLP's variance 1 over the root of n_in that
    it multiplies them with. Initializers that were chosen are kept.
    """
    model = net.model
    made = replace(model.architecture, input_scale=True, ntk=True)
    scale = np.ones(made.widths[0], model.parameters.dtype)
    first = next(block.offset for block in made.blocks if block.kind == "scales")
    before, after = np.split(model.parameters, [first], axis=-1)
    scales = np.broadcast_to(scale, (*model.parameters.shape[:-1], len(scale)))
    model.architecture, model.parameters = made, np.concatenate([before, scales, after], axis=-1)
    views = made.views(model.parameters)  # of members, all of them
    for chosen, arrays in zip(("initializer", "bias_initializer"), views, strict=True):
        last = arrays[-1]
        if getattr(options, chosen) == presets.REALMLP_S[chosen] and last is not None:
            last[:] = 0.0
