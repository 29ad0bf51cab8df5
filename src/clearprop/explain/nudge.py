"""The demon of S2 (L155): it changes one number inside the network, and the cost follows.

What delta promises, ``delta * dz``, beside what the cost really does. E13: it may sit at a instead of
z, where dC/da is its measure; or at a weight or bias. From there the change goes through the
activations of all layers to the cost, (47) to (52) of S2: as the derivatives predict it, and as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from clearprop.activations import Array
from clearprop.explain.paths import Path, PathSum, check_index, one_sample, path_sum_of
from clearprop.names import is_number, known_name
from clearprop.trace import Trace
from clearprop.traceable import Traceable

SHOWN = 4  # neurons of a layer, and paths, that are printed


class Change(NamedTuple):
    """What one activation does when the change reaches it: as predicted, and as it is.

    `layer` and `neuron` are counted from 0.
    """

    layer: int
    neuron: int
    predicted: float
    actual: float


@dataclass(frozen=True)
class Nudge:
    """A change of one number, the change of the cost that its derivative predicts, and the exact one.

    Attributes
    ----------
    on, layer, neuron, source, by
        What was changed, counted from 0, and by how much.
    rate : float
        The derivative of the cost: delta for z, dC/da for a, dC/dw, dC/db.
    cost, cost_after : float
        Of the sample, in float64; `cost_after` is NaN or infinite where the change leads out of where
        the cost is defined, as an output of 1.2 does under cross-entropy.
    changes : tuple of Change
        Of every activation that is reached, layer by layer: (48) to (50) of S2.
    paths : PathSum or None
        The ways from there to the cost, with `along` (51) of each; None where a is changed.
    """

    on: str
    layer: int
    neuron: int
    source: int | None
    by: float
    rate: float
    cost: float
    cost_after: float
    changes: tuple[Change, ...] = ()
    paths: PathSum | None = None

    @property
    def predicted(self) -> float:
        """The derivative times the change."""
        return self.rate * self.by

    @property
    def exact(self) -> float:
        """The change of the cost."""
        return self.cost_after - self.cost

    @property
    def error(self) -> float:
        """Exact minus predicted: of the order of the square of the change."""
        return self.exact - self.predicted

    def along(self, path: Path) -> float:
        """Return the change of the cost that is predicted along one path: (51) of S2."""
        return path.product * self.by

    def __str__(self) -> str:
        """Return what is changed, what is predicted and what happens, and the way to the cost."""
        symbol = {"z": "delta", "a": "dC/da", "weight": "dC/dw", "bias": "dC/db"}[self.on]
        where = f"neuron {self.neuron + 1} of layer {self.layer + 1}"
        if self.source is not None:
            where += f", from neuron {self.source + 1}"
        said = (
            f"{self.on} of {where} is changed by {self.by:.4g}\n"
            f"predicted  {symbol} x change = {self.rate:.4g} x {self.by:.4g} = {self.predicted:.4g}\n"
            f"exact      C {self.cost:.6g} -> {self.cost_after:.6g}, a change of {self.exact:.4g} "
            f"(error {self.error:.2g})"
        )
        if not math.isfinite(self.cost_after):
            said += "\nThe change leads out of where the cost is defined, or of what float64 holds."
        return "\n".join([said, "", *self._way()])

    def _repr_html_(self) -> str:
        from clearprop.explain.cells import nudge_as_html

        return nudge_as_html(self)

    def _repr_latex_(self) -> str:
        from clearprop.explain.cells import nudge_as_latex

        return nudge_as_latex(self)

    def way(self) -> list[tuple[str, str, str, str]]:
        """Return the changes on the way to the cost: of what, predicted, actual, number in S2."""
        rows: list[tuple[str, str, str, str]] = []
        first = self.layer
        for layer in sorted({each.layer for each in self.changes}):
            every = [each for each in self.changes if each.layer == layer]
            largest = sorted(every, key=lambda each: -abs(each.predicted))[:SHOWN]
            number = {first: "(48)", first + 1: "(49), (50)"}.get(layer, "(49)")
            if self.on == "a":
                number = "" if layer == first else "(49)"
            for each in sorted(largest, key=lambda each: each.neuron):
                name = f"a of layer {layer + 1}, neuron {each.neuron + 1}"
                rows.append((name, _number(each.predicted), _number(each.actual), number))
            if len(every) > SHOWN:
                rows.append((f"[..., {len(every) - SHOWN:,} more]", "", "", ""))
        if self.paths is not None:
            for path in self.paths.paths:
                way = " > ".join(str(neuron + 1) for neuron in path.neurons)
                rows.append((f"C through {way}", _number(self.along(path)), "", "(51)"))
            if more := self.paths.n_paths - len(self.paths.paths):
                rows.append((f"[..., {more:,} more]", "", "", ""))
        rows.append(("C", _number(self.predicted), _number(self.exact), "(47), (52)"))
        return rows

    def _way(self) -> list[str]:
        """Return the table of the changes on the way to the cost."""
        rows = self.way()
        head = ("the change of", "predicted", "actual", "")
        wide = [max(len(row[i]) for row in [head, *rows]) for i in range(3)]
        return [
            f"{name:{wide[0]}}  {predicted:>{wide[1]}}  {actual:>{wide[2]}}  {number}".rstrip()
            for name, predicted, actual, number in [head, *rows]
        ]


def _number(value: float) -> str:
    return f"{value:#.4g}"


def nudge(
    net: Traceable,
    x: ArrayLike,
    y: ArrayLike,
    layer: int,
    neuron: int,
    by: float = 0.01,
    on: str = "z",
    source: int | None = None,
) -> Nudge:
    """Change one number of a pass, and return the predicted and the exact change of the cost.

    Parameters
    ----------
    net : Network
        Not changed; the arithmetic is float64.
    x, y : array-like
        One sample and its target.
    layer, neuron : int
        Counted from 0: the neuron whose z, a, bias, or weight from `source` is changed.
    by : float
    on : {"z", "a", "weight", "bias"}
    source : int, optional
        Of the weight.

    Returns
    -------
    Nudge

    Raises
    ------
    ValueError, TypeError
        If an index is out of range, or x and y are not one sample that fits the network.

    Examples
    --------
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> demon = nudge(net, [0.5, 1.0], 1, layer=0, neuron=2, by=1e-3)
    >>> bool(abs(demon.error) < 1e-5 * abs(demon.predicted) + 1e-6)
    True
    """
    known_name("on", on, ("z", "a", "weight", "bias"))
    layer = check_index("layer", layer, len(net.layers))
    neuron = check_index("neuron", neuron, net.architecture.widths[layer + 1])
    if (on == "weight") != (source is not None):
        raise ValueError(
            f"source must be given for a weight, and for nothing else, got {source!r} for {on}"
        )
    if source is not None:
        source = check_index("source", source, net.architecture.widths[layer])
    if not is_number(by):
        raise ValueError(f"by must be a finite number, got {by!r}")
    wide = net.copy("float64")
    trace = wide.trace(*one_sample(x, y))
    here = trace.layers[layer]
    z, a = here.z.copy(), here.a.copy()
    if on == "bias" and here.biases is None:
        raise ValueError(
            f"on must be a number that is there, got 'bias' for layer {layer}, which has none"
        )
    before = trace.inputs if layer == 0 else trace.layers[layer - 1].a
    step = np.zeros_like(a[0])  # the predicted change of the layer's activations
    with np.errstate(all="ignore"):
        if on == "a":
            rate, a[0, neuron], step[neuron] = here.error[0, neuron], a[0, neuron] + by, by
        else:
            unit = 1.0 if source is None else before[0, source]
            z[0, neuron] += by * unit
            rate, a = here.delta[0, neuron] * unit, here.function(z)
            step = _slope_times(here.slope[0], by * unit, neuron)  # (48)
    changes, zs, activations = changes_from(trace, layer, step, z, a)
    if here.slope.ndim == 2:
        changes = [each for each in changes if each.layer > layer or each.neuron == neuron]
    at_output = on == "a" and layer == len(net.layers) - 1
    after = _cost(wide, at_output, zs[-1], activations[-1], trace.Y)
    ways = None if on == "a" else path_sum_of(trace, layer, neuron, source, SHOWN)
    cost = float(trace.sample_costs[0])
    return Nudge(on, layer, neuron, source, float(by), float(rate), cost, after, tuple(changes), ways)


def changes_from(
    trace: Trace, layer: int, step: Array, z: Array, a: Array
) -> tuple[list[Change], list[Array], list[Array]]:
    """Return what a change does to the activations of a layer (from 0) and all later ones.

    `step` is the predicted change of the layer's own activations, z and a are its row after the
    change; beside the changes, z and a of all layers from there on are returned.
    """
    with np.errstate(all="ignore"):
        wide = trace.layers[layer].z[:1].astype(np.float64)
        _, before = onwards(trace, layer, wide, trace.layers[layer].function(wide))
        zs, after = onwards(trace, layer, z, a)
        steps = _predicted(trace, layer, step)
        actual = [new[0] - old[0] for new, old in zip(after, before, strict=True)]
    changes = [
        Change(at, j, float(steps[at - layer][j]), float(actual[at - layer][j]))
        for at in range(layer, len(trace.layers))
        for j in range(len(steps[at - layer]))
    ]
    return changes, zs, after


def of_weight(
    trace: Trace, layer: int, to: int, source: int, by: float
) -> tuple[list[Change], float, float]:
    """Return what a change of one weight does on its way, and to the cost as predicted and as it is.

    Of the trace's first sample, in float64; layer, to and source are counted from 0.
    """
    here, architecture = trace.layers[layer], trace.architecture
    before = trace.inputs if layer == 0 else trace.layers[layer - 1].a
    with np.errstate(all="ignore"):
        unit = float(before[0, source])
        z = np.repeat(here.z[:1].astype(np.float64), 2, axis=0)
        z[1, to] += by * unit
        step = _slope_times(here.slope[0].astype(np.float64), by * unit, to)
        a = here.function(z)
        changes, _, _ = changes_from(trace, layer, step, z[1:], a[1:])
        zs, activations = onwards(trace, layer, z, a)
        y = np.repeat(trace.Y[:1].astype(np.float64), 2, axis=0)
        costs = architecture.cost.of_samples(architecture.output, zs[-1], activations[-1], y)
        return changes, float(here.delta[0, to]) * unit * by, float(costs[1] - costs[0])


def _slope_times(slope: Array, dz: float, neuron: int) -> Array:
    """Return the change of a layer's activations when z of one neuron changes by dz."""
    if slope.ndim == 2:  # softmax: every z acts on every a
        return slope[:, neuron] * dz
    step = np.zeros_like(slope)
    step[neuron] = slope[neuron] * dz
    return step


