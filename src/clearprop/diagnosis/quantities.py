# long: a record of numbers and what computes it, for each part of a pass, with sums that all share
"""What is measured: pure functions of one pass forwards and backwards, each with its price.

The price is in multiply-adds, as those of a pass are counted, for ``n`` samples: `price` adds them up.
Sums are in float64, whatever the network computes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.diagnosis import activation_range
from clearprop.diagnosis.activation_range import Range
from clearprop.diagnosis.thresholds import Thresholds

Numbers = NDArray[np.float64]
_Function = TypeVar("_Function", bound=Callable[..., Any])

PRICES: dict[str, Callable[[Architecture, int], int]] = {}


def _costs(multiply_adds: Callable[[Architecture, int], int]) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        PRICES[function.__name__] = multiply_adds
        return function

    return register


def price(architecture: Architecture, n: int) -> int:
    """Return the multiply-adds of all quantities of a pass over n samples, beside the pass itself."""
    return sum(each(architecture, n) for each in PRICES.values())


def _neurons(architecture: Architecture) -> int:
    return sum(architecture.sizes[1:])


class Pass(NamedTuple):
    """One pass over n samples, with everything that the quantities are functions of."""

    architecture: Architecture
    parameters: NDArray[Any]
    X: Array
    Y: Array
    z: tuple[Array, ...]
    a: tuple[Array, ...]  # a[0] is X or what it is embedded as, times the input scale if there is one
    slope: tuple[Array, ...]  # of softmax the Jacobian's diagonal, a (1 - a)
    error: tuple[Array, ...]
    delta: tuple[Array, ...]
    gradient: NDArray[Any]

    @property
    def n(self) -> int:
        """The number of samples."""
        return len(self.X)


@np.errstate(all="ignore")
def run(architecture: Architecture, parameters: NDArray[Any], X: Array, Y: Array) -> Pass:
    """Return one exact pass for the rules: the reference's, as a trace holds it."""
    passed = backprop.forward(architecture, parameters, X)
    back = backprop.backward(architecture, parameters, passed, Y)
    slopes = []
    for f, z, a in zip(architecture.functions(parameters), passed.z, passed.a[1:], strict=True):
        slopes.append(f.slope(z) if f.elementwise else a * (1.0 - a))
    return Pass(
        architecture,
        parameters,
        X,
        Y,
        passed.z,
        passed.a,
        tuple(slopes),
        back.error,
        back.delta,
        backprop.gradient(architecture, passed, back),
    )


@_costs(lambda a, n: 4 * n * _neurons(a) + 2 * a.n_parameters)
@np.errstate(all="ignore")
def nonfinite(p: Pass) -> tuple[int, str] | None:
    """Return the layer and the quantity that is not finite, in the order of the pass: the first one."""
    everything = (p.parameters, p.gradient, p.a[-1], *p.z, *p.delta)
    if all(np.isfinite(_square(each)) for each in everything) and np.isfinite(_costs_of(p)).all():
        return None  # a sum of squares is finite only if all of them are: one pass, no look at each
    W, b = p.architecture.views(p.parameters)
    dW, db = p.architecture.views(p.gradient)
    for l in range(len(p.z)):  # noqa: E741
        for name, values in (("W", W[l]), ("b", b[l]), ("z", p.z[l]), ("a", p.a[l + 1])):
            if values is not None and not np.isfinite(values).all():
                return l + 1, name
    if not np.isfinite(_costs_of(p)).all():
        return len(p.z), "C"
    for l in reversed(range(len(p.z))):  # noqa: E741
        for name, values in (("delta", p.delta[l]), ("dC/dW", dW[l]), ("dC/db", db[l])):
            if values is not None and not np.isfinite(values).all():
                return l + 1, name
    return None


def _costs_of(p: Pass) -> Array:
    return p.architecture.cost.of_samples(p.architecture.output, p.z[-1], p.a[-1], p.Y)


@np.errstate(all="ignore")
def _square(values: Array) -> float:
    """Return the sum of squares: a dot product, in float64 only where float32 does not hold it."""
    flat = values.reshape(-1)
    found = float(flat @ flat)
    if 1e-30 < found < 1e30:
        return found
    wide = flat.astype(np.float64)
    return float(wide @ wide)


