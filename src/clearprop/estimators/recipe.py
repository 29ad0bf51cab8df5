"""What a network and a training are made of: an estimator's options as theirs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import building, embeddings, randomness
from clearprop.estimators import inputs, presets
from clearprop.estimators.options import Options
from clearprop.flat_vector import shared
from clearprop.input_embedding import Embedding
from clearprop.model.embedding import categories_of, embeddable, learn, pairs_of
from clearprop.model.inputs import Inputs
from clearprop.names import is_number
from clearprop.network import Network
from clearprop.schedules import Schedule, number
from clearprop.training.supply import InMemory, Supply

if TYPE_CHECKING:
    from clearprop.data.table import TableEncoder

Array = NDArray[Any]
Start = list[tuple[Array | None, Array | None]]  # weights (n_in, n_out) and biases of every layer

_START_ROWS = 16_384  # of these at most a start is made
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


def dropout(rates: Any) -> float | Schedule | list[float | Schedule]:
    """Return the rate, or that of every layer; a schedule stays one.

    Raises
    ------
    TypeError
        If one of them is neither a number nor a schedule.
    """
    if not isinstance(rates, list | tuple):
        return number(rates)
    for rate in rates:
        if not is_number(rate) and not isinstance(rate, Schedule):
            raise TypeError(f"dropout must hold numbers or schedules, got {rate!r} in {rates!r}")
    return [number(rate) for rate in rates]


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


def many_valued(options: Options, encoder: TableEncoder | None) -> list[list[int]]:
    """Return the one-hot columns of each category that "realmlp" embeds."""
    embeds = options.preset == "realmlp" and options.embedding is not None
    return categories_of(encoder) if embeds else []


def embedding(
    options: Options,
    X: Any,
    weight: Array | None,
    then: Inputs,
    dtype: str,
    encoder: TableEncoder | None = None,
) -> Embedding | None:
    """Return what inputs are embedded by: as asked for, a preset's where there are inputs for it.

    "realmlp" embeds numbers of two values and categories of many of a table, too.

    Raises
    ------
    ValueError
        If it was asked for, and there are none, or rows that are sparse and too large.
    """
    name, given = options.embedding, "embedding" in options.given
    if name is None:
        return None
    seen, categories = inputs.as_rows(X, dtype, then), many_valued(options, encoder)
    pairs = pairs_of(encoder) if options.preset == "realmlp" else []
    if not isinstance(seen, inputs.SparseRows):
        some = given or pairs or embeddable(seen, weight)
        numbers = learn(name, seen, weight, pairs) if some else None
        return embeddings.categories(categories, numbers=numbers) if categories else numbers
    if given:
        raise ValueError(
            f"embedding={name!r} needs rows that fit in memory when they are dense, got a sparse X of "
            f"shape {X.shape}"
        )
    return None


def start_from_rows(net: Network, options: Options, X: Any) -> None:
    """Fit the first parameters of "realmlp" to some rows; initializers that were chosen are kept."""
    usual = [name not in options.given for name in ("initializer", "bias_initializer")]
    model, every = net.model, -(-len(X) // _START_ROWS)
    for member, its in enumerate(np.atleast_2d(model.parameters)):
        seed = randomness.member_seed(net.seed, member)
        building.start_from_rows(model.architecture, its, np.asarray(X[::every]), seed, *usual)


def kind(options: Options) -> str:
    """Return what a preset makes of a network, as `kind_of` names it."""
    return {"sklearn": "sklearn", "tabm-mini": "tabm-mini"}.get(options.preset, "realmlp-s")


def kind_of(net: Network) -> str:
    """Return the preset that a network is of, or one that makes the same of it."""
    if not net.architecture.input_scale:
        return "sklearn"
    return "realmlp-s" if net.architecture.ntk else "tabm-mini"


def as_preset(net: Network, options: Options) -> None:
    """Give a network the input scale of a preset, RealMLP's parametrisation or TabM-mini's members."""
    if options.preset == "tabm-mini":
        _as_tabm_mini(net)
    else:
        _as_realmlp(net, options)


def _put_scale(net: Network, scale: Array, *, ntk: bool) -> None:
    """Give a network a learned input scale, of shape (n_inputs,) or (n_members, n_inputs)."""
    model = net.model
    made = replace(model.architecture, input_scale=True, ntk=ntk)
    first = next(block.offset for block in made.blocks if block.kind == "scales")
    before, after = np.split(model.parameters, [first], axis=-1)
    scales = np.broadcast_to(scale, (*model.parameters.shape[:-1], scale.shape[-1]))
    flat = np.concatenate([before, scales, after], axis=-1, dtype=model.parameters.dtype)
    model.architecture, model.parameters = made, flat


def _as_tabm_mini(net: Network) -> None:
    """Give every member its own input scale, r of random signs, and let all share the hidden layers.

    What an embedding makes of one input has one sign (Gorishniy et al. 2025).
    """
    model, made = net.model, net.architecture
    n = made.n_features
    sizes = np.ones(n, np.int64) if made.embedding is None else made.embedding.sizes
    seeds = [randomness.member_seed(net.seed, k) for k in range(model.n_members)]
    where = {"purpose": randomness.INPUT_SCALE, "layer": 0}
    signs = [np.where(randomness.uniform(seed, n, **where) < 0.5, -1.0, 1.0) for seed in seeds]
    r = np.array([np.repeat(each, sizes) for each in signs])
    _put_scale(net, r if model.n_members > 1 else r[0], ntk=False)
    if model.n_members > 1:
        model.shares_layers = True
        for block in shared(net.blocks):
            model.parameters[:, block.slice] = model.parameters[0, block.slice]


def _as_realmlp(net: Network, options: Options) -> None:
    """Give a network RealMLP's input scale and parametrisation; "realmlp-s" has a last layer of zeros.

    Before, its weights have variance 1 / n_in, which is RealMLP's variance 1 over the root of n_in that
    it multiplies them with. Initializers that were chosen are kept.
    """
    model = net.model
    _put_scale(net, np.ones(model.architecture.widths[0]), ntk=True)
    if options.preset != "realmlp-s":
        return
    views = model.architecture.views(model.parameters)  # of members, all of them
    for chosen, arrays in zip(("initializer", "bias_initializer"), views, strict=True):
        last = arrays[-1]
        if getattr(options, chosen) == presets.REALMLP_S[chosen] and last is not None:
            last[:] = 0.0
