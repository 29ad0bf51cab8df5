"""The sum over all paths, (53) of S2: what one weight does to the cost, path by path.

The total is found by recursion, never by enumeration, so its time does not grow with the number of
paths. The paths of the largest products are found best first: the bound of an unfinished path is the
largest product of any way on to the cost, exact by the same recursion with max for sum.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.trace import Trace
from clearprop.traceable import Traceable

Floats = NDArray[np.float64]

MOST = 100_000  # paths that are listed: seconds, and a table that nobody reads to its end


class Path(NamedTuple):
    """One way from a weight to the cost.

    `neurons` has one neuron of every layer from the weight's to the output; with softmax outputs one
    more, the activation through which the last z acts. `factors` are rates, from the weight onwards:
    the input activation, then slope and weight in turn, then dC/da. `share` is |product| over the sum
    of |product| of all paths.
    """

    neurons: tuple[int, ...]
    factors: tuple[float, ...]
    product: float
    share: float


@dataclass(frozen=True)
class PathSum:
    """The derivative of the cost by one weight as a sum over paths.

    Attributes
    ----------
    layer, to, source : int
        The weight, counted from 0; source is None for a bias.
    total : float
        The sum of all products: dC/dw (E6, E11).
    absolute_total : float
        The sum of all |product|.
    n_paths, n_factors : int
        Of all paths, and of each.
    paths : tuple of Path
        Of the largest |product|, largest first; paths whose product is 0 are left out.
    """

    layer: int
    to: int
    source: int | None
    total: float
    absolute_total: float
    n_paths: int
    n_factors: int
    paths: tuple[Path, ...]

    @property
    def cancellation(self) -> float:
        """|sum| / sum of absolute values: 1 where all paths pull one way, near 0 where they cancel.

        NaN where that has no value: every product is 0, or the pass is not finite.
        """
        return math.nan if self.undefined else abs(self.total) / self.absolute_total

    @property
    def undefined(self) -> str:
        """Why shares and cancellation have no value, as a sentence; "" where they have one."""
        if not math.isfinite(self.absolute_total):
            return "The pass has numbers that are not finite: this sum has no value."
        return "" if self.absolute_total else "Every path's product is 0."

    @property
    def share(self) -> float:
        """How much of the sum of absolute values the listed paths make."""
        return math.fsum(path.share for path in self.paths)

    def __str__(self) -> str:
        """Return the paths as a table of at most 100 columns."""
        what = (
            f"bias {self.to + 1}" if self.source is None else f"weight {self.to + 1},{self.source + 1}"
        )
        lines = [
            f"dC/d({what} of layer {self.layer + 1}) = {self.total:.4g}: the sum over "
            f"{self.n_paths:,} paths of {self.n_factors} factors",
            *([self.undefined] if self.undefined else self._table()),
            "",
            "dC/dw is the total effect of the weight, through all paths; each product is the",
            "effect through one of them, everything else held still (E11).",
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from clearprop.explain.cells import paths_as_html

        return paths_as_html(self)

    def _repr_latex_(self) -> str:
        from clearprop.explain.cells import paths_as_latex

        return paths_as_latex(self)

    def _table(self) -> list[str]:
        lines = [
            f"of absolute values {self.absolute_total:.4g}; |sum| is {self.cancellation:.2%} of that",
            "",
        ]
        ways = [" > ".join(str(neuron + 1) for neuron in path.neurons) for path in self.paths]
        wide = max([len("neurons"), *(len(way) for way in ways)])
        lines.append(f"{'product':>12} {'share':>7}  {'neurons':{wide}}  factors")
        for path, way in zip(self.paths, ways, strict=True):
            line = f"{path.product:12.4g} {path.share:7.1%}  {way:{wide}}  "
            lines.append(line + _fitting(path.factors, 100 - len(line)))
        more = self.n_paths - len(self.paths)
        if more:
            lines.append(f"[..., {more:,} more, together {1 - self.share:.1%} of the absolute sum]")
        return lines


def _fitting(factors: tuple[float, ...], room: int) -> str:
    """Return as many factors as there is room for, and how many more there are."""
    texts = [f"{factor:.4g}" for factor in factors]
    for shown in range(len(texts), -1, -1):
        more = [] if shown == len(texts) else [f"[{len(texts) - shown} more]"]
        line = " x ".join([*texts[:shown], *more])
        if len(line) <= room:
            return line
    return ""


class _Ways(NamedTuple):
    """From the z of one layer on: a step multiplies by `edges[l][next, this]`; `ends` is dC/da."""

    edges: tuple[Floats, ...]
    ends: Floats


def _ways(trace: Trace, layer: int, row: int) -> _Ways:
    layers = trace.layers
    edges = []
    for this, after in itertools.pairwise(layers[layer:]):
        # From z of this layer to z of the next: through a, then through the weight.
        edges.append(after.weights.astype(np.float64) * this.slope[row].astype(np.float64))
    last = layers[-1].slope[row].astype(np.float64)
    ends = layers[-1].error[row].astype(np.float64)
    if last.ndim == 2:  # softmax: every z acts through every a
        edges.append(last)
    else:
        ends = ends * last
    return _Ways(tuple(edges), ends)


def _recursion(ways: _Ways) -> tuple[Floats, Floats, list[Floats]]:
    """Return, for each neuron of the first layer, sum, absolute sum, and all layers' largest."""
    total, absolute, largest = ways.ends, np.abs(ways.ends), [np.abs(ways.ends)]
    for edge in reversed(ways.edges):
        total, absolute = total @ edge, absolute @ np.abs(edge)
        largest.insert(0, (np.abs(edge) * largest[0][:, None]).max(axis=0))
    return total, absolute, largest