@np.errstate(all="ignore")
def _sums(subscripts: str, *arrays: Array) -> Numbers:
    """Return an einsum, in float64 only where float32 does not hold it."""
    found = np.einsum(subscripts, *arrays)
    if np.isfinite(found).all() and (found.max(initial=0.0) > 1e-30):
        return found.astype(np.float64)
    return np.einsum(subscripts, *(each.astype(np.float64) for each in arrays))


def _mean_square(values: Array) -> Numbers:
    return _sums("ij,ij->j", values, values) / len(values)


@dataclass(frozen=True, eq=False)
class LayerNumbers:
    """One layer, in numbers.

    Attributes
    ----------
    low : ndarray of shape (n_out,)
        Share of the examples on which f'(z) is below ``low_slope`` of its largest value.
    slope, activation, error : ndarray of shape (n_out,)
        RMS over the examples; the slope relative to its largest value.
    delta : float
        RMS over examples and units (D6).
    gain : float
        Of BP2 for a random delta, from this layer to the one before (D8); NaN in layer 1.
    actual, possible : ndarray of shape (n_out,)
        Mean square of each unit's part of the samples' gradients, as it is and with the largest slope.
    listened : ndarray of shape (n_in,)
        The same for each input's part, as it is; in layer 1 for each feature's.
    usual_input : float
        What that would be for an input as active as the layer's RMS.
    identical : tuple of tuples
        Groups of units that are alike in every parameter (D16).
    worst : tuple of int
        Examples on which low slopes cost most of the gradient.
    """

    number: int
    function: str
    n_in: int
    n_out: int
    is_output: bool
    cancels: bool  # the output's delta is a - y: its slope counts as 1 (X20)
    range: Range
    low: Numbers
    slope: Numbers
    activation: Numbers
    error: Numbers
    delta: float
    gain: float
    weight_norm: float
    gradient_norm: float
    actual: Numbers
    possible: Numbers
    listened: Numbers
    usual_input: float
    z_median: float
    identical: tuple[tuple[int, ...], ...]
    worst: tuple[int, ...]


@_costs(lambda a, n: 9 * n * _neurons(a) + 3 * a.n_parameters)
@np.errstate(all="ignore")
def layer_numbers(p: Pass, l: int, limits: Thresholds) -> LayerNumbers:  # noqa: E741
    """Return what one layer comes to, over all samples."""
    layer = p.architecture.layers[l]
    what = activation_range.of_layer(layer.function, layer.size)
    last = l == len(p.z) - 1
    cancels = last and p.architecture.cost.form(p.architecture.output) is not None
    W, b = p.architecture.views(p.parameters)
    dW = p.architecture.views(p.gradient)[0]
    a_in, error, delta = p.a[l], p.error[l], p.delta[l]
    ratio = np.abs(p.slope[l] / what.steepest.astype(p.slope[l].dtype))
    is_low = ratio < limits.low_slope
    dtype = delta.dtype
    inputs = _sums("ij,ij->i", a_in, a_in) + layer.bias
    actual = _sums("i,ij,ij->j", inputs.astype(dtype), delta, delta) / p.n
    steepest = np.where(np.isfinite(what.steepest), what.steepest, 1.0)
    at_most = np.square(error, dtype=np.float64) * steepest**2
    possible = actual if cancels else np.maximum(inputs @ at_most / p.n, actual)
    lost = np.where(is_low, at_most, 0.0).sum(axis=1) * inputs
    worst = np.argsort(-lost, kind="stable")[:5]
    of_deltas = _sums("ij,ij->i", delta, delta)
    return LayerNumbers(
        number=l + 1,
        function=layer.function.name,
        n_in=p.architecture.sizes[l],
        n_out=layer.size,
        is_output=last,
        cancels=cancels,
        range=what,
        low=is_low.mean(axis=0),
        slope=np.sqrt(_mean_square(ratio)),
        activation=np.sqrt(_mean_square(p.a[l + 1])),
        error=np.sqrt(_mean_square(error)),
        delta=float(np.sqrt(of_deltas.sum() / delta.size)),
        gain=_gain(p, l),
        weight_norm=_norm(W[l]),
        gradient_norm=_norm(dW[l]),
        actual=actual,
        possible=possible,
        listened=_of_features(p, l, _sums("i,ij,ij->j", of_deltas.astype(dtype), a_in, a_in) / p.n),
        usual_input=float((inputs - layer.bias).mean() / a_in.shape[1] * of_deltas.mean()),
        z_median=float(np.median(np.abs(p.z[l]))),
        identical=() if last else identical_units(W[l], b[l], W[l + 1], layer.function.parts, limits),
        worst=tuple(int(i) for i in worst if lost[i] > 0),
    )