def _predicted(trace: Trace, layer: int, step: Array) -> list[Array]:
    """Return the changes of the activations from a layer on, as the derivatives predict them.

    Each is (49) of S2 for all neurons of its layer, the sum over the paths that come together there.
    """
    steps = [step]
    for later in trace.layers[layer + 1 :]:
        dz = later.weights.astype(np.float64) @ steps[-1]
        slope = later.slope[0].astype(np.float64)
        steps.append(slope @ dz if slope.ndim == 2 else slope * dz)  # (49)
    return steps


def onwards(trace: Trace, layer: int, z: Array, a: Array) -> tuple[list[Array], list[Array]]:
    """Return z and a of a layer (from 0) and all later ones, for rows of z and a that were changed."""
    zs, activations = [z], [a]
    for later in trace.layers[layer + 1 :]:
        W = later.weights.astype(np.float64)
        z = activations[-1] @ W.T
        zs.append(z if later.biases is None else z + later.biases.astype(np.float64))
        activations.append(later.function(zs[-1]))
    return zs, activations


def _cost(net: Traceable, at_output: bool, z: Array, a: Array, y: Array) -> float:
    cost = net.architecture.cost
    if at_output:  # a is no longer f(z): the cost as a function of a
        with np.errstate(all="ignore"):
            return float(_of_a(net, a, y))
    return float(cost.of_samples(net.architecture.output, z, a, y)[0])


def _of_a(net: Traceable, a: Array, y: Array) -> float:
    cost = net.architecture.cost
    form = cost.form(net.architecture.output)
    value = cost.value if form is None or form.printed is None else form.printed
    return float(value(a, y)[0])