def _best_first(ways: _Ways, largest: list[Floats], to: int, top: int) -> list[tuple[int, ...]]:
    """Return the neurons of the paths with the largest |product|, largest first."""
    heap: list[tuple[float, tuple[int, ...], float]] = [(-largest[0][to], (to,), 1.0)]
    found: list[tuple[int, ...]] = []
    while heap and len(found) < top:
        bound, neurons, product = heapq.heappop(heap)
        if bound == 0:
            break
        depth = len(neurons) - 1
        if depth == len(ways.edges):
            found.append(neurons)
            continue
        column = product * np.abs(ways.edges[depth][:, neurons[-1]])
        bounds = column * largest[depth + 1]
        ahead = np.argsort(-bounds, kind="stable")[: top - len(found)]
        for neuron in ahead:  # no more of them can be among those still wanted
            heapq.heappush(heap, (-bounds[neuron], (*neurons, int(neuron)), column[neuron]))
    return found


def best_paths(trace: Trace, layer: int, to: int, top: int, row: int = 0) -> list[tuple[int, ...]]:
    """Return the neurons of the `top` paths from z of one neuron on, of the largest |product|."""
    with np.errstate(all="ignore"):
        ways = _ways(trace, layer, row)
        _, absolute, largest = _recursion(ways)
        # Finite only where every number from this neuron on is.
        return _best_first(ways, largest, to, top) if np.isfinite(absolute[to]) else []


def count_paths(trace: Trace, layer: int) -> int:
    """Return how many paths there are from one neuron of a weight layer (from 0) to the cost."""
    sizes = trace.architecture.widths
    softmax = 1 if trace.architecture.output.elementwise else sizes[-1]
    return math.prod(sizes[layer + 2 :]) * softmax


def _factors(
    trace: Trace, layer: int, source: int | None, neurons: tuple[int, ...], row: int = 0
) -> tuple[float, ...]:
    before = trace.inputs if layer == 0 else trace.layers[layer - 1].a
    factors = [1.0 if source is None else float(before[row, source])]
    for depth, this in enumerate(trace.layers[layer:]):
        if depth:
            factors.append(float(this.weights[neurons[depth], neurons[depth - 1]]))
        index = (row, neurons[depth]) if this.slope.ndim == 2 else (row, neurons[-1], neurons[depth])
        factors.append(float(this.slope[index]))
    return (*factors, float(trace.layers[-1].error[row, neurons[-1]]))