def _of_features(p: Pass, l: int, inputs: Numbers) -> Numbers:  # noqa: E741
    """Return the sum over the numbers that each feature is embedded as, if the layer is the first."""
    if l > 0 or (E := p.architecture.embedding) is None:
        return inputs
    sums = np.zeros(len(E.sizes))
    np.add.at(sums, np.repeat(np.arange(len(E.sizes)), E.sizes), inputs)
    return sums


def _norm(matrix: Array) -> float:
    return float(np.sqrt(_square(matrix)))


def _gain(p: Pass, l: int) -> float:  # noqa: E741
    """Return ``sqrt(mean_i ||W diag f'||_F^2 * (1/n_in + 1/n_out) / 2)``.

    It is 1 for a start as in (16) of Glorot and Bengio with slopes of 1, whatever the widths.
    """
    if l == 0:
        return float("nan")
    W = p.architecture.views(p.parameters)[0][l]
    squares = _sums("ij,ij->j", W, W)
    n_out, n_in = W.shape
    passing = float(squares @ _mean_square(p.slope[l - 1]))
    return float(np.sqrt(passing * (1.0 / n_in + 1.0 / n_out) / 2.0))


@np.errstate(all="ignore")
def identical_units(
    W: Array, b: Array | None, W_next: Array, parts: tuple[Any, ...], limits: Thresholds
) -> tuple[tuple[int, ...], ...]:
    """Return the groups of units with equal incoming weights, bias and outgoing weights."""
    limit = limits.identical_float32 if W.dtype == np.float32 else limits.identical_float64
    # Units that are alike are neighbours when sorted by any one projection; only those are compared.
    onto = np.cos(np.arange(W.shape[1]) ** 2.0).astype(W.dtype)
    key = (W @ onto).astype(np.float64)
    order = np.argsort(key, kind="stable")
    reach = (limit + 8 * float(np.finfo(W.dtype).eps)) * np.sqrt(_square(W)) * np.sqrt(W.shape[1])

    def alike(i: int, j: int) -> bool:
        if parts and parts[i] != parts[j]:
            return False
        for_both = [(W[i], W[j]), (W_next[:, i], W_next[:, j])]
        for_both += [] if b is None else [(b[i : i + 1], b[j : j + 1])]
        largest = max(float(np.abs(one).max()) for one, _ in for_both)
        return all(float(np.abs(one - other).max()) <= limit * largest for one, other in for_both)

    groups: list[list[int]] = []
    recent: list[list[int]] = []  # those whose projection is within reach
    for j in map(int, order):
        recent = [group for group in recent if key[j] - key[group[0]] <= reach]
        mine = next((group for group in recent if alike(group[0], j)), None)
        if mine is None:
            mine = []
            groups.append(mine)
            recent.append(mine)
        mine.append(j)
    return tuple(tuple(sorted(g)) for g in groups if len(g) > 1)


@dataclass(frozen=True, eq=False)
class OutputNumbers:
    """Outputs, targets and cost.

    Attributes
    ----------
    cost, constant_cost, silent_cost : float
        Of the network; of the best output that is the same for every example; of z = 0.
    accuracy : float
        NaN where the targets are no classes.
    leaves_slope : bool
        Whether f'(z) stays in the output's delta (BP1).
    stuck, unreachable : ndarray of shape (n_outputs,)
        Share of the examples on which an output is flat and wrong; whose target it cannot reach.
    not_one : float
        Share of the rows of softmax targets that do not sum to 1 (X33).
    stuck_rows, unreachable_rows : tuple of int
    """

    cost: float
    constant_cost: float
    silent_cost: float
    accuracy: float
    name: str
    probabilities: bool
    cost_name: str
    squares: bool
    n_outputs: int
    leaves_slope: bool
    squashes: bool
    low: float
    high: float
    stuck: Numbers
    stuck_rows: tuple[int, ...]
    unreachable: Numbers
    unreachable_rows: tuple[int, ...]
    target_low: float
    target_high: float
    not_one: float


@_costs(lambda a, n: 12 * n * a.sizes[-1])
@np.errstate(all="ignore")
def output_numbers(p: Pass, limits: Thresholds) -> OutputNumbers:
    """Return what the outputs come to."""
    output, cost, n_outputs = p.architecture.output, p.architecture.cost, p.Y.shape[1]
    what = activation_range.of_layer(output, n_outputs)
    leaves = cost.form(output) is None
    width = what.high - what.low
    bounded = np.isfinite(width)
    off = np.abs(p.a[-1] - p.Y)
    flat = np.abs(p.slope[-1]) < limits.low_slope * what.steepest
    stuck = flat & (off > limits.wrong_by * width) & bounded & leaves
    slack = limits.unreachable * np.where(bounded, width, 1.0)
    beyond = (what.low - slack > p.Y) | (what.high + slack < p.Y)
    not_one = np.zeros(p.n, bool)
    if not output.elementwise:
        not_one = np.abs(p.Y.sum(axis=1, dtype=np.float64) - 1.0) > 1e-4
    wrong_rows = beyond.any(axis=1) | not_one
    return OutputNumbers(
        cost=cost.reduce(cost.of_samples(output, p.z[-1], p.a[-1], p.Y)),
        constant_cost=constant_cost(p),
        silent_cost=_cost_at(p, np.zeros_like(p.Y)),
        accuracy=_accuracy(p),
        name=output.name,
        probabilities=output.probabilities,
        cost_name=cost.name,
        squares=cost.squares is not None,
        n_outputs=n_outputs,
        leaves_slope=leaves,
        squashes=bool((what.kind == activation_range.Kind.both_ends).all()),
        low=float(what.low.max()),
        high=float(what.high.min()),
        stuck=stuck.mean(axis=0),
        stuck_rows=_first(stuck.any(axis=1), off.max(axis=1)),
        unreachable=beyond.mean(axis=0),
        unreachable_rows=_first(wrong_rows, np.abs(p.Y).max(axis=1)),
        target_low=float(p.Y.min()),
        target_high=float(p.Y.max()),
        not_one=float(not_one.mean()),
    )


def _first(which: NDArray[np.bool_], by: Array, most: int = 5) -> tuple[int, ...]:
    order = np.argsort(-np.where(which, by, -np.inf), kind="stable")[:most]
    return tuple(int(i) for i in order if which[i])


def _cost_at(p: Pass, z: Array) -> float:
    output, cost = p.architecture.output, p.architecture.cost
    return cost.reduce(cost.of_samples(output, z, output(z), p.Y))


@np.errstate(all="ignore")
def constant_cost(p: Pass) -> float:
    """Return the cost of the best output that is the same for every example: mean or median of y."""
    output, cost = p.architecture.output, p.architecture.cost
    found = []
    for constant in (p.Y.mean(axis=0, dtype=np.float64), np.median(p.Y, axis=0).astype(np.float64)):
        a = np.broadcast_to(constant, p.Y.shape).astype(p.Y.dtype)
        inside = np.clip(a.astype(np.float64), 1e-7, 1 - 1e-7)
        z = {
            "softmax": np.log(inside),
            "sigmoid": np.log(inside) - np.log1p(-inside),
            "exp": np.log(np.maximum(a, 1e-7)),
            "softplus": np.log(np.expm1(np.maximum(a, 1e-7).astype(np.float64))),
        }.get(output.name, a)
        found.append(cost.reduce(cost.of_samples(output, z.astype(p.Y.dtype), a, p.Y)))
    finite = [each for each in found if np.isfinite(each)]
    return min(finite, default=float("nan"))


def _accuracy(p: Pass) -> float:
    Y, a = p.Y, p.a[-1]
    labels = bool(((Y == 0) | (Y == 1)).all())
    if Y.shape[1] == 1:
        sigmoid = p.architecture.output.probabilities
        return float(((a > 0.5) == (Y > 0.5)).mean()) if labels and sigmoid else float("nan")
    one_hot = labels and bool((Y.sum(axis=1) == 1).all())
    return float((a.argmax(axis=1) == Y.argmax(axis=1)).mean()) if one_hot else float("nan")