def check_index(argument: str, value: object, size: int) -> int:
    """Return an index counted from 0.

    Raises
    ------
    ValueError, TypeError
        If it is not an integer, or not in 0..size - 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{argument} must be an integer, got {value!r}")
    if not 0 <= value < size:
        raise ValueError(f"{argument} must be in 0..{size - 1}, got {value}")
    return int(value)


def path_sum(
    net: Traceable, x: ArrayLike, y: ArrayLike, layer: int, to: int, source: int | None, top: int = 20
) -> PathSum:
    """Return dC/dw of one sample as a sum over all paths from the weight to the cost: (53) of S2.

    Parameters
    ----------
    net : Network
    x, y : array-like
        One sample and its target: an array of shape (n_features,), or one row.
    layer, to, source : int
        The weight ``net.weights[layer][to, source]``; source None for the bias.
    top : int
        How many of the largest paths to find, 1 to 100,000.

    Returns
    -------
    PathSum

    Raises
    ------
    ValueError, TypeError
        If an index is out of range, or x and y are not one sample that fits the network.

    Examples
    --------
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> found = path_sum(net, [0.5, 1.0], 1, layer=0, to=2, source=1)
    >>> found.n_paths  # 2 outputs, each through 2 softmax activations
    4
    >>> bool(np.isclose(found.total, net.gradient([[0.5, 1.0]], [1]).weights[0][2, 1]))
    True
    """
    layer = check_index("layer", layer, len(net.layers))
    to = check_index("to", to, net.architecture.widths[layer + 1])
    if source is not None:
        source = check_index("source", source, net.architecture.widths[layer])
    elif net.biases[layer] is None:
        raise ValueError(
            f"source must be a neuron where a layer has no biases, got None for layer {layer}"
        )
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= MOST:
        raise ValueError(
            f"top must be an integer in 1..{MOST:,}, got {top!r}; the total is that of all paths anyway"
        )
    return path_sum_of(net.trace(*one_sample(x, y)), layer, to, source, top)


def path_sum_of(trace: Trace, layer: int, to: int, source: int | None, top: int = 20) -> PathSum:
    """Return the sum over all paths of a trace's first sample; the indices are not checked."""
    with np.errstate(all="ignore"):
        ways = _ways(trace, layer, 0)
        totals, absolutes, _ = _recursion(ways)
        first = _factors(trace, layer, source, (0,) * (len(ways.edges) + 1))[0]
        total, absolute = float(totals[to] * first), float(absolutes[to] * abs(first))
    paths = []
    if math.isfinite(total) and absolute:
        for neurons in best_paths(trace, layer, to, top):
            factors = _factors(trace, layer, source, neurons)
            product = math.prod(factors)
            paths.append(Path(neurons, factors, product, abs(product) / absolute))
    n_factors = len(_factors(trace, layer, source, (0,) * (len(ways.edges) + 1)))
    return PathSum(
        layer, to, source, total, absolute, count_paths(trace, layer), n_factors, tuple(paths)
    )


def one_sample(x: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
    """Return one sample and its target as X and Y of one row.

    Raises
    ------
    ValueError
        If there are more rows than one.
    """
    X = np.asarray(x)
    X = X[None] if X.ndim == 1 else X
    Y = np.asarray(y)
    if Y.ndim == 0 or (Y.ndim == 1 and len(Y) != 1):
        Y = Y[None]
    for name, rows in (("x", X), ("y", Y)):
        if rows.ndim > 2 or len(rows) != 1:
            raise ValueError(f"{name} must be one sample, got an array of shape {np.shape(rows)}")
    return X, Y