@dataclass(frozen=True, eq=False)
class GradientNumbers:
    """The gradient by weights and biases and its noise, for the mean of the samples' costs.

    Attributes
    ----------
    norm : float
        ``||mean of the samples' gradients||``.
    sample_norm : float
        RMS of ``||g_i||``, from ``||g_i||^2 = sum_l ||delta_i||^2 (||a_i||^2 + 1)``: no extra pass.
    noise : float
        trace of the covariance of the samples' gradients, unbiased.
    signal : float
        ``||expected gradient||^2``, unbiased; may be negative.
    pull : float
        ``||l2 W|| / ||gradient||`` over the weights: 1 where the penalty holds them.
    """

    norm: float
    sample_norm: float
    noise: float
    signal: float
    pull: float

    @property
    def noise_scale(self) -> float:
        """The batch size at which noise and signal are equal (McCandlish et al. 2018), or NaN."""
        return self.noise / self.signal if self.signal > 0 else float("nan")


@_costs(lambda a, n: 2 * n * (a.sizes[0] + 2 * _neurons(a)) + 3 * a.n_parameters)
@np.errstate(all="ignore")
def gradient_numbers(p: Pass, l2: float = 0.0) -> GradientNumbers:
    """Return norms and noise of the samples' gradients."""
    squares = np.zeros(p.n)
    for layer, a, delta in zip(p.architecture.layers, p.a, p.delta, strict=False):
        inputs = _sums("ij,ij->i", a, a) + layer.bias
        squares += inputs * _sums("ij,ij->i", delta, delta)
    n = p.n
    per = 1.0 if p.architecture.cost.reduction == "mean" else 1.0 / n  # from a sum to a mean
    blocks = (each for parts in p.architecture.views(p.gradient) for each in parts if each is not None)
    of_mean = sum(map(_square, blocks)) * per**2
    noise = max(float(squares.sum() - n * of_mean), 0.0) / (n - 1) if n > 1 else float("nan")
    pull = float("nan")
    if l2:
        dW, W = (p.architecture.views(each)[0] for each in (p.gradient, p.parameters))
        plain = sum(_square(each) for each in dW) * per**2
        pull = l2 * float(np.sqrt(sum(_square(each) for each in W) / plain)) if plain > 0 else np.inf
    return GradientNumbers(
        float(np.sqrt(of_mean)), float(np.sqrt(squares.mean())), noise, of_mean - noise / n, pull
    )


@dataclass(frozen=True, eq=False)
class InputNumbers:
    """The features as the network sees them; arrays of shape (n_features,).

    A feature that is embedded counts as one of mean 0 and deviation 1 that nothing more is wanted of:
    layer 1 sees functions of it, whose size is not that of the feature.

    Attributes
    ----------
    rms, mean, deviation : ndarray
    active : ndarray
        Share of the examples on which a feature is not 0.
    wanted : ndarray
        Correlation of a feature with the delta of a unit of layer 1: the largest, in 0..1. What it is
        multiplied by is no matter; 0 where it does not vary.
    """

    rms: Numbers
    mean: Numbers
    deviation: Numbers
    active: Numbers
    wanted: Numbers


@_costs(lambda a, n: n * (4 * a.sizes[0] + 2 * a.sizes[1]) + 2 * a.sizes[0] * a.sizes[1])
@np.errstate(all="ignore")
def input_numbers(p: Pass) -> InputNumbers:
    """Return size, mean and spread of each feature, how often it is there, and what it would teach."""
    X = p.a[0].astype(np.float64)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    dW = p.architecture.views(p.gradient)[0][0].astype(np.float64)  # the mean of delta times a: BP4
    if p.architecture.cost.reduction == "sum":
        dW = dW / p.n
    delta = p.delta[0].astype(np.float64)
    together = np.abs(dW - np.outer(delta.mean(axis=0), mean)) / (
        delta.std(axis=0)[:, None] * deviation
    )
    wanted = np.nan_to_num(together, nan=0.0, posinf=0.0).max(axis=0).clip(max=1.0)
    found = [np.sqrt(_mean_square(X)), mean, deviation, (X != 0).mean(axis=0), wanted]
    if (E := p.architecture.embedding) is not None:
        embedded = [*(E.columns or ()), *E.categories.columns]
        found = [each[E.first] for each in found]
        for each, usual in zip(found, (1.0, 0.0, 1.0, 1.0, 0.0), strict=True):
            each[embedded] = usual
    return InputNumbers(*found)
